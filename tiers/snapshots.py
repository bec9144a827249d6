"""How many customers held each tier when each local day began, for charts."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q

from approvals.models import AuditEvent
from loyalty import rows
from loyalty.calendar import first_instant, local_date
from loyalty.models import Program, ProgramVersion
from loyalty.programs import SWITCHES

from . import counts
from .models import Recalculation, Tier, TierSnapshot, TierVersion

#: After a long pause the days are made up for over several ticks.
DAYS_AT_ONCE = 31


def take(program: Program, *, as_of: datetime) -> int:
    """Count for the days that have begun since the last one, from what is known by now.

    What happened on a day's first instant counts: windows end at midnight, and the
    tick that writes this down comes a little later. Return how many days there were.
    """
    live = ProgramVersion.objects.live().filter(program=program)
    found = live.values_list("time_zone", "program__recalculation__snapshot_day")
    if not found:
        return 0
    [(zone, last)] = found
    days = list(_days(zone, last, local_date(as_of, zone)))[:DAYS_AT_ONCE]
    for day in days:
        _take_day(program, day, first_instant(day, zone), as_of)
    return len(days)


def customers_at(
    program: Program, instant: datetime, known_at: datetime
) -> dict[int, int]:
    """Return how many read as each tier that was live at an instant."""
    held = counts.count(program, as_of=instant, known_at=known_at)
    return as_shown(program, instant, held)


def as_shown(
    program: Program, instant: datetime, held: Mapping[int, int]
) -> dict[int, int]:
    """Return what the tiers that were live at an instant read as then."""
    versions = list(
        TierVersion.objects.filter(
            Q(live_until__isnull=True) | Q(live_until__gt=instant),
            tier__program=program,
            live_from__lte=instant,
        )
    )
    if _were_active(program, instant):
        return {version.tier_id: held.get(version.tier_id, 0) for version in versions}
    groups = dict(Tier.objects.filter(program=program).values_list("pk", "group"))
    return counts.overlaid(versions, held, groups)


@transaction.atomic
def _take_day(program: Program, day: date, instant: datetime, as_of: datetime) -> None:
    # Of two at once, the one that moves the day on writes it down.
    row = Recalculation.objects.filter(program=program)
    behind = Q(snapshot_day__isnull=True) | Q(snapshot_day__lt=day)
    if row.filter(behind).update(snapshot_day=day):
        rows.insert(
            TierSnapshot,
            ("tier", "day", "at", "customers", "recorded_at"),
            [
                (tier, day, instant, customers, as_of)
                for tier, customers in customers_at(program, instant, as_of).items()
            ],
        )


def _days(zone: str, last: date | None, today: date) -> Iterator[date]:
    day = today if last is None else last + timedelta(days=1)
    while day <= today:
        # A day that a zone skipped has no first instant of its own.
        if local_date(first_instant(day, zone), zone) == day:
            yield day
        day += timedelta(days=1)


def _were_active(program: Program, instant: datetime) -> bool:
    """Whether a program's tiers were active, going by who switched them."""
    switches = AuditEvent.objects.filter(
        program_id=program.pk, kind="program", verb__in=SWITCHES
    )
    before = switches.filter(created_at__lte=instant).order_by("created_at", "pk")
    last = before.last()
    if last is not None:
        return SWITCHES[last.verb][2] == Program.TiersStatus.ACTIVE
    # Whoever was never switched is as they were made.
    return not switches.exists() and program.tiers_are_active
