"""Random histories of one member in one group, rich in coincidences.

Amounts, dates and tiers come from small pools, so that thresholds are met exactly,
windows end as others begin, and things happen at one and the same instant.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import get_args

from hypothesis import strategies as st

from tests.tiers import reference, reference_days
from tiers import ladder
from tiers.ladder import (
    Acts,
    Condition,
    Ladder,
    Line,
    Measure,
    Move,
    Needs,
    Override,
    Renewal,
    Rung,
    Schedule,
    Span,
    Test,
    Validity,
)
from tiers.ladder.words import Bound, Destination, RenewalWindow

FIRST_DAY = date(2023, 1, 25)
DAYS = 900
LAST_LOOK = FIRST_DAY + timedelta(days=DAYS + 400)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Santiago",  # no midnight on a day of September
    "America/St_Johns",
    "Australia/Lord_Howe",  # clocks move by half an hour
    "Pacific/Kiritimati",
    "America/New_York",
]


@dataclass(frozen=True)
class History:
    lines: tuple[Line, ...]
    memberships: tuple[Span, ...]
    ladders: tuple[Ladder, ...]
    acts: Acts

    def until(self, as_of: datetime) -> "History":
        """What is known of it at an instant, nothing after which has happened yet."""
        return History(
            tuple(line for line in self.lines if line.occurred_at <= as_of),
            tuple(
                _cut(span, as_of) for span in self.memberships if span.start <= as_of
            ),
            tuple(rules for rules in self.ladders if rules.starts_at <= as_of),
            Acts(
                tuple(move for move in self.acts.moves if move.at <= as_of),
                tuple(o for o in self.acts.overrides if o.span.start <= as_of),
                tuple(at for at in self.acts.evaluations if at <= as_of),
            ),
        )

    def happenings(self) -> set[datetime]:
        """The instants at which somebody did something."""
        spans = [*self.memberships, *(o.span for o in self.acts.overrides)]
        return {
            *(line.occurred_at for line in self.lines),
            *(rules.starts_at for rules in self.ladders),
            *(move.at for move in self.acts.moves),
            *self.acts.evaluations,
            *(span.start for span in spans),
            *(span.end for span in spans if span.end),
        }

    def fold(self, as_of: datetime) -> ladder.Outcome:
        return ladder.fold(self.lines, self.memberships, self.ladders, as_of, self.acts)

    def read(self, as_of: datetime) -> reference.Answer:
        return reference.read(
            self.lines, self.memberships, self.ladders, as_of, self.acts
        )


def _cut(span: Span, as_of: datetime) -> Span:
    return span if span.end is None or span.end <= as_of else Span(span.start)


# Strategies are made once and drawn from often: to make one takes longer than to draw.

either = st.booleans()
one_in_four = st.sampled_from([False, False, False, True])
one_in_eight = st.sampled_from([False] * 7 + [True])


# Instants

days = st.integers(0, DAYS)
zones = st.sampled_from(ZONES)
or_just_before = st.sampled_from([timedelta(0), timedelta(microseconds=1)])
hours = st.sampled_from([0, 1, 9, 12, 18, 23])


@st.composite
def _instants(draw: st.DrawFn) -> datetime:
    """Any time of a day, but often the first or the last of it, somewhere."""
    day = FIRST_DAY + timedelta(days=draw(days))
    if draw(either):
        return reference_days.first_instant(day, draw(zones)) - draw(or_just_before)
    return datetime.combine(day, time(draw(hours), 30), tzinfo=UTC)


instants = _instants()
up_to_two_instants = st.lists(instants, max_size=2, unique=True)
up_to_three_instants = st.lists(instants, max_size=3, unique=True)


# Rules

BALANCES = (1, 2)
TIERS = (10, 20, 30, 40, 50)
minimums = st.sampled_from([100, 100, 200, 200, 300, 400])
lengths = st.sampled_from([3, 1, 6, 2, 12])
few_months = st.sampled_from([0, 0, 1, 3, 12])

windows = st.builds(
    Measure,
    kind=st.just("WINDOW"),
    balance=st.sampled_from(BALANCES),
    months=st.one_of(lengths, st.none()),
)
measures = windows | st.builds(
    Measure,
    kind=st.sampled_from(["LIFETIME", "CURRENT"]),
    balance=st.sampled_from(BALANCES),
)
periods = st.builds(
    Measure,
    kind=st.just("PERIOD"),
    balance=st.sampled_from(BALANCES),
    months=st.one_of(st.none(), lengths),
)


def tests_of(measured: st.SearchStrategy[Measure]) -> st.SearchStrategy[Test]:
    """Conditions, and trees of them: all, any, or any so many."""
    leaves: st.SearchStrategy[Test] = st.builds(Condition, measured, minimums)
    some = some_of(leaves)
    return st.one_of(leaves, leaves, some, some_of(st.one_of(leaves, some)))


def some_of(tests: st.SearchStrategy[Test]) -> st.SearchStrategy[Test]:
    several = st.lists(tests, min_size=1, max_size=3).map(tuple)
    return st.builds(
        lambda of, least: Needs(min(least, len(of)), of), several, st.integers(1, 3)
    )


def one_or_two(tests: st.SearchStrategy[Test]) -> st.SearchStrategy[tuple[Test, ...]]:
    return st.lists(tests, min_size=1, max_size=2).map(tuple)


real_time = st.just(Schedule())
anniversaries = st.sampled_from(["MEMBERSHIP_ANNIVERSARY", "TIER_ANNIVERSARY"])
schedules = st.one_of(
    real_time,
    real_time,
    st.builds(
        Schedule,
        strategy=anniversaries,
        day=st.sampled_from([(2, 29), (1, 1), (3, 31), (9, 8)]),
    ),
    st.builds(
        Schedule,
        strategy=anniversaries,
        every=st.sampled_from([1, 2, 3, 30]),
        unit=st.sampled_from(["DAY", "WEEK", "MONTH", "YEAR"]),
        modifier=st.sampled_from(["", "START_OF_PERIOD", "END_OF_PERIOD"]),
    ),
)

validities = st.one_of(
    st.builds(
        Validity,
        kind=st.sampled_from(
            ["SLAB_UPGRADE", "SLAB_UPGRADE_CYCLIC", "FIXED_CUSTOMER_REGISTRATION"]
        ),
        months=lengths,
        daily=st.booleans(),
    ),
    st.builds(
        Validity,
        kind=st.just("FIXED"),
        months=lengths,
        starts_on=st.dates(date(2022, 12, 1), date(2024, 6, 30)),
        every_year=st.booleans(),
        daily=st.booleans(),
    ),
)

last_months = st.sampled_from([0, 0, 1, 3])
renewing = one_or_two(tests_of(periods))
renewal_windows = st.sampled_from(get_args(RenewalWindow))


@st.composite
def _renewals(draw: st.DrawFn) -> Renewal:
    if draw(one_in_four):
        return Renewal(always=draw(either))
    last = draw(last_months)
    return Renewal(
        tests=draw(renewing),
        window=draw(renewal_windows),
        from_months=last + draw(lengths),
        to_months=last,
    )


renewals = _renewals()
holding = one_or_two(tests_of(measures))
mostly_validities = st.one_of(validities, validities, st.none())
destinations = st.sampled_from(get_args(Destination))


def a_rung(
    draw: st.DrawFn, tier: int, version: int, rank: int, measure: Measure
) -> Rung:
    """The first rung may be the base; others ask for more the higher they are."""
    base = rank == 0 and not draw(either)
    by_hand = not base and draw(one_in_eight)
    conditions: tuple[Test, ...] = ()
    if not (base or by_hand):
        plain = (Condition(measure, 200 * (rank + 1)),)
        conditions = draw(holding) if draw(either) else plain
    rung = Rung(tier, version, conditions, automatic=not by_hand)
    if draw(one_in_four):
        return rung
    return replace(
        rung,
        validity=draw(mostly_validities),
        renewal=draw(renewals),
        downgrade_to=draw(destinations),
        may_fall=not draw(one_in_eight),
        minimum_months=draw(few_months),
        reevaluates_on_return=draw(either),
    )


orders_of_tiers = st.permutations(TIERS)
numbers_of_tiers = st.sampled_from([3, 2, 4, 3, 2, 1, 0])
mostly_windows = st.one_of(measures, windows)


def a_ladder(draw: st.DrawFn, starts_at: datetime, number: int) -> Ladder:
    """Rules of some of the group's tiers, in any order; or of none: retired."""
    tiers = draw(orders_of_tiers)[: draw(numbers_of_tiers)]
    measure = draw(mostly_windows)
    return Ladder(
        starts_at=starts_at,
        zone=draw(zones),
        group_version=number,
        measure=measure,
        rungs=tuple(
            a_rung(draw, tier, 100 * number + tier, rank, measure)
            for rank, tier in enumerate(tiers)
        ),
        up=draw(schedules),
        down=draw(schedules),
    )


