"""What members are to be told: one event for the net move, with its channels."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import transaction

from approvals import lifecycle
from loyalty import members, points, programs
from loyalty.models import Member, PointsEntry, Program
from tests import factories
from tiers import acts, assignment, drafting, keeping, ladder, verification
from tiers.models import Standing, TierEvent, TierGroup

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
Kind = TierEvent.Kind

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def told_by(group: TierGroup, maya: User, chen: User) -> Program:
    """The program tells of downgrades and renewals by e-mail, of Silver by SMS."""
    program = group.program
    drafts = [
        lifecycle.draft_change(
            program.versions.live().get(),
            by=maya,
            changes={
                "downgrade_channels": ["EMAIL"],
                "renewal_channels": ["EMAIL", "SMS"],
                "reminder_channels": ["PUSH"],
            },
        ),
        lifecycle.draft_change(
            factories.live_tier(group, "Silver"),
            by=maya,
            changes={"upgrade_channels": ["SMS"]},
        ),
    ]
    for draft in drafts:
        factories.approve(lifecycle.submit([draft], by=maya), chen)
    return program


@pytest.fixture
def member(told_by: Program) -> Member:
    return factories.make_member(told_by)


def told(member: Member) -> list[tuple[str, str, str]]:
    """The kind of each event, with the tiers before and after, oldest first."""

    def name(tier: Any) -> str:
        if tier is None:
            return ""
        return tier.versions.filter(live_from__isnull=False).latest("number").name

    events = TierEvent.objects.filter(member=member).order_by("pk")
    return [(e.kind, name(e.from_tier), name(e.to_tier)) for e in events]


def last(member: Member) -> TierEvent:
    return TierEvent.objects.filter(member=member).latest("pk")


# Moves


def test_a_posting_that_upgrades_tells_so_in_its_transaction(member: Member) -> None:
    factories.earn(member, 600)
    assert told(member) == [(Kind.UPGRADED, "", "Silver")]
    event = last(member)
    assert (event.occurred_at, event.recorded_at, event.channels) == (NOW, NOW, ["SMS"])
    assert event.delivered_at is None


def test_a_first_place_in_the_base_tier_is_no_news(member: Member) -> None:
    factories.earn(member, 100)
    assert Standing.objects.get(member=member).tier is not None
    assert told(member) == []


def test_a_tick_that_downgrades_tells_when_that_was(member: Member, clock: Any) -> None:
    factories.earn(member, 600)
    leaves = datetime(2027, 5, 20, tzinfo=UTC)
    clock.move_to(leaves + DAY, tick=False)
    assignment.recalculate(member.program, as_of=leaves + DAY)
    assert told(member)[-1] == (Kind.DOWNGRADED, "Silver", "Bronze")
    event = last(member)
    assert event.channels == ["EMAIL"]
    assert (event.occurred_at, event.recorded_at) == (leaves, leaves + DAY)


def test_running_again_tells_nothing_again(member: Member) -> None:
    factories.earn(member, 600)
    Member.objects.update(marked_at=NOW)
    for _ in range(3):
        assignment.recalculate(member.program, as_of=NOW)
    assert len(told(member)) == 1


def test_a_late_line_is_told_of_by_its_net_move_alone(
    member: Member, clock: Any
) -> None:
    """It makes a Gold of the past, which nobody is told of; today's Silver stays."""
    factories.earn(member, 600)
    factories.earn(member, 500, occurred_at=NOW - 380 * DAY)
    factories.earn(member, 500, occurred_at=NOW - 370 * DAY)
    assert member.assignments.known_now().filter(tier_version__name="Gold").exists()
    assert told(member) == [(Kind.UPGRADED, "", "Silver")]
    factories.earn(member, 500, occurred_at=NOW - 30 * DAY)
    assert told(member)[1:] == [(Kind.UPGRADED, "Silver", "Gold")]


def test_a_reversal_tells_of_the_tier_that_it_takes(member: Member) -> None:
    factories.earn(member, 600)
    entry = PointsEntry.objects.get(member=member)
    points.reverse(entry, reference="r-1", source="tests", by=None)
    assert told(member)[1:] == [(Kind.DOWNGRADED, "Silver", "Bronze")]


