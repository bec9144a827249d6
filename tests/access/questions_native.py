"""What is sent to our own voice."""

from typing import Any

from django.utils import timezone

from approvals import lifecycle
from approvals.models import Version
from loyalty import points
from tiers import assignment

from .questions_api import Said, Say
from .scene import World

Status = Version.Status
API = "api/v1"
#: Name in addresses -> the thing without an open version, the one with one, and its
#: kind on the stage.
THINGS = {
    "programs": ("program", "with draft:program_id", "program"),
    "balance-definitions": (
        "loyalty.balancedefinition",
        "with draft:balance_definition_id",
        "balance definition",
    ),
    "tier-groups": ("quiet group", "with draft:group_id", "tier group"),
    "tiers": ("tiers.tier", "with draft:tier_id", "tier"),
}
VERSIONS = {
    "programs": "loyalty.programversion",
    "balance-definitions": "loyalty.balancedefinitionversion",
    "tier-groups": "tiers.tiergroupversion",
    "tiers": "tiers.tierversion",
}
READ = {"headers": {"If-Match": "*"}}


def at(name: str, **said: Any) -> Say:
    return lambda ids: {"path": {"pk": ids[name]}, **said}


def of_version(name: str) -> Say:
    return lambda ids: {"path": {"thing_id": ids[name], "number": 1}}


def about_things() -> dict[str, Say]:
    found: dict[str, Say] = {}
    for name, (idle, drafted, _kind) in THINGS.items():
        one = f"{API}/{name}/<number:pk>"
        versions = f"{API}/{name}/<number:thing_id>/versions"
        found |= {
            f"GET {one}": at(idle),
            f"GET {one}/draft": at(drafted),
            f"POST {one}/draft": at(idle, body={"note": "For the test."}),
            f"PATCH {one}/draft": at(drafted, body={"note": "Better so."}, **READ),
            f"DELETE {one}/draft": at(drafted, **READ),
            f"POST {one}/retire": at(idle),
            f"POST {one}/roll-back": at("rolled", body={"version": 1}),
            f"GET {versions}": of_version(idle),
            f"GET {versions}/<number:number>": of_version(idle),
            f"GET {versions}/<number:number>/difference": of_version(idle),
        }
    return found


def change(**said: Any) -> Say:
    return lambda ids: {
        "path": {"pk": ids["approvals.changeset"]},
        "body": {name: ids.things.get(value, value) for name, value in said.items()},
    }


def drafts(ids: Any) -> Said:
    version = ids.things["submitted"]
    one = {"kind": "tier", "id": ids["submitted"], "revision": version.revision}
    return {"body": {"versions": [one]}}


NAME = {"name": "Another"}
SAID: dict[str, Say] = {
    **about_things(),
    f"POST {API}/programs": lambda ids: {"body": {"content": NAME}},
    f"POST {API}/programs/<number:pk>/switch": at(
        "program", body={"verb": "pause", "reason": "For the test."}
    ),
    f"POST {API}/balance-definitions": lambda ids: {
        "body": {"program": ids["program"], "content": NAME | {"unit": "POINTS"}}
    },
    f"POST {API}/tier-groups": lambda ids: {
        "body": {"program": ids["program"], "content": NAME}
    },
    f"POST {API}/tiers": lambda ids: {
        "body": {
            "group": ids["tiers.tiergroup"],
            "content": NAME | {"threshold": "2000"},
        }
    },
    f"POST {API}/change-sets": drafts,
    f"POST {API}/change-sets/publish-now": drafts,
    f"GET {API}/change-sets/<number:pk>": at("approvals.changeset"),
    f"POST {API}/change-sets/<number:pk>/withdraw": at("approvals.changeset"),
    f"POST {API}/change-sets/<number:pk>/approve": change(fingerprint="seen"),
    f"POST {API}/change-sets/<number:pk>/reject": change(
        fingerprint="seen", comment="For the test."
    ),
    f"POST {API}/change-sets/<number:pk>/retry": change(fingerprint="seen"),
    f"POST {API}/change-sets/<number:pk>/unschedule": change(comment="For the test."),
    f"GET {API}/problems/<slug:code>": lambda ids: {"path": {"code": "not_found"}},
}
WHY = {"reason": "For the test."}
STEPS = {
    "activate": "still",
    "deactivate": "member",
    "leave": "member",
    "rejoin": "away",
    "close": "member",
    "erase": "member",
}


def posting(**said: Any) -> Say:
    """Word something that is posted to a member, under a reference of its own."""
    return lambda ids: {
        "body": {"member": ids["member"], "reference": "once", "amount": "5", **said}
    }


def activity(ids: Any) -> dict[str, Any]:
    return {"member": ids["member"], "reference": "once", "points": "5"}


