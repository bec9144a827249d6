"""Runs over all members: pieces, leases, workers that die, and what comes of it."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import OperationalError, connections, transaction
from django.test.utils import CaptureQueriesContext

from approvals import lifecycle
from loyalty import rows
from loyalty.models import Member, Program
from tests import factories
from tests.counts import count
from tests.races import racers, somebody_waits
from tests.trips import trips
from tiers import (
    assignment,
    counts,
    judging,
    locks,
    runs,
    tasks,
    verification,
)
from tiers.models import (
    CountChange,
    Recalculation,
    Run,
    RunPiece,
    Standing,
    TierGroup,
)
from tiers.models.runs import ATTEMPTS, LEASE

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large program is one of more than three members, in pieces of four."""
    monkeypatch.setattr(assignment, "SMALL_PROGRAM", 3)
    monkeypatch.setattr(runs, "PIECE", 4)
    monkeypatch.setattr(runs, "CHUNK", 2)


def make_members(program: Program, number: int) -> list[Member]:
    """Members with 1,000 points each, who are Gold until somebody asks for more."""
    members = [factories.make_member(program) for _ in range(number)]
    for member in members:
        factories.earn(member, 1000)
    assignment.recalculate(program, as_of=NOW)
    return members


def ask_more_of_gold(group: TierGroup, maya: User, chen: User) -> None:
    gold = factories.live_tier(group, "Gold")
    draft = lifecycle.draft_change(gold, by=maya, changes={"threshold": 1200})
    factories.approve(lifecycle.submit([draft], by=maya), chen)


def tiers_held(program: Program) -> list[str]:
    """The names of the tiers that members hold, one for each member."""
    standings = Standing.objects.filter(member__program=program).order_by("member")
    return [
        standing.tier.versions.live().get().name if standing.tier else ""
        for standing in standings.select_related("tier")
    ]


def is_applied(group: TierGroup) -> bool:
    group.refresh_from_db()
    return group.applied_ruleset == group.ruleset


# Pieces


@pytest.mark.django_db
def test_a_run_hands_out_every_member_once(group: TierGroup) -> None:
    members = make_members(group.program, 10)
    run = runs.begin(group.program, Run.Kind.REBUILD, at=NOW)
    taken = []
    while piece := runs.take(run, "somebody", now=NOW):
        taken.append((piece.first_member, piece.last_member))
    keys = [member.pk for member in members]
    assert [last for _, last in taken] == [keys[3], keys[7], keys[9]]
    assert [first for first, _ in taken] == [0, keys[3] + 1, keys[7] + 1]
    run.refresh_from_db()
    assert run.expected == 10


@pytest.mark.django_db
def test_a_publication_in_a_large_program_moves_its_members_in_pieces(
    group: TierGroup, maya: User, chen: User
) -> None:
    make_members(group.program, 10)
    ask_more_of_gold(group, maya, chen)
    run = Run.objects.open().get()
    assert (run.kind, run.group, run.rollout) == (
        Run.Kind.PUBLISH,
        group,
        Run.Rollout.ALL_AT_ONCE,
    )
    assert set(tiers_held(group.program)) == {"Gold"}
    assert not is_applied(group)

    assert tasks.work_on_runs() == {"open": 0}

    assert set(tiers_held(group.program)) == {"Silver"}
    run.refresh_from_db()
    gold, silver = (
        factories.live_tier(group, name).tier_id for name in ("Gold", "Silver")
    )
    assert (run.finished_at, run.members, run.moved) == (NOW, 10, 10)
    assert run.moves == [[gold, silver, 10]]
    assert is_applied(group)
    assignment.recalculate(group.program, as_of=NOW)
    assert list(verification.problems(group.program, as_of=NOW)) == []


@pytest.mark.django_db
def test_the_tick_carries_out_what_no_worker_heard_of(
    group: TierGroup, maya: User, chen: User
) -> None:
    make_members(group.program, 10)
    ask_more_of_gold(group, maya, chen)
    assignment.tick(as_of=NOW + timedelta(minutes=15))
    assert set(tiers_held(group.program)) == {"Silver"}
    assert is_applied(group)


@pytest.mark.django_db
def test_rules_without_a_run_get_one_from_the_tick(group: TierGroup) -> None:
    make_members(group.program, 5)
    TierGroup.objects.filter(pk=group.pk).update(ruleset=group.ruleset + 1)
    assignment.recalculate(group.program, as_of=NOW)
    assert is_applied(group)


