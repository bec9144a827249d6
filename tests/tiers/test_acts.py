"""What people do to members' tiers by hand, and that it stays on record."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction

from approvals.errors import InvalidText, ReasonRequired
from approvals.models import AuditEvent
from loyalty.errors import NotAMember
from loyalty.members import leave
from loyalty.models import Member
from tests import factories
from tiers import acts, assignment, verification
from tiers.errors import (
    AlreadyInTier,
    EndInPast,
    OverrideInForce,
    OverrideOver,
    TierNotLive,
)
from tiers.models import (
    ManualMove,
    Override,
    Standing,
    Tier,
    TierAssignment,
    TierGroup,
)

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def member(group: TierGroup) -> Member:
    member = factories.make_member(group.program)
    factories.earn(member, 600)
    return member


@pytest.fixture
def gold(group: TierGroup) -> Tier:
    return Tier.objects.filter(group=group).order_by("-serial_number")[0]


@pytest.fixture
def bronze(group: TierGroup) -> Tier:
    return Tier.objects.filter(group=group).order_by("serial_number")[0]


def tier_of(member: Member) -> int | None:
    return Standing.objects.get(member=member).tier_id


def test_a_move_shows_at_once_and_says_why(
    member: Member, gold: Tier, maya: User
) -> None:
    acts.move(member, gold, by=maya, reason="Promised on the phone.")
    assert tier_of(member) == gold.pk
    current = TierAssignment.objects.known_now().get(
        member=member, valid_until__isnull=True
    )
    assert current.reason == "MOVED"
    event = AuditEvent.objects.get(verb="move")
    assert (event.actor, event.reason) == (maya, "Promised on the phone.")
    assert not list(verification.problems(member.program))


def test_a_move_stands_until_an_evaluation_is_due(
    member: Member, gold: Tier, maya: User
) -> None:
    before = tier_of(member)
    acts.move(member, gold, by=maya, reason="A mistake of ours.")
    factories.earn(member, 1)
    assert tier_of(member) == before


@pytest.mark.parametrize("reason", ["", "   "])
def test_an_act_by_hand_needs_a_reason(
    member: Member, gold: Tier, maya: User, reason: str
) -> None:
    with pytest.raises(ReasonRequired):
        acts.move(member, gold, by=maya, reason=reason)
    assert not ManualMove.objects.exists()


def test_a_reason_is_short_enough_to_keep(
    member: Member, gold: Tier, maya: User
) -> None:
    with pytest.raises(InvalidText, match="255"):
        acts.move(member, gold, by=maya, reason="a" * 256)


def test_nobody_is_moved_to_where_they_stand_or_to_another_programs_tier(
    member: Member, gold: Tier, maya: User, chen: User
) -> None:
    acts.move(member, gold, by=maya, reason="Once.")
    with pytest.raises(AlreadyInTier):
        acts.move(member, gold, by=maya, reason="Twice.")
    elsewhere = factories.make_program(maya, name="Elsewhere")
    other = factories.make_group(elsewhere, by=maya, reviewer=chen)
    tier = factories.live_tier(other, "Gold").tier
    with pytest.raises(TierNotLive):
        acts.move(member, tier, by=maya, reason="Across.")


def test_whether_somebody_is_in_a_tier_does_not_depend_on_the_last_tick(
    group: TierGroup, maya: User
) -> None:
    member = factories.make_member(group.program)
    earned = datetime(2024, 3, 10, 12, tzinfo=UTC)
    factories.earn(member, 600, at=earned)
    silver = factories.live_tier(group, "Silver").tier
    assert tier_of(member) == silver.pk
    acts.move(member, silver, by=maya, reason="Lost it, and has it back.")
    assert tier_of(member) == silver.pk
    assert ManualMove.objects.filter(member=member, tier=silver).exists()


def test_under_an_override_somebody_can_be_moved_to_what_they_read_as(
    member: Member, gold: Tier, maya: User
) -> None:
    held = acts.override(member, gold, bound="PIN", by=maya, reason="For now.")
    acts.move(member, gold, by=maya, reason="For good.")
    acts.end_override(held, by=maya, reason="Not needed any more.")
    assert tier_of(member) == gold.pk


def test_who_has_left_is_not_moved(member: Member, gold: Tier, maya: User) -> None:
    leave(member, by=maya)
    with pytest.raises(NotAMember):
        acts.move(member, gold, by=maya, reason="Too late.")


@pytest.mark.parametrize(
    ("bound", "tier", "reads_as"),
    [
        ("FLOOR", "gold", "gold"),
        ("CEILING", "bronze", "bronze"),
        ("PIN", "gold", "gold"),
    ],
)
def test_an_override_bounds_what_is_read_and_its_end_is_exact(
    member: Member,
    gold: Tier,
    bronze: Tier,
    maya: User,
    bound: str,
    tier: str,
    reads_as: str,
) -> None:
    tiers = {"gold": gold, "bronze": bronze}
    before = tier_of(member)
    until = datetime.now(UTC) + 30 * DAY
    acts.override(
        member, tiers[tier], bound=bound, by=maya, reason="Agreed.", until=until
    )
    assert tier_of(member) == tiers[reads_as].pk
    assert Standing.objects.get(member=member).due_at == until
    assignment.recalculate(member.program, as_of=until + DAY)
    assert tier_of(member) == before
    last = TierAssignment.objects.known_now().get(
        member=member, valid_until__isnull=True
    )
    assert (last.valid_from, last.reason) == (until, "OVERRIDDEN")


def test_an_override_is_ended_once_and_what_lies_beneath_shows(
    member: Member, gold: Tier, maya: User, chen: User
) -> None:
    before = tier_of(member)
    held = acts.override(member, gold, bound="PIN", by=maya, reason="Agreed.")
    acts.end_override(held, by=chen, reason="Agreed otherwise.")
    assert tier_of(member) == before
    assert (held.ended_by, held.end_reason) == (chen, "Agreed otherwise.")
    with pytest.raises(OverrideOver):
        acts.end_override(held, by=chen, reason="Again.")
    assert not list(verification.problems(member.program))


def test_a_member_has_one_override_at_a_time(
    member: Member, gold: Tier, bronze: Tier, maya: User
) -> None:
    until = datetime.now(UTC) + DAY
    acts.override(member, gold, bound="FLOOR", by=maya, reason="One.", until=until)
    with pytest.raises(OverrideInForce):
        acts.override(member, bronze, bound="CEILING", by=maya, reason="Two.")
    with pytest.raises(DatabaseError), transaction.atomic():
        Override.objects.create(
            member=member,
            group=gold.group,
            tier=bronze,
            bound="PIN",
            reason="Behind the verb's back.",
            at=until - DAY / 2,
        )


def test_an_override_ends_ahead(member: Member, gold: Tier, maya: User) -> None:
    with pytest.raises(EndInPast):
        acts.override(
            member,
            gold,
            bound="PIN",
            by=maya,
            reason="Late.",
            until=datetime(2020, 1, 1, tzinfo=UTC),
        )


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "Another."},
        {"until": datetime(2090, 1, 1, tzinfo=UTC)},
        {"at": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
)
def test_the_database_lets_an_override_be_cut_short_and_nothing_else(
    member: Member, gold: Tier, maya: User, change: dict[str, object]
) -> None:
    held = acts.override(member, gold, bound="PIN", by=maya, reason="Agreed.")
    with pytest.raises(DatabaseError), transaction.atomic():
        Override.objects.filter(pk=held.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        Override.objects.filter(pk=held.pk).delete()


def test_moves_are_kept_as_they_were_made(
    member: Member, gold: Tier, maya: User
) -> None:
    move = acts.move(member, gold, by=maya, reason="Agreed.")
    for change in (
        lambda: ManualMove.objects.filter(pk=move.pk).update(reason="Other."),
        lambda: ManualMove.objects.filter(pk=move.pk).delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_an_ordered_evaluation_looks_at_once(
    member: Member, gold: Tier, maya: User
) -> None:
    before = tier_of(member)
    acts.move(member, gold, by=maya, reason="A mistake.")
    acts.order_evaluation(member, gold.group, by=maya, reason="Take it back.")
    assert tier_of(member) == before


def test_everybody_in_a_group_is_evaluated_at_once(
    member: Member, gold: Tier, maya: User
) -> None:
    before = tier_of(member)
    acts.move(member, gold, by=maya, reason="A mistake.")
    acts.order_evaluation_of_all(gold.group, by=maya, reason="Spring cleaning.")
    assert tier_of(member) == before
    assert not list(verification.problems(member.program))
