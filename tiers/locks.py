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

from collections.abc import Iterable, Sequence

from django.db import connection

from loyalty.statements import Ask, Statement, ask, columns_of, instances

from .models import TierGroup

#: What the number of a program is looked up in, among all advisory locks.
SPACE = 973

_COLUMNS = columns_of(TierGroup)
_GROUPS = Statement(
    _COLUMNS,
    lambda program: TierGroup.objects.kept().filter(program=program).order_by("pk"),
)


def share(program_id: int) -> list[TierGroup]:
    """Return a program's groups, which no publication changes before the end of
    this transaction."""
    asked = sharing(program_id)
    ask(asked)
    return groups_in(asked)


def sharing(program_id: int) -> list[Ask]:
    """Return what takes the shared lock, and then reads the groups."""
    return _asking("pg_advisory_xact_lock_shared", program_id)


def groups_in(answered: Sequence[Ask]) -> list[TierGroup]:
    return instances(TierGroup, _COLUMNS, answered[-1].rows)


def hold(program_id: int) -> list[TierGroup]:
    """Return a program's groups once nobody posts, judges or publishes."""
    asked = _asking("pg_advisory_xact_lock", program_id)
    ask(asked)
    return groups_in(asked)


def hold_names() -> None:
    """Return once nobody else gives a program a name that has to be its own.

    Comes before all other locks of whoever takes it.
    """
    # No program has the number 0.
    ask(_asking("pg_advisory_xact_lock", 0)[:-1])


def hold_groups(group_ids: Iterable[int]) -> None:
    """Hold the programs of some groups, in one order."""
    groups = TierGroup.objects.filter(pk__in=set(group_ids)).order_by("program")
    for program_id in groups.values_list("program", flat=True).distinct():
        ask(_asking("pg_advisory_xact_lock", program_id)[:-1])


def _asking(function: str, program_id: int) -> list[Ask]:
    groups = _GROUPS.of(program_id)
    if connection.vendor != "postgresql":
        return [groups]
    # In this order: the groups are those that there are once the lock is held.
    return [Ask(f"SELECT {function}(%s, %s)", [SPACE, program_id]), groups]
