"""Events in an order in which nobody who polls ever misses one.

A row's id is drawn before its transaction commits: whoever remembers the last id that
they saw skips a row with a smaller one that is committed a moment later. So events
are given positions afterwards, when somebody reads. Only what has been committed gets
one, always a higher one than all before, and under a lock that nobody takes but who
does the same: what is read after a position is all that will ever come after it.

Nobody who posts or judges waits for that. Of one member, events keep their order: the
second is written under a lock that the first one's transaction has let go.
"""

from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Max

from loyalty import rows

from .models import TierEvent
from .models.events import TierEventQuerySet

#: What is locked while positions are given, among all advisory locks.
SPACE = 974
#: So many are given positions by one reader at a time; after a change of rules there
#: may be a million.
AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Some events in order, and whether there are more behind them already."""

    events: list[TierEvent]
    goes_on: bool


def after(
    position: int, events: TierEventQuerySet, *, among: TierEventQuerySet, limit: int
) -> Page:
    """Return the first ``limit`` of some events beyond a position, in order.

    ``among`` is all that their reader may see, of whole members: of those, the oldest
    are given positions, wanted or not. One query while there are enough, two when
    nothing is new.
    """
    wanted = events.filter(position__gt=position).order_by("position")[: limit + 1]
    found = list(wanted)
    goes_on = len(found) > limit
    if not goes_on and (new := _without_position(among)):
        give_positions(among)
        found = list(wanted.all())
        goes_on = len(found) > limit or len(new) > AT_ONCE
    return Page(found[:limit], goes_on)


@transaction.atomic
def give_positions(among: TierEventQuerySet) -> None:
    """Give positions to events that have none, the oldest first."""
    _lock()
    # Queries of their own, after the lock: they see whatever was numbered before.
    last = TierEvent.objects.aggregate(last=Max("position"))["last"] or 0
    rows.update(
        TierEvent,
        ("position",),
        enumerate(_without_position(among)[:AT_ONCE], start=last + 1),
    )


def _without_position(among: TierEventQuerySet) -> list[int]:
    new = among.without_position().order_by("pk")
    return list(new.values_list("pk", flat=True)[: AT_ONCE + 1])


def _lock() -> None:
    # On SQLite the one writer is alone anyway.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [SPACE])
