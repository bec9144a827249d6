"""The program behind a site's id, and which of its tiers this voice knows."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from approvals.models import AuditEvent
from loyalty.models import BalanceDefinition, Program, ProgramVersion
from loyalty.programs import SWITCHES
from tiers.models import Tier, TierGroup, TierVersion

Entry = TierVersion.Entry


@dataclass
class Site:
    """What one request asks about; everything is read once, when it is needed."""

    program: Program

    @cached_property
    def tiers(self) -> list[TierVersion]:
        """The tiers that are listed, lowest first.

        Each asks for points: the base tier is a state here, and who can only be put
        into a tier by hand cannot be told of by a number of points.
        """
        live = TierVersion.objects.live().filter(
            tier__group__program=self.program,
            tier__group__is_default=True,
            entry=Entry.MEASURED,
            threshold__isnull=False,
        )
        return list(live.select_related("tier").order_by("threshold", "tier"))

    @cached_property
    def shown(self) -> dict[int, UUID]:
        """The ids of the tiers that accounts may read as: none while tiers rest."""
        if not self.program.tiers_are_active:
            return {}
        return {version.tier_id: version.tier.uuid for version in self.tiers}

    @cached_property
    def settings(self) -> ProgramVersion:
        version: ProgramVersion = self.program.versions.live().get()
        return version

    @cached_property
    def switched_at(self) -> Any:
        """When the tiers were switched last, if ever."""
        switches = AuditEvent.objects.filter(
            program_id=self.program.pk, kind="program", verb__in=SWITCHES
        )
        return switches.order_by("-pk").values_list("created_at", flat=True).first()

    @cached_property
    def group_id(self) -> int:
        """The main group; where there is none yet, no standing is of it."""
        groups = TierGroup.objects.filter(program=self.program, is_default=True)
        return groups.values_list("pk", flat=True).first() or 0

    @cached_property
    def points(self) -> BalanceDefinition:
        points: BalanceDefinition = self.program.balance_definitions.get(
            built_in=BalanceDefinition.BuiltIn.POINTS
        )
        return points

    def tier(self, uuid: UUID) -> Tier | None:
        """Return a listed tier by its id."""
        found: Tier | None = (
            Tier.objects.select_related("program", "group")
            .filter(
                uuid=uuid,
                program=self.program,
                group__is_default=True,
                versions__status=TierVersion.Status.LIVE,
                versions__entry=Entry.MEASURED,
                versions__threshold__isnull=False,
            )
            .first()
        )
        return found
