"""A step from where a member stood leaves what their whole history would."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty import members, points
from loyalty.errors import PostingRefused
from loyalty.models import Member
from tests import factories
from tests.counts import count as times
from tiers import assignment, counts, drafting, facts, judging, verification
from tiers.models import Standing, TierAssignment, TierEvent, TierGroup

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture
def member(group: TierGroup) -> Member:
    with time_machine.travel(NOW - timedelta(days=500), tick=False):
        member = factories.make_member(group.program)
        factories.earn(member, 700)
    return member


def test_posting_on_time_reads_no_history(member: Member) -> None:
    with time_machine.travel(NOW, tick=False):
        factories.earn(member, 600)
    with (
        time_machine.travel(NOW + timedelta(hours=1), tick=False),
        mock.patch.object(facts, "read", side_effect=AssertionError),
    ):
        factories.earn(member, 10)
    standing = Standing.objects.get(member=member)
    assert standing.qualifying_points == 610
    assert standing.drops_at == NOW.replace(year=2027, hour=0)
    assert standing.evaluated_at == NOW + timedelta(hours=1)


def test_a_step_to_another_tier_leaves_what_the_whole_history_would(
    member: Member,
) -> None:
    """Up and down again, by what is posted alone: no statement judges the history."""
    definition = factories.definition_of(member.program)
    with time_machine.travel(NOW, tick=False):
        factories.earn(member, 100)
    with mock.patch.object(
        judging, "bring_up_to_date", side_effect=AssertionError
    ) as judged:
        for n, amount in enumerate((900, -600, 5000, -5300)):
            with time_machine.travel(NOW + timedelta(hours=n + 1), tick=False):
                points.adjust(
                    member,
                    definition,
                    amount,
                    reference=str(n),
                    source="tests",
                    by=None,
                )
    assert not judged.called
    assert [
        (held.tier.serial_number, held.reason, held.amount)
        for held in TierAssignment.objects.known_now()
        .filter(member=member, valid_from__gt=NOW)
        .order_by("valid_from")
    ] == [
        (3, "UPGRADED", 1000),
        (1, "DOWNGRADED", 400),
        (3, "UPGRADED", 5400),
        (1, "DOWNGRADED", 100),
    ]
    assert list(verification.standings(member.program_id, [member.pk])) == []
    events = TierEvent.objects.filter(member=member, occurred_at__gt=NOW)
    assert events.count() == 4
    assert not counts._differs(member.program)


def test_a_group_that_is_only_a_draft_holds_nobody_up(
    member: Member, maya: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = drafting.add_group(member.program, by=maya, name="Season").group
    with time_machine.travel(NOW, tick=False):
        factories.earn(member, 600)
        assert not assignment.recalculate(member.program, as_of=NOW).moved
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        monkeypatch.setattr(facts, "read", None)
        factories.earn(member, 10)
    assert not Standing.objects.filter(group=draft).exists()
    # As earlier releases left them.
    Standing.objects.create(member=member, group=draft, evaluated_at=NOW)
    with time_machine.travel(NOW + timedelta(hours=2), tick=False):
        factories.earn(member, 10)
    assert (
        Standing.objects.get(member=member, tier__isnull=False).qualifying_points == 620
    )


def test_what_a_step_needs_to_know_takes_two_trips(
    member: Member, django_assert_num_queries: Any
) -> None:
    with time_machine.travel(NOW, tick=False):
        factories.earn(member, 600)
    later = NOW + timedelta(hours=1)
    definition = factories.definition_of(member.program)
    asked: dict[str, Any] = {"reference": "r", "source": "tests", "by": None}
    with time_machine.travel(later, tick=False), transaction.atomic():
        # Savepoint and release; all that is locked and read, all that is written.
        with django_assert_num_queries(4):
            points.earn(member, definition, 1, **asked)
        # The answer of before, for the price of reading.
        with django_assert_num_queries(3):
            points.earn(member, definition, 1, **asked)


def test_nothing_is_forgotten_that_waited_to_be_judged(member: Member) -> None:
    """A batch says that it came at the very instant of the last judging, or before."""
    definition = factories.definition_of(member.program)
    for n, earlier in enumerate((timedelta(0), timedelta(days=2))):
        with time_machine.travel(NOW + timedelta(days=n), tick=False):
            factories.earn(member, 1)
            activity = points.Activity(
                member_id=member.pk,
                reference=f"batch-{n}",
                lines=(points.Line("EARN", definition.pk, 100),),
            )
            points.post_many(
                member.program,
                [activity],
                source="tests",
                by=None,
                at=NOW + timedelta(days=n) - earlier,
            )
        with time_machine.travel(NOW + timedelta(days=n, hours=1), tick=False):
            factories.earn(member, 1)
        assert list(verification.standings(member.program_id, [member.pk])) == []


def test_who_leaves_is_not_stepped_over(member: Member, maya: User) -> None:
    with time_machine.travel(NOW, tick=False):
        members.leave(member, by=maya, reason="Moved away.")
    assert Standing.objects.get(member=member).tier is None


VERBS: dict[str, Any] = {
    "EARN": points.earn,
    "ADJUST": points.adjust,
    "REDEEM": points.redeem,
}
#: Hours since the last posting; how much, of what; hours too late.
postings = st.tuples(
    st.sampled_from([0, 1, 24, 24 * 40, 24 * 170]),
    st.sampled_from(["EARN", "EARN", "ADJUST", "REDEEM"]),
    st.integers(1, 600),
    st.sampled_from([0, 0, 0, 0, 1, 30, 24 * 100]),
)


@settings(
    max_examples=times(40, 400),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(postings, min_size=1, max_size=12))
def test_steps_and_folds_agree(group: TierGroup, story: list[Any]) -> None:
    definition = factories.definition_of(group.program)
    with transaction.atomic():
        member = factories.make_member(group.program)
        now = NOW
        for n, (hours, kind, amount, late) in enumerate(story):
            now += timedelta(hours=hours)
            occurred_at = None if kind == "REDEEM" else now - timedelta(hours=late)
            signed = amount if kind == "EARN" else -amount
            activity = points.Activity(
                member_id=member.pk,
                reference=f"{member.pk}-{n}",
                lines=(points.Line(kind, definition.pk, signed),),
                occurred_at=occurred_at,
            )
            with time_machine.travel(now, tick=False):
                if hours == 1 and late:
                    points.post_many(group.program, [activity], source="tests", by=None)
                    continue
                with contextlib.suppress(PostingRefused):
                    VERBS[kind](
                        member,
                        definition,
                        amount if kind == "REDEEM" else signed,
                        reference=activity.reference,
                        source="tests",
                        by=None,
                        **({"occurred_at": occurred_at} if occurred_at else {}),
                    )
            problems = list(verification.standings(group.program_id, [member.pk]))
            assert problems == []
        transaction.set_rollback(True)
