"""Ladders under which where a member stands follows from one amount alone.

A database can judge those in sets: (lower bound, rung) rows, joined to amounts. A
member whom somebody moved, or whose tier somebody bounds, is for ``fold`` still.
"""

from collections.abc import Iterable

from .words import Condition, Ladder, Rung


def is_memoryless(ladders: Iterable[Ladder]) -> bool:
    """Whether all of a group's ladders, one after the other, are without memory."""
    reached: set[int] = set()
    for ladder in ladders:
        if not _is_memoryless(ladder):
            return False
        # Who holds a tier that is from then on given by hand keeps it.
        if any(not r.automatic and r.tier in reached for r in ladder.rungs):
            return False
        reached |= {rung.tier for rung in ladder.rungs if rung.automatic}
    return True


def bounds(ladder: Ladder) -> list[tuple[int | None, Rung]]:
    """Return the least amount of each rung that can be reached, lowest first.

    None is the base, which holds for everybody.
    """
    found: list[tuple[int | None, Rung]] = []
    for rung in ladder.rungs:
        if not rung.automatic:
            continue
        condition = rung.conditions[0] if rung.conditions else None
        found.append(
            (condition.minimum if isinstance(condition, Condition) else None, rung)
        )
    return found


def _is_memoryless(ladder: Ladder) -> bool:
    if not (ladder.up.is_real_time and ladder.down.is_real_time):
        return False
    if not all(_forgets(rung, ladder) for rung in ladder.rungs):
        return False
    # Where a higher rung asks for less, the lower one is never the target.
    least = [bound for bound, _ in bounds(ladder)]
    measured = [bound for bound in least if bound is not None]
    return None not in least[1:] and measured == sorted(set(measured))


def _forgets(rung: Rung, ladder: Ladder) -> bool:
    if not rung.automatic:
        return True
    return (
        rung.validity is None
        and rung.may_fall
        and rung.minimum_months == 0
        and rung.downgrade_to == "THRESHOLD"
        and len(rung.conditions) <= 1
        and all(
            isinstance(test, Condition) and test.measure == ladder.measure
            for test in rung.conditions
        )
    )
