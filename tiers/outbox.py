"""What members are to be told, written in the transaction that moves them.

One event for the net move: however often a late line changes the past, a member is
told of the tier held before and the one held now. Nothing is told while a program's
tiers are not active, since everybody reads as base then. Sending is somebody else's
work; they fill ``delivered_at``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q

from loyalty.models import Membership, Program, ProgramVersion

from .ladder import Renewed
from .models import Standing, TierEvent, TierGroup, TierVersion
from .models.assignments import NOT_REMINDED

Kind = TierEvent.Kind


@dataclass(frozen=True, slots=True)
class Moved:
    """A member reads as another tier than before, since an instant."""

    member: int
    before: int | None
    after: int | None
    at: datetime


def tell(
    group: TierGroup,
    moved: Sequence[Moved],
    renewed: Sequence[tuple[int, Renewed]],
    as_of: datetime,
) -> None:
    """Write the events that follow from moves and renewals of members of a group."""
    if not moved and not renewed:
        return
    program = _program(group.program_id)
    if program is None:
        return
    tiers = _Tiers(group)
    left = _who_left(moved, as_of)
    events = [
        TierEvent(
            member_id=move.member,
            group=group,
            kind=kind,
            from_tier_id=move.before,
            to_tier_id=move.after,
            occurred_at=move.at,
            recorded_at=as_of,
            channels=tiers.channels(move.after)
            if kind == Kind.UPGRADED
            else program.downgrade_channels,
        )
        for move in moved
        if move.member not in left and (kind := tiers.kind_of(move))
    ]
    events += [
        TierEvent(
            member_id=member,
            group=group,
            kind=Kind.RENEWED,
            from_tier_id=renewal.tier,
            to_tier_id=renewal.tier,
            occurred_at=renewal.at,
            recorded_at=as_of,
            ends_at=renewal.until,
            channels=program.renewal_channels,
        )
        for member, renewal in renewed
        if not tiers.is_base(renewal.tier)
    ]
    # What was told of a renewal before is not told again.
    TierEvent.objects.bulk_create(events, ignore_conflicts=True)


# Reminders


def to_remind(program_id: int, groups: Iterable[TierGroup], as_of: datetime) -> Any:
    """Return the standings whose tier will be lost soon, and nobody said so yet;
    none while the program's tiers are not active.

    Once a member was reminded of a date, a later one is none of their concern until
    that has passed: who keeps on earning is not told every week.
    """
    return Standing.objects.filter(
        NOT_REMINDED,
        Q(reminded_for__isnull=True) | Q(reminded_for__lte=as_of),
        group__in=groups,
        group__program__tiers_status=Program.TiersStatus.ACTIVE,
        drops_at__gt=as_of,
        drops_at__lte=as_of + _ahead(),
    )


def remind(program_id: int, standings: Any, as_of: datetime) -> int:
    """Write reminders for locked members' standings; return how many."""
    program = _program(program_id)
    found = list(standings)
    if program is None or not found:
        return 0
    TierEvent.objects.bulk_create(
        [
            TierEvent(
                member_id=standing.member_id,
                group_id=standing.group_id,
                kind=Kind.REMINDED,
                from_tier_id=standing.tier_id,
                occurred_at=_reminded_at(standing),
                recorded_at=as_of,
                ends_at=standing.drops_at,
                channels=program.reminder_channels,
            )
            for standing in found
        ],
        ignore_conflicts=True,
    )
    rows = Standing.objects.filter(pk__in=[standing.pk for standing in found])
    rows.update(reminded_for=F("drops_at"))
    return len(found)


def _reminded_at(standing: Standing) -> datetime:
    """Return when the reminder fell due, whenever a tick came by."""
    assert standing.drops_at is not None
    instants = [standing.drops_at - _ahead(), standing.since, standing.reminded_for]
    return max(instant for instant in instants if instant is not None)


def _ahead() -> timedelta:
    return timedelta(days=settings.REMIND_DAYS)


# What events are made of


def _program(program_id: int) -> ProgramVersion | None:
    """Return the program's live wording, where its tiers are active."""
    return (
        ProgramVersion.objects.live()
        .filter(program=program_id, program__tiers_status=Program.TiersStatus.ACTIVE)
        .first()
    )


def _who_left(moved: Iterable[Moved], as_of: datetime) -> set[int]:
    """Return who holds no tier because they do not belong to the program any more."""
    nowhere = {move.member for move in moved if move.after is None}
    if not nowhere:
        return nowhere
    present = Membership.objects.filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=as_of),
        member__in=nowhere,
        started_at__lte=as_of,
    )
    return nowhere - set(present.values_list("member", flat=True))


class _Tiers:
    """The live tiers of a group, as far as they say which move is up."""

    def __init__(self, group: TierGroup) -> None:
        live = TierVersion.objects.live().filter(tier__group=group)
        self._live = {v.tier_id: v for v in live.select_related("tier")}

    def is_base(self, tier: int | None) -> bool:
        """Whether holding this is the base state: the base tier, or none at all."""
        version = self._live.get(tier) if tier else None
        return tier is None or (
            version is not None and version.entry == TierVersion.Entry.BASE
        )

    def kind_of(self, move: Moved) -> str | None:
        """Say which way a move goes; None where both states are the base state."""
        if self.is_base(move.before) and self.is_base(move.after):
            return None
        up = self._rank(move.after) > self._rank(move.before)
        return Kind.UPGRADED if up else Kind.DOWNGRADED

    def channels(self, tier: int | None) -> list[str]:
        version = self._live.get(tier) if tier else None
        return version.upgrade_channels if version else []

    def _rank(self, tier: int | None) -> float:
        if tier is None:
            return 0
        version = self._live.get(tier)
        if version is not None:
            return version.tier.serial_number or 0
        return self._former_rank(tier)

    def _former_rank(self, tier: int) -> float:
        """Rank a retired tier above the live ones that ask for no more than it did."""
        former = TierVersion.objects.filter(tier=tier, live_from__isnull=False)
        last = former.order_by("-live_from", "-number").first()
        threshold = last.threshold if last else None
        below = [
            version.tier.serial_number or 0
            for version in self._live.values()
            if version.threshold is None
            or (threshold is not None and version.threshold <= threshold)
        ]
        return max(below, default=0) + 0.5
