"""Bringing standings and assignments up to an instant.

``ladder.fold`` says what is true of a member, ``judging`` writes it down for some,
and this module finds whom to judge. Work follows changes: members that something
happened to are marked, and each standing knows when it is due next. When rules change
everybody is judged, by a run in pieces (``runs``).

Members are judged in chunks, each in one transaction, under the lease of the tick.
Running twice changes nothing the second time; a worker that dies leaves each member
either as before or as after, and the next tick does the rest.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from loyalty.models import Member, Program
from loyalty.statements import ask, asking

from . import counts, judging, locks, outbox, quarantine, runs, snapshots
from .models import Recalculation, Run, Standing, TierGroup
from .models.runs import LEASE
from .runs import Moves, Overtaken, Stop
from .sets import Move

logger = logging.getLogger(__name__)

CHUNK = 2000
#: Up to so many members are judged in the very transaction of a publication.
SMALL_PROGRAM = 500
#: For so long a tick lends a hand to a run, before it looks at what is due.
SECONDS_FOR_RUNS = 60
#: A publication asks at most so many workers to begin at once.
WORKERS = 4


@dataclass
class Report:
    """How many members were looked at, and how many of them changed tier."""

    members: int = 0
    moved: int = 0
    reminded: int = 0
    #: Somebody else goes on in our place, or it was asked to stop.
    broke_off: bool = False
    moves: Moves = field(default_factory=Counter)

    def add(self, ids: Sequence[int], moves: Sequence[Move]) -> None:
        self.members += len(ids)
        self.moved += len({move.member for move in moves})
        self.moves += runs.tally(moves)


# The tick


def tick(*, as_of: datetime, stop: Stop = lambda: False) -> Report:
    """Recalculate every program that is due, each by whichever worker claims it.

    A program that cannot be recalculated does not hold up the others.
    """
    total = Report()
    _make_missing_rows(as_of)
    due = Recalculation.objects.due(as_of).order_by("due_at").select_related("program")
    for row in list(due):
        if stop():
            break
        holder = runs.worker_name()
        if not Recalculation.objects.filter(pk=row.pk).claim(as_of, holder):
            continue
        try:
            record = Run(program=row.program, kind=Run.Kind.TICK)
            report = _recalculate(record, holder, as_of, stop, seconds=SECONDS_FOR_RUNS)
        except Exception:
            # Ours to mend, and tried again after the lease; the others go on.
            logger.exception("A tick broke off", extra={"program": row.program_id})
            continue
        total.members += report.members
        total.moved += report.moved
        total.reminded += report.reminded
    return total


def recalculate(
    program: Program,
    *,
    as_of: datetime,
    dry_run: bool = False,
    by: Any = None,
    reason: str = "",
    seconds: float | None = None,
    stop: Stop = lambda: False,
) -> Report:
    """Bring every standing of a program up to ``as_of``, and count its customers.

    Looks at members that are marked or due, and at those whom an open run has still
    to judge, for so many seconds. A tick that is at work stops, and this goes on in
    its place. With ``dry_run`` the report says what would move, and nothing is
    written.
    """
    if dry_run:
        return _try(program, as_of)
    holder = runs.worker_name()
    row = Recalculation.objects.filter(program=program)
    if not row.take(as_of, holder):
        _make_missing_rows(as_of, program.pk)
        row.take(as_of, holder)
    record = Run(program=program, kind=Run.Kind.RECALCULATE, asked_by=by, reason=reason)
    return _recalculate(record, holder, as_of, stop, seconds=seconds)


def _recalculate(
    record: Run, holder: str, as_of: datetime, stop: Stop, *, seconds: float | None
) -> Report:
    """Do the work of a tick; ``record`` is what is put on record of it, if anything."""
    program = record.program
    report = Report()
    groups = judging.groups_of(program.pk)
    try:
        open_runs = _work_on_runs(program, groups, as_of, seconds, stop)
        for ids in _to_look_at(program.pk, groups, as_of):
            if stop():
                raise Overtaken
            with transaction.atomic():
                locks.share(program.pk)
                _renew(program.pk, holder, as_of)
                report.add(ids, quarantine.catch_up(program.pk, ids, as_of))
        report.reminded = _remind(program.pk, groups, holder, as_of, stop)
        # As of when a run judges, nobody knows better before it has finished.
        if all(run.as_of is None or run.as_of > as_of for run in open_runs):
            _finish(record, holder, as_of, report)
        else:
            _release(program, holder, as_of)
    except Overtaken:
        report.broke_off = True
        _release(program, holder, as_of)
    except BaseException:
        # Whoever interrupted this need not wait for the lease to be over.
        _release(program, holder, as_of)
        raise
    return report


def _try(program: Program, as_of: datetime) -> Report:
    """Find out what would move: each chunk is judged, and undone."""
    report = Report()
    for ids in _to_look_at(program.pk, judging.groups_of(program.pk), as_of):
        with transaction.atomic():
            report.add(ids, quarantine.catch_up(program.pk, ids, as_of))
            transaction.set_rollback(True)
    return report


def _release(program: Program, holder: str, as_of: datetime) -> None:
    own = Recalculation.objects.filter(program=program, holder=holder)
    own.update(holder="", due_at=as_of)


def _renew(program_id: int, holder: str, as_of: datetime) -> None:
    """Keep the lease for another chunk, or stop where somebody else has it."""
    until = max(as_of, timezone.now()) + LEASE
    own = Recalculation.objects.filter(program=program_id, holder=holder)
    if not own.update(due_at=until):
        raise Overtaken


def _remind(
    program_id: int,
    groups: Sequence[TierGroup],
    holder: str,
    as_of: datetime,
    stop: Stop,
) -> int:
    """Write the reminders that are due, in chunks; return how many."""
    reminded = 0
    while not stop():
        due = outbox.to_remind(program_id, groups, as_of)
        ids = set(due.values_list("member", flat=True)[:CHUNK])
        if not ids:
            break
        with transaction.atomic():
            locks.share(program_id)
            _renew(program_id, holder, as_of)
            locked = Member.objects.select_for_update(no_key=True).filter(pk__in=ids)
            list(locked.order_by("pk").values_list("pk"))
            reminded += outbox.remind(program_id, due.filter(member__in=ids), as_of)
    return reminded


def _finish(record: Run, holder: str, as_of: datetime, report: Report) -> None:
    """Make the counts true for the tick's instant, and say when the next is due."""
    program = record.program
    with transaction.atomic():
        counted_at = counts.add_up(program, as_of=as_of)
        own = Recalculation.objects.filter(program=program, holder=holder)
        if not own.update(**_finished(as_of, report)):
            raise Overtaken
        if report.members:
            runs.note(record, as_of=as_of, moves=report.moves, members=report.members)
    snapshots.take(program, as_of=counted_at)


