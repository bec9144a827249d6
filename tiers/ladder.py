"""What a tier is at an instant: pure functions over plain data.

Nothing here knows of Django, of a database or of the clock. The engine, and
whatever explains or previews it, call these same functions.

* A **window** is counted in whole local days. A line of local date ``d`` counts on
  day ``D`` if and only if ``D - N months < d`` (months clamped to the month's end).
  It leaves at the first instant of ``d + N months``, or of the 1st of the month
  after that where the day does not exist.
* Every line is a weight on a half-open interval of time, its **contribution**. The
  measured amount at an instant is the sum of the weights that cover it.
* A **ladder** is the rules of a group while they were in force. A member stands on
  the highest rung all of whose conditions hold; thresholds are inclusive.
* **fold** lays a member's lines over the ladders that were in force one after the
  other, and returns from when to when the member stood on which rung.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from loyalty.calendar import add_months, first_instant, leaving_day, local_date

MeasureKind = Literal["WINDOW", "LIFETIME", "CURRENT"]

#: Kinds of lines that count as earned; redeeming leaves them alone.
QUALIFYING = frozenset({"EARN", "ADJUST"})


@dataclass(frozen=True, slots=True)
class Measure:
    """What a threshold is compared with.

    ``months`` is the length of a WINDOW; None is the calendar year.
    """

    kind: MeasureKind
    balance: int
    months: int | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """At least ``minimum`` (smallest unit of the balance), inclusive."""

    measure: Measure
    minimum: int


@dataclass(frozen=True, slots=True)
class Rung:
    """One tier of a ladder; without conditions it holds for everybody."""

    tier: int
    version: int
    conditions: tuple[Condition, ...] = ()
    #: False for tiers that are given by hand only.
    automatic: bool = True


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rules of a group from an instant on, rungs lowest first.

    ``measure`` is the group's own, in which progress is shown.
    """

    starts_at: datetime
    zone: str
    group_version: int
    measure: Measure
    rungs: tuple[Rung, ...]

    def measures(self) -> set[Measure]:
        used = {c.measure for rung in self.rungs for c in rung.conditions}
        return {self.measure, *used}


