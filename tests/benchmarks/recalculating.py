"""Ticks, the rebuild and the histogram, beside SQL written by hand."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count

from django.db import connection, transaction

from loyalty import points
from loyalty.models import Member, Program
from tests.benchmarks.generator import NOW, Size, vacuum
from tests.benchmarks.measuring import Result, counted, medians, seconds, worker
from tests.benchmarks.yardsticks import ByHand
from tiers import assignment, ladder, rules, runs, sets
from tiers.models import Run, Standing, TierAssignment, TierGroup

TOUCHED = 600
WORKERS = 2
ROUNDS = 5
RANGE = 10_000
_references = count(1)


def program() -> Program:
    return Program.objects.get()


def group() -> TierGroup:
    return TierGroup.objects.get()


def judge_everybody(as_of: datetime) -> None:
    """Rebuild one range of members after the other, each in a transaction.

    Counts and events are left out: who is placed for the first time is told nothing.
    """
    main = group()
    ladders = rules.ladders_of([main])[main.pk]
    last = Member.objects.order_by("-pk").values_list("pk", flat=True)[0]
    for start in range(1, last + 1, RANGE):
        with transaction.atomic():
            locked = Member.objects.select_for_update(no_key=True)
            ids = range(start, start + RANGE)
            list(locked.filter(pk__range=(ids[0], ids[-1])).values_list("pk"))
            sets.judge(main, ladders, ids, as_of)


def expect_nothing_to_mend(ids: range, as_of: datetime) -> None:
    """The yardstick wrote exactly what the engine would have."""
    main = group()
    with transaction.atomic():
        ladders = rules.ladders_of([main])[main.pk]
        judged = sets.judge(main, ladders, ids, as_of)
        transaction.set_rollback(True)
    assert (judged.superseded, judged.added, judged.standings) == (0, 0, 0), judged


def rebuild(size: Size) -> Iterator[Result]:
    by_hand = ByHand(group(), NOW)

    def hand_written() -> None:
        with transaction.atomic():
            by_hand.rebuild()

    yardstick = seconds(hand_written)
    vacuum("tiers_tierassignment", "tiers_standing")
    expect_nothing_to_mend(range(1, min(size.members, 20_000)), NOW)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("TRUNCATE tiers_tierassignment, tiers_standing")
        cursor.execute("RESET session_replication_role")
    with counted() as queries:
        figure = seconds(lambda: judge_everybody(NOW))
    yield Result(
        f"full rebuild, {TierAssignment.objects.count():,} assignments",
        figure,
        yardstick,
        hold=1.5,
        queries=queries.count,
    )
    vacuum("tiers_tierassignment", "tiers_standing")
    yield Result(
        "full rebuild where nothing differs",
        seconds(lambda: judge_everybody(NOW)),
        None,
        None,
    )


def folded(size: Size) -> Iterator[Result]:
    """The same members under rules with a memory: terms of a year, one tier down."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE tiers_tierversion SET period_type = 'SLAB_UPGRADE', "
            "period_value = 12, downgrade_to = 'SINGLE' WHERE entry <> 'BASE'"
        )
        cursor.execute("RESET session_replication_role")
    TierGroup.objects.update(ruleset_key=uuid.uuid4())
    assert not ladder.is_memoryless(rules.ladders_of([group()])[group().pk])
    run = runs.begin(program(), Run.Kind.REBUILD, at=NOW, as_of=NOW)
    started = time.perf_counter()
    workers = [worker("rebuilding", size) for _ in range(WORKERS)]
    peaks = [json.loads(w.communicate()[0])["memory"] for w in workers]
    figure = time.perf_counter() - started
    run.refresh_from_db()
    assert run.members == size.members, (run.members, run.failed_at)
    yield Result(
        f"full rebuild, folded, {WORKERS} workers",
        figure,
        None,
        None,
        below=600,
        memory=max(peaks),
    )


def rebuilding(size: Size) -> Iterator[Result]:
    """Work on the open run; one of several processes."""
    runs.work(Run.objects.open().get())
    yield Result("worker", 0, None, None)


def nothing_due(size: Size) -> Iterator[Result]:
    at = NOW + timedelta(minutes=1)
    assignment.recalculate(program(), as_of=at)
    with counted() as queries:
        assignment.recalculate(program(), as_of=at)
    [figure] = medians(20, lambda: assignment.recalculate(program(), as_of=at))
    yield Result(
        "tick, nothing due", figure, None, 1.5, below=0.05, queries=queries.count
    )


def touched(size: Size) -> Iterator[Result]:
    """Rounds of 600 members who earned, in turns for the engine and by hand."""
    minutes = count(5, 5)
    step = size.members // (2 * ROUNDS * TOUCHED + TOUCHED)
    members = iter(range(1, size.members, max(step, 1)))
    times: dict[str, list[float]] = {"engine": [], "by hand": []}
    statements = 0
    for _ in range(ROUNDS):
        for who in times:
            at = NOW + timedelta(minutes=next(minutes))
            ids = [next(members) for _ in range(TOUCHED)]
            _post(ids, at)
            vacuum("loyalty_member", "tiers_standing", "tiers_tierassignment")
            if who == "engine":
                with counted() as queries:
                    times[who].append(seconds(_ticking(at)))
                statements = queries.count
                assert not Member.objects.marked().exists()
            else:
                by_hand = ByHand(group(), at)
                times[who].append(seconds(_in_transaction(by_hand.marked)))
                expect_nothing_to_mend(range(ids[0], ids[0] + 1), at)
    figure, yardstick = (sorted(t)[ROUNDS // 2] for t in times.values())
    yield Result(
        f"tick, {TOUCHED} members touched", figure, yardstick, 4, queries=statements
    )


def midnight(size: Size) -> Iterator[Result]:
    """The next two midnights: one by hand, one by the engine."""
    first = NOW + timedelta(hours=22)
    second = first + timedelta(days=1)
    vacuum()
    by_hand = ByHand(group(), first)
    yardstick = seconds(_in_transaction(by_hand.due))
    vacuum()
    due = Standing.objects.filter(due_at__lte=second).count()
    with counted() as queries:
        figure = seconds(_ticking(second))
    expect_nothing_to_mend(range(1, min(size.members, 20_000)), second)
    yield Result(
        f"midnight tick, {due:,} members with exits",
        figure,
        yardstick,
        4,
        queries=queries.count,
    )


def histogram(size: Size) -> Iterator[Result]:
    main = group()
    current = rules.ladders_of([main])[main.pk][-1]
    by_hand = ByHand(main, NOW)
    ours = sets.histogram(main, current, NOW)
    theirs = by_hand.histogram()
    assert sorted(ours.values()) == sorted(theirs.values()), (ours, theirs)
    figure, yardstick = medians(
        5,
        lambda: sets.histogram(main, current, NOW),
        by_hand.histogram,
    )
    yield Result("preview histogram, now", figure, yardstick, 2, below=1, queries=1)


def _post(ids: list[int], at: datetime) -> None:
    definition = program().balance_definitions.get(built_in="POINTS").pk
    activities = [
        points.Activity(
            member_id=member,
            reference=f"touched-{next(_references)}",
            lines=(points.Line("EARN", definition, 60),),
        )
        for member in ids
    ]
    report = points.post_many(program(), activities, source="touched", by=None, at=at)
    assert report.posted == len(ids), report.problems[:3]


def _ticking(at: datetime) -> Callable[[], object]:
    return lambda: assignment.recalculate(program(), as_of=at)


def _in_transaction(work: Callable[[], object]) -> Callable[[], object]:
    def run() -> None:
        with transaction.atomic():
            work()

    return run
