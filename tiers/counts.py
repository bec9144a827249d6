"""How many customers hold each tier, and the instant for which that is true."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Q

from loyalty.models import Member, Program

from .models import Recalculation, Tier, TierAssignment, TierVersion

ACTIVE = Member.Status.ACTIVE


@transaction.atomic
def refresh(program: Program, *, as_of: datetime) -> dict[int, int]:
    """Count the customers of each live tier as of an instant; return them by tier id.

    Active members count. While the program's tiers are not active everybody reads
    as base: the base tier, where there is one, has all members and the rest none.
    """
    # Locked in one order, so that two counts at once leave one of the two whole.
    tiers = list(
        Tier.objects.select_for_update(no_key=True)
        .filter(pk__in=live_tiers(program).values("tier"))
        .order_by("pk")
    )
    # Never back to an earlier instant: a switch may have counted since the last tick.
    as_of = max([as_of, *(tier.counted_at for tier in tiers if tier.counted_at)])
    found = read(program, as_of=as_of)
    for tier in tiers:
        tier.customer_count = found.get(tier.pk, 0)
        tier.counted_at = as_of
    Tier.objects.bulk_update(tiers, ["customer_count", "counted_at"])
    return {tier.pk: tier.customer_count or 0 for tier in tiers}


def read(program: Program, *, as_of: datetime) -> dict[int, int]:
    """Return how many customers read as each tier at an instant."""
    status = Program.objects.values_list("tiers_status", flat=True).get(pk=program.pk)
    if status == Program.TiersStatus.ACTIVE:
        return count(program, as_of=as_of)
    return _all_in_base(program, as_of)


def refresh_all() -> int:
    """Count every program's customers anew; return how many programs have tiers."""
    refreshed = 0
    for row in Recalculation.objects.select_related("program").order_by("program"):
        if row.as_of:
            refresh(row.program, as_of=row.as_of)
            refreshed += 1
    return refreshed


def follow_switch(program: Program, at: datetime) -> None:
    """Count as of the instant at which a program's tiers are switched on or off.

    Before the first count there is nothing to keep true.
    """
    if Recalculation.objects.filter(program=program, as_of__isnull=False).exists():
        refresh(program, as_of=at)


def count(program: Program, *, as_of: datetime) -> dict[int, int]:
    """Count plainly, from the intervals, who held which tier at an instant."""
    rows = TierAssignment.objects.at(as_of).filter(
        member__program=program, member__status=ACTIVE
    )
    counted = rows.order_by().values("tier").annotate(customers=Count("pk"))
    return dict(counted.values_list("tier", "customers"))


def live_tiers(program: Program) -> Any:
    return TierVersion.objects.live().filter(tier__program=program)


def _all_in_base(program: Program, as_of: datetime) -> dict[int, int]:
    belonging = Q(intervals__ended_at__isnull=True) | Q(intervals__ended_at__gt=as_of)
    everybody = (
        Member.objects.filter(
            belonging,
            intervals__started_at__lte=as_of,
            program=program,
            status=ACTIVE,
        )
        .distinct()
        .count()
    )
    bases: Sequence[int] = (
        live_tiers(program)
        .filter(entry=TierVersion.Entry.BASE)
        .values_list("tier", flat=True)
    )
    return dict.fromkeys(bases, everybody)
