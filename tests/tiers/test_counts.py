"""Counts by notes, the pause, the daily check, and the snapshots of every day."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User

from loyalty import members, programs
from loyalty.calendar import first_instant
from loyalty.models import Member, Program
from tests import factories
from tests.counts import count
from tiers import assignment, counts, judging, snapshots, verification
from tiers.models import (
    CountChange,
    Recalculation,
    Standing,
    Tier,
    TierAssignment,
    TierGroup,
    TierSnapshot,
)

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def shown(program: Program) -> dict[str, int | None]:
    live = counts.live_tiers(program).select_related("tier")
    return {version.name: version.tier.customer_count for version in live}


def plainly(program: Program) -> dict[int, int]:
    """What a stranger counts for the instant that counts are shown with."""
    counted = Tier.objects.filter(program=program, counted_at__isnull=False)
    (instant,) = {tier.counted_at for tier in counted if tier.counted_at}
    found: dict[int, int] = {}
    for row in TierAssignment.objects.filter(member__status="ACTIVE"):
        known = row.recorded_at <= instant and (
            row.superseded_at is None or row.superseded_at > instant
        )
        covers = row.valid_from <= instant and (
            row.valid_until is None or row.valid_until > instant
        )
        if known and covers:
            found[row.tier_id] = found.get(row.tier_id, 0) + 1
    return found


def stored(program: Program) -> dict[int, int]:
    tiers = Tier.objects.filter(program=program, customer_count__gt=0)
    return {tier.pk: tier.customer_count or 0 for tier in tiers}


# Notes


def test_a_posting_notes_its_move_and_leaves_the_counts_alone(
    group: TierGroup, clock: Any
) -> None:
    member = factories.make_member(group.program)
    assignment.recalculate(group.program, as_of=NOW)
    assert shown(group.program) == {"Bronze": 1, "Silver": 0, "Gold": 0}
    clock.move_to(NOW + MINUTE, tick=False)
    factories.earn(member, 600)
    assert shown(group.program) == {"Bronze": 1, "Silver": 0, "Gold": 0}
    notes = CountChange.objects.order_by("delta").values_list("delta", "at")
    assert list(notes) == [(-1, NOW + MINUTE), (1, NOW + MINUTE)]
    assert plainly(group.program) == stored(group.program)

    assignment.recalculate(group.program, as_of=NOW + 2 * MINUTE)
    assert shown(group.program) == {"Bronze": 0, "Silver": 1, "Gold": 0}
    assert not CountChange.objects.exists()


def test_a_note_of_later_than_the_tick_waits_for_the_next(
    group: TierGroup, clock: Any
) -> None:
    member = factories.make_member(group.program)
    assignment.recalculate(group.program, as_of=NOW)
    clock.move_to(NOW + 2 * MINUTE, tick=False)
    factories.earn(member, 600)
    assignment.recalculate(group.program, as_of=NOW + MINUTE)
    assert shown(group.program) == {"Bronze": 1, "Silver": 0, "Gold": 0}
    assert plainly(group.program) == stored(group.program)
    assignment.recalculate(group.program, as_of=NOW + 3 * MINUTE)
    assert shown(group.program) == {"Bronze": 0, "Silver": 1, "Gold": 0}


def test_two_moves_of_one_transaction_are_one_note_for_a_tier(
    group: TierGroup,
) -> None:
    for _ in range(5):
        factories.make_member(group.program)
    CountChange.objects.all().delete()
    assignment._try(group.program, NOW)
    assert not CountChange.objects.exists(), "What is only tried is not noted."
    ids = list(Member.objects.values_list("pk", flat=True))
    judging.catch_up(group.program_id, ids, NOW)
    assert CountChange.objects.get().delta == 5


@pytest.mark.parametrize("verb", ["leave", "close", "deactivate"])
def test_who_does_not_count_any_more_is_taken_off(
    group: TierGroup, maya: User, verb: str, clock: Any
) -> None:
    member = factories.make_member(group.program)
    factories.earn(member, 600)
    assignment.recalculate(group.program, as_of=NOW)
    assert shown(group.program)["Silver"] == 1
    clock.move_to(NOW + MINUTE, tick=False)
    getattr(members, verb)(member, by=maya, reason="They asked for it.")
    assert list(verification.problems(group.program)) == []
    assignment.recalculate(group.program, as_of=NOW + 2 * MINUTE)
    assert shown(group.program)["Silver"] == 0
    assert list(verification.problems(group.program)) == []


def test_counts_are_true_after_anything(
    group: TierGroup, maya: User, clock: Any
) -> None:
    """Random postings, comings and goings and ticks, whose counts a stranger gets too
    by counting the intervals that were known at their instant."""
    program = group.program
    for seed in range(count(3, 100)):
        chance = random.Random(seed)
        people = [factories.make_member(program) for _ in range(4)]
        for _ in range(25):
            clock.shift(chance.choice([1, 60, 86_400, 86_400 * 200]))
            now = datetime.now(tz=UTC)
            member = chance.choice(people)
            match chance.randrange(6):
                case 0 | 1:
                    earned_at = now - timedelta(days=chance.choice([0, 0, 100, 400]))
                    amount = chance.choice([100, 500, 600])
                    if member.intervals.filter(ended_at=None).exists():
                        factories.earn(member, amount, occurred_at=earned_at)
                case 2 if member.intervals.filter(ended_at=None).exists():
                    members.leave(member, by=maya, reason="Enough of it.")
                case 2:
                    members.rejoin(member, by=maya)
                case _:
                    assignment.recalculate(program, as_of=now)
                    assert plainly(program) == stored(program)
        assignment.recalculate(program, as_of=datetime.now(tz=UTC))
        assert list(verification.problems(program)) == []


# The pause


def test_in_a_pause_everybody_reads_as_base_through_every_tick(
    group: TierGroup, maya: User, clock: Any
) -> None:
    program = group.program
    for amount in (10, 500, 5000):
        factories.earn(factories.make_member(program), amount)
    assignment.recalculate(program, as_of=NOW)
    clock.move_to(NOW + MINUTE, tick=False)
    programs.switch_tiers(program, "pause", by=maya, reason="Counting.")
    assert shown(program) == {"Bronze": 3, "Silver": 0, "Gold": 0}
    factories.earn(factories.make_member(program), 5000)
    assignment.recalculate(program, as_of=NOW + 2 * MINUTE)
    assert shown(program) == {"Bronze": 4, "Silver": 0, "Gold": 0}
    assert list(verification.problems(program)) == []
    clock.move_to(NOW + 3 * MINUTE, tick=False)
    programs.switch_tiers(program, "resume", by=maya, reason="Done.")
    assert shown(program) == {"Bronze": 1, "Silver": 1, "Gold": 2}
    assert list(verification.problems(program)) == []


def test_a_switch_stops_a_tick_that_is_at_work(
    group: TierGroup, maya: User, clock: Any
) -> None:
    assignment.recalculate(group.program, as_of=NOW)
    Recalculation.objects.update(holder="a tick", due_at=NOW + MINUTE)
    clock.move_to(NOW + MINUTE, tick=False)
    programs.switch_tiers(group.program, "pause", by=maya, reason="Counting.")
    row = Recalculation.objects.get()
    assert (row.holder, row.due_at) == ("", NOW + MINUTE)


# The daily check


def test_the_daily_check_mends_a_count_and_says_so(
    group: TierGroup, caplog: pytest.LogCaptureFixture
) -> None:
    factories.earn(factories.make_member(group.program), 600)
    assignment.recalculate(group.program, as_of=NOW)
    assert counts.refresh_all() == 1
    assert not caplog.records
    Tier.objects.filter(customer_count=1).update(holders=7)
    Standing.objects.update(counted_as=None)
    assert counts.refresh_all() == 1
    assert "Counts were wrong" in caplog.text
    assert shown(group.program) == {"Bronze": 0, "Silver": 1, "Gold": 0}
    assert list(verification.problems(group.program)) == []


# Snapshots


def test_the_first_tick_after_midnight_counts_for_midnight(
    maya: User, chen: User, clock: Any
) -> None:
    program = factories.make_program(maya, time_zone="America/New_York")
    factories.make_group(program, by=maya, reviewer=chen)
    factories.earn(factories.make_member(program), 600)
    assignment.recalculate(program, as_of=NOW)
    # The tiers were switched on at noon: at midnight everybody read as base.
    found = customers_of(program, date(2026, 5, 20))
    assert found == {"Bronze": 1, "Silver": 0, "Gold": 0}

    leaves = first_instant(date(2027, 5, 20), "America/New_York")
    clock.move_to(leaves - MINUTE, tick=False)
    assignment.recalculate(program, as_of=leaves - MINUTE)
    clock.move_to(leaves + 14 * MINUTE, tick=False)
    factories.earn(factories.make_member(program), 5000)
    assignment.recalculate(program, as_of=leaves + 14 * MINUTE)
    # What the window lost at midnight is gone; whoever came since is not there yet.
    found = customers_of(program, date(2026, 6, 20))
    assert found == {"Bronze": 0, "Silver": 1, "Gold": 0}
    assert list(verification.problems(program)) == []


def test_days_without_a_tick_are_made_up_for(
    group: TierGroup, maya: User, clock: Any
) -> None:
    program = group.program
    assignment.recalculate(program, as_of=NOW)
    member = factories.make_member(program, joined_at=NOW)
    for day, amount in ((1, 100), (2, 400), (4, 500)):
        clock.move_to(NOW + timedelta(days=day), tick=False)
        factories.earn(member, amount)
    assignment.recalculate(program, as_of=NOW + timedelta(days=5))
    rows = TierSnapshot.objects.filter(customers=1).order_by("day")
    held = [
        (row.day.day, row.tier.versions.live().get().name)
        for row in rows.select_related("tier")
    ]
    assert held == [
        (21, "Bronze"),
        (22, "Bronze"),
        (23, "Silver"),
        (24, "Silver"),
        (25, "Gold"),
    ]
    assert list(verification.problems(program)) == []


def test_a_snapshot_reads_as_the_program_did_at_midnight(
    group: TierGroup, maya: User, clock: Any
) -> None:
    program = group.program
    factories.earn(factories.make_member(program), 600)
    assignment.recalculate(program, as_of=NOW)
    clock.move_to(NOW + timedelta(hours=11), tick=False)
    programs.switch_tiers(program, "pause", by=maya, reason="For the night.")
    clock.move_to(NOW + timedelta(hours=13), tick=False)
    programs.switch_tiers(program, "resume", by=maya, reason="Good morning.")
    assignment.recalculate(program, as_of=NOW + timedelta(hours=14))
    assert customers_of(program, date(2026, 5, 21)) == {
        "Bronze": 1,
        "Silver": 0,
        "Gold": 0,
    }
    assert shown(program)["Silver"] == 1
    assert list(verification.problems(program)) == []


@pytest.mark.parametrize(
    ("zone", "first", "last", "days"),
    [
        # Clocks spring forward over midnight: the day begins at one o'clock.
        ("America/Santiago", date(2026, 9, 5), date(2026, 9, 7), 2),
        ("Europe/Berlin", date(2026, 3, 28), date(2026, 3, 30), 2),
        ("Europe/Berlin", date(2026, 10, 24), date(2026, 10, 26), 2),
        ("Australia/Lord_Howe", date(2026, 4, 4), date(2026, 4, 6), 2),
        # 30 December 2011 was skipped altogether.
        ("Pacific/Apia", date(2011, 12, 28), date(2012, 1, 1), 3),
    ],
)
def test_every_local_day_that_there_is_is_counted_once(
    zone: str, first: date, last: date, days: int
) -> None:
    found = list(snapshots._days(zone, first, last))
    assert len(found) == len(set(found)) == days
    begins = [first_instant(day, zone) for day in found]
    assert begins == sorted(set(begins))


def test_the_database_keeps_snapshots(group: TierGroup) -> None:
    assignment.recalculate(group.program, as_of=NOW)
    with pytest.raises(Exception, match="append-only"):
        TierSnapshot.objects.update(customers=5)


def customers_of(program: Program, day: date) -> dict[str, int]:
    rows = TierSnapshot.objects.filter(tier__program=program, day=day)
    return {
        row.tier.versions.live().get().name: row.customers
        for row in rows.select_related("tier")
    }