# What happened

amounts = st.sampled_from([300, 200, 100, 400, 600, 50, 0])
numbers_of_postings = st.sampled_from([6, 4, 8, 2, 0])
posted = st.sampled_from(["EARN", "EARN", "EARN", "ADJUST", "REDEEM"])
posted_to = st.sampled_from([(1,), (1,), (2,), (1, 2)])
signs = st.sampled_from([1, 1, -1])
numbers_of_corrections = st.integers(0, 3)
whole_or_half = st.sampled_from([1, 2])


@st.composite
def _ledgers(draw: st.DrawFn) -> tuple[Line, ...]:
    lines: list[Line] = []
    for posting in range(1, draw(numbers_of_postings) + 1):
        at = draw(instants)
        kind = draw(posted)
        for balance in draw(posted_to):
            sign = draw(signs) if kind == "ADJUST" else 1
            sign = -1 if kind == "REDEEM" else sign
            amount = sign * draw(amounts)
            lines.append(Line(balance, kind, kind, amount, at, at, posting))
    originals = list(lines)
    for posting in range(100, 100 + draw(numbers_of_corrections) * bool(originals)):
        original = draw(st.sampled_from(originals))
        at = max(draw(instants), original.occurred_at)
        if draw(one_in_four):
            expired = replace(original, amount=-50, kind="EXPIRE", weighs_as="EXPIRE")
            lines.append(replace(expired, occurred_at=at, window_at=at, posting=None))
            continue
        lines.append(
            replace(
                original,
                kind="REVERSAL",
                amount=-original.amount // draw(whole_or_half),
                occurred_at=at,
                posting=posting,
                returns=original.posting,
            )
        )
    return tuple(draw(st.permutations(lines)))


