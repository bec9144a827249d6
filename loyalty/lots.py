"""Which credits are still there, and which of them expire when: pure functions.

Every credit (earned, adjusted upwards, refunded) opens a **lot**. Nothing here knows
of Django, of a database or of the clock.

* Debits take from the oldest lot first, by the instants at which things happened; no
  later rule and no date of expiry shuffles that. What no lot can give is a
  **deficit**, which later credits fill before they hold anything themselves.
* A lot expires at the instant at which a local day ends. What is left of it then is
  gone; at one instant lots expire first, then credits count, then debits.
* Reversing a credit takes back what is left of its lot, then what it lost by
  expiring (that loss is made good first), and only then other lots: it was spent.
* Reversing a debit gives back to the lots that it took from, as though it had never
  been. To a lot whose time has passed nothing returns: that expires at once.

``follow`` derives all of it from the lines that somebody posted. The lines that
record an expiry are not among them: they are compared with the ``moves`` that come
out, so lines may arrive in any order and lead to the same lots.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from heapq import heappop, heappush

from .calendar import add_months, first_instant, leaving_day, local_date

Key = Hashable
#: When a lot that was earned at an instant expires, or None if never.
Expiry = Callable[[datetime], datetime | None]


@dataclass(frozen=True, slots=True)
class Availability:
    """How long a credit lasts: a span of calendar units, or until a day of the year.

    ``unit`` is DAY, WEEK, MONTH or YEAR; ``end`` EXACT, START_OF_PERIOD or
    END_OF_PERIOD, of the unit that the span leads to. ``day_of_year`` (DD/MM)
    replaces all three and is itself the last day.
    """

    value: int | None = None
    unit: str = ""
    end: str = "EXACT"
    day_of_year: str = ""

    def expiry(self, earned_at: datetime, zone: str) -> datetime | None:
        """Return the instant at which the last day ends, if there is one."""
        try:
            day = self.expiry_day(local_date(earned_at, zone))
            return None if day is None else first_instant(day, zone)
        except (OverflowError, ValueError):
            # Past the year 9999.
            return None

    def expiry_day(self, earned: date) -> date | None:
        """Return the first day on which a credit of that day is gone."""
        if self.day_of_year:
            return _next_day_of_year(earned, self.day_of_year) + timedelta(days=1)
        if self.value is None:
            return None
        if self.end == "EXACT":
            return _span_end(earned, self.value, self.unit)
        start, following = _period(_reach(earned, self.value, self.unit), self.unit)
        return start if self.end == "START_OF_PERIOD" else following


@dataclass(frozen=True, slots=True)
class Line:
    """One posted line, as far as lots care; a reversal names its ``original``."""

    key: Key
    amount: int
    occurred_at: datetime
    original: Key | None = None


@dataclass(slots=True)
class Lot:
    """A credit: how much it was, what is left, and what it has lost by expiring."""

    key: Key
    earned_at: datetime
    expires_at: datetime | None
    amount: int
    left: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """A lot loses what is left of it, or gets some of that back (positive)."""

    lot: Key
    at: datetime
    amount: int


@dataclass(slots=True)
class State:
    """Where lots stand at an instant, oldest first."""

    lots: list[Lot] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    deficit: int = 0

    @property
    def open_lots(self) -> list[Lot]:
        return [lot for lot in self.lots if lot.left]

    @property
    def balance(self) -> int:
        return sum(lot.left for lot in self.lots) - self.deficit

    @property
    def expires_next_at(self) -> datetime | None:
        """When the next lot of which something is left expires."""
        instants = (lot.expires_at for lot in self.lots if lot.left)
        return min((at for at in instants if at is not None), default=None)


def follow(lines: Iterable[Line], expiry: Expiry, as_of: datetime) -> State:
    """Return the lots of one member and balance as they are at ``as_of``."""
    fold = _Fold(expiry)
    for line in sorted(lines, key=_order):
        if line.occurred_at > as_of:
            break
        fold.expire(line.occurred_at)
        fold.post(line)
    fold.expire(as_of)
    fold.state.deficit = sum(amount for _, amount in fold.unfilled)
    return fold.state


def differences(moves: Iterable[Move], recorded: Iterable[Move]) -> list[Move]:
    """Return what is to be recorded: losses in order of time, then corrections.

    Instant by instant, so that the balance of any earlier instant comes out right.
    """
    sums: dict[tuple[Key, datetime], int] = {}
    for sign, several in ((1, moves), (-1, recorded)):
        for move in several:
            place = (move.lot, move.at)
            sums[place] = sums.get(place, 0) + sign * move.amount
    found = [Move(lot, at, amount) for (lot, at), amount in sums.items() if amount]
    # Stable: lots of one instant stay in the order in which they were followed.
    return sorted(found, key=lambda move: (move.amount > 0, move.at))


def _order(line: Line) -> tuple[datetime, int]:
    if line.original is not None:
        return (line.occurred_at, 2)
    # Lots of one instant expire together: which of them goes first changes nothing.
    return (line.occurred_at, 0 if line.amount > 0 else 1)


class _Fold:
    """The state while lines are followed, and who took what from which lot."""

    def __init__(self, expiry: Expiry) -> None:
        self.expiry = expiry
        self.state = State()
        self.places: dict[Key, int] = {}
        self.ends: list[tuple[datetime, int]] = []
        #: The oldest lot that may have something left.
        self.first = 0
        #: Per debit the lots that it took from, in order.
        self.taken: dict[Key, list[tuple[int, int]]] = {}
        #: What debits have taken that no lot could give, oldest first.
        self.unfilled: deque[tuple[Key, int]] = deque()

    def post(self, line: Line) -> None:
        if line.original is not None:
            if line.amount < 0:
                self._take_back(line)
            else:
                self._give_back(line)
        elif line.amount > 0:
            self._open(line)
        elif line.amount < 0:
            self._debit(line.key, -line.amount)

    def expire(self, as_of: datetime) -> None:
        """Empty the lots whose end is not after ``as_of``."""
        while self.ends and self.ends[0][0] <= as_of:
            at, place = heappop(self.ends)
            self._lose(place, at)

    def _lose(self, place: int, at: datetime) -> None:
        lot = self.state.lots[place]
        if lot.left:
            self.state.moves.append(Move(lot.key, at, -lot.left))
            lot.expired += lot.left
            lot.left = 0

    def _open(self, line: Line) -> None:
        expires_at = self.expiry(line.occurred_at)
        lot = Lot(line.key, line.occurred_at, expires_at, line.amount)
        place = len(self.state.lots)
        self.state.lots.append(lot)
        self.places[line.key] = place
        if expires_at is not None:
            heappush(self.ends, (expires_at, place))
        self._fill(place, line.amount)

    def _fill(self, place: int, amount: int) -> None:
        """Put an amount into a lot, after what debits still wait for."""
        while amount and self.unfilled:
            debit, missing = self.unfilled.popleft()
            part = min(amount, missing)
            self.taken.setdefault(debit, []).append((place, part))
            amount -= part
            if part < missing:
                self.unfilled.appendleft((debit, missing - part))
        self.state.lots[place].left += amount
        self.first = min(self.first, place)

    def _debit(self, key: Key, amount: int) -> None:
        lots = self.state.lots
        place = self.first
        while amount and place < len(lots):
            part = min(amount, lots[place].left)
            if part:
                lots[place].left -= part
                self.taken.setdefault(key, []).append((place, part))
                amount -= part
            if not lots[place].left and place == self.first:
                self.first += 1
            place += 1
        if amount:
            self.unfilled.append((key, amount))

    def _take_back(self, line: Line) -> None:
        """Reverse a credit: what its lot has, what it lost, then what was spent."""
        assert line.original is not None
        lot = self.state.lots[self.places[line.original]]
        amount = -line.amount
        part = min(amount, lot.left)
        lot.left -= part
        amount -= part
        restored = min(amount, lot.expired)
        if restored:
            lot.expired -= restored
            self.state.moves.append(Move(lot.key, line.occurred_at, restored))
            amount -= restored
        self._debit(line.key, amount)

    def _give_back(self, line: Line) -> None:
        """Reverse a debit: first what it still misses, then the lots, last first."""
        assert line.original is not None
        amount = self._forget(line.original, line.amount)
        taken = self.taken.get(line.original, [])
        while amount and taken:
            place, part = taken.pop()
            back = min(amount, part)
            amount -= back
            if back < part:
                taken.append((place, part - back))
            end = self.state.lots[place].expires_at
            if end is not None and end <= line.occurred_at:
                self.state.lots[place].left += back
                self._lose(place, line.occurred_at)
            else:
                self._fill(place, back)

    def _forget(self, debit: Key, amount: int) -> int:
        """Cancel what a debit still misses; return what is left of ``amount``."""
        kept: deque[tuple[Key, int]] = deque()
        for key, missing in self.unfilled:
            part = min(amount, missing) if key == debit else 0
            amount -= part
            if part < missing:
                kept.append((key, missing - part))
        self.unfilled = kept
        return amount


# Days


def _span_end(day: date, value: int, unit: str) -> date:
    if unit in ("MONTH", "YEAR"):
        # As windows end: 31 January plus one month lasts through 28 February.
        return leaving_day(day, value * _MONTHS[unit])
    return day + timedelta(days=value * _DAYS[unit])


def _reach(day: date, value: int, unit: str) -> date:
    if unit in ("MONTH", "YEAR"):
        return add_months(day, value * _MONTHS[unit])
    return day + timedelta(days=value * _DAYS[unit])


def _period(day: date, unit: str) -> tuple[date, date]:
    """Return the first day of the unit that a day lies in, and of the next one."""
    if unit == "DAY":
        return day, day + timedelta(days=1)
    if unit == "WEEK":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    start = day.replace(day=1) if unit == "MONTH" else day.replace(month=1, day=1)
    return start, add_months(start, _MONTHS[unit])


def _next_day_of_year(day: date, day_of_year: str) -> date:
    """Return the next DD/MM, which may be ``day`` itself; 29/02 falls on 28/02."""
    of_month, month = (int(part) for part in day_of_year.split("/"))
    for year in (day.year, day.year + 1):
        found = add_months(date(2000, month, of_month), (year - 2000) * 12)
        if found >= day:
            return found
    raise AssertionError("unreachable")


_DAYS = {"DAY": 1, "WEEK": 7}
_MONTHS = {"MONTH": 1, "YEAR": 12}
