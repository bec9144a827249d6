"""The words of the rules: plain data, without Django, a database or the clock."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, NamedTuple

#: PERIOD is what was earned in the window of a renewal, on its date.
MeasureKind = Literal["WINDOW", "LIFETIME", "CURRENT", "PERIOD"]
Strategy = Literal["REAL_TIME", "MEMBERSHIP_ANNIVERSARY", "TIER_ANNIVERSARY"]
Unit = Literal["DAY", "WEEK", "MONTH", "YEAR"]
Modifier = Literal["", "START_OF_PERIOD", "END_OF_PERIOD"]
ValidityKind = Literal[
    "FIXED", "SLAB_UPGRADE", "SLAB_UPGRADE_CYCLIC", "FIXED_CUSTOMER_REGISTRATION"
]
RenewalWindow = Literal["FIXED_DATE_BASED", "LAST_CALENDAR_YEAR", "CUSTOM_PERIOD"]
Destination = Literal["THRESHOLD", "SINGLE", "LOWEST"]
Bound = Literal["FLOOR", "CEILING", "PIN"]
UpgradeType = Literal["LAZY", "EAGER", "DYNAMIC"]

#: Kinds of lines that count as earned; redeeming leaves them alone.
QUALIFYING = frozenset({"EARN", "ADJUST"})


# What is asked


class Measure(NamedTuple):
    """What a threshold is compared with.

    ``months`` is the length of a WINDOW, and None the calendar year. In a PERIOD it
    is the condition's own number of months back, and None the renewal's window.
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
class Needs:
    """At least ``least`` of these hold: all of them, any one, or any so many."""

    least: int
    of: tuple["Test", ...]


Test = Condition | Needs


def conditions_in(tests: tuple[Test, ...]) -> Iterator[Condition]:
    for test in tests:
        if isinstance(test, Condition):
            yield test
        else:
            yield from conditions_in(test.of)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When members move in one direction; ``day`` is (month, day) of every year."""

    strategy: Strategy = "REAL_TIME"
    every: int = 1
    unit: Unit = "YEAR"
    modifier: Modifier = ""
    day: tuple[int, int] | None = None

    @property
    def is_real_time(self) -> bool:
        return self.strategy == "REAL_TIME"


@dataclass(frozen=True, slots=True)
class Validity:
    """How long a tier is valid once entered; ``starts_on`` is for FIXED only."""

    kind: ValidityKind
    months: int
    starts_on: date | None = None
    every_year: bool = False
    daily: bool = False


@dataclass(frozen=True, slots=True)
class Renewal:
    """What renews a tier at its check; ``from_months`` and ``to_months`` are for
    CUSTOM_PERIOD, counted back from the end date."""

    always: bool = False
    tests: tuple[Test, ...] = ()
    window: RenewalWindow = "FIXED_DATE_BASED"
    from_months: int = 0
    to_months: int = 0


@dataclass(frozen=True, slots=True)
class Rung:
    """One tier of a ladder, with all of whose conditions a member reaches it.

    ``automatic`` is False for tiers that are given by hand only. Without conditions
    an automatic rung is the base: it holds for everybody.
    """

    tier: int
    version: int
    conditions: tuple[Test, ...] = ()
    automatic: bool = True
    validity: Validity | None = None
    renewal: Renewal = Renewal()
    downgrade_to: Destination = "THRESHOLD"
    may_fall: bool = True
    minimum_months: int = 0
    reevaluates_on_return: bool = False
    upgrade_type: UpgradeType = "LAZY"

    @property
    def is_base(self) -> bool:
        return self.automatic and not self.conditions


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
    up: Schedule = Schedule()
    down: Schedule = Schedule()

    def measures(self) -> set[Measure]:
        """Return what is compared continuously; renewals are summed on their date."""
        used = {c.measure for r in self.rungs for c in conditions_in(r.conditions)}
        return {self.measure, *used}

    def balances(self) -> set[int]:
        renewals = {
            condition.measure.balance
            for rung in self.rungs
            for condition in conditions_in(rung.renewal.tests)
        }
        return {measure.balance for measure in self.measures()} | renewals

    def rank(self, tier: int | None) -> int:
        """Return where a tier stands, 0 at the bottom; -1 for none or not here."""
        for index, rung in enumerate(self.rungs):
            if rung.tier == tier:
                return index
        return -1


# What happened


@dataclass(frozen=True, slots=True)
class Line:
    """One ledger line, as far as tiers care.

    ``weighs_as`` is the line's kind, or for a reversal that of its original.
    ``posting`` names what it was posted with, ``returns`` the posting that a
    reversal takes back.
    """

    balance: int
    kind: str
    weighs_as: str
    amount: int
    occurred_at: datetime
    window_at: datetime
    posting: int | None = None
    returns: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open interval; without an end it goes on."""

    start: datetime
    end: datetime | None = None

    def covers(self, instant: datetime) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)


@dataclass(frozen=True, slots=True)
class Move:
    """Somebody puts the member into a tier."""

    at: datetime
    tier: int


@dataclass(frozen=True, slots=True)
class Override:
    """What a member reads as is bounded for a time."""

    bound: Bound
    tier: int
    span: Span


@dataclass(frozen=True, slots=True)
class Acts:
    """What people did to a member of a group, beside the ledger."""

    moves: tuple[Move, ...] = ()
    overrides: tuple[Override, ...] = ()
    evaluations: tuple[datetime, ...] = ()


NOTHING = Acts()


# What follows


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


@dataclass(frozen=True, slots=True)
class Renewed:
    """A term was renewed at its check, until an end date's first instant, if any."""

    tier: int
    at: datetime
    until: datetime | None


@dataclass(slots=True)
class Outcome:
    """What ``fold`` found: the rungs held, and where things stand."""

    held: list[Held] = field(default_factory=list)
    renewed: list[Renewed] = field(default_factory=list)
    #: The group's measured amount at the instant folded to.
    amount: int = 0
    #: The next instant at which anything changes by itself.
    due_at: datetime | None = None
    #: When the next amount stops counting.
    next_exit_at: datetime | None = None
    #: When the present rung is lost if nothing more is earned.
    drops_at: datetime | None = None
    #: The first instant at which the running term is over, if one runs.
    term_ends_at: datetime | None = None

    @property
    def current(self) -> Held | None:
        last = self.held[-1] if self.held else None
        return last if last and last.end is None else None
