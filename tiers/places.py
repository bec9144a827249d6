"""Where a member stands in each group of their program, and the way up from there.

As systems are told: while a program's tiers are not active, everybody reads as base.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from loyalty.models import Member

from . import facts, ladder, rules
from .ladder import Ladder, Line, Measure
from .models import Standing, TierGroupVersion, TierVersion
from .progress import progress


@dataclass(frozen=True, slots=True)
class Place:
    """The tier that a member holds in a group, if any, and since when."""

    group: TierGroupVersion
    tier: TierVersion | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Way:
    """The next tier, and how much there is of what it asks for.

    Of several conditions it is the one that is furthest from being met. At the top
    nothing is ``needed``, and the amount is of what the tier held asks for.
    """

    place: Place
    next: TierVersion | None
    measure: Measure
    amount: int
    needed: int | None


class Places:
    """A member's places, oldest group first; three queries."""

    def __init__(self, member: Member) -> None:
        self.member = member
        live = TierVersion.objects.live().filter(tier__program=member.program_id)
        self.tiers = {tier.tier_id: tier for tier in live.select_related("tier")}
        standings = Standing.objects.filter(member=member)
        self._standings = {standing.group_id: standing for standing in standings}
        groups = TierGroupVersion.objects.live().filter(
            group__program=member.program_id
        )
        self.all = [
            self._place(group)
            for group in groups.select_related("group").order_by("group")
        ]

    def _place(self, group: TierGroupVersion) -> Place:
        standing = self._standings.get(group.group_id)
        held = standing and standing.tier_id
        if not self.member.program.tiers_are_active:
            held = self._base_of(group.group_id)
        since = standing and standing.since
        return Place(group, self.tiers.get(held or 0), since or self.member.created_at)

    def _base_of(self, group_id: int) -> int | None:
        return next(
            (
                tier.tier_id
                for tier in self.tiers.values()
                if tier.tier.group_id == group_id
                and tier.entry == TierVersion.Entry.BASE
            ),
            None,
        )

    def ways(self, *, as_of: datetime) -> list[Way]:
        """Return the way up in each group; one query, and four for rules not read yet."""
        ladders = rules.ladders_of([place.group.group for place in self.all])
        lines = facts.lines_of([self.member.pk], ladders.values())
        own = lines.get(self.member.pk, [])
        return [
            self._way(place, in_force[-1], own, as_of)
            for place in self.all
            if (in_force := _begun(ladders[place.group.group_id], as_of))
        ]

    def _way(
        self, place: Place, rules_: Ladder, lines: Sequence[Line], as_of: datetime
    ) -> Way:
        held = place.tier.tier_id if place.tier else None
        found = progress(rules_, lines, held, as_of)
        if found is None:
            measure = _measure_of(rules_, held)
            amount = ladder.measured(lines, measure, rules_.zone, as_of)
            return Way(place, None, measure, amount, None)
        step = min(found.steps, key=lambda step: (step.percent, -step.left))
        above = self.tiers.get(found.tier)
        return Way(place, above, step.measure, step.amount, step.needed)


def _begun(ladders: Sequence[Ladder], as_of: datetime) -> list[Ladder]:
    return [rules_ for rules_ in ladders if rules_.starts_at <= as_of]


def _measure_of(rules_: Ladder, tier: int | None) -> Measure:
    """Return what a tier is measured by, or the group where it asks for nothing."""
    rank = rules_.rank(tier)
    conditions = rules_.rungs[rank].conditions if rank >= 0 else ()
    first = next(iter(ladder.conditions_in(conditions)), None)
    return first.measure if first else rules_.measure
