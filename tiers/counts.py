"""How many customers hold each tier, and the instant for which that is true.

Whoever moves members notes how many came to a tier and went from it, in the same
transaction and without touching the tier. The tick adds up what was noted until its
instant. So a count is what a plain GROUP BY over the intervals known at its instant
gives, at any later time.

Only active members count. While the program's tiers are not active everybody reads
as base: the base tier, where there is one, has all members and the rest none.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q, Sum

from loyalty import rows
from loyalty.models import Member, Program

from . import locks
from .models import (
    CountChange,
    Recalculation,
    Standing,
    Tier,
    TierAssignment,
    TierVersion,
)

logger = logging.getLogger(__name__)

ACTIVE = Member.Status.ACTIVE


# What changes


def note(program_id: int, changes: Mapping[int, int], at: datetime) -> None:
    """Write down how many customers more or fewer hold tiers since an instant."""
    rows.send(noting(program_id, changes, at))


def noting(
    program_id: int, changes: Mapping[int, int], at: datetime
) -> list[rows.Command]:
    return rows.inserting(
        CountChange,
        ("program", "tier", "delta", "at"),
        [
            (program_id, tier, delta, at)
            for tier, delta in sorted(changes.items())
            if delta
        ],
    )


def settle(program_id: int, group_id: int, members: Q, at: datetime) -> None:
    """Count members anew as what they hold now, where that is not so already."""
    holds = Q(member__status=ACTIVE, tier__isnull=False)
    miscounted = Standing.objects.filter(members, group=group_id).filter(
        (holds & (Q(counted_as__isnull=True) | ~Q(counted_as=F("tier"))))
        | (~holds & Q(counted_as__isnull=False))
    )
    changes: Counter[int] = Counter()
    right: dict[int | None, list[int]] = {}
    for pk, old, tier, status in miscounted.values_list(
        "pk", "counted_as", "tier", "member__status"
    ):
        new = tier if status == ACTIVE else None
        count_move(changes, old, new)
        right.setdefault(new, []).append(pk)
    for new, standings in right.items():
        Standing.objects.filter(pk__in=standings).update(counted_as=new)
    note(program_id, changes, at)


def count_move(changes: Counter[int], old: int | None, new: int | None) -> None:
    if old != new:
        if old is not None:
            changes[old] -= 1
        if new is not None:
            changes[new] += 1


# What is true for an instant


@transaction.atomic(savepoint=False)
def add_up(program: Program, *, as_of: datetime) -> datetime:
    """Make the counts true for an instant; return it.

    Never for an earlier one than they are true for already. The lock waits for those
    who note changes of before; nobody notes any while it is held.
    """
    locks.hold(program.pk)
    tiers = _tiers(program)
    as_of = max([as_of, *(tier.counted_at for tier in tiers if tier.counted_at)])
    changes = CountChange.objects.filter(program=program.pk, at__lte=as_of)
    added = dict(changes.order_by().values_list("tier").annotate(Sum("delta")))
    for tier in tiers:
        tier.holders += added.get(tier.pk, 0)
    _show(program, tiers, as_of)
    if added:
        changes.delete()
    return as_of


def refresh(program: Program, *, as_of: datetime) -> dict[int, int]:
    """Count plainly and compare; where a count is wrong, mend it and say so in the
    log. Return how many customers each live tier has."""
    # Without a lock others may commit between two questions: ask again with it.
    if _differs(program):
        with transaction.atomic():
            locks.hold(program.pk)
            if _differs(program):
                logger.warning("Counts were wrong", extra={"program": program.pk})
                recount(program, as_of=as_of)
    live = Tier.objects.filter(pk__in=live_tiers(program).values("tier"))
    return {tier.pk: tier.customer_count or 0 for tier in live}


@transaction.atomic
def recount(program: Program, *, as_of: datetime) -> None:
    """Count everybody anew, whatever was noted."""
    for group in locks.hold(program.pk):
        settle(program.pk, group.pk, Q(), as_of)
    noted = CountChange.objects.filter(program=program.pk)
    tiers = _tiers(program)
    instants = [tier.counted_at for tier in tiers if tier.counted_at]
    instants += noted.values_list("at", flat=True)
    found = holders(program)
    for tier in tiers:
        tier.holders = found.get(tier.pk, 0)
    _show(program, tiers, max([as_of, *instants]))
    noted.delete()


def refresh_all() -> int:
    """Compare every program's counts; return how many programs have tiers."""
    refreshed = 0
    for row in Recalculation.objects.select_related("program").order_by("program"):
        if row.as_of:
            refresh(row.program, as_of=row.as_of)
            refreshed += 1
    return refreshed


