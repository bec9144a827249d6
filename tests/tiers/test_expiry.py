"""Points that expire cost their owner the tier that they carried, at their instant."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from approvals import lifecycle
from loyalty import programs
from loyalty.models import BalanceDefinition, Member, PointsEntry, Program
from tests import factories
from tiers import assignment, verification
from tiers.models import Standing, TierAssignment, TierVersion

pytestmark = pytest.mark.django_db
EARNED = datetime(2026, 1, 10, 12, tzinfo=UTC)
EXPIRES = datetime(2026, 2, 9, tzinfo=UTC)


@pytest.fixture
def miles(program: Program, maya: User, chen: User) -> BalanceDefinition:
    """A balance whose amounts are there for 30 days."""
    draft = programs.add_balance_definition(
        program,
        by=maya,
        at=factories.LONG_AGO,
        name="Miles",
        availability_value=30,
        availability_unit="DAY",
    )
    change = lifecycle.submit([draft], by=maya, at=factories.LONG_AGO)
    factories.approve(change, chen, at=factories.LONG_AGO)
    definition: BalanceDefinition = draft.balance_definition
    return definition


@pytest.fixture
def member(
    program: Program, miles: BalanceDefinition, maya: User, chen: User
) -> Member:
    factories.make_group(
        program, by=maya, reviewer=chen, measure="CURRENT", measured_balance=miles
    )
    member = factories.make_member(program)
    factories.earn(member, 600, definition=miles, at=EARNED)
    return member


def test_the_tick_records_what_has_expired_before_it_judges(member: Member) -> None:
    tiers = {v.tier_id: v.name for v in TierVersion.objects.live()}
    assert tiers[Standing.objects.get(member=member).tier_id] == "Silver"
    assignment.recalculate(member.program, as_of=EXPIRES + timedelta(hours=3))
    line = PointsEntry.objects.get(member=member, kind="EXPIRE")
    assert (line.amount, line.occurred_at) == (-600, EXPIRES)
    (held,) = TierAssignment.objects.known_now().filter(
        member=member, valid_until__isnull=True
    )
    assert tiers[held.tier_id] == "Bronze"
    assert held.valid_from == EXPIRES
    assert not Member.objects.marked().exists()
    assert not list(verification.problems(member.program))


def test_a_second_tick_finds_nothing_to_do(member: Member) -> None:
    assignment.recalculate(member.program, as_of=EXPIRES + timedelta(hours=3))
    again = assignment.recalculate(member.program, as_of=EXPIRES + timedelta(hours=4))
    assert (again.members, again.moved) == (0, 0)
