"""What lines are worth when, and which rungs that is enough for."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache

from loyalty.calendar import first_instant, leaving_day, local_date

from .words import QUALIFYING, Condition, Ladder, Line, Measure, Rung, Span, Test


def contribution(line: Line, measure: Measure, zone: str) -> Span | None:
    """Return when a line weighs in a measure, or None if it never does."""
    if not weighs(line, measure):
        return None
    end = weighs_until(line, measure, zone)
    # A reversal that comes when its original has left takes nothing away.
    if end is not None and end <= line.occurred_at:
        return None
    return Span(line.occurred_at, end)


def weighs(line: Line, measure: Measure) -> bool:
    """Whether a measure is made of such lines."""
    return line.balance == measure.balance and (
        measure.kind == "CURRENT" or line.weighs_as in QUALIFYING
    )


def weighs_until(line: Line, measure: Measure, zone: str) -> datetime | None:
    """Return when a line that weighs from its instant on stops; None is never."""
    if measure.kind != "WINDOW":
        return None
    return _leaving(local_date(line.window_at, zone), measure.months, zone)


@lru_cache(maxsize=65536)
def _leaving(day: date, months: int | None, zone: str) -> datetime:
    # Years have few days, and members many lines.
    return first_instant(leaving_day(day, months), zone)


def measured(
    lines: Iterable[Line], measure: Measure, zone: str, instant: datetime
) -> int:
    """Return the amount of a measure at an instant."""
    return sum(
        line.amount
        for line in lines
        if (span := contribution(line, measure, zone)) and span.covers(instant)
    )


def earned_on_days(
    lines: Iterable[Line],
    measure: Measure,
    zone: str,
    days: tuple[date, date],
    at: datetime,
) -> int:
    """Return what was earned on local days from the first up to, not on, the last.

    ``at`` is the instant of asking: what occurred later is not known yet.
    """
    first, end = days
    return sum(
        line.amount
        for line in lines
        if weighs(line, measure)
        and line.occurred_at <= at
        and first <= local_date(line.window_at, zone) < end
    )


def holds(test: Test, amounts: Mapping[Measure, int]) -> bool:
    if isinstance(test, Condition):
        return amounts[test.measure] >= test.minimum
    return sum(holds(part, amounts) for part in test.of) >= test.least


def satisfied(rung: Rung, amounts: Mapping[Measure, int]) -> bool:
    """Whether all conditions of a rung hold; one given by hand has none."""
    # A plain loop: this is asked at every instant of every member.
    for test in rung.conditions:  # noqa: SIM110
        if not holds(test, amounts):
            return False
    return True


def target(
    ladder: Ladder, amounts: Mapping[Measure, int], below: int | None = None
) -> int:
    """Return the highest rung that a member can reach, or -1; only below an index."""
    rungs = ladder.rungs
    index = len(rungs) if below is None else below
    while index > 0:
        index -= 1
        if rungs[index].automatic and satisfied(rungs[index], amounts):
            return index
    return -1
