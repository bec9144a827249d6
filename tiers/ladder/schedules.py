"""When a direction that is not real time falls due.

After Brevo's strategies and schedules: the anniversary of joining, or of entering
the present tier, every so often, or on one day of the year.
"""

from datetime import date, datetime, timedelta

from loyalty.calendar import add_months, first_instant, local_date

from .words import Modifier, Schedule, Unit

_MONTHS = {"MONTH": 1, "YEAR": 12}
_DAYS = {"DAY": 1, "WEEK": 7}


def next_date(
    schedule: Schedule, anchor: datetime, zone: str, after: datetime
) -> datetime:
    """Return the first due instant that is later than ``after`` and the anchor."""
    after = max(after, anchor)
    if schedule.day is not None:
        return _next_day_of_year(schedule.day, zone, after)
    start = local_date(anchor, zone)
    step = _first_step(schedule, start, local_date(after, zone))
    while True:
        found = first_instant(_date_of(schedule, start, step), zone)
        if found > after:
            return found
        step += 1


def is_due(schedule: Schedule, anchor: datetime, zone: str, at: datetime) -> bool:
    """Whether an instant is one of a schedule's."""
    return next_date(schedule, anchor, zone, at - timedelta(microseconds=1)) == at


def _next_day_of_year(day: tuple[int, int], zone: str, after: datetime) -> datetime:
    year = local_date(after, zone).year
    while True:
        found = first_instant(_day_in(day, year), zone)
        if found > after:
            return found
        year += 1


def _day_in(day: tuple[int, int], year: int) -> date:
    month, number = day
    # Of all days only 29 February is not in every year.
    return add_months(date(2000, month, number), 12 * (year - 2000))


def _first_step(schedule: Schedule, start: date, day: date) -> int:
    """Return a step whose date is not after ``day``'s period, and at least 1."""
    if schedule.unit in _MONTHS:
        months = (day.year - start.year) * 12 + day.month - start.month
        steps = months // (_MONTHS[schedule.unit] * schedule.every)
    else:
        steps = (day - start).days // (_DAYS[schedule.unit] * schedule.every)
    # The date before may have been moved forward past this one's day.
    return max(1, steps - (schedule.modifier == "END_OF_PERIOD"))


def _date_of(schedule: Schedule, start: date, step: int) -> date:
    """Return the ``step``-th date, counted from the anchor and not step by step."""
    amount = step * schedule.every
    if schedule.unit in _MONTHS:
        plain = add_months(start, amount * _MONTHS[schedule.unit])
    else:
        plain = start + timedelta(days=amount * _DAYS[schedule.unit])
    return _moved(plain, schedule.unit, schedule.modifier)


def _moved(day: date, unit: Unit, modifier: Modifier) -> date:
    if not modifier:
        return day
    if unit == "DAY":
        first, following = day, day + timedelta(days=1)
    elif unit == "WEEK":
        first = day - timedelta(days=day.weekday())
        following = first + timedelta(days=7)
    elif unit == "MONTH":
        first = day.replace(day=1)
        following = add_months(first, 1)
    else:
        first, following = date(day.year, 1, 1), date(day.year + 1, 1, 1)
    return first if modifier == "START_OF_PERIOD" else following