def follow_switch(program: Program, at: datetime) -> None:
    """Show as of the instant at which a program's tiers are switched on or off.

    Before the first count there is nothing to keep true. A tick at work stops at its
    next chunk: what it would still write is of an earlier instant than the counts.
    """
    row = Recalculation.objects.filter(program=program, as_of__isnull=False)
    locks.hold(program.pk)
    if row.update(due_at=at, holder=""):
        add_up(program, as_of=at)


# Questions


def read(program: Program) -> dict[int, int]:
    """Return how many customers read as each live tier, counted plainly, now."""
    tiers = list(Tier.objects.filter(program=program.pk))
    return as_shown(program, tiers, holders(program))


def holders(program: Program) -> dict[int, int]:
    """Count plainly, from the intervals, who holds which tier as far as judged."""
    held = TierAssignment.objects.known_now().filter(valid_until__isnull=True)
    return _by_tier(program, held)


def count(
    program: Program, *, as_of: datetime, known_at: datetime | None = None
) -> dict[int, int]:
    """Count plainly who held which tier at an instant, as known now or then."""
    return _by_tier(program, covering(program, as_of, known_at))


def covering(program: Program, instant: datetime, known_at: datetime | None) -> Any:
    """Return the intervals that cover an instant, as known now or then."""
    known = TierAssignment.objects.known_now()
    if known_at is not None:
        known = TierAssignment.objects.filter(
            Q(superseded_at__isnull=True) | Q(superseded_at__gt=known_at),
            recorded_at__lte=known_at,
        )
    return known.filter(
        Q(valid_until__isnull=True) | Q(valid_until__gt=instant),
        member__program=program,
        valid_from__lte=instant,
    )


def pending(program: Program) -> dict[int, int]:
    """Return what was noted and has not been added up yet."""
    noted = CountChange.objects.filter(program=program.pk).order_by()
    return dict(noted.values_list("tier").annotate(Sum("delta")))


def live_tiers(program: Program) -> Any:
    return TierVersion.objects.live().filter(tier__program=program)


def overlaid(
    live: Iterable[TierVersion], held: Mapping[int, int], groups: Mapping[int, int]
) -> dict[int, int]:
    """Let everybody in a group read as its base tier; ``groups`` are those of tiers.

    Where there is a base tier, every member of the program holds one of the group.
    """
    everybody: Counter[int] = Counter()
    for tier, customers in held.items():
        everybody[groups[tier]] += customers
    return {
        version.tier_id: everybody[groups[version.tier_id]]
        if version.entry == TierVersion.Entry.BASE
        else 0
        for version in live
    }


def as_shown(
    program: Program, tiers: Iterable[Tier], held: Mapping[int, int]
) -> dict[int, int]:
    """Return what live tiers read as, going by who holds which."""
    live: Any = live_tiers(program).values_list(
        "tier_id", "entry", "tier__program__tiers_status", named=True
    )
    statuses = {version.tier__program__tiers_status for version in live}
    if statuses - {Program.TiersStatus.ACTIVE}:
        return overlaid(live, held, {tier.pk: tier.group_id for tier in tiers})
    return {version.tier_id: held.get(version.tier_id, 0) for version in live}


# Steps


def _by_tier(program: Program, intervals: Any) -> dict[int, int]:
    counted = intervals.filter(member__program=program, member__status=ACTIVE)
    return dict(counted.order_by().values_list("tier").annotate(Count("pk")))


def _tiers(program: Program) -> list[Tier]:
    """Lock a program's tiers, in the one order."""
    tiers = Tier.objects.select_for_update(no_key=True).filter(program=program.pk)
    return list(tiers.order_by("pk"))


def _show(program: Program, tiers: Sequence[Tier], as_of: datetime) -> None:
    """Write down the counts of live tiers, and what the rest hold."""
    shown = as_shown(program, tiers, {tier.pk: tier.holders for tier in tiers})
    for tier in tiers:
        if tier.pk in shown:
            tier.customer_count = max(shown[tier.pk], 0)
            tier.counted_at = as_of
    rows.update(
        Tier,
        ("holders", "customer_count", "counted_at"),
        [(t.holders, t.customer_count, t.counted_at, t.pk) for t in tiers],
    )


def _differs(program: Program) -> bool:
    """Whether a count is not what the intervals say, with what was noted since."""
    tiers = list(Tier.objects.filter(program=program.pk))
    noted = pending(program)
    found = holders(program)
    shown = as_shown(program, tiers, {tier.pk: tier.holders for tier in tiers})
    return any(
        tier.holders + noted.get(tier.pk, 0) != found.get(tier.pk, 0)
        or (
            tier.customer_count is not None
            and tier.customer_count != shown.get(tier.pk, tier.customer_count)
        )
        for tier in tiers
    )
