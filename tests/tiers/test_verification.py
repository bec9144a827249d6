"""``verify`` is silent on sound data, and finds each kind of fault."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from approvals import triggers
from loyalty.models import Balance, PointsEntry
from tests import factories
from tiers import assignment, verification
from tiers.models import Standing, Tier, TierAssignment, TierGroup


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


def test_sound_data_has_no_problems(story: TierGroup) -> None:
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
    "count": (
        lambda: Tier.objects.filter(customer_count=1).update(customer_count=2),
        "counts 2 customers, its assignments say 1",
    ),
    "decision": (
        lambda: connection.cursor().execute("DELETE FROM approvals_decision"),
        "without a decision",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_corrupted_on_purpose_is_found(story: TierGroup, fault: str) -> None:
    corrupt, sentence = FAULTS[fault]
    triggers.uninstall(connection)
    try:
        corrupt()
    finally:
        triggers.install(connection)
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