def test_rules_that_move_a_member_tell_so(
    member: Member, group: TierGroup, maya: User, chen: User
) -> None:
    factories.earn(member, 1000)
    gold = factories.live_tier(group, "Gold").tier
    factories.approve(lifecycle.submit(drafting.retire(gold, by=maya), by=maya), chen)
    assert told(member)[1:] == [(Kind.DOWNGRADED, "Gold", "Silver")]


def test_who_leaves_is_not_told_of_a_downgrade(member: Member, maya: User) -> None:
    factories.earn(member, 600)
    members.leave(member, by=maya, reason="They asked for it.", at=NOW + DAY)
    assert Standing.objects.get(member=member).tier is None
    assert len(told(member)) == 1


def test_a_move_by_hand_is_told_like_any_other(
    member: Member, group: TierGroup, maya: User
) -> None:
    factories.earn(member, 100)
    gold = factories.live_tier(group, "Gold").tier
    acts.move(member, gold, by=maya, reason="A good customer.")
    assert told(member) == [(Kind.UPGRADED, "Bronze", "Gold")]


def test_nothing_is_told_while_everybody_reads_as_base(
    member: Member, maya: User
) -> None:
    programs.switch_tiers(member.program, "pause", by=maya, reason="Not today.")
    factories.earn(member, 600)
    assert told(member) == []


def test_many_members_at_once_are_told_and_counted(told_by: Program) -> None:
    definition = factories.definition_of(told_by)
    many = [factories.make_member(told_by) for _ in range(25)]
    activities = [
        points.Activity(
            member_id=member.pk,
            reference=f"bulk-{member.pk}",
            lines=(points.Line("EARN", definition.pk, 600),),
        )
        for member in many
    ]
    points.post_many(told_by, activities, source="tests", by=None)
    assert assignment.recalculate(told_by, as_of=NOW).moved == 25
    events = TierEvent.objects.filter(kind=Kind.UPGRADED, occurred_at=NOW)
    assert events.count() == 25
    assert {tuple(event.channels) for event in events} == {("SMS",)}
    assert list(verification.problems(told_by)) == []


# Renewals


def test_a_renewal_is_told_once(member: Member, group: TierGroup) -> None:
    factories.earn(member, 600)
    standing = Standing.objects.get(member=member)
    assert standing.tier_id is not None
    at, until = NOW + 10 * DAY, NOW + 100 * DAY
    outcome = ladder.Outcome(
        held=[
            ladder.Held(
                tier=row.tier_id,
                version=row.tier_version_id,
                group_version=row.group_version_id,
                start=row.valid_from,
                end=row.valid_until,
                reason=row.reason,
                amount=row.amount,
                threshold=row.threshold,
            )
            for row in member.assignments.known_now().order_by("valid_from")
        ],
        renewed=[ladder.Renewed(standing.tier_id, at, until)],
        term_ends_at=until,
    )
    group.refresh_from_db()
    for later in (11 * DAY, 12 * DAY, 11 * DAY):
        keeping.write(group, {member.pk: outcome}, NOW + later)
    assert told(member)[1:] == [(Kind.RENEWED, "Silver", "Silver")]
    event = last(member)
    assert (event.occurred_at, event.ends_at) == (at, until)
    assert event.channels == ["EMAIL", "SMS"]
    assert Standing.objects.get(member=member).term_ends_at == until


def test_a_tier_with_a_term_is_renewed_by_the_tick(
    maya: User, chen: User, clock: Any
) -> None:
    program = factories.make_program(maya)
    group = factories.make_group(program, by=maya, reviewer=chen)
    silver = lifecycle.draft_change(
        factories.live_tier(group, "Silver"),
        by=maya,
        changes={"period_type": "SLAB_UPGRADE", "period_value": 3, "always": True},
    )
    factories.approve(lifecycle.submit([silver], by=maya), chen)
    member = factories.make_member(program)
    factories.earn(member, 600)
    for day in range(30, 240, 30):
        clock.move_to(NOW + day * DAY, tick=False)
        assignment.recalculate(program, as_of=NOW + day * DAY)
    renewals = TierEvent.objects.filter(member=member, kind=Kind.RENEWED)
    # Three months, to the end of the month in which they are over.
    terms = renewals.order_by("occurred_at").values_list("occurred_at", "ends_at")
    assert list(terms) == [
        (datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)),
    ]
    assert list(verification.problems(program)) == []


