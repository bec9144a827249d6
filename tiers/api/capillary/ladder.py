"""The live tiers that a new wording would stand among, and the vendor's limits.

The tables allow more than the vendor does: tiers between others, equal names, any
number of drafts. What is refused here is refused in this voice only.
"""

from decimal import Decimal
from typing import Any, Final

from django.db.models import Case, When
from rest_framework.serializers import ValidationError

from approvals.errors import DraftExists
from approvals.text import comparable
from loyalty.models import BalanceDefinition
from tiers.errors import LimitReached
from tiers.models import TierGroup, TierGroupVersion, TierVersion
from tiers.models.groups import Measure
from tiers.soundness import measure_of

from .protocol import StrategiesMissing
from .words import TRACKER, kpi_type

BuiltIn = BalanceDefinition.BuiltIn
Entry, Status = TierVersion.Entry, TierVersion.Status

MOST_TIERS: Final = 50
#: A new tier in one of these keeps others from being begun.
IN_PROGRESS: Final = (Status.DRAFT, Status.PENDING_APPROVAL, Status.SCHEDULED)
#: What a first tier is measured by, where its group measures something else.
MEASURES: Final = {
    "CURRENT_POINTS": (Measure.CURRENT, BuiltIn.POINTS),
    "CUMULATIVE_POINTS": (Measure.LIFETIME, BuiltIn.POINTS),
    "CUMULATIVE_PURCHASES": (Measure.LIFETIME, BuiltIn.PURCHASES),
}
#: The fields of a wording that say what is compared.
COMPARED: Final = ("measure", "measured_balance", "window_kind", "window_months")