@dataclass(frozen=True, slots=True)
class Line:
    """One ledger line, as far as tiers care.

    ``weighs_as`` is the line's kind, or for a reversal that of its original.
    """

    balance: int
    kind: str
    weighs_as: str
    amount: int
    occurred_at: datetime
    window_at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open interval; without an end it goes on."""

    start: datetime
    end: datetime | None = None

    def covers(self, instant: datetime) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)


@dataclass(frozen=True, slots=True)
class Held:
    """A rung held from, until, and why; ``amount`` and ``threshold`` at its start."""

    tier: int
    version: int
    group_version: int
    start: datetime
    end: datetime | None
    reason: str
    amount: int
    threshold: int | None


@dataclass(slots=True)
class Outcome:
    """What ``fold`` found: the rungs held, and where things stand."""

    held: list[Held] = field(default_factory=list)
    #: The group's measured amount at the instant folded to.
    amount: int = 0
    #: The next instant at which anything changes by itself.
    due_at: datetime | None = None
    #: When the next amount stops counting.
    next_exit_at: datetime | None = None
    #: When the present rung is lost if nothing more is earned.
    drops_at: datetime | None = None

    @property
    def current(self) -> Held | None:
        last = self.held[-1] if self.held else None
        return last if last and last.end is None else None


# Amounts


def window_start(day: date, months: int | None) -> date:
    """Return the first local date that counts on ``day``."""
    if months is None:
        return date(day.year, 1, 1)
    return add_months(day, -months) + timedelta(days=1)


def contribution(line: Line, measure: Measure, zone: str) -> Span | None:
    """Return when a line weighs in a measure, or None if it never does."""
    if line.balance != measure.balance:
        return None
    if measure.kind == "CURRENT":
        return Span(line.occurred_at)
    if line.weighs_as not in QUALIFYING:
        return None
    if measure.kind == "LIFETIME":
        return Span(line.occurred_at)
    day = leaving_day(local_date(line.window_at, zone), measure.months)
    end = first_instant(day, zone)
    # A reversal that comes when its original has left takes nothing away.
    return Span(line.occurred_at, end) if line.occurred_at < end else None


def measured(
    lines: Iterable[Line], measure: Measure, zone: str, instant: datetime
) -> int:
    """Return the amount of a measure at an instant."""
    return sum(
        line.amount
        for line in lines
        if (span := contribution(line, measure, zone)) and span.covers(instant)
    )


def rung_for(ladder: Ladder, amounts: dict[Measure, int]) -> int | None:
    """Return the index of the highest rung whose conditions all hold, if any."""
    for index in range(len(ladder.rungs) - 1, -1, -1):
        rung = ladder.rungs[index]
        if rung.automatic and all(
            amounts[condition.measure] >= condition.minimum
            for condition in rung.conditions
        ):
            return index
    return None


# The fold


def fold(
    lines: Sequence[Line],
    memberships: Sequence[Span],
    ladders: Sequence[Ladder],
    as_of: datetime,
) -> Outcome:
    """Return which rungs a member stood on up to ``as_of``, from scratch.

    ``ladders`` are in order of ``starts_at``; each is in force until the next.
    Bounds of what is held are instants at which something happened, never
    ``as_of``: two folds to different instants agree on what they both see.
    """
    outcome = Outcome()
    for span in sorted(memberships, key=lambda s: s.start):
        placed = False
        for ladder, part in _parts(ladders, span):
            if part.start > as_of:
                outcome.due_at = _earlier(outcome.due_at, part.start)
                break
            _fold_part(lines, ladder, part, as_of, outcome, placed=placed)
            placed = True
        if placed and span.end is not None:
            if span.end <= as_of:
                _leave(outcome, span.end)
            else:
                outcome.due_at = _earlier(outcome.due_at, span.end)
    return outcome


def _parts(ladders: Sequence[Ladder], span: Span) -> Iterator[tuple[Ladder, Span]]:
    """Cut a membership into the times of the ladders that were in force."""
    for index, ladder in enumerate(ladders):
        following = ladders[index + 1].starts_at if index + 1 < len(ladders) else None
        start = max(ladder.starts_at, span.start)
        ends = [end for end in (following, span.end) if end is not None]
        end = min(ends) if ends else None
        if end is None or start < end:
            yield ladder, Span(start, end)


def _fold_part(
    lines: Sequence[Line],
    ladder: Ladder,
    part: Span,
    as_of: datetime,
    outcome: Outcome,
    *,
    placed: bool,
) -> None:
    amounts = dict.fromkeys(ladder.measures(), 0)
    changes: dict[datetime, list[tuple[Measure, int]]] = {}
    exits: dict[datetime, list[tuple[Measure, int]]] = {}
    for measure in amounts:
        for line in lines:
            span = contribution(line, measure, ladder.zone)
            if span is None or (span.end is not None and span.end <= part.start):
                continue
            if span.start <= part.start:
                amounts[measure] += line.amount
            else:
                changes.setdefault(span.start, []).append((measure, line.amount))
            if span.end is not None:
                changes.setdefault(span.end, []).append((measure, -line.amount))
                if span.start <= as_of < span.end:
                    exits.setdefault(span.end, []).append((measure, -line.amount))
    _stand(
        ladder, amounts, part.start, outcome, "RULES_CHANGED" if placed else "PLACED"
    )
    instants = sorted(at for at in changes if part.end is None or at < part.end)
    coming = []
    for at in instants:
        if at > as_of:
            coming.append(at)
            continue
        for measure, amount in changes[at]:
            amounts[measure] += amount
        _stand(ladder, amounts, at, outcome, None)
    if part.end is not None and part.end <= as_of:
        return
    outcome.amount = amounts[ladder.measure]
    outcome.due_at = _earlier(outcome.due_at, min(coming, default=None))
    inside = {at: exits[at] for at in exits if part.end is None or at < part.end}
    outcome.next_exit_at = min(inside, default=None)
    outcome.drops_at = _drops_at(ladder, amounts, inside)


def _drops_at(
    ladder: Ladder,
    amounts: dict[Measure, int],
    exits: dict[datetime, list[tuple[Measure, int]]],
) -> datetime | None:
    """Run forward with nothing more earned until the present rung is lost."""
    present = rung_for(ladder, amounts)
    if present is None:
        return None
    left = dict(amounts)
    for at in sorted(exits):
        for measure, amount in exits[at]:
            left[measure] += amount
        rung = rung_for(ladder, left)
        if rung is None or rung < present:
            return at
    return None


def _stand(
    ladder: Ladder,
    amounts: dict[Measure, int],
    at: datetime,
    outcome: Outcome,
    reason: str | None,
) -> None:
    """Evaluate once at an instant, and change what is held if it is another rung."""
    index = rung_for(ladder, amounts)
    current = outcome.current
    rung = None if index is None else ladder.rungs[index]
    if rung is not None and current is not None and current.tier == rung.tier:
        return
    if rung is None:
        if current is not None:
            _leave(outcome, at)
        return
    if reason is None:
        tiers = [r.tier for r in ladder.rungs]
        below = current is not None and current.tier in tiers[: tiers.index(rung.tier)]
        reason = "UPGRADED" if below or current is None else "DOWNGRADED"
    if current is not None:
        _leave(outcome, at)
    single = rung.conditions[0] if len(rung.conditions) == 1 else None
    outcome.held.append(
        Held(
            tier=rung.tier,
            version=rung.version,
            group_version=ladder.group_version,
            start=at,
            end=None,
            reason=reason,
            amount=amounts[single.measure if single else ladder.measure],
            threshold=single.minimum if single else None,
        )
    )


def _leave(outcome: Outcome, at: datetime) -> None:
    """End what is held; what would have lasted no time at all never was."""
    last = outcome.current
    if last is None:
        return
    outcome.held.pop()
    if last.start < at:
        outcome.held.append(
            Held(
                tier=last.tier,
                version=last.version,
                group_version=last.group_version,
                start=last.start,
                end=at,
                reason=last.reason,
                amount=last.amount,
                threshold=last.threshold,
            )
        )


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)
