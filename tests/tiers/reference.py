"""A second engine that reads ``docs/evaluation.md`` aloud, day by day.

It is written to be plainly right rather than fast, and shares nothing with the first
but the words in which questions are asked: every local day of a history is looked
at, every amount is summed from all lines, and clocks are watched minute by minute.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tests.tiers.reference_days import (
    DAY,
    first_instant,
    leaving_day,
    local_day,
    plus_months,
    schedule_instants,
)
from tiers.ladder import (
    NOTHING,
    Acts,
    Condition,
    Ladder,
    Line,
    Measure,
    Override,
    Rung,
    Schedule,
    Span,
    Test,
)

Interval = tuple[int, datetime, datetime | None]


@dataclass
class Answer:
    """What is true at an instant, and how it came to be."""

    #: (tier, from, until) of what the member read as; never two alike in a row.
    held: list[Interval] = field(default_factory=list)
    #: The group's amount when each of them began.
    amounts: list[int] = field(default_factory=list)
    renewed: list[Interval] = field(default_factory=list)
    amount: int = 0
    next_exit_at: datetime | None = None
    term_ends_at: datetime | None = None


# Amounts


@dataclass(frozen=True)
class Weight:
    """A line in a measure, from its beginning to its end."""

    measure: Measure
    line: Line
    end: datetime | None

    def counts_at(self, instant: datetime) -> bool:
        begun = self.line.occurred_at <= instant
        return begun and (self.end is None or instant < self.end)


def weighs(measure: Measure, line: Line) -> bool:
    earned = line.weighs_as in ("EARN", "ADJUST")
    return line.balance == measure.balance and (earned or measure.kind == "CURRENT")


def end_of(measure: Measure, line: Line, zone: str) -> datetime | None:
    if measure.kind in ("LIFETIME", "CURRENT"):
        return None
    # A reversal's window is that of its original.
    day = local_day(line.window_at, zone)
    return first_instant(leaving_day(day, measure.months), zone)


def weights_of(ladder: Ladder, lines: Iterable[Line]) -> list[Weight]:
    used = {ladder.measure}
    for rung in ladder.rungs:
        used.update(measures_in(rung.conditions))
    found = [
        Weight(measure, line, end_of(measure, line, ladder.zone))
        for measure in used
        for line in lines
        if weighs(measure, line)
    ]
    return [w for w in found if w.end is None or w.line.occurred_at < w.end]


def measures_in(tests: Iterable[Test]) -> set[Measure]:
    found = set()
    for test in tests:
        inner = {test.measure} if isinstance(test, Condition) else measures_in(test.of)
        found |= inner
    return found


def reaches(amount: int, minimum: int) -> bool:
    return amount >= minimum


# The state of a member in a group


@dataclass
class State:
    joined: datetime
    tier: int | None
    since: datetime
    #: In which the tier was entered; its terms are counted from days of this zone.
    zone: str
    causes: set[int] = field(default_factory=set)
    term: "Term | None" = None


@dataclass
class Term:
    """It begins in the wording and the zone then in force, and keeps both."""

    end: date
    wording: Rung
    zone: str

    def ends_at(self) -> datetime:
        return first_instant(self.end, self.zone)

    def check_at(self) -> datetime:
        assert self.wording.validity is not None
        if self.wording.validity.daily:
            return self.ends_at()
        last_day = self.end - DAY
        return first_instant(plus_months(last_day.replace(day=1), 1), self.zone)


class Reading:
    """One history, read from its first day to an instant."""

    def __init__(
        self,
        lines: Iterable[Line],
        memberships: Sequence[Span],
        ladders: Sequence[Ladder],
        as_of: datetime,
        acts: Acts,
    ) -> None:
        self.lines = [line for line in lines if line.occurred_at <= as_of]
        self.memberships = memberships
        self.ladders = ladders
        self.as_of = as_of
        self.acts = acts
        self.answer = Answer()
        self.state: State | None = None
        #: When an amount is another than before, under the rules that are read.
        self.changes: set[datetime | None] = set()

    def run(self) -> Answer:
        for ladder, instants in self.periods():
            self.ladder = ladder
            self.weights = weights_of(ladder, self.lines)
            self.changes = {ladder.starts_at}
            for weight in self.weights:
                self.changes |= {weight.line.occurred_at, weight.end}
            for self.now in instants:
                self.happen()
                self.write()
        if self.ladders and self.ladders[0].starts_at <= self.as_of:
            self.finish()
        return self.answer

    def periods(self) -> Iterable[tuple[Ladder, list[datetime]]]:
        """Each set of rules with the instants at which anything could happen in it:
        the first of every local day, and whenever something came from outside."""
        outside = {line.occurred_at for line in self.lines}
        outside |= {move.at for move in self.acts.moves} | {*self.acts.evaluations}
        spans = [*self.memberships, *(o.span for o in self.acts.overrides)]
        outside |= {span.start for span in spans}
        outside |= {span.end for span in spans if span.end}
        for index, ladder in enumerate(self.ladders):
            following = self.ladders[index + 1 :]
            until = following[0].starts_at if following else self.as_of + DAY
            until = min(until, self.as_of + timedelta(microseconds=1))
            found = {ladder.starts_at} | outside
            # A term goes by the zone in which it began.
            for zone in {earlier.zone for earlier in self.ladders[: index + 1]}:
                day = local_day(ladder.starts_at, zone)
                while (begins := first_instant(day, zone)) < until:
                    found.add(begins)
                    day += DAY
            yield ladder, sorted(t for t in found if ladder.starts_at <= t < until)

    # What happens at an instant

    def happen(self) -> None:
        now, ladder = self.now, self.ladder
        span = next((s for s in self.memberships if s.covers(now)), None)
        if span is None:
            self.state = None
            return
        placed = self.state is None or self.state.joined != span.start
        if placed:
            self.state = State(span.start, None, now, ladder.zone)
        assert self.state is not None
        changed = now in self.changes
        for move in self.acts.moves:
            if move.at == now and ladder.rank(move.tier) >= 0:
                self.enter(move.tier)
                return
        if self.state.tier is not None and ladder.rank(self.state.tier) < 0:
            placed = True
        ordered = now in self.acts.evaluations
        if placed:
            self.enter(self.target())
        else:
            self.evaluate(changed, ordered)

    def evaluate(self, changed: bool, ordered: bool) -> None:
        state, ladder = self.state, self.ladder
        assert state is not None
        rung, rank = self.rung(state.tier), ladder.rank(state.tier)
        up = ordered or self.is_due(ladder.up, changed)
        down = ordered or self.is_due(ladder.down, changed or self.minimum_ends(rung))
        if up and ladder.rank(target := self.target()) > rank:
            self.enter(target, causes=self.beginning("posting"))
        elif rung is None:
            return
        elif (
            rung.reevaluates_on_return
            and state.causes & self.beginning("returns")
            and not self.holds(rung)
        ):
            self.enter(self.highest(below=rank))
        elif state.term and state.term.check_at() <= self.now:
            self.check(rung, state.term.end, state.term.wording)
        elif (
            down
            and not self.holds(rung)
            and rung.may_fall
            and self.minimum_end(rung) <= self.now
            and (ordered or state.term is None)
        ):
            self.enter(self.destination(rung.downgrade_to, rank))

    def is_due(self, schedule: Schedule, changed: bool) -> bool:
        assert self.state is not None
        if schedule.strategy == "REAL_TIME":
            return changed
        by_tier = schedule.strategy == "TIER_ANNIVERSARY"
        anchor = self.state.since if by_tier else self.state.joined
        return self.now in schedule_instants(
            schedule, anchor, self.ladder.zone, self.as_of
        )

    def minimum_end(self, rung: Rung) -> datetime:
        assert self.state is not None
        day = local_day(self.state.since, self.ladder.zone)
        return first_instant(plus_months(day, rung.minimum_months), self.ladder.zone)

    def minimum_ends(self, rung: Rung | None) -> bool:
        return bool(rung and rung.minimum_months and self.now == self.minimum_end(rung))

    def beginning(self, name: str) -> set[int]:
        """The postings, or what is returned, of lines that begin to weigh now."""
        lines = {w.line for w in self.weights if w.line.occurred_at == self.now}
        return {getattr(line, name) for line in lines} - {None}

    # Where to

    def rung(self, tier: int | None) -> Rung | None:
        return next((r for r in self.ladder.rungs if r.tier == tier), None)

    def amount(self, measure: Measure) -> int:
        return sum(
            w.line.amount
            for w in self.weights
            if w.measure == measure and w.counts_at(self.now)
        )

    def holds(self, rung: Rung) -> bool:
        return all(self.passes(test) for test in rung.conditions)

    def passes(self, test: Test) -> bool:
        if isinstance(test, Condition):
            return reaches(self.amount(test.measure), test.minimum)
        return sum(self.passes(inner) for inner in test.of) >= test.least

    def is_base(self, rung: Rung) -> bool:
        return rung.automatic and not rung.conditions

    def target(self) -> int | None:
        return self.highest(below=len(self.ladder.rungs))

    def highest(self, below: int) -> int | None:
        for rung in reversed(self.ladder.rungs[:below]):
            if rung.automatic and self.holds(rung):
                return rung.tier
        return None

    def destination(self, choice: str, below: int) -> int | None:
        if choice == "THRESHOLD":
            return self.highest(below)
        rungs = [r for r in self.ladder.rungs[:below] if r.automatic]
        if choice == "SINGLE":
            return rungs[-1].tier if rungs else None
        bases = [r for r in self.ladder.rungs if self.is_base(r)]
        return bases[0].tier if bases else None

    def enter(self, tier: int | None, causes: Iterable[int] = ()) -> None:
        assert self.state is not None
        rung = self.rung(tier)
        self.state = State(
            self.state.joined, tier, self.now, self.ladder.zone, set(causes)
        )
        if rung and rung.validity:
            self.state.term = Term(self.first_end(rung), rung, self.ladder.zone)

    # Terms

    def series(self, rung: Rung) -> Iterable[date]:
        """End dates of a validity that has a series of them, in order."""
        assert self.state is not None
        validity, zone = rung.validity, self.state.zone
        assert validity is not None
        if validity.kind == "SLAB_UPGRADE_CYCLIC":
            start, every, first = local_day(self.state.since, zone), validity.months, 1
            while True:
                yield plus_months(start, every * first)
                first += 1
        joining = validity.kind == "FIXED_CUSTOMER_REGISTRATION"
        fixed = local_day(self.state.joined, zone) if joining else validity.starts_on
        assert fixed is not None
        year = -100 if joining or validity.every_year else 0
        while True:
            yield plus_months(fixed, validity.months + 12 * year)
            year += 1

    def first_end(self, rung: Rung) -> date:
        day = local_day(self.now, self.ladder.zone)
        earliest = plus_months(day, rung.minimum_months)
        assert rung.validity is not None
        if rung.validity.kind == "SLAB_UPGRADE":
            return max(plus_months(day, rung.validity.months), earliest)
        return next(end for end in self.series(rung) if end > day and end >= earliest)

    def check(self, rung: Rung, end: date, began_as: Rung) -> None:
        rank = self.ladder.rank(rung.tier)
        renewal = began_as.renewal
        if (
            not began_as.may_fall
            or self.is_base(rung)
            or renewal.always
            or all(self.renews(test, end, began_as) for test in renewal.tests)
        ):
            self.renew(rung)
            return
        if began_as.downgrade_to == "THRESHOLD":
            tier = self.highest(below=rank + 1) if rung.automatic else rung.tier
        else:
            tier = self.destination(began_as.downgrade_to, rank)
        if tier == rung.tier:
            self.renew(rung)
        else:
            self.enter(tier)

    def renew(self, rung: Rung) -> None:
        assert self.state is not None
        until = None
        self.state.term = None
        if rung.validity:
            today = local_day(self.now, self.ladder.zone)
            if rung.validity.kind == "SLAB_UPGRADE":
                end = plus_months(today, rung.validity.months)
            else:
                end = next(end for end in self.series(rung) if end > today)
            self.state.term = Term(end, rung, self.ladder.zone)
            until = self.state.term.ends_at()
        self.answer.renewed.append((rung.tier, self.now, until))

    def renews(self, test: Test, end: date, rung: Rung) -> bool:
        if not isinstance(test, Condition):
            return sum(self.renews(t, end, rung) for t in test.of) >= test.least
        first, last = self.renewal_window(test, end, rung)
        earned = sum(
            line.amount
            for line in self.lines
            if line.balance == test.measure.balance
            and line.weighs_as in ("EARN", "ADJUST")
            and line.occurred_at <= self.now
            and first <= local_day(line.window_at, self.ladder.zone) < last
        )
        return reaches(earned, test.minimum)

    def renewal_window(
        self, test: Condition, end: date, rung: Rung
    ) -> tuple[date, date]:
        renewal = rung.renewal
        assert rung.validity is not None
        if test.measure.months is not None:
            return plus_months(end, -test.measure.months), end
        if renewal.window == "LAST_CALENDAR_YEAR":
            return date(end.year - 1, 1, 1), date(end.year, 1, 1)
        if renewal.window == "CUSTOM_PERIOD":
            return (
                plus_months(end, -renewal.from_months),
                plus_months(end, -renewal.to_months),
            )
        return plus_months(end, -rung.validity.months), end

    # What is read

    def write(self) -> None:
        """Begin an interval where the member reads as another tier than before."""
        tier = self.state.tier if self.state else None
        for override in self.acts.overrides:
            if self.state and override.span.covers(self.now):
                tier = self.bounded(tier, override)
        held = self.answer.held
        open_ = held[-1] if held and held[-1][2] is None else None
        if tier == (open_[0] if open_ else None):
            return
        if open_:
            held[-1] = (open_[0], open_[1], self.now)
        if tier is not None:
            held.append((tier, self.now, None))
            self.answer.amounts.append(self.amount(self.ladder.measure))

    def bounded(self, tier: int | None, override: Override) -> int | None:
        mine, bound = self.ladder.rank(tier), self.ladder.rank(override.tier)
        if bound < 0:
            return tier
        if override.bound == "FLOOR":
            return override.tier if mine < bound else tier
        if override.bound == "CEILING":
            return override.tier if mine > bound else tier
        return override.tier

    def finish(self) -> None:
        """Say how things stand; of who is away nothing is measured."""
        self.now = self.as_of
        if self.state is None:
            return
        self.answer.amount = self.amount(self.ladder.measure)
        counting = (w.end for w in self.weights if w.counts_at(self.now))
        self.answer.next_exit_at = min(filter(None, counting), default=None)
        if self.state.term:
            self.answer.term_ends_at = self.state.term.ends_at()


def read(
    lines: Iterable[Line],
    memberships: Sequence[Span],
    ladders: Sequence[Ladder],
    as_of: datetime,
    acts: Acts = NOTHING,
) -> Answer:
    """Answer what ``ladder.fold`` is asked."""
    return Reading(lines, memberships, ladders, as_of, acts).run()


def drops_at(
    lines: Iterable[Line],
    memberships: Sequence[Span],
    ladders: Sequence[Ladder],
    as_of: datetime,
    acts: Acts,
    until: datetime,
) -> datetime | None:
    """Read on to ``until``, and find when less is read than as of ``as_of``.

    The history must end at ``as_of``: nothing more is earned, nobody does anything.
    """
    answer = read(lines, memberships, ladders, until, acts)
    rank = ladders[-1].rank if ladders else (lambda tier: -1)
    covering = [h for h in answer.held if Span(h[1], h[2]).covers(as_of)]
    if not covering:
        return None
    index = answer.held.index(covering[0])
    previous = covering[0]
    for later in answer.held[index + 1 :]:
        if previous[2] != later[1]:
            return previous[2]
        if rank(later[0]) < rank(covering[0][0]):
            return later[1]
        previous = later
    return previous[2]