# Reminders


def test_a_member_is_reminded_once_thirty_days_before(
    member: Member, clock: Any
) -> None:
    factories.earn(member, 600)
    lost = Standing.objects.get(member=member).drops_at
    assert lost == datetime(2027, 5, 20, tzinfo=UTC)
    for days in (31, 29, 20, 1):
        clock.move_to(lost - days * DAY, tick=False)
        assignment.recalculate(member.program, as_of=lost - days * DAY)
        expected = 0 if days == 31 else 1
        reminders = TierEvent.objects.filter(member=member, kind=Kind.REMINDED)
        assert reminders.count() == expected, days
    event = last(member)
    assert (event.occurred_at, event.ends_at) == (lost - 30 * DAY, lost)
    assert event.recorded_at == lost - 29 * DAY
    assert event.channels == ["PUSH"]


def test_a_later_date_is_reminded_of_when_the_earlier_one_has_passed(
    member: Member, clock: Any
) -> None:
    factories.earn(member, 600)
    first = Standing.objects.get(member=member).drops_at
    assert first is not None
    clock.move_to(first - 10 * DAY, tick=False)
    assignment.recalculate(member.program, as_of=first - 10 * DAY)
    # Gold for ten days, then Silver for what was earned today.
    factories.earn(member, 600)
    for days in (-9, 1):
        clock.move_to(first + days * DAY, tick=False)
        assignment.recalculate(member.program, as_of=first + days * DAY)
    second = Standing.objects.get(member=member).drops_at
    assert second is not None
    clock.move_to(second - 31 * DAY, tick=False)
    assignment.recalculate(member.program, as_of=second - 31 * DAY)
    assert [kind for kind, *_ in told(member)].count(Kind.REMINDED) == 1
    clock.move_to(second - 30 * DAY, tick=False)
    assignment.recalculate(member.program, as_of=second - 30 * DAY)
    ends = TierEvent.objects.filter(kind=Kind.REMINDED).order_by("pk")
    assert list(ends.values_list("ends_at", flat=True)) == [first, second]


def test_reminders_come_in_chunks_and_cost_nobody_a_look_afterwards(
    told_by: Program, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    monkeypatch.setattr(assignment, "CHUNK", 2)
    for _ in range(5):
        factories.earn(factories.make_member(told_by), 600)
    soon = datetime(2027, 5, 1, tzinfo=UTC)
    clock.move_to(soon, tick=False)
    assert assignment.recalculate(told_by, as_of=soon).reminded == 5
    assert assignment.recalculate(told_by, as_of=soon).reminded == 0
    assert list(verification.problems(told_by)) == []


def test_nobody_is_reminded_in_a_pause(member: Member, maya: User, clock: Any) -> None:
    factories.earn(member, 600)
    programs.switch_tiers(member.program, "pause", by=maya, reason="Not today.")
    soon = datetime(2027, 5, 1, tzinfo=UTC)
    assert assignment.recalculate(member.program, as_of=soon).reminded == 0


# The database says so too


def test_what_was_told_does_not_change_and_is_delivered_once(member: Member) -> None:
    factories.earn(member, 600)
    row = TierEvent.objects.filter(member=member)
    row.update(delivered_at=NOW)
    for change in ({"delivered_at": None}, {"kind": Kind.RENEWED}):
        with pytest.raises(Exception, match="does not change"):
            _in_a_savepoint(lambda change=change: row.update(**change))
    with pytest.raises(Exception, match="are kept"):
        _in_a_savepoint(row.delete)


def _in_a_savepoint(act: Any) -> None:
    with transaction.atomic():
        act()
