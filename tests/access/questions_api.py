"""What is sent to the vendors' voices."""

from collections.abc import Callable
from typing import Any

from approvals.models import Version

from .scene import World

#: What a request says: "path", "query" and "body", and "headers" where it has any.
Said = dict[str, Any]
Say = Callable[[Any], Said]

NEW_TIER = {
    "name": "Jade",
    "description": "For our best customers",
    "color": "#00A86B",
    "eligibility": {"threshold": 2000},
}
CAPILLARY: dict[str, Say] = {
    "GET v3/tiers": lambda ids: {"query": {"programId": ids["program"]}},
    "POST v3/tiers": lambda ids: {"body": NEW_TIER | {"programId": ids["program"]}},
    "GET v3/tiers/approvals": lambda ids: {"query": {"programId": ids["program"]}},
    "GET v3/tiers/<str:tier_id>": lambda ids: {
        "path": {"tier_id": ids["silver:slab_id"]}
    },
    "PUT v3/tiers/<str:tier_id>": lambda ids: {
        "path": {"tier_id": ids["tiers.tierversion:object_id"]},
        "body": {"eligibility": {"threshold": 610}},
    },
    "DELETE v3/tiers/<str:tier_id>": lambda ids: {
        "path": {"tier_id": ids["tiers.tierversion:object_id"]}
    },
    "POST v3/tiers/<str:tier_id>/submit": lambda ids: {
        "path": {"tier_id": ids["tiers.tierversion:object_id"]}
    },
    "POST v3/tiers/<str:tier_id>/approve": lambda ids: {
        "path": {"tier_id": ids["tiers.tierversion:object_id"]},
        "body": {"approvalStatus": ids.things["decision"], "comment": "For the test."},
    },
    "POST v3/oauth/token/generate": lambda ids: {
        "body": dict(zip(("key", "secret"), ids.things["key"].split("."), strict=True))
    },
}

TIER = {"tierDefinition": {"name": "Platinum"}, "requiredPoints": 9000}
SETTINGS = {"status": "PAUSED", "rollingWindow": {"durationInMonths": 6}}
EARN = {
    "amount": 5,
    "appId": "553c79f3-5625-4f38-b14b-ef7c0d1e87df",
    "idempotencyKey": "order-1",
    "description": "Boots",
}
NEW_SITE = "dddddddd-0000-4000-8000-00000000000d"
TIERS, ACCOUNTS = "loyalty-tiers/v1/tiers", "loyalty-accounts/v1/accounts"
LEDGER = "loyalty-transactions/v1/loyalty-transactions"


def of_tier(ids: Any, **body: Any) -> Said:
    return {"path": {"tier_id": ids["site tier:uuid"]}, "body": body or None}


def of_account(ids: Any, **body: Any) -> Said:
    return {"path": {"account_id": ids["shopper:uuid"]}, "body": body or None}


WIX: dict[str, Say] = {
    f"POST {TIERS}": lambda ids: {"body": {"tier": TIER}},
    "POST loyalty-tiers/v1/bulk/tiers/create": lambda ids: {"body": {"tiers": [TIER]}},
    f"POST {TIERS}/program-settings": lambda ids: {
        "body": {"programSettings": {"status": "ACTIVE"}}
    },
    f"PATCH {TIERS}/program-settings": lambda ids: {
        "body": {"programSettings": SETTINGS | {"revision": "1"}}
    },
    f"GET {TIERS}/<str:tier_id>": of_tier,
    f"PATCH {TIERS}/<str:tier_id>": lambda ids: of_tier(
        ids, tier={"revision": "1", "requiredPoints": 350}
    ),
    f"DELETE {TIERS}/<str:tier_id>": lambda ids: (
        of_tier(ids) | {"query": {"revision": "1"}}
    ),
    f"POST {ACCOUNTS}": lambda ids: {
        "body": {"contactId": "cccccccc-0000-4000-8000-000000000009"}
    },
    f"GET {ACCOUNTS}/fetch-by": lambda ids: {
        "query": {"memberId": ids["shopper contact:site_member_id"]}
    },
    f"GET {ACCOUNTS}/<str:account_id>": of_account,
    f"POST {ACCOUNTS}/<str:account_id>/earn-points": lambda ids: of_account(
        ids, **EARN, accountId=str(ids["shopper:uuid"])
    ),
    f"POST {ACCOUNTS}/<str:account_id>/adjust-points": lambda ids: of_account(
        ids, amount=5, revision="2"
    ),
    f"GET {LEDGER}/<str:transaction_id>": lambda ids: {
        "path": {"transaction_id": ids["shopper entry:uuid"]}
    },
}

SAID = CAPILLARY | WIX


def prepare(world: World, row: Any) -> dict[str, Any]:
    """Bring the world to where a row's request works; return the things it names."""
    words = dict(row.words)
    if row.pattern == "v3/tiers/<str:tier_id>/approve":
        version, _held = world.stage.bring("tier", Version.Status.PENDING_APPROVAL)
        decision = {"approve": "APPROVE", "reject": "REJECT"}[words["verb"]]
        return {"tiers.tierversion": version, "decision": decision}
    if row.pattern.endswith("token/generate"):
        return {"key": world.secrets["KR"]}
    return {}


def of_wix(row: Any, ids: Any) -> Said:
    """Complete what is said to a site: its id goes in a header, a body is an object."""
    said: Said = {}
    site = NEW_SITE if row.words == (("new", "yes"),) else ids["corner:uuid"]
    said |= SAID.get(f"{row.method} {row.pattern.removeprefix('_api/')}", nothing)(ids)
    return said | {"headers": {"wix-site-id": str(site)}}


def nothing(ids: Any) -> Said:
    return {}
