"""What is sent for each line of the matrix, and what has to be so beforehand.

A request that would be refused for what it says proves nothing about who may send it,
so each says something that works.
"""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from axes.models import AccessAttempt
from django.utils import timezone

from approvals import lifecycle
from approvals.models import Version
from loyalty import adjustments, members, programs
from tiers import assignment

from . import questions_api, questions_brevo, questions_native, questions_set_up
from .asking import Question
from .matrix import Row
from .scene import MARK, World

Status = Version.Status
NOBODYS = 987_654_321


class Ids:
    """Ids of the world's things by name, such as "member" or "member:uuid".

    With ``nobodys``, ids of the same form that are nobody's.
    """

    def __init__(self, things: dict[str, Any], *, nobodys: bool = False) -> None:
        self.things, self.nobodys = things, nobodys
        #: What was named, and the id that nobody has in its place.
        self.named: dict[str, str] = {}

    def __getitem__(self, name: str) -> Any:
        thing, _, attribute = name.partition(":")
        own = getattr(self.things[thing], attribute or "pk")
        nobodys = nobodys_like(own)
        self.named[str(own)] = str(nobodys)
        return nobodys if self.nobodys else own


def nobodys_like(own: Any) -> Any:
    if isinstance(own, int):
        return NOBODYS
    if isinstance(own, UUID):
        return UUID("99999999-9999-4999-8999-999999999999")
    return "f" * 24 if re.fullmatch("[0-9a-f]{24}", own) else "nobodys"


Told = dict[str, Any]
Say = Callable[[Ids], Told]

COMMENT: Say = lambda ids: {"comment": "For the test."}  # noqa: E731
NOTHING: Say = lambda ids: {}  # noqa: E731
KINDS = {
    "loyalty.programversion": "program",
    "loyalty.balancedefinitionversion": "balance definition",
    "tiers.tiergroupversion": "tier group",
    "tiers.tierversion": "tier",
}
SOURCES = {
    "withdraw": Status.PENDING_APPROVAL,
    "approve": Status.PENDING_APPROVAL,
    "reject": Status.PENDING_APPROVAL,
    "unschedule": Status.SCHEDULED,
    "retry": Status.PUBLISH_FAILED,
    "roll_back": Status.SNAPSHOT,
}
ONCE = "bbbbbbbb-0000-4000-8000-000000000001"

#: Verb, or (model, verb) -> what its page is told.
SAID: dict[Any, Say] = {
    "approve": lambda ids: {"seen": ids.things["seen"], "comment": ""},
    "retry": lambda ids: {"seen": ids.things["seen"], "comment": ""},
    "reject": lambda ids: COMMENT(ids) | {"seen": ids.things["seen"]},
    "withdraw": NOTHING,
    "unschedule": COMMENT,
    "submit": lambda ids: {"note": ""},
    "publish_now": lambda ids: {"note": ""},
    "discard": NOTHING,
    "roll_back": NOTHING,
    "draft_change": NOTHING,
    "retire": NOTHING,
    **dict.fromkeys(programs.SWITCHES, COMMENT),
    "recalculate": lambda ids: {"comment": ""},
    ("loyalty.pointsrequest", "approve"): NOTHING,
    ("loyalty.pointsrequest", "reject"): COMMENT,
    "reverse": lambda ids: COMMENT(ids) | {"amount": "", "reference": ONCE},
    "revoke": COMMENT,
    "rotate": lambda ids: {"days": "7"},
    "end_override": COMMENT,
    "activate_member": COMMENT,
    "deactivate_member": COMMENT,
    "leave": COMMENT,
    "rejoin": COMMENT,
    "close": COMMENT,
    "edit": lambda ids: ids.things["details"],
    "erase": lambda ids: COMMENT(ids) | {"number": ids["member:subscription_id"]},
    "adjust": lambda ids: (
        COMMENT(ids) | {"balance": ids["points"], "amount": "5", "reference": ONCE}
    ),
    "move": lambda ids: COMMENT(ids) | {"tier": ids["tiers.tier"]},
    "override": lambda ids: COMMENT(ids) | {"tier": ids["silver"], "bound": "PIN"},
    ("loyalty.member", "evaluate"): lambda ids: (
        COMMENT(ids) | {"group": ids["tiers.tiergroup"]}
    ),
    ("tiers.tiergroup", "evaluate"): COMMENT,
}
#: (model, verb) -> the thing that it can be done to, where it is another.
DONE_TO = {
    ("loyalty.program", "publish_now"): "corner",
    ("tiers.tiergroup", "draft_change"): "quiet group",
    ("tiers.tiergroup", "retire"): "quiet group",
    ("loyalty.member", "activate_member"): "still",
    ("loyalty.member", "rejoin"): "away",
}


