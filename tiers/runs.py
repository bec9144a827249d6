"""Jobs over all members of a program, in pieces that any number of workers take.

A run hands out ranges of members one after the other. A worker leases a range, judges
it in chunks and renews the lease with each; a worker that dies is followed by another
when the lease is over, behind the last chunk that was committed. Whoever finishes the
last range finishes the run. Nothing rests on a broker: the tick takes ranges as well.
"""

import logging
import os
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from loyalty.models import Member, Program

from . import judging, locks, quarantine
from .models import Run, RunPiece, TierGroup
from .models.runs import ATTEMPTS, LEASE
from .sets import Move

logger = logging.getLogger(__name__)

#: Members in a piece, and those judged in one transaction.
PIECE = 10_000
CHUNK = 1000

Stop = Callable[[], bool]
#: How many members went from one tier to another; None is holding none.
Moves = Counter[tuple[int | None, int | None]]


class Overtaken(Exception):
    """Another worker has taken this one's lease: it goes on, we stop."""


def worker_name() -> str:
    """Name this worker as no other is named, so that a lease is known as its own."""
    return f"{socket.gethostname()[:60]}:{os.getpid()} {uuid.uuid4().hex}"


def shown(holder: str) -> str:
    """Word a holder as people know processes: "host:pid"."""
    return holder.split(" ")[0]


# Asking for one


@transaction.atomic
def begin(
    program: Program,
    kind: str,
    *,
    at: datetime,
    by: Any = None,
    reason: str = "",
    as_of: datetime | None = None,
) -> Run:
    """Begin a run over everybody who is a member now.

    When it has finished, the rules are applied as they are now. Open runs of the
    same kind end: this one judges all of their members too, by newer rules.
    """
    groups = judging.groups_of(program.pk)
    changed = [group for group in groups if group.applied_ruleset != group.ruleset]
    for open_run in Run.objects.open().filter(program=program, kind=kind):
        _end(open_run, at)
    members = Member.objects.filter(program=program)
    last = members.order_by("-pk").values_list("pk", flat=True).first()
    run: Run = Run.objects.create(
        program=program,
        group=changed[0] if len(changed) == 1 else None,
        kind=kind,
        rulesets={str(group.pk): group.ruleset for group in groups},
        as_of=as_of,
        asked_by=by,
        reason=reason,
        created_at=at,
        last_member=-1 if last is None else last,
    )
    return run


def note(record: Run, *, as_of: datetime, moves: Moves, members: int) -> None:
    """Put on record what a tick, or a recalculation by hand, has done."""
    record.as_of = record.created_at = as_of
    record.finished_at = timezone.now()
    record.expected = record.members = members
    record.moved = sum(moves.values())
    record.moves = listed(moves)
    record.save(force_insert=True)


def is_over(run: Run) -> bool:
    return not Run.objects.open().filter(pk=run.pk).exists()


# Working on one


def work(
    run: Run,
    *,
    at: datetime | None = None,
    seconds: float | None = None,
    stop: Stop = lambda: False,
) -> None:
    """Take pieces of a run until none is to be had, or time is over.

    ``at`` is the instant to judge as of in a transaction of the caller's, which what
    breaks then breaks off; else each chunk takes the run's, or its own under the
    lock. ``stop`` is asked after each chunk.
    """
    holder = worker_name()
    until = None if seconds is None else time.monotonic() + seconds
    while not stop() and (until is None or time.monotonic() < until):
        piece = take(run, holder, now=at or timezone.now())
        if piece is None:
            finish(run, at=at or timezone.now())
            return
        _do(run, piece, at=at, stop=stop)


def work_on_all(*, seconds: float, stop: Stop = lambda: False) -> int:
    """Work on every open run in turn; return how many have pieces left to take."""
    until = time.monotonic() + seconds
    left = 0
    for run in Run.objects.open().order_by("pk"):
        work(run, seconds=until - time.monotonic(), stop=stop)
        left += Run.objects.filter(pk=run.pk, next_member__lte=F("last_member")).count()
    return left


@transaction.atomic
def take(run: Run, holder: str, *, now: datetime) -> RunPiece | None:
    """Lease a piece: one that its worker has left, or else the next one."""
    left = RunPiece.objects.filter(
        run=run,
        finished_at__isnull=True,
        failed_at__isnull=True,
        leased_until__lte=now,
    ).order_by("first_member")
    for piece in left.select_for_update(skip_locked=True)[:10]:
        if piece.attempts >= ATTEMPTS:
            _put_aside(piece, now)
            continue
        piece.attempts += 1
        piece.holder = holder
        piece.leased_until = now + LEASE
        piece.save(update_fields=["attempts", "holder", "leased_until"])
        return piece
    return _hand_out(run, holder, now)


