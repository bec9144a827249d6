"""What is sent to Brevo's voice, about a program that asks for no approval."""

from typing import Any
from uuid import uuid4

from django.utils import timezone

from approvals import lifecycle
from loyalty import members, points, programs
from loyalty.models import PointsRequest, Reward
from tests import factories
from tiers import direct

from .questions_api import Said, Say
from .scene import MARK, World

PROGRAMS = "v3/loyalty/config/programs"
PROGRAM = f"{PROGRAMS}/<str:pid>"
TIER = "v3/loyalty/tier/programs/<str:pid>"
OFFER = "v3/loyalty/offer/programs/<str:pid>"
BALANCE = "v3/loyalty/balance/programs/<str:pid>"
DEFINITIONS = f"{BALANCE}/balance-definitions"
TRANSACTIONS = f"{BALANCE}/transactions"


def of(body: Any = None, query: Any = None, **path: str) -> Say:
    """Word a request about the corner shop; ``path`` names what else is in it.

    Body and query are given the ids.
    """

    def say(ids: Any) -> Said:
        values = {name: ids[thing] for name, thing in path.items()}
        return {
            "path": {"pid": ids["corner:uuid"], **values},
            "body": body(ids) if callable(body) else body,
            "query": query(ids) if query else {},
        }

    return say


def of_contact(ids: Any) -> dict[str, Any]:
    return {"contactId": ids["shopper contact"]}


def asking(ids: Any) -> list[dict[str, Any]]:
    return [{"balanceDefinitionId": str(ids["corner points:uuid"]), "minimumValue": 9}]


GID, TID = {"gid": "corner group:uuid"}, {"tid": "site tier:uuid"}
BDID, CID = {"bdid": "corner stars:uuid"}, {"cid": "shopper contact"}
PAID = {"tid": "paid:uuid"}
SAID: dict[str, Say] = {
    f"POST {PROGRAMS}": lambda ids: {"body": {"name": "Another"}},
    f"GET {PROGRAM}": of(),
    f"PUT {PROGRAM}": of({"name": "Renamed"}),
    f"PATCH {PROGRAM}": of({"description": "Another."}),
    f"DELETE {PROGRAM}": lambda ids: {"path": {"pid": ids["empty:uuid"]}},
    f"POST {PROGRAM}/publish": of(),
    f"POST {PROGRAM}/subscriptions": of(
        lambda ids: {"contactId": ids["member:contact_id"]}
    ),
    f"DELETE {PROGRAM}/contact/<str:cid>": of(**CID),
    f"POST {PROGRAM}/subscription-members": of(
        lambda ids: of_contact(ids) | {"memberContactIds": [ids["away:contact_id"]]}
    ),
    f"DELETE {PROGRAM}/subscription-members": of(
        query=lambda ids: {"memberContactIds": ids["still:contact_id"]}
    ),
    f"GET {PROGRAM}/account-info": of(query=of_contact),
    f"GET {TIER}/tier-groups": of(),
    f"POST {TIER}/tier-groups": of({"name": "Regions"}),
    f"GET {TIER}/tier-groups/<str:gid>": of(**GID),
    f"PUT {TIER}/tier-groups/<str:gid>": of(
        {
            "name": "Level",
            "upgradeStrategy": "real_time",
            "downgradeStrategy": "real_time",
            "tierOrder": [],
        },
        **GID,
    ),
    f"DELETE {TIER}/tier-groups/<str:gid>": of(**GID),
    f"POST {TIER}/tier-groups/<str:gid>/tiers": of(
        lambda ids: {"name": "Golden", "accessConditions": asking(ids)}, **GID
    ),
    f"GET {TIER}/tiers": of(),
    f"PUT {TIER}/tiers/<str:tid>": of(
        lambda ids: {"name": "Golden", "accessConditions": asking(ids)}, **TID
    ),
    f"DELETE {TIER}/tiers/<str:tid>": of(**TID),
    f"POST {TIER}/contacts/<str:cid>/tiers/<str:tid>": of(**CID, **TID),
    f"GET {OFFER}/offers": of(),
    f"POST {OFFER}/offers": of({"name": "Coffee"}),
    f"GET {OFFER}/rewards/<str:rid>": of(rid="reward:uuid"),
    f"GET {DEFINITIONS}": of(),
    f"POST {DEFINITIONS}": of({"name": "Miles", "unit": "POINTS"}),
    f"GET {DEFINITIONS}/<str:bdid>": of(**BDID),
    f"PUT {DEFINITIONS}/<str:bdid>": of({"name": "Suns", "unit": "POINTS"}, **BDID),
    f"DELETE {DEFINITIONS}/<str:bdid>": of(**BDID),
    f"POST {TRANSACTIONS}": of(
        lambda ids: (
            of_contact(ids)
            | {"amount": 5, "balanceDefinitionId": str(ids["corner points:uuid"])}
        )
    ),
    f"POST {TRANSACTIONS}/<str:tid>/complete": of(**PAID),
    f"POST {TRANSACTIONS}/<str:tid>/cancel": of(**PAID),
    f"GET {BALANCE}/transaction-history": of(
        query=lambda ids: (
            of_contact(ids) | {"balanceDefinitionId": ids["corner points:uuid"]}
        )
    ),
    f"GET {BALANCE}/subscriptions/<str:cid>/balances": of(**CID),
    f"POST {BALANCE}/subscriptions/<str:cid>/balances": of(
        lambda ids: {"balanceDefinitionId": str(ids["corner visits:uuid"])}, **CID
    ),
    f"GET {BALANCE}/subscriptions/<str:cid>/tier": of(**CID),
    f"GET {BALANCE}/active-balance": of(
        query=lambda ids: (
            of_contact(ids) | {"balanceDefinitionId": ids["corner points:uuid"]}
        )
    ),
    f"GET {BALANCE}/contact-balances": of(
        query=lambda ids: {"balanceDefinitionId": ids["corner points:uuid"]}
    ),
    "POST v3/contacts": lambda ids: {"body": {"email": "new@example.org"}},
}


def prepare(world: World, row: Any) -> dict[str, Any]:
    """Make what only this voice knows of: rewards, postings that wait, households."""
    corner, shopper = world.corner, world.things["shopper"]
    stars = programs.add_balance_definition(
        corner, by=world.stage.olga, name=f"{MARK} stars", unit="POINTS", scale=0
    )
    lifecycle.publish_now([stars], by=world.stage.olga)
    found: dict[str, Any] = {
        "corner points": factories.definition_of(corner),
        "corner visits": factories.definition_of(corner, "VISITS"),
        "corner stars": stars.balance_definition,
        "corner group": corner.tier_groups.get(is_default=True),
    }
    if "rewards/" in row.pattern:
        now = timezone.now()
        return found | {
            "reward": Reward.objects.create(program=corner, name=MARK, created_at=now)
        }
    if row.pattern.startswith(f"{TRANSACTIONS}/"):
        points.begin(
            shopper,
            found["corner points"],
            5,
            reference="begun",
            source="tests",
            by=world.stage.olga,
        )
        return found | {"paid": PointsRequest.objects.get(reference="begun")}
    if row.pattern.startswith(f"{PROGRAM}/subscription-members"):
        shared = [world.things["still"].contact]
        members.share(shopper, shared, by=world.stage.olga)
    if row.key == ("DELETE", PROGRAM) or row.key == ("DELETE", f"{PROGRAM}/"):
        empty = direct.begin_program(
            uuid4(),
            by=world.stage.olga,
            source="BREVO",
            status="DISABLED",
            name=f"{MARK} empty",
        )
        return found | {"empty": empty}
    return found
