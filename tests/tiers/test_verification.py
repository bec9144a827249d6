"""``verify`` is silent on sound data, and finds each kind of fault."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from approvals import triggers
from loyalty import members, points
from loyalty.models import Balance, Member, PointsEntry, Program
from tests import factories
from tiers import acts, assignment, sets, verification
from tiers.models import (
    CountChange,
    Standing,
    Tier,
    TierAssignment,
    TierEvent,
    TierGroup,
    TierSnapshot,
)


@pytest.fixture
def story(group: TierGroup) -> TierGroup:
    """Three members with histories, judged and counted."""
    now = timezone.now()
    for amount in (100, 600, 1500):
        member = factories.make_member(group.program)
        factories.earn(member, amount, occurred_at=now - timedelta(days=400))
        factories.earn(member, amount, occurred_at=now - timedelta(days=40))
    assignment.recalculate(group.program, as_of=timezone.now())
    return group


def corrupt(change: Callable[[], Any]) -> None:
    """Let something happen that triggers would prevent."""
    triggers.uninstall(connection)
    try:
        change()
    finally:
        triggers.install(connection)


def test_sound_data_has_no_problems(story: TierGroup) -> None:
    assert list(verification.problems(story.program)) == []


def test_a_purchase_of_nothing_is_no_fault(
    story: TierGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged in sets, it leaves the standing as it was, instant and all."""
    monkeypatch.setattr(sets, "WORTH_IT", 0)
    [member, *_] = Member.objects.order_by("pk")
    line = points.Line("EARN", factories.definition_of(story.program, "POINTS").pk, 0)
    later = timezone.now() + timedelta(hours=1)
    with time_machine.travel(later, tick=False):
        activity = points.Activity(member.pk, "nothing", (line,))
        points.post_many(story.program, [activity], source="shop", by=None)
        assignment.recalculate(story.program, as_of=later + timedelta(minutes=5))
    assert not Member.objects.marked().exists()
    if connection.vendor == "postgresql":
        assert Standing.objects.get(member=member).evaluated_at < later
    assert list(verification.problems(story.program)) == []


def test_what_is_still_to_be_done_is_not_a_fault(story: TierGroup) -> None:
    member = factories.make_member(story.program)
    assert member.marked_at is not None
    assert list(verification.problems(story.program)) == []


FAULTS: dict[str, tuple[Callable[[], Any], str]] = {
    "entry": (
        lambda: PointsEntry.objects.filter(amount=600).update(amount=900),
        "is not what was written",
    ),
    "missing entry": (
        lambda: PointsEntry.objects.order_by("-pk")[:1].get().delete(),
        "is missing",
    ),
    "balance": (
        lambda: Balance.objects.filter(amount=200).update(amount=201),
        "the ledger says 200",
    ),
    "standing's tier": (
        lambda: Standing.objects.filter(qualifying_points=600).update(tier=None),
        "the tier is None",
    ),
    "standing's amount": (
        lambda: Standing.objects.filter(qualifying_points=600).update(
            qualifying_points=601
        ),
        "the qualifying amount is 601, not 600",
    ),
    "assignment": (
        lambda: TierAssignment.objects.filter(valid_until=None).update(
            valid_until=timezone.now()
        ),
        "Assignments of member",
    ),
    "standing's term": (
        lambda: Standing.objects.filter(qualifying_points=600).update(
            term_ends_at=timezone.now()
        ),
        "the end of the term is",
    ),
    "standing's customer": (
        lambda: Standing.objects.filter(qualifying_points=600).update(counted_as=None),
        "the tier counted in is None",
    ),
    "missing standing": (
        lambda: Standing.objects.filter(qualifying_points=600).delete(),
        "has no standing",
    ),
    "count": (
        lambda: Tier.objects.filter(customer_count=1).update(customer_count=2),
        "counts 2 customers, its assignments say 1",
    ),
    "holders": (
        lambda: Tier.objects.filter(holders=1).update(holders=2),
        "has 2 holders, with what was noted since the last tick; its assignments say 1",
    ),
    "a note too many": (
        lambda: CountChange.objects.create(
            program=Program.objects.get(),
            tier=Tier.objects.filter(holders=1)[0],
            delta=1,
            at=timezone.now(),
        ),
        "has 2 holders",
    ),
    "snapshot": (
        lambda: TierSnapshot.objects.filter(customers=1).update(customers=2),
        "has 2 customers, its assignments say 1",
    ),
    "decision": (
        lambda: connection.cursor().execute("DELETE FROM approvals_decision"),
        "without a decision",
    ),
}


def test_what_was_told_twice_is_found(story: TierGroup) -> None:
    member = Member.objects.order_by("pk")[0]
    told = {
        "member": member,
        "group": story,
        "kind": TierEvent.Kind.REMINDED,
        "occurred_at": timezone.now(),
        "recorded_at": timezone.now(),
        "ends_at": timezone.now(),
    }
    TierEvent.objects.create(**told)
    once = list(verification.events([member.pk]))
    with pytest.raises(IntegrityError), transaction.atomic():
        TierEvent.objects.create(**told)
    assert once == []


def test_what_was_due_by_an_instant_is_asked_for_on_request(story: TierGroup) -> None:
    now = timezone.now()
    member = factories.make_member(story.program)
    (problem,) = verification.problems(story.program, as_of=timezone.now())
    assert problem.startswith(f"Member {member.pk} is marked since")
    only = (member.pk + 1, member.pk + 100)
    assert list(verification.problems(story.program, members=only, as_of=now)) == []
    later = now + timedelta(days=400)
    found = list(verification.problems(story.program, as_of=later))
    assert sum("was due on" in problem for problem in found) == 3


def test_bounds_know_of_whose_status_has_changed(story: TierGroup, maya: User) -> None:
    """Who was active at midnight and is not now was rightly counted then."""
    for member in Member.objects.all():
        members.deactivate(member, by=maya, reason="They asked for it.")
    assert list(verification.problems(story.program)) == []


def test_what_is_done_in_the_very_microsecond_of_a_tick_is_no_fault(
    group: TierGroup, maya: User
) -> None:
    """It may have been committed before customers were counted, or after."""
    early, late, moved = (factories.make_member(group.program) for _ in range(3))
    tomorrow = timezone.now() + timedelta(days=1)
    midnight = tomorrow.replace(hour=0, minute=0, second=0, microsecond=0)
    with time_machine.travel(midnight, tick=False):
        assignment.recalculate(group.program, as_of=midnight)
        factories.earn(early, 600)
        factories.earn(late, 600, occurred_at=midnight - timedelta(hours=9))
        gold = factories.live_tier(group, "Gold").tier
        acts.move(moved, gold, by=maya, reason="A favour.")
        assert list(verification.problems(group.program)) == []
        # Three may have counted or not; a fourth never was there.
        corrupt(lambda: TierSnapshot.objects.filter(customers=3).update(customers=4))
        (problem,) = verification.problems(group.program)
        assert "has 4 customers, its assignments say 0 to 3" in problem


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_corrupted_on_purpose_is_found(story: TierGroup, fault: str) -> None:
    change, sentence = FAULTS[fault]
    corrupt(change)
    found = list(verification.problems(story.program))
    assert any(sentence in problem for problem in found), found


def test_the_command_names_the_first_row_that_differs_and_fails(
    story: TierGroup, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("verify")
    assert "Gemstone Rewards: verified." in capsys.readouterr().out
    Standing.objects.filter(qualifying_points=600).update(qualifying_points=601)
    with pytest.raises(CommandError):
        call_command("verify", "--program", str(story.program_id))
    assert "the qualifying amount is 601" in capsys.readouterr().out
