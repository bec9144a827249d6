"""All that can be written over our own voice, and who may: one of each."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from approvals import lifecycle
from loyalty import members, points, programs
from tests import factories, scenes
from tiers import acts, drafting
from tiers.api.native.activities import BatchBody
from tiers.api.native.members import MembersBody
from tiers.api.native.urls import router

Ids = dict[str, Any]
LATER = factories.LONG_AGO.replace(year=2100)
WHY = {"reason": "For the test."}


# What there is


@scenes.kept
def ids(draft: Any, maya: User, chen: User) -> Ids:
    """One of each, in a program with approval and in one without; and what it is called."""
    factories.make_user("sue", is_superuser=True)
    group = draft.tier.group
    corner = factories.make_program(maya, "Corner", approval_required=False)
    shelf = factories.make_group(corner, by=maya, reviewer=chen)
    stars = programs.add_balance_definition(
        corner, by=maya, name="Stars", unit="POINTS", scale=0
    )
    lifecycle.publish_now([stars], by=maya)
    silver = factories.live_tier(shelf, "Silver").tier
    for thing in (corner, stars.balance_definition, shelf, silver):
        _publish_anew(thing, by=maya)
    spare = factories.make_program(maya, "Spare", approval_required=False)
    floor = factories.make_group(spare, by=maya, reviewer=chen)
    bronze = factories.live_tier(floor, "Bronze").tier
    drafted = (spare, factories.definition_of(spare), floor, bronze)
    drafts = [_draft(thing, by=maya) for thing in drafted]
    onyx = drafting.add_tier(group, by=maya, name="Onyx", threshold=3000)
    waiting = lifecycle.submit([onyx], by=maya)
    return {
        "program": group.program_id,
        "group": group.pk,
        "gold": draft.tier_id,
        "draft": draft.pk,
        "draft of bronze": drafts[-1].pk,
        "waiting": waiting.pk,
        "fingerprint": waiting.fingerprint,
        "scheduled": _schedule(group, maker=maya, reviewer=chen),
        **{
            f"{state} {name}": thing.pk
            for state, things in (
                ("live", (corner, stars.balance_definition, shelf, silver)),
                ("drafted", drafted),
            )
            for name, thing in zip(THINGS, things, strict=True)
        },
        **_people(group.program, maya),
    }


def _draft(thing: Any, *, by: User) -> Any:
    live = thing.versions.live().get()
    return lifecycle.draft_change(live, by=by, changes={"name": f"{live.name} anew"})


def _publish_anew(thing: Any, *, by: User) -> None:
    lifecycle.publish_now([_draft(thing, by=by)], by=by)


def _schedule(group: Any, *, maker: User, reviewer: User) -> int:
    opal = drafting.add_tier(group, by=maker, name="Opal", threshold=4000)
    change_set = lifecycle.submit([opal], by=maker, go_live_at=LATER)
    factories.approve(change_set, reviewer)
    return int(change_set.pk)


def _people(program: Any, by: User) -> Ids:
    ada, bob, away, still = (
        factories.make_member(program, name=name, external_id=name)
        for name in ("Ada", "Bob", "Away", "Still")
    )
    members.leave(away, by=by)
    members.deactivate(still, by=by, reason="Moved away.")
    definition = factories.definition_of(program)
    how: dict[str, Any] = {"source": "tests", "by": by}
    points.earn(ada, definition, 700, reference="earned", **how)
    points.redeem(ada, definition, 5, reference="redeemed", **how)
    points.begin(ada, definition, 5, reference="begun", expires_at=LATER, **how)
    gold = factories.live_tier(program.tier_groups.get(), "Gold").tier
    override = acts.override(bob, gold, bound="FLOOR", by=by, reason="A promise.")
    acts.move(bob, gold, by=by, reason="A present.")
    requests, lines = ada.points_requests, ada.entries
    return {
        "ada": ada.pk,
        "bob": bob.pk,
        "away": away.pk,
        "still": still.pk,
        "override": override.pk,
        "earned": lines.get(request__reference="earned").pk,
        "redeemed": lines.get(request__reference="redeemed").pk,
        "posting": str(requests.get(reference="earned").uuid),
        "begun": str(requests.get(reference="begun").uuid),
    }


# What can be written


@dataclass(frozen=True)
class Write:
    """A request that is carried out as it is, and by whom."""

    method: str
    path: str
    body: Any = None
    #: Whether a person asks; systems, with a key, do the rest.
    by_person: bool = False
    status: int = 200

    def changed(self, *path: str | int, value: Any) -> Any:
        """Return the body with another value at a place of it."""
        changed = copy.deepcopy(self.body)
        place: Any = changed
        for name in path[:-1]:
            place = place[name] if isinstance(name, int) else place.setdefault(name, {})
        place[path[-1]] = value
        return changed


#: What is sent of each kind of thing when it is made, apart from its name.
THINGS: dict[str, Callable[[Ids], dict[str, Any]]] = {
    "programs": lambda ids: {"content": {}},
    "balance-definitions": lambda ids: {
        "program": ids["program"],
        "content": {"unit": "POINTS"},
    },
    "tier-groups": lambda ids: {"program": ids["program"], "content": {}},
    "tiers": lambda ids: {"group": ids["group"], "content": {"threshold": "2000"}},
}


def writes(ids: Ids) -> dict[str, Write]:
    """Return a request for each address that writes, by its operation's name."""
    return {**_of_things(ids), **_of_change_sets(ids), **_of_members(ids)}


