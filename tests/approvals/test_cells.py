"""Every state, verb and role: what ``TRANSITIONS`` allows works, nothing else does."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from approvals import lifecycle
from approvals.errors import Refused
from approvals.models import AuditEvent, ChangeSet, Decision, Notice, Version
from approvals.transitions import TRANSITIONS
from tests.counts import FULL

from .conftest import WORDS, Stage

pytestmark = pytest.mark.proof

Status = Version.Status
#: In every-day runs one kind of thing stands for all: they go through one lifecycle.
KINDS = list(WORDS) if FULL else ["tier"]

Act = Callable[[Any, ChangeSet, Any], object]

ACTS: dict[str, Act] = {
    "submit": lambda version, held, by: lifecycle.submit([version], by=by),
    "withdraw": lambda version, held, by: lifecycle.withdraw(held, by=by),
    "revise": lambda version, held, by: lifecycle.revise(
        version, by=by, changes={"note": "Better so."}
    ),
    "approve": lambda version, held, by: lifecycle.approve(
        held, by=by, fingerprint=held.fingerprint
    ),
    "reject": lambda version, held, by: lifecycle.reject(
        held, by=by, fingerprint=held.fingerprint, comment="No."
    ),
    "publish_now": lambda version, held, by: lifecycle.publish_now([version], by=by),
    "unschedule": lambda version, held, by: lifecycle.unschedule(
        held, by=by, comment="Not yet."
    ),
    "retry": lambda version, held, by: lifecycle.retry(
        held, by=by, fingerprint=lifecycle.fresh_fingerprint(held)
    ),
    "discard": lambda version, held, by: lifecycle.discard(version, by=by),
}

MAKERS = {
    "maker",
    "maker who contributed",
    "both",
    "both, and contributed",
    "superuser",
    "superuser who contributed",
    "limited to this program",
}
REVIEWERS = (MAKERS | {"reviewer"}) - {"maker", "maker who contributed"}
CONTRIBUTED = {
    "maker who contributed",
    "both, and contributed",
    "superuser who contributed",
}


def expected(verb: str, status: str, who: str, *, approval_required: bool) -> bool:
    """Tell from the one table, and from the words of the rules, what should work."""
    transition = TRANSITIONS[verb]
    may = {"maker": MAKERS, "reviewer": REVIEWERS, "either": MAKERS | REVIEWERS}
    if status not in transition.sources or who not in may[transition.role]:
        return False
    if verb in ("approve", "retry"):
        return who not in CONTRIBUTED
    if verb == "withdraw":
        return who in CONTRIBUTED
    if verb == "publish_now":
        return not approval_required
    return True


@pytest.fixture
def touched(stage: Stage, people: dict[str, User]) -> Stage:
    """The stage, where three of the people have a hand in every draft."""

    def touch(version: Any) -> None:
        for who in sorted(CONTRIBUTED):
            lifecycle.revise(version, by=people[who], changes={"note": who})

    stage.touch = touch
    return stage


def everything(version: Any) -> tuple[Any, ...]:
    """All that a verb may write, apart from other versions' rows."""
    return (
        type(version)._default_manager.filter(pk=version.pk).values().get(),
        list(ChangeSet.objects.order_by("pk").values()),
        Decision.objects.count(),
        AuditEvent.objects.count(),
        Notice.objects.count(),
    )


def try_all(
    stage: Stage,
    people: dict[str, User],
    version: Any,
    held: ChangeSet,
    acts: dict[str, Act] = ACTS,
) -> None:
    approval_required = stage.live("program").approval_required
    before = everything(version)
    wrong = []
    for who, person in people.items():
        offered = lifecycle.verbs_for(version, person)
        for verb, act in acts.items():
            should = expected(
                verb, version.status, who, approval_required=approval_required
            )
            works, told = attempt(act, version, held, person, TRANSITIONS[verb].targets)
            if not should == works == (verb in offered):
                wrong.append(
                    f"{who} {verb}: should work {should}, works {works}, "
                    f"offered {verb in offered} ({told})"
                )
            if not works:
                assert told.endswith("."), told
        assert everything(version) == before, f"{who} wrote something when refused"
    assert wrong == []


def attempt(
    act: Act, version: Any, held: ChangeSet, by: User, targets: tuple[str, ...]
) -> tuple[bool, str]:
    """Do it, look at what became of the version, and undo it."""
    own = type(version)._default_manager.get(pk=version.pk)
    change_set = ChangeSet.objects.get(pk=held.pk)
    try:
        with transaction.atomic():
            act(own, change_set, by)
            status = type(version)._default_manager.get(pk=version.pk).status
            transaction.set_rollback(True)
    except Refused as refusal:
        return False, refusal.message
    assert status in targets
    return True, ""


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("kind", KINDS)
def test_a_verb_works_from_its_sources_for_its_people_and_nowhere_else(
    touched: Stage, people: dict[str, User], kind: str, status: str
) -> None:
    version, held = touched.bring(kind, status)
    try_all(touched, people, version, held)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("kind", KINDS)
def test_without_approval_publishing_at_once_is_open_to_makers(
    touched: Stage, people: dict[str, User], kind: str, status: str
) -> None:
    off = lifecycle.draft_change(
        touched.live("program"), by=touched.olga, changes={"approval_required": False}
    )
    touched.approve(touched.submitted(off))
    version, held = touched.bring(kind, status)
    at_once = {"publish_now": ACTS["publish_now"]}
    try_all(touched, people, version, held, at_once)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("kind", KINDS)
def test_the_scheduler_makes_only_scheduled_versions_live(
    stage: Stage, kind: str, status: str
) -> None:
    version, held = stage.bring(kind, status)
    before = everything(version)
    at = held.go_live_at or held.created_at
    if status == Status.SCHEDULED:
        assert lifecycle.go_live(held, at=at)
        version.refresh_from_db()
        assert version.status == Status.LIVE
    else:
        assert not lifecycle.go_live(held, at=at)
        assert everything(version) == before


def test_every_verb_of_the_table_is_tried_here() -> None:
    assert {*ACTS, "go_live", "replace"} == set(TRANSITIONS)


def test_the_table_of_what_should_work_is_not_empty() -> None:
    cells = [
        (verb, status, who)
        for verb in ACTS
        for status in Status
        for who in MAKERS | REVIEWERS
        if expected(verb, status, who, approval_required=True)
    ]
    # submit 7, withdraw 3, revise 4 x 7, approve 4, reject 6, unschedule 8, retry 4,
    # discard 3 x 7; nobody publishes at once.
    assert len(cells) == 7 + 3 + 28 + 4 + 6 + 8 + 4 + 21