def _finished(as_of: datetime, report: Report) -> dict[str, Any]:
    return {
        "holder": "",
        # A minute early, so that the tick after next is never the one that finds it.
        "due_at": as_of + timedelta(minutes=settings.RECALCULATE_MINUTES - 1),
        "as_of": as_of,
        "finished_at": timezone.now(),
        "members": report.members,
        "moved": report.moved,
    }


# When rules have changed


def follow_rules(program_id: int, *, at: datetime) -> None:
    """See to it that everybody is judged by rules that were published just now.

    Members of a small program in this transaction, which holds the groups' lock; a
    large one's by workers who are asked to begin, and if none hears, by the tick.
    """
    program = Program.objects.get(pk=program_id)
    _make_missing_rows(at, program_id)
    run = runs.begin(program, Run.Kind.PUBLISH, at=at)
    members = Member.objects.filter(program=program_id).values_list("pk")
    number = len(members[: SMALL_PROGRAM + 1])
    if number > SMALL_PROGRAM:
        transaction.on_commit(lambda: nudge(WORKERS), robust=True)
        return
    runs.work(run, at=at)
    counts.add_up(program, as_of=at)
    # Everybody is up to date: a tick at work stops at its next chunk.
    moved = Run.objects.values_list("moved", flat=True).get(pk=run.pk)
    row = Recalculation.objects.filter(program=program)
    row.update(**_finished(at, Report(members=number, moved=moved)))


def nudge(workers: int = 1) -> None:
    """Ask workers to begin at once with what runs hand out."""
    if settings.CELERY_BROKER_URL:
        from celery import current_app

        for _ in range(workers):
            current_app.send_task("tiers.work_on_runs", retry=False)


def _work_on_runs(
    program: Program,
    groups: Sequence[TierGroup],
    as_of: datetime,
    seconds: float | None,
    stop: Stop,
) -> list[Run]:
    """Lend a hand to open runs; return those that are still open."""
    stale = [group for group in groups if group.applied_ruleset != group.ruleset]
    open_runs = list(Run.objects.open().filter(program=program))
    if stale and not open_runs and not _failed_before(program, stale):
        open_runs = [runs.begin(program, Run.Kind.PUBLISH, at=as_of)]
    for run in open_runs:
        runs.work(run, seconds=seconds, stop=stop)
    return [run for run in open_runs if not runs.is_over(run)]


def _failed_before(program: Program, stale: Sequence[TierGroup]) -> bool:
    """Whether a run for these very rules failed: a person has to look at it first."""
    rulesets = {str(group.pk): group.ruleset for group in stale}
    last = Run.objects.filter(program=program, failed_at__isnull=False).first()
    return last is not None and rulesets.items() <= last.rulesets.items()


# Whom to look at


def _make_missing_rows(as_of: datetime, program_id: int | None = None) -> None:
    missing = Program.objects.filter(recalculation__isnull=True)
    if program_id is None:
        live = TierGroup.objects.kept().filter(versions__live_from__isnull=False)
        missing = missing.filter(pk__in=live.values("program"))
    else:
        missing = missing.filter(pk=program_id)
    Recalculation.objects.bulk_create(
        [Recalculation(program=program, due_at=as_of) for program in missing],
        ignore_conflicts=True,
    )


def _to_look_at(
    program_id: int, groups: Sequence[TierGroup], as_of: datetime
) -> Iterator[list[int]]:
    """Yield the members to judge, in order; each reason has its own index."""
    left_out = quarantine.left_out(program_id, as_of)
    after = 0
    while ids := _next_members(program_id, groups, as_of, after, left_out):
        yield ids
        after = ids[-1]


def _next_members(
    program_id: int,
    groups: Sequence[TierGroup],
    as_of: datetime,
    after: int,
    left_out: Sequence[int],
) -> list[int]:
    members = Member.objects.filter(program=program_id, pk__gt=after).order_by("pk")
    members = members.exclude(pk__in=left_out)
    standings = Standing.objects.filter(due_at__lte=as_of, member__gt=after)
    standings = standings.exclude(member__in=left_out).order_by("member")
    asked = [
        asking(reason[:CHUNK])
        for reason in (
            members.marked().values_list("pk"),
            members.filter(expires_next_at__lte=as_of).values_list("pk"),
            *(standings.filter(group=group).values_list("member") for group in groups),
        )
    ]
    ask(asked)
    return sorted({pk for reason in asked for (pk,) in reason.rows})[:CHUNK]