SAID |= {
    f"GET {API}/members/<number:pk>": at("member"),
    f"PATCH {API}/members/<number:pk>": at("member", body=NAME, **READ),
    f"POST {API}/members": lambda ids: {"body": NAME | {"program": ids["program"]}},
    f"POST {API}/members/batch": lambda ids: {
        "body": {"program": ids["program"], "members": [{"email": "new@example.org"}]}
    },
    **{
        f"POST {API}/members/<number:pk>/{step}": at(whose, body=WHY)
        for step, whose in STEPS.items()
    },
    f"GET {API}/members/<number:pk>/balances": at("member"),
    f"GET {API}/members/<number:pk>/lots": at("member"),
    f"GET {API}/members/<number:pk>/progress": at("member"),
    f"GET {API}/tier-counts/now": lambda ids: {"query": {"program": ids["program"]}},
    f"GET {API}/entries/<number:pk>": at("loyalty.pointsentry"),
    f"POST {API}/entries": posting(kind="EARN"),
    f"POST {API}/entries/<number:pk>/reverse": at(
        "loyalty.pointsentry", body={"reference": "once"}
    ),
    f"POST {API}/entries/<number:pk>/refund": at(
        "redeemed", body={"reference": "once"}
    ),
    f"POST {API}/activities": lambda ids: {
        "body": activity(ids) | {"program": ids["program"]}
    },
    f"POST {API}/activities/batch": lambda ids: {
        "body": {"program": ids["program"], "activities": [activity(ids)]}
    },
    f"POST {API}/postings": posting(kind="EARN"),
    f"GET {API}/postings/<uuid:pk>": at("begun:uuid"),
    f"POST {API}/postings/<uuid:pk>/complete": at("begun:uuid"),
    f"POST {API}/postings/<uuid:pk>/cancel": at("begun:uuid"),
    f"POST {API}/postings/<uuid:pk>/reverse": at(
        "earned:uuid", body={"reference": "once"}
    ),
    f"GET {API}/moves/<number:pk>": at("tiers.manualmove"),
    f"POST {API}/moves": lambda ids: {
        "body": WHY | {"member": ids["member"], "tier": ids["tiers.tier"]}
    },
    f"GET {API}/overrides/<number:pk>": at("tiers.override"),
    f"POST {API}/overrides": lambda ids: {
        "body": WHY
        | {"member": ids["member"], "tier": ids["tiers.tier"], "bound": "PIN"}
    },
    f"POST {API}/overrides/<number:pk>/end": at("tiers.override", body=WHY),
    f"GET {API}/evaluations/<number:pk>": at("tiers.orderedevaluation"),
    f"POST {API}/evaluations": lambda ids: {
        "body": WHY | {"group": ids["tiers.tiergroup"], "member": ids["member"]}
    },
    f"GET {API}/runs/<number:pk>": at("tiers.run"),
    f"POST {API}/runs": lambda ids: {"body": WHY | {"program": ids["program"]}},
    f"GET {API}/audit-events/<number:pk>": at("approvals.auditevent"),
}
SOURCES = {
    "withdraw": Status.PENDING_APPROVAL,
    "approve": Status.PENDING_APPROVAL,
    "reject": Status.PENDING_APPROVAL,
    "unschedule": Status.SCHEDULED,
    "retry": Status.PUBLISH_FAILED,
}


def prepare(world: World, row: Any) -> dict[str, Any]:
    """Bring the world to where a row's request works; return the things it names."""
    name, _, verb = row.pattern.removeprefix(f"{API}/").partition("/")
    verb = verb.rpartition("/")[2]
    if name == "change-sets":
        waived = "waived " if verb == "publish-now" else ""
        found = {"submitted": world.things[f"{waived}tiers.tierversion"]}
        if verb in SOURCES:
            _version, held = world.stage.bring("tier", SOURCES[verb])
            seen = held.fingerprint
            if verb == "retry":
                seen = lifecycle.fresh_fingerprint(held)
            found |= {"approvals.changeset": held, "seen": seen}
        return found
    if row.key == ("POST", f"{API}/runs"):
        assignment.recalculate(
            world.stage.program, as_of=timezone.now(), by=world.stage.olga
        )
    if name in ("entries", "postings"):
        return postings(world)
    if name not in THINGS:
        return {}
    found = {"with draft": world.things[VERSIONS[name]]}
    if verb == "roll-back":
        version, _held = world.stage.bring(THINGS[name][2], Status.SNAPSHOT)
        found |= {"rolled": version.thing}
    return found


def postings(world: World) -> dict[str, Any]:
    """Post, redeem and announce something."""
    member, definition = world.things["member"], world.things["points"]
    by: dict[str, Any] = {"source": "tests", "by": world.stage.olga}
    points.earn(member, definition, 5, reference="earned", **by)
    points.redeem(member, definition, 5, reference="redeemed", **by)
    points.begin(member, definition, 5, reference="begun", **by)
    return {
        "earned": member.points_requests.get(reference="earned"),
        "redeemed": member.entries.get(request__reference="redeemed"),
        "begun": member.points_requests.get(reference="begun"),
    }
