"""Judging members of memoryless groups in sets, by one statement.

A group is memoryless when a member's tier follows from one amount alone: real time
both ways, one measure, a lower bound for each tier. What ``ladder.fold`` does line by
line for one member, the database then does for a whole range of members at once:

    parts      the times for which a member belonged, cut where the rules changed
    lines      what each ledger line weighs, from when and until when
    events     starts and ends of lines, within each part
    course     the running amount behind each event, and the tier that it reaches
    wanted     the events at which the tier changes, with the reason
    now        where each member stands, and what is coming

What differs from what is stored is superseded, inserted or updated; the rest is left
alone. A property test holds this module and ``ladder.fold`` equal. The database counts
no local days: it looks instants up in a calendar made by ``loyalty.calendar``.

SQLite has no arrays to look instants and amounts up in: there, members are folded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from loyalty.models import Member

from .. import ladder as rules
from ..ladder import Ladder
from ..models import TierGroup
from .statements import LOWEST, Ids, counting, judging, values_of
from .steps import Step, ending, standing

__all__ = [
    "LOWEST",
    "Ids",
    "Judged",
    "Move",
    "Step",
    "are_worth_it",
    "ending",
    "histogram",
    "judge",
    "standing",
    "suit",
]

#: Fewer lines are folded one by one as fast: the statement has to be planned.
WORTH_IT = 300


@dataclass(frozen=True, slots=True)
class Move:
    """A member stands on another tier than before; None is holding none."""

    member: int
    before: int | None
    after: int | None


@dataclass(slots=True)
class Judged:
    """What judging changed."""

    moves: list[Move] = field(default_factory=list)
    superseded: int = 0
    added: int = 0
    #: How many standings were written, moved or not.
    standings: int = 0


def suit(ladders: Sequence[Ladder]) -> bool:
    """Whether members of a group with these ladders can be judged in sets here."""
    return connection.vendor == "postgresql" and rules.is_memoryless(ladders)


def are_worth_it(members: Iterable[Member]) -> bool:
    return sum(member.chain_length for member in members) >= WORTH_IT


def judge(
    group: TierGroup,
    ladders: Sequence[Ladder],
    ids: Ids,
    as_of: datetime,
    *,
    excluding: Sequence[int] = (),
) -> Judged:
    """Bring members of a memoryless group up to an instant, from their whole history.

    ``ids`` are members' keys, or a range of them; who is to be folded (moved by hand,
    say) is left out by ``excluding``. Call it under the locks that judging takes, in
    a transaction.
    """
    judged = Judged()
    if not ladders or not ids:
        return judged
    values = values_of(ladders, ids, as_of, excluding)
    values |= {
        "program": group.program_id,
        "group": group.pk,
        "ruleset": group.ruleset,
    }
    with connection.cursor() as cursor:
        # How many rows there are is known to us: each join looks at all of them.
        cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(judging(tuple(ladders), isinstance(ids, range)), values)
        for member, before, after, *counts in cursor:
            judged.superseded, judged.added, judged.standings = counts
            if member is not None:
                judged.moves.append(Move(member, before, after))
        cursor.execute("SET LOCAL enable_nestloop TO DEFAULT")
    return judged


def histogram(
    group: TierGroup, ladder: Ladder, as_of: datetime
) -> dict[int | None, int]:
    """Return how many active members would stand on each tier under a ladder, now.

    The ladder is memoryless and measures what the group does: the amounts are those
    of the standings, as far as judged. None is holding none.
    """
    values: dict[str, Any] = {
        "as_of": as_of,
        "group": group.pk,
        "program": group.program_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(counting(ladder), values)
        return dict(cursor.fetchall())
