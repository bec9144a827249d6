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
from tiers import facts, verification
from tiers.models import Standing, TierGroup

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