def prepare(world: World, rows: list[Row]) -> dict[str, Any]:
    """Bring the world to where one address's requests work; return what they name."""
    row = rows[-1]
    words = dict(row.words)
    if not row.pattern.startswith("admin/"):
        return world.things | voice_of(row).prepare(world, row)
    things, model = dict(world.things), model_of(row)
    things |= prepare_verb(world, model, words.get("verb", ""))
    if any(each.method == "POST" for each in rows):
        things |= questions_set_up.forms_for(world, row, model)
    return things


def prepare_verb(world: World, model: str, verb: str) -> dict[str, Any]:
    stage = world.stage
    if model in (*KINDS, "approvals.changeset") and verb in SOURCES:
        version, held = stage.bring(KINDS.get(model, "tier"), SOURCES[verb])
        seen = held.fingerprint
        if verb == "retry":
            seen = lifecycle.fresh_fingerprint(held)
        found = {"approvals.changeset": held, "seen": seen}
        return found | ({model: version} if model in KINDS else {})
    if model == "axes.accessattempt":
        # Signing in forgets those of long ago.
        tried = {"username": "norm", "ip_address": "192.0.2.1"}
        attempt = AccessAttempt.objects.create(**tried, failures_since_start=1)
        return {model: attempt}
    if model == "loyalty.pointsrequest":
        return {model: waiting_adjustment(world)}
    if model in KINDS and verb == "publish_now":
        return {model: world.things[f"waived {model}"]}
    if model == "loyalty.program" and verb in programs.SWITCHES:
        before = {"activate": "disable", "prepare": "disable", "resume": "pause"}
        if verb in before:
            programs.switch_tiers(
                stage.program, before[verb], by=stage.olga, reason="For the test."
            )
    if verb == "edit":
        return {"details": details_of(world)}
    if verb == "recalculate":
        bring_up_to_date(world)
    if (model, verb) in DONE_TO:
        return {model: world.things[DONE_TO[model, verb]]}
    return {}


def bring_up_to_date(world: World) -> None:
    """Recalculate once what every cell would have to: the world is from long ago."""
    program = world.stage.program
    assignment.recalculate(program, as_of=timezone.now(), by=world.stage.olga)


def waiting_adjustment(world: World) -> Any:
    return adjustments.adjust(
        world.things["member"],
        world.things["points"],
        6_000_000,
        reference=ONCE,
        reason=f"{MARK} again",
        by=world.people["MGR"],
    )


def details_of(world: World) -> dict[str, Any]:
    details = members.details_of(world.things["member"])
    names = ("name", "email", "mobile", "external_id", "subscription_id", "card")
    said = {name: getattr(details, name) for name in names}
    return said | {"mobile": "+41 79 000 00 00", "seen": details.digest}


def question(row: Row, ids: Ids) -> Question:
    """Word the row's request, about the things that the ids name."""
    words = dict(row.words)
    if not row.pattern.startswith("admin/"):
        return to_voice(row, ids)
    model = model_of(row)
    path = fill(row.pattern, words | path_ids(row, model, ids))
    if verb := words.get("verb"):
        if row.pattern.endswith("decide/<slug:verb>/"):
            return questions_set_up.deciding(row.method, path, verb, ids)
        say = SAID.get((model, verb)) or SAID[verb]
        body = say(ids) if row.method == "POST" else None
        return Question(row.method, path, body=body)
    query, body = questions_set_up.said(row, model, ids)
    return Question(row.method, path, query=query, body=body)


def voice_of(row: Row) -> Any:
    """Return the module that words what a voice is told."""
    if row.pattern.startswith(("v3/loyalty/", "v3/contacts")):
        return questions_brevo
    if row.pattern.startswith("api/v1"):
        return questions_native
    return questions_api


def to_voice(row: Row, ids: Ids) -> Question:
    voice, pattern = voice_of(row), row.pattern
    if pattern.startswith(("loyalty-", "_api/")):
        said = questions_api.of_wix(row, ids)
    else:
        # With a slash at the end or without one, it is the same.
        name = f"{row.method} {pattern.removesuffix('/')}"
        said = voice.SAID.get(name, questions_api.nothing)(ids)
    if row.method != "GET":
        # JSON, also where there is nothing to say.
        said.setdefault("body", {})
    path = fill(pattern, {"anything": "/nothing"} | said.pop("path", {}))
    return Question(row.method, path, **said)


def model_of(row: Row) -> str:
    """Return "app.model" of an admin address; empty for the site's own."""
    parts = row.pattern.split("/")
    return f"{parts[1]}.{parts[2]}" if len(parts) > 3 else ""


def path_ids(row: Row, model: str, ids: Ids) -> dict[str, Any]:
    if model not in ids.things:
        return {
            "content_type_id": 1,
            "object_id": 1,
            "url": "nothing",
            "app_label": "tiers",
        }
    return dict.fromkeys(("pk", "object_id", "id"), ids[model])


def fill(pattern: str, values: dict[str, Any]) -> str:
    """Put values into an address of Django's, of either style."""
    path = re.sub(r"\(\?P<(\w+)>[^)]*\)\??", r"<\1>", pattern).replace("^", "")
    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda m: str(values[m[1]]), path)
    return "/" + path.removesuffix("$")
