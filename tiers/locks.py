"""The lock on a program's groups, which comes before every other lock.

Whoever posts or judges shares it; whoever publishes, switches or adds up counts holds
it alone. Instants that are read under it are in order: what is written under a shared
lock with an instant before that of a holder has been committed when the holder gets
the lock.

On PostgreSQL it is an advisory lock of the transaction, one for each program: unlike
row locks, those who ask are served in turn, so that steady posting keeps no
publication waiting for ever, and sharing it writes nothing. On SQLite the one writer
is alone anyway.
"""

from collections.abc import Iterable

from django.db import connection

from .models import TierGroup

#: What the number of a program is looked up in, among all advisory locks.
SPACE = 973


def share(program_id: int) -> list[TierGroup]:
    """Return a program's groups, which no publication changes before the end of
    this transaction."""
    _lock("pg_advisory_xact_lock_shared", program_id)
    return _groups(program_id)


def hold(program_id: int) -> list[TierGroup]:
    """Return a program's groups once nobody posts, judges or publishes."""
    _lock("pg_advisory_xact_lock", program_id)
    return _groups(program_id)


def hold_names() -> None:
    """Return once nobody else gives a program a name that has to be its own.

    Comes before all other locks of whoever takes it.
    """
    # No program has the number 0.
    _lock("pg_advisory_xact_lock", 0)


def hold_groups(group_ids: Iterable[int]) -> None:
    """Hold the programs of some groups, in one order."""
    groups = TierGroup.objects.filter(pk__in=set(group_ids)).order_by("program")
    for program_id in groups.values_list("program", flat=True).distinct():
        _lock("pg_advisory_xact_lock", program_id)


def _lock(function: str, program_id: int) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s, %s)", [SPACE, program_id])


def _groups(program_id: int) -> list[TierGroup]:
    return list(TierGroup.objects.kept().filter(program=program_id).order_by("pk"))