def finish(run: Run, *, at: datetime) -> bool:
    """Finish a run whose every piece is done, or say that it failed.

    Workers that finish the last pieces at once all try; one succeeds.
    """
    with transaction.atomic():
        current = Run.objects.select_for_update().open().filter(pk=run.pk).first()
        if current is None or current.next_member <= current.last_member:
            return False
        pieces = RunPiece.objects.filter(run=run)
        if pieces.filter(finished_at=None, failed_at=None).exists():
            return False
        if pieces.filter(failed_at__isnull=False).exists():
            _end(current, at, failed=True)
            return False
        _end(current, at)
        for group, ruleset in current.rulesets.items():
            # Rules that have changed since are for the run of that change.
            TierGroup.objects.filter(pk=group, ruleset=ruleset).update(
                applied_ruleset=ruleset
            )
    return True


# Steps


def _hand_out(run: Run, holder: str, now: datetime) -> RunPiece | None:
    while True:
        current = Run.objects.open().filter(pk=run.pk).first()
        if current is None or current.next_member > current.last_member:
            return None
        first = current.next_member
        members = Member.objects.filter(program=run.program_id, pk__gte=first)
        ends = members.order_by("pk").values_list("pk", flat=True)
        end = next(iter(ends[PIECE - 1 : PIECE]), current.last_member)
        last = min(end, current.last_member)
        # Of two that hand out the same range, one wins and the other looks again.
        handed_out = Run.objects.filter(pk=run.pk, next_member=first)
        expected: Any = F("expected")
        if first == 0:
            expected = members.filter(pk__lte=current.last_member).count()
        if handed_out.update(next_member=last + 1, expected=expected):
            piece: RunPiece = RunPiece.objects.create(
                run=run,
                first_member=first,
                last_member=last,
                reached=first - 1,
                holder=holder,
                leased_until=now + LEASE,
            )
            return piece


def _do(run: Run, piece: RunPiece, *, at: datetime | None, stop: Stop) -> None:
    """Judge a piece chunk by chunk, until it is done, lost, broken or stopped."""
    try:
        while not _judge_chunk(run, piece, at):
            if stop():
                _give_back(piece, "")
                return
    except (KeyboardInterrupt, SystemExit):
        _give_back(piece, "")
        raise
    except Overtaken:
        logger.info("A piece was taken over", extra={"piece": piece.pk})
    except Exception as error:
        logger.exception("A piece of a run broke off", extra={"piece": piece.pk})
        if at is not None:
            raise
        _give_back(piece, f"{type(error).__name__}: {error}"[:500])


@transaction.atomic
def _judge_chunk(run: Run, piece: RunPiece, at: datetime | None) -> bool:
    """Judge the next chunk of a piece; return whether that was the last one."""
    locks.share(run.program_id)
    now = timezone.now()
    own = RunPiece.objects.filter(
        pk=piece.pk, holder=piece.holder, finished_at=None, failed_at=None
    )
    if not own.update(leased_until=now + LEASE):
        raise Overtaken
    members = Member.objects.filter(
        program=run.program_id, pk__gt=piece.reached, pk__lte=piece.last_member
    )
    ids = list(members.order_by("pk").values_list("pk", flat=True)[:CHUNK])
    if ids:
        moves = quarantine.catch_up(run.program_id, ids, at or run.as_of or now)
        piece.reached = ids[-1]
        piece.members += len(ids)
        piece.moved += len({move.member for move in moves})
        piece.moves = listed(tally(moves) + _unlisted(piece.moves))
    done = len(ids) < CHUNK or piece.reached == piece.last_member
    piece.finished_at = now if done else None
    piece.save(update_fields=["reached", "members", "moved", "moves", "finished_at"])
    return done


def _give_back(piece: RunPiece, failure: str) -> None:
    """Let another worker have a piece at once; what broke counts as an attempt."""
    own = RunPiece.objects.filter(pk=piece.pk, holder=piece.holder, finished_at=None)
    now = timezone.now()
    if failure:
        own.update(leased_until=now, failure=failure)
    else:
        own.update(leased_until=now, attempts=F("attempts") - 1)


def _put_aside(piece: RunPiece, now: datetime) -> None:
    logger.error("A piece of a run was put aside", extra={"piece": piece.pk})
    piece.failed_at = now
    piece.failure = piece.failure or f"Its worker died {ATTEMPTS} times."
    piece.save(update_fields=["failed_at", "failure"])


def _end(run: Run, at: datetime, *, failed: bool = False) -> None:
    moves: Moves = Counter()
    pieces = list(RunPiece.objects.filter(run=run))
    for piece in pieces:
        moves.update(_unlisted(piece.moves))
    Run.objects.open().filter(pk=run.pk).update(
        members=sum(piece.members for piece in pieces),
        moved=sum(piece.moved for piece in pieces),
        moves=listed(moves),
        **{"failed_at" if failed else "finished_at": at},
    )


# Moves, counted


def tally(moves: Iterable[Move]) -> Moves:
    return Counter((move.before, move.after) for move in moves)


def listed(moves: Mapping[Any, int]) -> list[list[int | None]]:
    """Return what ``Run.moves`` holds, the most frequent move first."""
    ordered = sorted(moves.items(), key=lambda item: (-item[1], str(item[0])))
    return [[before, after, members] for (before, after), members in ordered]


def _unlisted(
    moves: Iterable[tuple[int | None, int | None, int]],
) -> Moves:
    found: Moves = Counter()
    for before, after, members in moves:
        found[before, after] += members
    return found