def _of_things(ids: Ids) -> dict[str, Write]:
    found: dict[str, Write] = {}
    for name, made in THINGS.items():
        live, drafted = (f"{name}/{ids[f'{s} {name}']}" for s in ("live", "drafted"))
        body = made(ids)
        body["content"]["name"] = "Another"
        note = {"note": "Better so.", "content": {}}
        found |= {
            f"{name} create": Write("POST", name, body, status=201),
            f"{name} open_draft": Write("POST", f"{live}/draft", note, status=201),
            f"{name} revise_draft": Write("PATCH", f"{drafted}/draft", note),
            f"{name} discard_draft": Write("DELETE", f"{drafted}/draft", status=204),
            f"{name} roll_back": Write(
                "POST", f"{live}/roll-back", {"version": 1}, status=201
            ),
            f"{name} retire": Write("POST", f"{live}/retire", {}, status=201),
        }
    del found["programs retire"]
    found["programs switch"] = Write(
        "POST", f"programs/{ids['program']}/switch", WHY | {"verb": "pause"}
    )
    return found


def _of_change_sets(ids: Ids) -> dict[str, Write]:
    def of(version: str) -> dict[str, Any]:
        one = {"kind": "tier", "id": ids[version], "revision": 1}
        return {"versions": [one], "note": "Together."}

    waiting, decided = (
        f"change-sets/{ids['waiting']}",
        {
            "fingerprint": ids["fingerprint"],
            "comment": "So be it.",
        },
    )
    return {
        "change-sets create": Write("POST", "change-sets", of("draft"), status=201),
        "change-sets publish_now": Write(
            "POST", "change-sets/publish-now", of("draft of bronze"), status=201
        ),
        "change-sets withdraw": Write("POST", f"{waiting}/withdraw", {}),
        "change-sets approve": Write("POST", f"{waiting}/approve", decided, True),
        "change-sets reject": Write("POST", f"{waiting}/reject", decided, True),
        "change-sets unschedule": Write(
            "POST",
            f"change-sets/{ids['scheduled']}/unschedule",
            {"comment": "Not yet."},
        ),
        # Nothing has failed: what is sent is read first, all the same.
        "change-sets retry": Write(
            "POST", f"{waiting}/retry", decided, True, status=409
        ),
    }


def _of_members(ids: Ids) -> dict[str, Write]:
    program, ada = {"program": ids["program"]}, f"members/{ids['ada']}"
    line = {"member": ids["ada"], "reference": "once", "amount": "5", "kind": "EARN"}
    activity = {"member": ids["ada"], "reference": "once", "points": "5"}
    moved = WHY | {"member": ids["ada"], "tier": ids["gold"]}
    once: dict[str, Any] = {"reference": "once"}
    return {
        "members create": Write("POST", "members", program | {"name": "C"}, status=201),
        "members upsert": Write(
            "POST", "members/batch", program | {"members": [{"external_id": "Eve"}]}
        ),
        "members partial_update": Write("PATCH", ada, {"name": "Ada Byron"}),
        **{
            f"members {step}": Write(
                "POST", f"members/{ids[whose]}/{step}", WHY, step == "erase"
            )
            for step, whose in STEPS.items()
        },
        "entries create": Write("POST", "entries", line, status=201),
        "entries reverse": Write(
            "POST", f"entries/{ids['earned']}/reverse", once, status=201
        ),
        "entries refund": Write(
            "POST", f"entries/{ids['redeemed']}/refund", once, status=201
        ),
        "activities create": Write(
            "POST", "activities", program | activity, status=201
        ),
        "activities batch": Write(
            "POST", "activities/batch", program | {"activities": [activity]}
        ),
        "postings create": Write("POST", "postings", line, status=201),
        "postings complete": Write("POST", f"postings/{ids['begun']}/complete", {}),
        "postings cancel": Write("POST", f"postings/{ids['begun']}/cancel", {}),
        "postings reverse": Write(
            "POST", f"postings/{ids['posting']}/reverse", once, status=201
        ),
        "moves create": Write("POST", "moves", moved, status=201),
        "overrides create": Write(
            "POST", "overrides", moved | {"bound": "FLOOR"}, status=201
        ),
        "overrides end": Write("POST", f"overrides/{ids['override']}/end", WHY),
        "evaluations create": Write(
            "POST",
            "evaluations",
            WHY | {"group": ids["group"], "member": ids["ada"]},
            status=201,
        ),
        "runs create": Write("POST", "runs", program | WHY),
    }


STEPS = {
    "close": "ada",
    "leave": "ada",
    "rejoin": "away",
    "activate": "still",
    "deactivate": "ada",
    "erase": "ada",
}
#: Many at once are read one by one, each with an outcome of its own.
READ_BY = {"members upsert": MembersBody, "activities batch": BatchBody}


def views() -> Iterator[tuple[str, str, str, Any]]:
    """Yield method, route, operation and view of whatever can be asked."""
    for pattern in router.urls:
        callback: Any = pattern.callback
        for method, action in callback.actions.items():
            name = f"{callback.initkwargs['basename']} {action}"
            yield method.upper(), str(pattern.pattern), name, callback.cls


def reader(name: str) -> Any:
    """Return the serializer that reads a write's body; None where there is none."""
    view = next(view for _, _, each, view in views() if each == name)
    return READ_BY.get(name) or view.bodies.get(name.split()[1])