class Ladder:
    """The live tiers of a main group, lowest first, as they are now."""

    def __init__(self, group: TierGroup) -> None:
        versions = TierGroupVersion.objects.filter(group=group)
        live_first = Case(When(status=Status.LIVE, then=0), default=1)
        self.group = group
        self.version: TierGroupVersion | None = (
            (versions.live() | versions.open()).order_by(live_first, "-number").first()
        )
        self.tiers: list[TierVersion] = list(
            TierVersion.objects.live()
            .filter(tier__group=group)
            .select_related("tier")
            .order_by("tier__serial_number")
        )
        balances = BalanceDefinition.objects.filter(program=group.program_id)
        self.built_in: dict[str, int] = dict(
            balances.exclude(built_in="").values_list("built_in", "pk")
        )

    # What a program has to have, and may not have too much of

    def expect_strategies(self) -> None:
        if self.version is None or self.version.status != Status.LIVE:
            raise StrategiesMissing(
                "The program has no upgrade and downgrade strategies yet: its tier "
                "group has to be live first."
            )

    def expect_room(self) -> None:
        """Refuse a 51st tier; the caller holds the program's lock."""
        new = self._new_tiers().values("tier").distinct().count()
        if len(self.tiers) + new >= MOST_TIERS:
            raise LimitReached(
                f"A program has at most {MOST_TIERS} tiers.", most=MOST_TIERS
            )

    def expect_one_new_tier(self, besides: int | None = None) -> None:
        """Refuse to have two new tiers in progress; the program is locked."""
        begun = self._new_tiers().filter(status__in=IN_PROGRESS)
        other = begun.exclude(tier=besides).select_related("tier").first()
        if other is not None:
            raise DraftExists(
                f"The new tier {other.name} ({other.tier.unique_id}) is in progress: "
                "a program has one at a time. Submit it, or delete it, first.",
                object_id=other.object_id,
            )

    def _new_tiers(self) -> Any:
        """Return open versions of tiers that were never live."""
        return TierVersion.objects.open().filter(
            tier__group=self.group, tier__first_live_at__isnull=True, direct=False
        )

    # What a wording may say

    def entry(
        self, threshold: Decimal | None, version: TierVersion | None
    ) -> dict[str, Any]:
        """Return what a threshold means: a first tier without one is the base."""
        tier_id = version.tier_id if version else None
        is_base = version is not None and version.entry == Entry.BASE
        is_new = version is None or version.tier.first_live_at is None
        if not threshold and (is_base or (is_new and not self.others(tier_id))):
            return {"entry": Entry.BASE, "threshold": None}
        if threshold is None:
            raise _threshold("Say how much a member must reach.")
        if is_base and not is_new:
            raise _threshold("The base tier has none: send 0, or leave it out.")
        if version is not None and not is_base:
            return {"threshold": threshold}
        return {"entry": Entry.MEASURED, "threshold": threshold}

    def others(self, tier_id: int | None) -> list[TierVersion]:
        return [tier for tier in self.tiers if tier.tier_id != tier_id]

    def expect_free_name(self, name: str, tier_id: int | None) -> None:
        for other in self.others(tier_id):
            if comparable(other.name) == comparable(name):
                raise ValidationError(
                    {"name": f"The name {name} is taken by another live tier."}
                )

    def expect_between_neighbours(
        self, wording: TierVersion, tier_id: int | None
    ) -> None:
        """Refuse a threshold that is not above the tier below, or not below the next."""
        below, above = self._neighbours(tier_id)
        if wording.threshold is None:
            return
        threshold = Decimal(wording.threshold)
        if below and not threshold:
            raise _threshold("This must be above 0: only the base tier asks for none.")
        for name, asked in self._asked_by(below, wording):
            if threshold <= asked:
                raise _threshold(
                    f"This must be above {asked:f}, the threshold of {name}, the tier "
                    "below."
                )
        for name, asked in self._asked_by(above, wording):
            if threshold >= asked:
                raise _threshold(
                    f"This must be below {asked:f}, the threshold of {name}, the tier "
                    "above."
                )

    def _asked_by(
        self, tiers: list[TierVersion], wording: TierVersion
    ) -> list[tuple[str, Decimal]]:
        """Return names and thresholds of those that compare the same as a wording."""
        if self.version is None:
            return []
        own = measure_of(wording, self.version)
        return [
            (tier.name, tier.threshold.normalize())
            for tier in tiers
            if tier.threshold is not None and measure_of(tier, self.version) == own
        ]

    def _neighbours(
        self, tier_id: int | None
    ) -> tuple[list[TierVersion], list[TierVersion]]:
        """Return the tiers below, the nearest first, and those above likewise."""
        place = next(
            (n for n, tier in enumerate(self.tiers) if tier.tier_id == tier_id),
            len(self.tiers),
        )
        return self.tiers[:place][::-1], self.tiers[place + 1 :]

    def compared(self, kpi: str | None, tier_id: int | None) -> dict[str, Any]:
        """Return what a wording is to be compared with, where the vendor's word is
        ``kpi``: the same as every other tier."""
        model = next(
            (t for t in reversed(self.others(tier_id)) if t.entry != Entry.MANUAL),
            None,
        )
        if model is not None:
            if kpi is not None and kpi != self.kpi_of(model):
                raise _kpi(f"The program's tiers are compared by {self.kpi_of(model)}.")
            return {name: getattr(model, name) for name in COMPARED}
        if kpi is None or kpi == self.kpi_of(None):
            return {}
        if kpi == TRACKER:
            raise _kpi("Which tracker counts is set on the program's tier group.")
        measure, built_in = MEASURES[kpi]
        balance = BalanceDefinition.objects.get(pk=self.built_in[built_in])
        return {"measure": measure, "measured_balance": balance}

    def kpi_of(self, tier: TierVersion | None) -> str:
        """Return the vendor's word for what a tier, or the group, compares."""
        if tier is not None and tier.access_conditions:
            return TRACKER
        own = tier and (tier.measure or tier.measured_balance_id)
        said: Any = tier if own else self.version
        return kpi_type(
            said.measure if said else "",
            said.measured_balance_id if said else None,
            self.built_in.get(BuiltIn.POINTS),
            self.built_in.get(BuiltIn.PURCHASES),
        )


def _threshold(message: str) -> ValidationError:
    return ValidationError({"eligibility": {"threshold": message}})


def _kpi(message: str) -> ValidationError:
    return ValidationError({"eligibility": {"kpiType": message}})
