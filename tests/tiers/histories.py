"""Random histories of one member in one group, rich in coincidences.

Amounts, dates and tiers come from small pools, so that thresholds are met exactly,
windows end as others begin, and things happen at one and the same instant.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

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


# Instants


@st.composite
def instants(draw: st.DrawFn) -> datetime:
    """Any time of a day, but often the first or the last of it, somewhere."""
    day = FIRST_DAY + timedelta(days=draw(st.integers(0, DAYS)))
    if draw(st.booleans()):
        first = reference_days.first_instant(day, draw(st.sampled_from(ZONES)))
        return first - draw(st.sampled_from([timedelta(0), timedelta(microseconds=1)]))
    hour = draw(st.sampled_from([0, 1, 9, 12, 18, 23]))
    return datetime.combine(day, time(hour, 30), tzinfo=UTC)


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


@st.composite
def renewals(draw: st.DrawFn) -> Renewal:
    if draw(st.integers(0, 3)) == 3:
        return Renewal(always=draw(st.booleans()))
    last = draw(st.sampled_from([0, 0, 1, 3]))
    return Renewal(
        tests=draw(one_or_two(tests_of(periods))),
        window=draw(
            st.sampled_from(["FIXED_DATE_BASED", "LAST_CALENDAR_YEAR", "CUSTOM_PERIOD"])
        ),
        from_months=last + draw(lengths),
        to_months=last,
    )


@st.composite
def rungs(
    draw: st.DrawFn, tier: int, version: int, rank: int, measure: Measure
) -> Rung:
    """The first rung may be the base; others ask for more the higher they are."""
    base = rank == 0 and not draw(st.booleans())
    by_hand = not base and draw(st.integers(0, 7)) == 7
    conditions: tuple[Test, ...] = ()
    if not (base or by_hand):
        plain = st.just((Condition(measure, 200 * (rank + 1)),))
        conditions = draw(st.one_of(plain, one_or_two(tests_of(measures))))
    rung = Rung(tier, version, conditions, automatic=not by_hand)
    if draw(st.integers(0, 3)) == 3:
        return rung
    return replace(
        rung,
        validity=draw(st.one_of(validities, validities, st.none())),
        renewal=draw(renewals()),
        downgrade_to=draw(st.sampled_from(["THRESHOLD", "SINGLE", "LOWEST"])),
        may_fall=draw(st.integers(0, 7)) < 7,
        minimum_months=draw(few_months),
        reevaluates_on_return=draw(st.booleans()),
    )


@st.composite
def ladders(draw: st.DrawFn, starts_at: datetime, number: int) -> Ladder:
    """Rules of some of the group's tiers, in any order; or of none: retired."""
    tiers = draw(st.permutations(TIERS))[: draw(st.sampled_from([3, 2, 4, 3, 2, 1, 0]))]
    measure = draw(st.one_of(measures, windows))
    return Ladder(
        starts_at=starts_at,
        zone=draw(st.sampled_from(ZONES)),
        group_version=number,
        measure=measure,
        rungs=tuple(
            draw(rungs(tier, 100 * number + tier, rank, measure))
            for rank, tier in enumerate(tiers)
        ),
        up=draw(schedules),
        down=draw(schedules),
    )


# What happened

amounts = st.sampled_from([300, 200, 100, 400, 600, 50, 0])


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[Line, ...]:
    lines: list[Line] = []
    for posting in range(1, draw(st.sampled_from([6, 4, 8, 2, 0])) + 1):
        at = draw(instants())
        kind = draw(st.sampled_from(["EARN", "EARN", "EARN", "ADJUST", "REDEEM"]))
        for balance in draw(st.sampled_from([(1,), (1,), (2,), (1, 2)])):
            sign = draw(st.sampled_from([1, 1, -1])) if kind == "ADJUST" else 1
            sign = -1 if kind == "REDEEM" else sign
            amount = sign * draw(amounts)
            lines.append(Line(balance, kind, kind, amount, at, at, posting))
    originals = list(lines)
    for posting in range(100, 100 + draw(st.integers(0, 3)) * bool(originals)):
        original = draw(st.sampled_from(originals))
        if draw(st.integers(0, 3)) == 0:
            expired = replace(original, amount=-50, kind="EXPIRE", weighs_as="EXPIRE")
            at = max(draw(instants()), original.occurred_at)
            lines.append(replace(expired, occurred_at=at, window_at=at, posting=None))
            continue
        part = draw(st.sampled_from([1, 2]))
        lines.append(
            replace(
                original,
                kind="REVERSAL",
                amount=-original.amount // part,
                occurred_at=max(draw(instants()), original.occurred_at),
                posting=posting,
                returns=original.posting,
            )
        )
    return tuple(draw(st.permutations(lines)))


@st.composite
def spans(draw: st.DrawFn, starting: datetime | None = None) -> list[Span]:
    """Spans that follow one another, now and then without a gap."""
    number = draw(st.sampled_from([0, 0, 0, 1, 2, 3, 4]))
    bounds = sorted({draw(instants()) for _ in range(number)})
    if starting:
        bounds = [starting, *(at for at in bounds if at > starting)]
    found = []
    while bounds:
        start, end = bounds[0], bounds[1] if len(bounds) > 1 else None
        found.append(Span(start, end))
        touching = end is not None and draw(st.integers(0, 4)) == 0
        bounds = bounds[1:] if touching else bounds[2:]
    return found


@st.composite
def acts(draw: st.DrawFn) -> Acts:
    moves = draw(st.lists(instants(), max_size=3, unique=True))
    return Acts(
        moves=tuple(Move(at, draw(st.sampled_from(TIERS))) for at in moves),
        overrides=tuple(
            Override(
                draw(st.sampled_from(["FLOOR", "CEILING", "PIN"])),
                draw(st.sampled_from(TIERS)),
                span,
            )
            for span in draw(spans())
        ),
        evaluations=tuple(draw(st.lists(instants(), max_size=2, unique=True))),
    )


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


@st.composite
def histories(draw: st.DrawFn) -> History:
    early = st.just(LONG_BEFORE)
    joined = draw(st.one_of(early, early, instants()))
    begin = draw(st.one_of(early, st.just(joined), instants()))
    changes = draw(st.lists(instants(), max_size=2, unique=True))
    starts = [begin, *sorted(at for at in changes if at > begin)]
    return History(
        lines=draw(ledgers()),
        memberships=tuple(draw(spans(starting=joined))),
        ladders=tuple(draw(ladders(at, n)) for n, at in enumerate(starts, start=1)),
        acts=draw(acts()),
    )


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