@pytest.mark.django_db
def test_a_small_program_moves_in_the_very_transaction(
    group: TierGroup, maya: User, chen: User
) -> None:
    make_members(group.program, 3)
    ask_more_of_gold(group, maya, chen)
    assert set(tiers_held(group.program)) == {"Silver"}
    last = Run.objects.filter(kind=Run.Kind.PUBLISH).latest("pk")
    assert last.finished_at == NOW
    assert is_applied(group)


@pytest.mark.django_db
def test_a_later_publication_ends_the_run_of_an_earlier_one(
    group: TierGroup, maya: User, chen: User
) -> None:
    make_members(group.program, 10)
    ask_more_of_gold(group, maya, chen)
    first = Run.objects.open().get()
    piece = runs.take(first, "slow", now=NOW)
    silver = factories.live_tier(group, "Silver")
    draft = lifecycle.draft_change(silver, by=maya, changes={"threshold": 600})
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    second = Run.objects.open().get()
    assert second.pk != first.pk
    assert runs.take(first, "another", now=NOW) is None
    assert piece is not None
    assert not runs.finish(first, at=NOW)
    runs.work(second)
    assert is_applied(group)


# Workers that die


@pytest.mark.django_db
def test_another_worker_goes_on_behind_the_last_chunk_of_one_that_died(
    group: TierGroup, maya: User, chen: User, clock: Any
) -> None:
    members = make_members(group.program, 4)
    ask_more_of_gold(group, maya, chen)
    run = Run.objects.open().get()
    piece = runs.take(run, "mortal", now=NOW)
    assert piece is not None
    runs._judge_chunk(run, piece, None)  # ... and then it is killed.
    assert tiers_held(group.program) == ["Silver", "Silver", "Gold", "Gold"]

    runs.work(run)
    assert run.pieces.get().finished_at is None, "The lease is not over yet."
    clock.move_to(NOW + LEASE, tick=False)
    runs.work(run)

    done = run.pieces.get()
    assert (done.reached, done.members, done.attempts) == (members[-1].pk, 4, 2)
    assert set(tiers_held(group.program)) == {"Silver"}
    assert is_applied(group)


@pytest.mark.django_db
def test_a_worker_that_was_given_up_writes_nothing_more(
    group: TierGroup, maya: User, chen: User, clock: Any
) -> None:
    make_members(group.program, 4)
    ask_more_of_gold(group, maya, chen)
    run = Run.objects.open().get()
    slow = runs.take(run, "slow", now=NOW)
    clock.move_to(NOW + LEASE, tick=False)
    runs.take(run, "quick", now=NOW + LEASE)
    assert slow is not None
    with pytest.raises(runs.Overtaken):
        runs._judge_chunk(run, slow, None)
    assert set(tiers_held(group.program)) == {"Gold"}


@pytest.mark.django_db
def test_whoever_dies_between_the_last_piece_and_the_end_is_followed(
    group: TierGroup, maya: User, chen: User
) -> None:
    make_members(group.program, 4)
    ask_more_of_gold(group, maya, chen)
    run = Run.objects.open().get()
    piece = runs.take(run, "mortal", now=NOW)
    assert piece is not None
    while not runs._judge_chunk(run, piece, None):
        pass
    assert not is_applied(group)
    runs.work(run)
    assert is_applied(group)


@pytest.mark.django_db
def test_a_piece_that_breaks_thrice_is_put_aside_and_the_others_are_done(
    group: TierGroup,
    maya: User,
    chen: User,
    monkeypatch: pytest.MonkeyPatch,
    clock: Any,
) -> None:
    members = make_members(group.program, 12)
    poisoned = members[5].pk
    judge = judging.catch_up

    def break_on_one(program_id: int, ids: list[int], as_of: datetime) -> Any:
        if poisoned in ids:
            raise OperationalError("Too much.")
        return judge(program_id, ids, as_of)

    ask_more_of_gold(group, maya, chen)
    monkeypatch.setattr(judging, "catch_up", break_on_one)
    run = Run.objects.open().get()
    runs.work(run)
    run.refresh_from_db()
    broken = run.pieces.get(failed_at__isnull=False)
    assert broken.attempts == ATTEMPTS
    assert broken.failure == "OperationalError: Too much."
    assert run.pieces.filter(finished_at__isnull=False).count() == 2
    assert (run.failed_at, run.finished_at) == (NOW, None)
    assert tiers_held(group.program).count("Gold") == 4
    assert not is_applied(group)

    # No tick tries the same rules again by itself; a rebuild by hand does.
    assignment.recalculate(group.program, as_of=NOW)
    assert not Run.objects.open().exists()
    monkeypatch.setattr(judging, "catch_up", judge)
    runs.work(runs.begin(group.program, Run.Kind.REBUILD, at=NOW))
    assert set(tiers_held(group.program)) == {"Silver"}
    assert is_applied(group)


