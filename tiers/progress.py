"""How far a member is from the next tier, by the rules and lines that decide it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from . import ladder
from .ladder import Condition, Ladder, Line, Measure, Rung, Test


@dataclass(frozen=True, slots=True)
class Step:
    """One condition of the next tier: how much there is of what it asks for."""

    measure: Measure
    amount: int
    needed: int
    #: Other conditions may stand in for this one.
    is_choice: bool = False

    @property
    def left(self) -> int:
        return max(0, self.needed - self.amount)

    @property
    def percent(self) -> int:
        if self.needed <= 0:
            return 100
        return min(100, max(0, self.amount) * 100 // self.needed)


@dataclass(frozen=True, slots=True)
class Progress:
    """The next tier above the one held, and what it still takes."""

    tier: int
    steps: tuple[Step, ...]
    #: Everything is there: the member moves up when they are looked at next.
    is_reached: bool


def progress(
    rules: Ladder, lines: Iterable[Line], tier: int | None, at: datetime
) -> Progress | None:
    """Return the way to the next tier that points lead to; None from the top."""
    rung = _next(rules, tier)
    if rung is None:
        return None
    lines = list(lines)
    conditions = list(_conditions(rung.conditions))
    amounts = {
        measure: ladder.measured(lines, measure, rules.zone, at)
        for measure in {condition.measure for condition, _ in conditions}
    }
    return Progress(
        tier=rung.tier,
        steps=tuple(
            Step(c.measure, amounts[c.measure], c.minimum, is_choice)
            for c, is_choice in conditions
        ),
        is_reached=ladder.satisfied(rung, amounts),
    )


def _next(rules: Ladder, tier: int | None) -> Rung | None:
    above = rules.rungs[rules.rank(tier) + 1 :]
    return next((r for r in above if r.automatic and r.conditions), None)


def _conditions(
    tests: Iterable[Test], is_choice: bool = False
) -> Iterable[tuple[Condition, bool]]:
    for test in tests:
        if isinstance(test, Condition):
            yield test, is_choice
        else:
            choice = is_choice or test.least < len(test.of)
            yield from _conditions(test.of, choice)
