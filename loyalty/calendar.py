"""Days in a time zone: pure arithmetic, without Django and without a clock.

A day is a local calendar date; where one ends and the next begins is asked of the
zone's own rules. Steps of months are counted from the date itself, never one after
the other: 31 January plus two months is 31 March.
"""

from calendar import isleap
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def local_date(instant: datetime, zone: str) -> date:
    return instant.astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=65536)
def first_instant(day: date, zone: str) -> datetime:
    """Return the first instant, in UTC, that has local date ``day`` or a later one.

    Midnight is not always there: clocks that spring forward skip it in some zones,
    and whole days were skipped at the date line.
    """
    place = ZoneInfo(zone)
    midnight = datetime.combine(day, time.min, tzinfo=place)
    found = midnight.astimezone(UTC)
    if found.astimezone(place).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return found
    # In the gap: the day begins where the gap ends, between these two readings.
    early = midnight.replace(fold=1).astimezone(UTC) - timedelta(days=1)
    late = found
    while late - early > timedelta(microseconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(place).date() >= day:
            late = middle
        else:
            early = middle
    return late


def add_months(day: date, months: int) -> date:
    """Return ``day`` plus months, clamped to the month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, _month_length(year, month + 1)))


def leaving_day(day: date, months: int | None) -> date:
    """Return the first day on which a line of local date ``day`` counts no more.

    ``months`` is the window's length; None is the calendar year.
    """
    if months is None:
        return date(day.year + 1, 1, 1)
    clamped = add_months(day, months)
    if clamped.day == day.day:
        return clamped
    # The day does not exist in that month: the 1st of the next one.
    return add_months(clamped.replace(day=1), 1)


def _month_length(year: int, month: int) -> int:
    return 29 if month == 2 and isleap(year) else _LENGTHS[month - 1]
