"""Standings, assignments and counts in the database, brought up to an instant."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from approvals import lifecycle
from loyalty import points, programs
from loyalty.models import Member, Program
from tests import factories
from tests.trips import trips
from tiers import assignment, counts, drafting, judging, tasks
from tiers.models import Recalculation, Standing, Tier, TierAssignment, TierGroup

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _frozen_clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def member(group: TierGroup) -> Member:
    return factories.make_member(group.program)


def tier_of(member: Member) -> str | None:
    standing = Standing.objects.select_related("tier").get(member=member)
    if standing.tier is None:
        return None
    version = standing.tier.versions.live().first()
    return version.name if version else "retired"


def held(member: Member) -> list[tuple[str, datetime, datetime | None]]:
    """What the member holds and held, as known now, oldest first."""
    rows = TierAssignment.objects.known_now().filter(member=member)
    return [
        (row.tier_version.name, row.valid_from, row.valid_until)
        for row in rows.select_related("tier_version").order_by("valid_from")
    ]


def rows() -> list[tuple[Any, ...]]:
    """Everything that the engine writes, save when it wrote it."""
    return [
        *Standing.objects.order_by("member", "group").values_list(
            "member", "group", "tier", "qualifying_points", "since", "due_at"
        ),
        *TierAssignment.objects.order_by("pk").values_list(
            "member", "tier", "valid_from", "valid_until", "superseded_at", "amount"
        ),
    ]


# At once


def test_the_posting_that_reaches_the_threshold_shows_the_new_tier(
    member: Member,
) -> None:
    factories.earn(member, 499)
    assert tier_of(member) == "Bronze"
    factories.earn(member, 1)
    assert tier_of(member) == "Silver"
    assert not Member.objects.marked().exists()


def test_in_a_window_a_redemption_leaves_the_tier_alone(member: Member) -> None:
    """“Redeeming does not lower them, even when the balance falls under the
    threshold.”"""
    factories.earn(member, 1000)
    points.redeem(
        member,
        factories.definition_of(member.program),
        950,
        reference="r1",
        source="tests",
        by=None,
    )
    assert tier_of(member) == "Gold"
    assert member.balances.get().amount == 50


def test_points_older_than_the_window_do_not_count_however_high_the_balance(
    member: Member,
) -> None:
    """“Points earned before the window do not count, however high the balance.”"""
    factories.earn(member, 90_000, occurred_at=NOW - timedelta(days=400))
    assert tier_of(member) == "Bronze"
    assert member.balances.get().amount == 90_000


def test_a_late_line_rewrites_the_past_and_keeps_what_was_known(
    member: Member,
) -> None:
    earlier = NOW - timedelta(days=30)
    factories.earn(member, 600)
    factories.earn(member, 500, occurred_at=earlier)
    assert held(member) == [
        ("Bronze", factories.LONG_AGO, earlier),
        ("Silver", earlier, NOW),
        ("Gold", NOW, None),
    ]
    superseded = TierAssignment.objects.filter(superseded_at__isnull=False)
    assert superseded.filter(tier_version__name="Silver", valid_from=NOW).exists()


def test_posting_in_bulk_marks_and_the_next_tick_judges(member: Member) -> None:
    activity = points.Activity(
        member_id=member.pk,
        reference="bulk-1",
        lines=(points.Line("EARN", factories.definition_of(member.program).pk, 700),),
    )
    points.post_many(member.program, [activity], source="tests", by=None)
    assert Member.objects.marked().get() == member
    report = assignment.recalculate(member.program, as_of=timezone.now())
    assert (report.members, report.moved) == (1, 1)
    assert tier_of(member) == "Silver"
    assert not Member.objects.marked().exists()


# By the calendar


def test_a_member_falls_on_the_local_day_on_which_the_points_leave(
    maya: User, chen: User
) -> None:
    program = factories.make_program(maya, time_zone="America/New_York")
    factories.make_group(program, by=maya, reviewer=chen)
    member = factories.make_member(program)
    factories.earn(member, 600)
    leaves = datetime(2027, 5, 20, 4, tzinfo=UTC)  # midnight in New York
    standing = Standing.objects.get(member=member)
    assert standing.due_at == standing.drops_at == leaves
    before = leaves - timedelta(seconds=1)
    assert assignment.recalculate(program, as_of=before).members == 0
    assert assignment.recalculate(program, as_of=leaves + timedelta(hours=7)).moved == 1
    assert held(member)[-1] == ("Bronze", leaves, None)


def test_two_calendars_of_ticks_leave_the_same_intervals(
    maya: User, chen: User
) -> None:
    program = factories.make_program(maya)
    factories.make_group(program, by=maya, reviewer=chen)
    often, seldom = (factories.make_member(program) for _ in range(2))
    for months_ago, amount in ((13, 700), (8, 600), (2, 500)):
        for member in (often, seldom):
            factories.earn(
                member, amount, occurred_at=NOW - timedelta(days=30 * months_ago)
            )
    for days in range(0, 400, 20):
        judging.bring_up_to_date(program.pk, [often.pk], NOW + timedelta(days=days))
    last = NOW + timedelta(days=400)
    for member in (often, seldom):
        judging.bring_up_to_date(program.pk, [member.pk], last)
    assert held(often) == held(seldom)
    assert len(held(often)) > 2


def test_a_tick_looks_at_nobody_when_nothing_is_due(
    member: Member, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        factories.make_member(member.program)
    assignment.recalculate(member.program, as_of=NOW)
    # the program's row, groups, open runs; who is set aside; in one trip marked members,
    # expiring lots and due standings; reminders; then in one transaction: begin, groups
    # held, tiers, notes, live tiers, counts, the program's row, commit; then the last
    # snapshot's day and the time zone
    with django_assert_num_queries(trips(sqlite=17, postgresql=15)):
        report = assignment.recalculate(member.program, as_of=NOW)
    assert report.members == 0


@pytest.mark.parametrize("size", [3, 15])
def test_a_chunk_costs_the_same_queries_for_few_and_for_many(
    group: TierGroup, size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    members = [factories.make_member(group.program) for _ in range(size)]
    ids = [member.pk for member in members]
    judging.bring_up_to_date(group.program_id, ids[:1], NOW)
    # groups, members; entries, memberships, acts by hand; assignments, standings,
    # newcomers' statuses; write: assignments, standings, notes of counts; events:
    # program, live tiers; clear marks
    with django_assert_num_queries(14):
        judging.bring_up_to_date(group.program_id, ids[1:], NOW)


def test_running_twice_changes_nothing(member: Member) -> None:
    factories.earn(member, 600)
    assignment.recalculate(member.program, as_of=NOW)
    before = rows()
    assert judging.bring_up_to_date(member.program_id, [member.pk], NOW) == []
    assert assignment.recalculate(member.program, as_of=NOW).moved == 0
    assert rows() == before


# Rules


def test_an_approved_change_moves_the_members_of_a_small_program_at_once(
    group: TierGroup, member: Member, maya: User, chen: User
) -> None:
    factories.earn(member, 1000)
    gold = factories.live_tier(group, "Gold")
    draft = lifecycle.draft_change(gold, by=maya, changes={"threshold": 1200})
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    assert tier_of(member) == "Silver"
    assert (
        TierAssignment.objects.get(
            member=member, valid_until=None, superseded_at=None
        ).reason
        == "RULES_CHANGED"
    )


def test_a_large_program_is_judged_by_the_next_tick(
    group: TierGroup,
    member: Member,
    maya: User,
    chen: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assignment, "SMALL_PROGRAM", 0)
    factories.earn(member, 1000)
    gold = factories.live_tier(group, "Gold")
    draft = lifecycle.draft_change(gold, by=maya, changes={"threshold": 1200})
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    assert tier_of(member) == "Gold"
    tasks.recalculate()
    assert tier_of(member) == "Silver"
    assert TierGroup.objects.get(pk=group.pk).applied_ruleset == (
        TierGroup.objects.get(pk=group.pk).ruleset
    )


def test_a_new_group_places_every_member(
    member: Member, maya: User, chen: User
) -> None:
    factories.earn(member, 1000)
    other = factories.make_group(
        member.program,
        by=maya,
        reviewer=chen,
        name="Seasonal",
        tiers=[("Guest", None), ("Star", 900)],
        at=NOW,
    )
    standing = Standing.objects.get(member=member, group=other)
    assert standing.tier is not None
    assert standing.tier.versions.live().get().name == "Star"


def test_holders_of_a_retired_tier_move_to_what_they_qualify_for(
    group: TierGroup, member: Member, maya: User, chen: User
) -> None:
    factories.earn(member, 1000)
    gold = factories.live_tier(group, "Gold").tier
    factories.approve(lifecycle.submit(drafting.retire(gold, by=maya), by=maya), chen)
    assert tier_of(member) == "Silver"


def test_retiring_a_group_ends_its_assignments(
    group: TierGroup, member: Member, maya: User, chen: User
) -> None:
    factories.earn(member, 1000)
    factories.approve(lifecycle.submit(drafting.retire(group, by=maya), by=maya), chen)
    assert tier_of(member) is None
    assert held(member)[-1][2] is not None


# Counts


def customers(program: Program) -> dict[str, int | None]:
    return {
        version.name: version.tier.customer_count
        for version in counts.live_tiers(program).select_related("tier")
    }


def test_counts_equal_a_plain_count_of_the_intervals_at_their_instant(
    group: TierGroup,
) -> None:
    for amount in (10, 500, 600, 5000):
        factories.earn(factories.make_member(group.program), amount)
    assignment.recalculate(group.program, as_of=NOW)
    assert customers(group.program) == {"Bronze": 1, "Silver": 2, "Gold": 1}
    tier = Tier.objects.get(versions__name="Silver")
    assert tier.counted_at == NOW
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM tiers_tierassignment WHERE tier_id = %s "
            "AND superseded_at IS NULL AND valid_from <= %s "
            "AND (valid_until IS NULL OR valid_until > %s)",
            [tier.pk, tier.counted_at, tier.counted_at],
        )
        assert cursor.fetchone() == (2,)


def test_while_tiers_are_paused_everybody_reads_as_base(
    group: TierGroup, maya: User
) -> None:
    program = group.program
    for amount in (10, 500, 5000):
        factories.earn(factories.make_member(program), amount)
    assignment.recalculate(program, as_of=NOW)
    paused, resumed = (NOW + timedelta(minutes=m) for m in (3, 5))
    programs.switch_tiers(program, "pause", by=maya, reason="Counting.", at=paused)
    assert customers(program) == {"Bronze": 3, "Silver": 0, "Gold": 0}
    assert set(Tier.objects.values_list("counted_at", flat=True)) == {paused}
    assert counts.refresh_all() == 1
    assert set(Tier.objects.values_list("counted_at", flat=True)) == {paused}
    programs.switch_tiers(program, "resume", by=maya, reason="Done.", at=resumed)
    assert customers(program) == {"Bronze": 1, "Silver": 1, "Gold": 1}
    assert set(Tier.objects.values_list("counted_at", flat=True)) == {resumed}


def test_members_who_are_not_active_are_not_counted(group: TierGroup) -> None:
    member = factories.make_member(group.program, status=Member.Status.INACTIVE)
    factories.earn(member, 500)
    assignment.recalculate(group.program, as_of=NOW)
    assert tier_of(member) == "Silver"
    assert customers(group.program) == {"Bronze": 0, "Silver": 0, "Gold": 0}


# Ticks, tasks and commands


def test_one_tick_takes_what_is_due_and_the_next_finds_nothing(member: Member) -> None:
    Recalculation.objects.update(due_at=NOW)
    assert assignment.tick(as_of=NOW).members == 1
    assert assignment.tick(as_of=NOW).members == 0
    due = Recalculation.objects.get().due_at
    assert NOW < due <= NOW + timedelta(minutes=15)


def test_a_claim_is_had_once_until_its_lease_is_over(member: Member) -> None:
    Recalculation.objects.update(due_at=NOW)
    row = Recalculation.objects.filter(program=member.program)
    assert row.claim(NOW)
    assert not row.claim(NOW)
    assert row.claim(NOW + timedelta(minutes=10))


def test_a_dry_run_says_what_would_move_and_writes_nothing(
    member: Member, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows()
    call_command("recalculate_tiers", "--dry-run")
    assert "looked at 1 members, 1 would change tier" in capsys.readouterr().out
    assert rows() == before
    assert Member.objects.marked().exists()
    call_command("recalculate_tiers")
    assert tier_of(member) == "Bronze"


def test_the_counting_command_and_its_dry_run(
    member: Member, capsys: pytest.CaptureFixture[str]
) -> None:
    assignment.recalculate(member.program, as_of=NOW)
    Tier.objects.update(customer_count=7)
    call_command("refresh_customer_counts", "--dry-run")
    assert "1 customers in" in capsys.readouterr().out
    assert Tier.objects.filter(customer_count=7).count() == 3
    call_command("refresh_customer_counts")
    assert customers(member.program) == {"Bronze": 1, "Silver": 0, "Gold": 0}
    assert tasks.refresh_customer_counts() == {"programs": 1}


@pytest.mark.parametrize(
    "words",
    [
        ["--program", "999999"],
        ["--as-of", "yesterday"],
        ["--as-of", "2026-01-01T00:00:00"],
        ["--as-of", "2999-01-01T00:00:00Z"],
    ],
)
def test_a_command_refuses_words_that_make_no_sense(db: None, words: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("recalculate_tiers", *words)


def test_a_tick_by_hand_does_everything_that_is_due(
    member: Member, capsys: pytest.CaptureFixture[str]
) -> None:
    Recalculation.objects.update(due_at=NOW)
    call_command("tick")
    assert "looked at 1 members" in capsys.readouterr().out


# The database says so too


def test_the_database_refuses_two_tiers_at_one_instant(member: Member) -> None:
    factories.earn(member, 600)
    row = TierAssignment.objects.known_now().get(valid_until=None)
    with pytest.raises(Exception, match="one tier of a group|begins_at_an_instant"):
        TierAssignment.objects.create(
            **{
                field.attname: getattr(row, field.attname)
                for field in row._meta.concrete_fields
                if field.name not in ("id", "valid_until", "valid_from")
            },
            valid_from=row.valid_from - timedelta(hours=1),
            valid_until=row.valid_from + timedelta(hours=1),
        )


# At the same time


def run_at_once(*jobs: Callable[[], object]) -> list[object]:
    """Run jobs in threads that start together; return results or what was raised."""
    barrier = threading.Barrier(len(jobs))
    results: list[object] = [None] * len(jobs)

    def run(index: int) -> None:
        barrier.wait()
        try:
            results[index] = jobs[index]()
        except Exception as error:
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.mark.django_db(transaction=True)
def test_ticks_and_postings_at_once_leave_the_rows_of_one_after_the_other(
    group: TierGroup,
) -> None:
    program = group.program
    members = [factories.make_member(program) for _ in range(6)]

    def post(member: Member) -> Callable[[], object]:
        def four_times() -> None:
            for _ in range(4):
                factories.earn(member, 300)

        return four_times

    def recalculate() -> object:
        return [assignment.recalculate(program, as_of=NOW) for _ in range(4)]

    results = run_at_once(*(post(m) for m in members), recalculate, recalculate)
    assert not [r for r in results if isinstance(r, Exception)]
    assignment.recalculate(program, as_of=NOW)
    for member in members:
        standing = Standing.objects.get(member=member)
        assert standing.qualifying_points == 1200
        assert tier_of(member) == "Gold"
    assert customers(program)["Gold"] == 6
