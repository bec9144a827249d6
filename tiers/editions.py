"""A program's tier groups and tiers as a whole: as they are, or as they would be.

The **live** edition is what members are judged by. The **draft** edition is what would
be live if everything open were published now: of each thing the open version, else the
live one, and nothing that is to be retired.
"""

from collections.abc import Iterable
from decimal import ROUND_CEILING
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Q

from approvals.models import Version
from loyalty import balances
from loyalty.models import BalanceDefinition, Program

from . import soundness
from .models import TierGroupVersion, TierVersion

Entry = TierVersion.Entry
#: How often a reader goes again whom publications overtake.
TRIES = 5


class Edition:
    """What one request asks about; everything is read once, when it is needed."""

    def __init__(self, program: Program, *, draft: bool) -> None:
        self.program = program
        self.draft = draft

    @cached_property
    def groups(self) -> list[TierGroupVersion]:
        """The wordings of the groups, oldest group first."""
        return self._read[0]

    @cached_property
    def tiers_by_group(self) -> dict[int, list[TierVersion]]:
        """The wordings of the tiers of each group, lowest first."""
        groups, versions = self._read
        tiers: dict[int, list[TierVersion]] = {g.group_id: [] for g in groups}
        for version in versions:
            tiers.setdefault(version.tier.group_id, []).append(version)
        return {g.group_id: soundness.ordered(g, tiers[g.group_id]) for g in groups}

    @cached_property
    def _read(self) -> tuple[list[TierGroupVersion], list[TierVersion]]:
        """Read groups and tiers as they were at one instant.

        Each is one statement. A publication in between would show half of itself; then
        the groups are others afterwards, and all is read again.
        """
        groups = self._read_groups()
        for _ in range(TRIES):
            versions = TierVersion.objects.filter(tier__program=self.program)
            tiers = self._chosen(versions.select_related("tier"))
            before, groups = groups, self._read_groups()
            if [(g.pk, g.revision) for g in groups] == [
                (g.pk, g.revision) for g in before
            ]:
                break
        return groups, tiers

    def _read_groups(self) -> list[TierGroupVersion]:
        versions = TierGroupVersion.objects.filter(group__program=self.program)
        chosen = self._chosen(versions.select_related("group"))
        return sorted(chosen, key=lambda version: version.group_id)

    @property
    def tiers(self) -> list[TierVersion]:
        return [tier for group in self.groups for tier in self.tiers_of(group)]

    def tiers_of(self, group: TierGroupVersion) -> list[TierVersion]:
        return self.tiers_by_group[group.group_id]

    def group(self, uuid: UUID) -> TierGroupVersion | None:
        return next((g for g in self.groups if g.group.uuid == uuid), None)

    def tier(self, uuid: UUID) -> TierVersion | None:
        return next((t for t in self.tiers if t.tier.uuid == uuid), None)

    def group_of(self, tier: TierVersion) -> TierGroupVersion:
        return next(g for g in self.groups if g.group_id == tier.tier.group_id)

    @cached_property
    def balances(self) -> dict[int, BalanceDefinition]:
        """All balances that there have ever been: a draft may name one that is gone."""
        definitions = BalanceDefinition.objects.filter(program=self.program)
        return definitions.in_bulk()

    @cached_property
    def balances_by_uuid(self) -> dict[UUID, int]:
        """The balances of this edition, by the ids that others know them by."""
        wordings = balances.wordings(self.program, with_drafts=self.draft)
        return {
            version.balance_definition.uuid: version.balance_definition_id
            for version in wordings
        }

    def least_amounts(self, tier: TierVersion) -> list[tuple[int, int]]:
        """Return what a tier asks for as balances and whole amounts of them.

        A fraction is reached with the next whole amount; everybody has nothing.
        """
        if tier.entry == Entry.MANUAL:
            return []
        if tier.entry == Entry.BASE:
            return [(self._points, 0)]
        asked = [
            (c["balance_definition"], c["minimum"]) for c in tier.access_conditions
        ]
        if tier.threshold is not None:
            least = int(tier.threshold.to_integral_value(ROUND_CEILING))
            asked.insert(0, (self._measured_balance(tier), least))
        return asked

    def asking(
        self, amounts: list[tuple[int, int]], tier: TierVersion | None = None
    ) -> dict[str, Any]:
        """Word what a tier is to ask for: least amounts of balances as they stand.

        A tier that says so already in its own way keeps it, and so does one with a
        threshold on the one balance that is named: only the number is another.
        """
        if tier is not None and amounts == self.least_amounts(tier):
            return {}
        if tier is not None and tier.threshold is not None and len(amounts) == 1:
            balance, least = amounts[0]
            if not tier.access_conditions and balance == self._measured_balance(tier):
                return {"threshold": least}
        return {
            "entry": Entry.MEASURED if amounts else Entry.MANUAL,
            "threshold": None,
            "access_conditions": [
                {"balance_definition": balance, "minimum": least}
                for balance, least in amounts
            ],
        }

    @cached_property
    def _points(self) -> int:
        return next(
            definition.pk
            for definition in self.balances.values()
            if definition.built_in == BalanceDefinition.BuiltIn.POINTS
        )

    def _measured_balance(self, tier: TierVersion) -> int:
        group = self.group_of(tier)
        return tier.measured_balance_id or group.measured_balance_id or self._points

    def _chosen(self, versions: Any) -> list[Any]:
        wanted = Q(status=Version.Status.LIVE)
        if self.draft:
            wanted |= Q(status__in=Version.OPEN, direct=False)
        return _without_retired(versions.filter(wanted))


def _without_retired(versions: Iterable[Any]) -> list[Any]:
    """Return one version of each thing, the open one if there is one."""
    chosen = {v.thing_id: v for v in sorted(versions, key=lambda v: v.is_open)}
    return [version for version in chosen.values() if not version.is_retirement]