ledgers = _ledgers()
numbers_of_bounds = st.sampled_from([0, 0, 0, 1, 2, 3, 4])
one_in_five = st.sampled_from([False, False, False, False, True])


def some_spans(draw: st.DrawFn, starting: datetime | None = None) -> list[Span]:
    """Spans that follow one another, now and then without a gap."""
    bounds = sorted({draw(instants) for _ in range(draw(numbers_of_bounds))})
    if starting:
        bounds = [starting, *(at for at in bounds if at > starting)]
    found = []
    while bounds:
        start, end = bounds[0], bounds[1] if len(bounds) > 1 else None
        found.append(Span(start, end))
        touching = end is not None and draw(one_in_five)
        bounds = bounds[1:] if touching else bounds[2:]
    return found


tiers = st.sampled_from(TIERS)
override_bounds = st.sampled_from(get_args(Bound))


@st.composite
def _acts(draw: st.DrawFn) -> Acts:
    return Acts(
        moves=tuple(Move(at, draw(tiers)) for at in draw(up_to_three_instants)),
        overrides=tuple(
            Override(draw(override_bounds), draw(tiers), span)
            for span in some_spans(draw)
        ),
        evaluations=tuple(draw(up_to_two_instants)),
    )


acts = _acts()

#: When somebody looks: any day from the last on, at noon or as a day begins.
looks = st.builds(
    lambda back, at_noon: (
        datetime.combine(LAST_LOOK - timedelta(back), time(12), tzinfo=UTC)
        if at_noon
        else reference_days.first_instant(LAST_LOOK - timedelta(back), ZONES[1])
    ),
    st.integers(0, DAYS + 300),
    st.booleans(),
)

LONG_BEFORE = datetime(2022, 6, 15, 12, tzinfo=UTC)
joinings = st.one_of(st.just(LONG_BEFORE), st.just(LONG_BEFORE), instants)
beginnings = st.sampled_from(["EARLY", "ON JOINING", "ANY TIME"])


@st.composite
def _histories(draw: st.DrawFn) -> History:
    joined = draw(joinings)
    begin = {"EARLY": LONG_BEFORE, "ON JOINING": joined}.get(draw(beginnings))
    begin = begin or draw(instants)
    starts = [begin, *sorted(at for at in draw(up_to_two_instants) if at > begin)]
    return History(
        lines=draw(ledgers),
        memberships=tuple(some_spans(draw, starting=joined)),
        ladders=tuple(a_ladder(draw, at, n) for n, at in enumerate(starts, start=1)),
        acts=draw(acts),
    )


histories = _histories()


# Comparing


def merged(outcome: ladder.Outcome) -> list[reference.Interval]:
    """The intervals, those as one that follow without a gap and hold the same."""
    found: list[reference.Interval] = []
    for held in outcome.held:
        if found and found[-1][0] == held.tier and found[-1][2] == held.start:
            found[-1] = (held.tier, found[-1][1], held.end)
        else:
            found.append((held.tier, held.start, held.end))
    return found


def renewed(outcome: ladder.Outcome) -> list[reference.Interval]:
    return [(r.tier, r.at, r.until) for r in outcome.renewed]


def differences(
    outcome: ladder.Outcome, answer: reference.Answer
) -> Sequence[tuple[str, object, object]]:
    """What the fold says otherwise than the reference engine."""
    compared = (
        ("held", merged(outcome), answer.held),
        ("renewed", renewed(outcome), answer.renewed),
        ("amount", outcome.amount, answer.amount),
        ("next exit", outcome.next_exit_at, answer.next_exit_at),
        ("end of the term", outcome.term_ends_at, answer.term_ends_at),
    )
    return [found for found in compared if found[1] != found[2]]