@pytest.mark.django_db
def test_a_run_that_is_stopped_goes_on_where_it_was(
    group: TierGroup, maya: User, chen: User
) -> None:
    make_members(group.program, 12)
    ask_more_of_gold(group, maya, chen)
    run = Run.objects.open().get()
    answers = iter([False, False, True, True])
    runs.work(run, stop=lambda: next(answers, True))
    assert tiers_held(group.program).count("Silver") == 4
    runs.work(run)
    assert set(tiers_held(group.program)) == {"Silver"}
    assert [piece.attempts for piece in run.pieces.all()] == [1, 1, 1]


# The tick's lease


@pytest.mark.django_db
def test_a_tick_that_was_overtaken_stops_at_its_next_chunk(
    group: TierGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [factories.make_member(group.program) for _ in range(4)]
    monkeypatch.setattr(assignment, "CHUNK", 2)
    judge = judging.catch_up
    overtaking: list[Any] = []

    def be_overtaken_after_this(*args: Any) -> Any:
        moves = judge(*args)
        if not overtaking:
            overtaking.append("once")
            Recalculation.objects.update(holder="another")
        return moves

    monkeypatch.setattr(judging, "catch_up", be_overtaken_after_this)
    report = assignment.recalculate(group.program, as_of=NOW)
    assert (report.broke_off, report.members) == (True, 2)
    assert Recalculation.objects.get().holder == "another"
    assert Member.objects.marked().count() == 2
    assert assignment.recalculate(group.program, as_of=NOW).members == 2
    assert Standing.objects.filter(member__in=members).count() == 4


@pytest.mark.django_db
def test_an_interrupted_tick_gives_its_lease_back(
    group: TierGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.make_member(group.program)

    def interrupt(*args: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(judging, "catch_up", interrupt)
        with pytest.raises(KeyboardInterrupt):
            assignment.recalculate(group.program, as_of=NOW)
    assert Recalculation.objects.get().holder == ""
    assert assignment.tick(as_of=NOW).members == 1


@pytest.mark.django_db
def test_a_program_that_breaks_does_not_hold_up_the_others(
    group: TierGroup, maya: User, chen: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = factories.make_program(maya, name="Lakeside")
    factories.make_group(other, by=maya, reviewer=chen)
    for program in (group.program, other):
        factories.make_member(program)
    Recalculation.objects.update(due_at=NOW)
    judge = judging.catch_up

    def break_on_one(program_id: int, *args: Any) -> Any:
        if program_id == group.program_id:
            raise OperationalError("Too much.")
        return judge(program_id, *args)

    monkeypatch.setattr(judging, "catch_up", break_on_one)
    assert assignment.tick(as_of=NOW).members == 1
    assert Standing.objects.filter(member__program=other).exists()


@pytest.mark.django_db
def test_a_tick_does_not_take_back_what_a_posting_saw_later(
    group: TierGroup, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    member = factories.make_member(group.program)
    later = NOW + timedelta(minutes=1)
    clock.move_to(later, tick=False)
    factories.earn(member, 1000)
    Member.objects.update(marked_at=NOW)
    assignment.recalculate(group.program, as_of=NOW)
    assert tiers_held(group.program) == ["Gold"]
    assert Standing.objects.get().evaluated_at == later


@pytest.mark.django_db
@pytest.mark.parametrize("size", [10, count(200, 10_000)])
def test_a_tick_without_work_asks_as_much_of_many_members_as_of_few(
    group: TierGroup, size: int
) -> None:
    program = group.program
    contacts = [
        factories.Contact(name="M", external_id=f"q-{n}", created_at=NOW)
        for n in range(size)
    ]
    made = factories.Contact.objects.bulk_create(contacts)
    members = Member.objects.bulk_create(
        Member(
            program=program, contact=c, subscription_id=c.external_id, created_at=NOW
        )
        for c in made
    )
    factories.Membership.objects.bulk_create(
        factories.Membership(member=m, started_at=NOW) for m in members
    )
    runs.work(runs.begin(program, Run.Kind.REBUILD, at=NOW))
    assignment.recalculate(program, as_of=NOW)
    Recalculation.objects.update(due_at=NOW)
    with CaptureQueriesContext(connections["default"]) as asked:
        assert assignment.tick(as_of=NOW).members == 0
    # as a recalculation (see test_assignment), with missing and due rows before
    assert len(asked) == trips(sqlite=19, postgresql=17)


# At the same time


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_judge_each_member_once(
    group: TierGroup, maya: User, chen: User, clock: Any
) -> None:
    clock.move_to(NOW, tick=True)
    number = count(40, 200)
    make_members(group.program, number)
    ask_more_of_gold(group, maya, chen)
    run = Run.objects.open().get()
    with racers(3) as people:
        outcomes = people.race(*[lambda: runs.work(run)] * 3)
    assert outcomes == [None] * 3
    run.refresh_from_db()
    assert run.finished_at is not None
    assert (run.members, run.moved) == (number, number)
    assert RunPiece.objects.filter(run=run, attempts=1).count() == number // 4
    assert set(tiers_held(group.program)) == {"Silver"}
    assignment.recalculate(group.program, as_of=datetime.now(tz=UTC))
    assert list(verification.problems(group.program)) == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_without_a_compare_and_swap_two_workers_hand_out_one_range(
    group: TierGroup, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    """The control: the same race against a hand-out that reads, then writes."""
    clock.move_to(NOW, tick=True)
    make_members(group.program, 4)
    run = runs.begin(group.program, Run.Kind.REBUILD, at=NOW)
    both_have_read = threading.Barrier(2, timeout=20)

    def hand_out_carelessly() -> int:
        with transaction.atomic():
            first = Run.objects.get(pk=run.pk).next_member
            both_have_read.wait()
            Run.objects.filter(pk=run.pk).update(next_member=first + 4)
            return first

    with racers(2) as people:
        careless = people.race(hand_out_carelessly, hand_out_carelessly)
        Run.objects.filter(pk=run.pk).update(next_member=0)
        careful = people.race(*[lambda: runs.take(run, "somebody", now=NOW)] * 2)
    assert careless == [0, 0]
    assert sorted(piece is None for piece in careful) == [False, True]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_counts_wait_for_a_move_of_an_earlier_instant(
    group: TierGroup, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    """A posting that took its instant before the tick's is in the tick's counts."""
    clock.move_to(NOW, tick=True)
    member = factories.make_member(group.program)
    assignment.recalculate(group.program, as_of=datetime.now(tz=UTC))
    is_writing = threading.Event()
    send = rows.send

    def send_slowly(commands: Any) -> None:
        send(commands)
        is_writing.set()
        time.sleep(0.5)

    monkeypatch.setattr(rows, "send", send_slowly)

    def tick() -> None:
        assert is_writing.wait(10)
        with transaction.atomic():
            counts.add_up(group.program, as_of=datetime.now(tz=UTC))

    with racers(2) as people:
        outcomes = people.race(lambda: factories.earn(member, 1000), tick)
    assert outcomes == [None, None]
    assert not CountChange.objects.exists()
    assert list(verification.problems(group.program)) == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["ours", "rows"])
def test_a_posting_queues_behind_a_publication_that_waits(
    group: TierGroup, kind: str, clock: Any
) -> None:
    """Else steady posting keeps a publication waiting for ever; the control are row
    locks, which let whoever shares them pass whoever wants them alone."""
    clock.move_to(NOW, tick=True)
    rows = TierGroup.objects.filter(program=group.program)
    is_shared, may_end, is_over = (threading.Event() for _ in range(3))

    def share() -> None:
        if kind == "ours":
            locks.share(group.program_id)
        else:
            list(TierGroup.objects.raw(f"{rows.query} FOR SHARE"))

    def first() -> None:
        with transaction.atomic():
            share()
            is_shared.set()
            may_end.wait(20)

    def publication() -> None:
        is_shared.wait(20)
        with transaction.atomic():
            if kind == "ours":
                locks.hold(group.program_id)
            else:
                list(rows.select_for_update(no_key=True))
        is_over.set()

    def second() -> str:
        is_shared.wait(20)
        while not somebody_waits():
            pass
        try:
            with transaction.atomic(), connections["default"].cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '300ms'")
                share()
            return "passed"
        except OperationalError:
            return "queued"
        finally:
            may_end.set()

    with racers(3) as people:
        outcomes = people.race(first, publication, second)
    assert outcomes[2] == ("queued" if kind == "ours" else "passed")
    assert is_over.is_set()
