"""For how long a tier is valid, and what renews it.

After Capillary's ``validity`` and ``renewal``; see ``docs/evaluation.md``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count

from loyalty.calendar import add_months, first_instant, local_date

from .amounts import earned_on_days, holds
from .words import Line, Measure, Renewal, Rung, Validity, conditions_in


@dataclass(frozen=True, slots=True)
class Term:
    """A tier is valid up to, not on, the local day ``until``.

    ``rung`` is the wording under which the term began, ``entered`` the local day of
    entering the tier and ``joined`` that of joining the program.
    """

    rung: Rung
    entered: date
    joined: date
    until: date
    ends_at: datetime
    check_at: datetime


def begin(rung: Rung, *, joined: datetime, at: datetime, zone: str) -> Term | None:
    """Return the term that entering a tier begins, if it has one."""
    day = local_date(at, zone)
    least = add_months(day, rung.minimum_months)
    return _term(rung, zone, local_date(joined, zone), day, after=day, least=least)


def renew(term: Term, rung: Rung, zone: str) -> Term | None:
    """Return the term that follows, under the wording in force at the check."""
    day = local_date(term.check_at, zone)
    if rung.validity is not None and rung.validity.kind == "SLAB_UPGRADE":
        until = add_months(day, rung.validity.months)
        return _until(rung, zone, term.joined, term.entered, until)
    return _term(rung, zone, term.joined, term.entered, after=day, least=day)


def is_renewed(term: Term, lines: Iterable[Line], zone: str) -> bool:
    """Whether a term's tier is renewed at its check; no conditions always renew."""
    renewal = term.rung.renewal
    if not term.rung.may_fall or renewal.always or not renewal.tests:
        return True
    lines = list(lines)
    amounts: dict[Measure, int] = {}
    for condition in conditions_in(renewal.tests):
        days = _renewal_days(term, renewal, condition.measure.months)
        amounts[condition.measure] = earned_on_days(
            lines, condition.measure, zone, days, term.check_at
        )
    return all(holds(test, amounts) for test in renewal.tests)


def _renewal_days(
    term: Term, renewal: Renewal, months: int | None
) -> tuple[date, date]:
    """Return the first local day that counts for renewal, and the first after."""
    until = term.until
    if months is not None:
        return add_months(until, -months), until
    if renewal.window == "LAST_CALENDAR_YEAR":
        return date(until.year - 1, 1, 1), date(until.year, 1, 1)
    if renewal.window == "CUSTOM_PERIOD":
        return (
            add_months(until, -renewal.from_months),
            add_months(until, -renewal.to_months),
        )
    validity = term.rung.validity
    return add_months(until, -(validity.months if validity else 12)), until


def _term(
    rung: Rung, zone: str, joined: date, entered: date, *, after: date, least: date
) -> Term | None:
    if rung.validity is None:
        return None
    ends = _end_dates(rung.validity, entered, joined)
    if ends is None:
        return None
    if rung.validity.kind == "SLAB_UPGRADE":
        until = max(next(ends), least)
    else:
        until = next(day for day in ends if day > after and day >= least)
    return _until(rung, zone, joined, entered, until)


def _end_dates(
    validity: Validity, entered: date, joined: date
) -> Iterator[date] | None:
    """Return the series of end dates, each counted from the series' first day."""
    months = validity.months
    if validity.kind in {"SLAB_UPGRADE", "SLAB_UPGRADE_CYCLIC"}:
        return (add_months(entered, months * step) for step in count(1))
    if validity.kind == "FIXED_CUSTOMER_REGISTRATION":
        return _yearly(joined, months, entered)
    if validity.starts_on is None:
        return None
    if validity.every_year:
        return _yearly(validity.starts_on, months, entered)
    return (add_months(validity.starts_on, months + 12 * year) for year in count())


def _yearly(first: date, months: int, day: date) -> Iterator[date]:
    """Return dates in every year, beginning not later than ``day``."""
    years = day.year - first.year - months // 12 - 2
    return (add_months(first, months + 12 * year) for year in count(years))


def _until(rung: Rung, zone: str, joined: date, entered: date, until: date) -> Term:
    check = until
    if rung.validity is not None and not rung.validity.daily:
        last = until - timedelta(days=1)
        check = add_months(last.replace(day=1), 1)
    return Term(
        rung=rung,
        entered=entered,
        joined=joined,
        until=until,
        ends_at=first_instant(until, zone),
        check_at=first_instant(check, zone),
    )
