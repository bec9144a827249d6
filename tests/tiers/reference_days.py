"""Days and months for ``reference``, read off a calendar and a clock on the wall."""

from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from tiers.ladder import Schedule

DAY = timedelta(days=1)


def local_day(instant: datetime, zone: str) -> date:
    return instant.astimezone(ZoneInfo(zone)).date()


@cache
def first_instant(day: date, zone: str) -> datetime:
    """Watch the clock until its calendar says ``day``, or a later one."""
    instant = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    while local_day(instant, zone) < day:
        instant += timedelta(minutes=15)
    while local_day(instant - timedelta(minutes=1), zone) >= day:
        instant -= timedelta(minutes=1)
    return instant


def plus_months(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 + months
    for number in (day.day, 30, 29, 28):
        try:
            return date(count // 12, count % 12 + 1, min(number, day.day))
        except ValueError:
            continue
    raise AssertionError("Every month has a 28th.")


def leaving_day(day: date, months: int | None) -> date:
    """The day on which what was earned on ``day`` counts no more."""
    if months is None:
        return date(day.year + 1, 1, 1)
    there = plus_months(day, months)
    if there.day == day.day:
        return there
    return plus_months(there.replace(day=1), 1)


def start_of(day: date, unit: str) -> date:
    if unit == "WEEK":
        return day - day.weekday() * DAY
    if unit == "MONTH":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if unit == "YEAR" else day


def step(day: date, number: int, unit: str) -> date:
    if unit in ("MONTH", "YEAR"):
        return plus_months(day, number * (12 if unit == "YEAR" else 1))
    return day + number * (7 if unit == "WEEK" else 1) * DAY


@lru_cache(maxsize=10_000)
def schedule_instants(
    schedule: Schedule, anchor: datetime, zone: str, until: datetime
) -> frozenset[datetime]:
    begin, last = local_day(anchor, zone), local_day(until, zone) + 400 * DAY
    days = []
    if schedule.day:
        month, number = schedule.day
        for year in range(begin.year, last.year + 1):
            # 29 February is 28 February in other years.
            days.append(plus_months(date(2000, month, number), (year - 2000) * 12))
    else:
        times = 1
        while (day := step(begin, times * schedule.every, schedule.unit)) <= last:
            if schedule.modifier:
                day = start_of(day, schedule.unit)
            if schedule.modifier == "END_OF_PERIOD":
                day = step(day, 1, schedule.unit)
            days.append(day)
            times += 1
    instants = (first_instant(day, zone) for day in days)
    return frozenset(instant for instant in instants if instant > anchor)
