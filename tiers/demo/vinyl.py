"""Vinyl Circle: the real purchases of 23,570 customers, as if they were recent.

Whole weeks are added to every date, so that purchases keep their day of the week and
the last one falls in the past seven days. Amounts are in cents.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import groupby
from operator import attrgetter
from zoneinfo import ZoneInfo

from loyalty import cdnow, points, programs
from loyalty.models import Member

from .. import drafting
from ..models.groups import Measure
from . import steps
from .people import Cast

PROGRAM = 3
SEED = 3
ZONE = ZoneInfo("America/New_York")
LEVELS = (
    ("Listener", None, "#adb5bd", "Everybody who has bought a record."),
    ("Collector", 50, "#e76f51", "From 50 dollars in twelve months."),
    ("Curator", 100, "#2a9d8f", "From 100 dollars in twelve months."),
    ("Archivist", 250, "#264653", "From 250 dollars in twelve months."),
)


def make(cast: Cast, *, now: datetime) -> str:
    # Yesterday, since noon of today may not have been yet.
    yesterday = now.astimezone(ZONE).date() - timedelta(days=1)
    shift = timedelta(weeks=cdnow.shift_weeks(yesterday))
    histories = [list(h) for _, h in groupby(cdnow.purchases(), attrgetter("customer"))]
    first_day = min(history[0].day for history in histories)
    opened_at = datetime.combine(first_day + shift, time(0), ZONE)
    program = programs.create_program(
        by=cast.manager,
        pk=PROGRAM,
        name="Vinyl Circle",
        description="A record shop's customers and what they bought.",
        currency="USD",
        time_zone=str(ZONE),
        rolling_window_months=12,
        at=opened_at,
    )
    purchases = program.balance_definitions.get(built_in=steps.PURCHASES)
    group = drafting.add_group(
        program,
        by=cast.manager,
        at=opened_at,
        name="Record lovers",
        measure=Measure.WINDOW,
        measured_balance=purchases,
    )
    tiers = [
        steps.draft_tier(
            group.group,
            name,
            threshold,
            by=cast.manager,
            at=opened_at,
            color=color,
            description=description,
        )
        for name, threshold, color, description in LEVELS
    ]
    steps.publish([group, *tiers], cast, at=opened_at)
    steps.activate(program, cast, at=opened_at)
    members = steps.enrol(
        program,
        [_noon(history[0].day, shift) for history in histories],
        cast,
        seed=SEED,
        domain="vinyl.example.org",
        external="CD",
    )
    steps.post(program, _activities(histories, members, purchases.pk, shift), at=now)
    return f"{len(members)} members, {len(LEVELS)} tiers, real purchases"


def _noon(day: date, shift: timedelta) -> datetime:
    return datetime.combine(day + shift, time(12), ZONE)


def _activities(
    histories: list[list[cdnow.Purchase]],
    members: list[Member],
    purchases: int,
    shift: timedelta,
) -> Iterator[points.Activity]:
    for member, history in zip(members, histories, strict=True):
        for number, bought in enumerate(history, start=1):
            yield points.Activity(
                member_id=member.pk,
                reference=f"{bought.customer}-{number}",
                lines=(points.Line("EARN", purchases, bought.cents),),
                occurred_at=_noon(bought.day, shift),
                description="1 CD" if bought.cds == 1 else f"{bought.cds} CDs",
            )
