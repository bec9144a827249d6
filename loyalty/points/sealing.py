"""Sealing the ledger, day by day, so that rewriting it shows.

A chain of its own per member lets nobody change a line unnoticed, unless they write
all later hashes of that member anew. A **seal** covers the heads of all chains that
grew on a local day, and the seal before it: then they have to rewrite those, too, and
whoever noted one seal elsewhere can tell.

A day is sealed when it has ended and nobody can be writing to it any more. Nothing
is recorded on it from then on: see ``Ledger.read``.
"""

import hashlib
from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import transaction

from ..calendar import first_instant, local_date
from ..models import LedgerSeal, PointsEntry, Program, ProgramVersion

CHUNK = 2000
#: How long after a day's end it is sealed; longer than any transaction lasts.
GRACE = timedelta(hours=1)


def seal(program: Program, day: date, *, at: datetime) -> LedgerSeal | None:
    """Seal a program's ledger up to the end of a local day, from the last seal on.

    None if the day has not ended for long enough, or nothing was recorded. Sealing a
    day twice returns its first seal.
    """
    zone = _zone(program)
    last = LedgerSeal.objects.filter(program=program).order_by("-day").first()
    if last and last.day >= day:
        return LedgerSeal.objects.filter(program=program, day=day).first()
    ends_at = first_instant(day + timedelta(days=1), zone)
    if ends_at + GRACE > at:
        return None
    starts_at = last.ends_at if last else first_instant(day, zone)
    members, hash_ = _digest(program, starts_at, ends_at, last.hash if last else "")
    if not members:
        return None
    with transaction.atomic():
        found, _ = LedgerSeal.objects.get_or_create(
            program=program,
            day=day,
            defaults={
                "starts_at": starts_at,
                "ends_at": ends_at,
                "members": members,
                "hash": hash_,
                "sealed_at": at,
            },
        )
    return found


def seal_due(program: Program, *, at: datetime) -> int:
    """Seal every day that has ended and has lines; return how many."""
    sealed = 0
    while (day := _next_day(program)) is not None:
        if seal(program, day, at=at) is None:
            break
        sealed += 1
    return sealed


def verify_seals(program: Program) -> Iterator[str]:
    """Yield a sentence for each day whose seal is not what its lines come to."""
    previous = ""
    for found in LedgerSeal.objects.filter(program=program).order_by("day").iterator():
        members, hash_ = _digest(program, found.starts_at, found.ends_at, previous)
        if (members, hash_) != (found.members, found.hash):
            yield f"The seal of {found.day} is not what the ledger of that day says."
        # Each day is judged by itself: by the stored seal before it.
        previous = found.hash


def _digest(
    program: Program, starts_at: datetime, ends_at: datetime, previous: str
) -> tuple[int, str]:
    """Return how many chains grew, and the hash of their heads and ``previous``."""
    bounds = [at.astimezone(UTC).isoformat() for at in (starts_at, ends_at)]
    digest = hashlib.sha256("\n".join([previous, *bounds]).encode())
    members = 0
    lines = _lines(program, starts_at, ends_at).order_by("member", "sequence")
    rows = lines.values_list("member_id", "sequence", "hash").iterator(CHUNK)
    for _, chain in groupby(rows, key=itemgetter(0)):
        [(member_id, sequence, head)] = deque(chain, maxlen=1)
        digest.update(f"\n{member_id} {sequence} {head}".encode())
        members += 1
    return members, digest.hexdigest()


def _lines(program: Program, starts_at: datetime, ends_at: datetime) -> Any:
    return PointsEntry.objects.filter(
        member__program=program, recorded_at__gte=starts_at, recorded_at__lt=ends_at
    )


def _next_day(program: Program) -> date | None:
    """Return the first day with lines that no seal covers yet."""
    lines = PointsEntry.objects.filter(member__program=program)
    last = LedgerSeal.objects.filter(program=program).order_by("-day").first()
    if last:
        lines = lines.filter(recorded_at__gte=last.ends_at)
    first = lines.order_by("recorded_at").values_list("recorded_at", flat=True).first()
    if first is None:
        return None
    day = local_date(first, _zone(program))
    # Just after a change of zone, a date may come twice.
    return max(day, last.day + timedelta(days=1)) if last else day


def _zone(program: Program) -> str:
    versions: Any = ProgramVersion.objects.filter(program=program)
    zone: str = versions.live().values_list("time_zone", flat=True).get()
    return zone
