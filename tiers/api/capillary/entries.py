"""What the list says of each version, still in our words.

All of it comes from one SQL statement. On PostgreSQL a statement sees one instant;
two statements would see two, and a change set that is published in between would
show a tier twice, not at all, or beside one of the generation before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import F, FilteredRelation, Q, QuerySet

from loyalty.models import BalanceDefinition, Program
from tiers.models import Tier, TierVersion
from tiers.models.groups import Measure

BuiltIn = BalanceDefinition.BuiltIn
Status = TierVersion.Status

#: What is compared, under the vendor's names; anything else is a tracker.
KPI_TYPES: Final[dict[tuple[str, str], str]] = {
    (Measure.CURRENT, BuiltIn.POINTS): "CURRENT_POINTS",
    (Measure.WINDOW, BuiltIn.POINTS): "CUMULATIVE_POINTS",
    (Measure.LIFETIME, BuiltIn.POINTS): "CUMULATIVE_POINTS",
    (Measure.CURRENT, BuiltIn.PURCHASES): "CUMULATIVE_PURCHASES",
    (Measure.WINDOW, BuiltIn.PURCHASES): "CUMULATIVE_PURCHASES",
    (Measure.LIFETIME, BuiltIn.PURCHASES): "CUMULATIVE_PURCHASES",
}
TRACKER: Final = "TRACKER_VALUE_BASED"

SAME_AS_ELIGIBILITY: Final = "Same as eligibility"
MONTHS: Final = "NUM_MONTHS"
NOT_SET: Final = "-1"
#: Conditions of renewal that are one amount each.
CONDITIONS: Final = ("purchase", "numVisits", "points")
#: When standings are looked at; of interest on live tiers.
CHECKS: Final = ("reevaluate_on_return", "daily_enabled")
#: What a version says of validity, renewal and downgrade.
TERMS: Final = (
    "period_type",
    "period_value",
    "start_date",
    "end_date",
    "is_fixed_type_without_year",
    "renewal_window_type",
    "computation_window_start_value",
    "computation_window_end_value",
    "minimum_duration",
    "downgrade_to",
    "should_downgrade",
    "always",
    "expression_relation_aira",
    "renewal_expression_relation",
    "original_expression",
)
#: What the engine adds on publication: always, and where a tier can be lost.
RENEWAL_DEFAULTS: Final = {"is_fixed_type_without_year": False, "minimum_duration": 0}
DOWNGRADE_DEFAULTS: Final[dict[str, Any]] = {
    "should_downgrade": True,
    "always": False,
    "renewal_order_string": [],
}
#: Who did what to a version, and when; the two instants of every entry come first.
STEPS: Final = (
    "created_by_id",
    "updated_by_id",
    "approved_by_id",
    "approved_at",
    "rejected_by_id",
    "rejected_at",
    "rejection_comment",
)

#: Columns that no entry shows.
_UNREAD = ("icon", "image_ref", "reward_refs", "note", "content_hash")


def entries(program_id: int, *, visible_to: Any) -> list["Entry"]:
    """Return the live and open versions of a program's main group, lowest tier first.

    A program that is not there, or not for these eyes, has none.
    """
    versions = list(_versions(program_id, visible_to))
    live = [version for version in versions if version.status == Status.LIVE]
    being_changed = {v.tier_id for v in versions if v.status != Status.LIVE}
    shown = [
        Entry(
            version,
            has_open=version.tier_id in being_changed,
            # A tier that is not live yet would go on top.
            serial_number=version.tier.serial_number or len(live) + 1,
        )
        for version in versions
        if version.status == Status.LIVE or not version.is_retirement
    ]
    return sorted(
        shown, key=lambda e: (e.serial_number, e.version.tier.number, not e.is_live)
    )


def _versions(program_id: int, visible_to: Any) -> QuerySet[TierVersion]:
    visible = Program.objects.visible_to(visible_to).filter(pk=program_id)
    group = "tier__group__versions"
    versions: QuerySet[TierVersion] = (
        TierVersion.objects.filter(
            # A direct write is nobody's draft: it is live when its call returns.
            Q(status=Status.LIVE) | Q(status__in=TierVersion.OPEN, direct=False),
            tier__program__in=visible,
            tier__group__is_default=True,
        )
        .annotate(
            live_program=FilteredRelation(
                "tier__program__versions",
                condition=Q(tier__program__versions__status=Status.LIVE),
            ),
            live_group=FilteredRelation(
                group, condition=Q(**{f"{group}__status": Status.LIVE})
            ),
            # A new group's tiers are measured by its draft.
            open_group=FilteredRelation(
                group,
                condition=Q(
                    **{
                        f"{group}__status__in": TierVersion.OPEN,
                        f"{group}__direct": False,
                    }
                ),
            ),
        )
        .annotate(
            live_group_id=F("live_group__pk"),
            live_group_measure=F("live_group__measure"),
            live_group_balance=F("live_group__measured_balance__built_in"),
            open_group_measure=F("open_group__measure"),
            open_group_balance=F("open_group__measured_balance__built_in"),
            own_balance=F("measured_balance__built_in"),
            renewal_channels=F("live_program__renewal_channels"),
            downgrade_channels=F("live_program__downgrade_channels"),
            reminder_channels=F("live_program__reminder_channels"),
        )
        .select_related("tier")
        .defer(*_UNREAD)
    )
    return versions


def matching(found: Iterable["Entry"], tier: str) -> list["Entry"]:
    """Keep the versions of the tier with that slab id or unique id."""
    return [
        entry
        for entry in found
        if tier in (str(entry.slab_id), entry.version.tier.unique_id)
    ]


@dataclass(slots=True)
class Entry:
    """One version of a tier as the list shows it; None stands for "not shown"."""

    #: With what ``_versions`` adds to it.
    version: Any
    has_open: bool
    serial_number: int

    @property
    def is_live(self) -> bool:
        return self.version.status == Status.LIVE

    @property
    def status(self) -> str:
        # The vendor has no scheduled changes: approved, but not in force.
        if self.version.status == Status.SCHEDULED:
            return Status.PENDING_APPROVAL
        return str(self.version.status)

    @property
    def origin(self) -> str:
        if not self._was_published:
            return "MONGO_ONLY"
        return "BOTH" if self.has_open else "LEGACY_SQL_ONLY"

    @property
    def slab_id(self) -> int | None:
        # An import brings the number along before the first publication.
        return self.version.tier.slab_id if self._was_published else None

    @property
    def unique_id(self) -> str | None:
        return self.version.tier.unique_id if self._has_record else None

    @property
    def object_id(self) -> str | None:
        return self.version.object_id if self._has_record else None

    @property
    def live_since(self) -> datetime | None:
        return self.version.tier.first_live_at if self.is_live else None

    @property
    def customer_count(self) -> int | None:
        return self.version.tier.customer_count if self.is_live else None

    @property
    def counted_at(self) -> datetime | None:
        return self.version.tier.counted_at if self.is_live else None

    @property
    def rejection_comment(self) -> str | None:
        rejected = self.version.status == Status.REJECTED
        return self.version.rejection_comment if rejected else None

    @property
    def _was_published(self) -> bool:
        return self.version.tier.first_live_at is not None

    @property
    def _has_record(self) -> bool:
        """Tell whether the vendor would have a record of its own for this version.

        It has none for live tiers that came from elsewhere.
        """
        return not self.is_live or self.version.tier.source != Tier.Source.IMPORT

    @property
    def eligibility(self) -> dict[str, Any]:
        version = self.version
        shown = {
            "kpi_type": self._kpi_type,
            "threshold": _number(version.threshold),
            "upgrade_type": version.upgrade_type,
        }
        if not self.is_live:
            shown["expression_relation"] = version.expression_relation
            shown["conditions"] = version.conditions or None
        return shown

    @property
    def _kpi_type(self) -> str:
        version = self.version
        if version.access_conditions:
            return TRACKER
        if version.measure or version.measured_balance_id:
            measure, balance = version.measure, version.own_balance
        elif version.live_group_id:
            measure, balance = version.live_group_measure, version.live_group_balance
        else:
            measure, balance = version.open_group_measure, version.open_group_balance
        # No balance named is points; one of the program's own is built in as "".
        balance = BuiltIn.POINTS if balance is None else balance
        return KPI_TYPES.get((measure or Measure.WINDOW, balance), TRACKER)

    @property
    def renewal(self) -> dict[str, Any] | None:
        """Until when the tier is held and what renews it.

        An open version shows what was set; a live one the engine's defaults as well.
        """
        said = self._terms()
        if said is None:
            return None
        if self.is_live:
            _complete(said, RENEWAL_DEFAULTS)
        return said | {"criteria_type": SAME_AS_ELIGIBILITY}

    @property
    def downgrade(self) -> dict[str, Any] | None:
        """What happens to whoever is not renewed; shown of live tiers only."""
        version = self.version
        said = self._terms()
        checks = {name: getattr(version, name) for name in CHECKS}
        if not self.is_live or self._is_base:
            return None
        if said is None and set(checks.values()) == {None}:
            return None
        return (said or {}) | {name: bool(value) for name, value in checks.items()}

    def _terms(self) -> dict[str, Any] | None:
        """Return the terms of validity, renewal and downgrade; None where none are set.

        Somewhere to fall to brings the engine's defaults along on a live tier.
        """
        version = self.version
        said = {name: getattr(version, name) for name in TERMS}
        said["unit"] = version.period_value and MONTHS
        said["renewal_order_string"] = version.renewal_order_string or None
        falls = self.is_live and version.downgrade_to
        said["conditions"] = _conditions(version.renewal_conditions, all_of_them=falls)
        if self._is_base or all(value in (None, "") for value in said.values()):
            return None
        if falls:
            _complete(said, DOWNGRADE_DEFAULTS)
        return said

    @property
    def _is_base(self) -> bool:
        return self.version.entry == TierVersion.Entry.BASE

    @property
    def channels(self) -> dict[str, list[str]] | None:
        version = self.version
        if not self.is_live:
            return None
        return {
            "upgrade": version.upgrade_channels,
            "renewal": version.renewal_channels or [],
            "downgrade": version.downgrade_channels or [],
            "reminders": version.reminder_channels or [],
        }

    @property
    def meta(self) -> dict[str, Any]:
        version = self.version
        instants = {"created_at": version.created_at, "updated_at": version.updated_at}
        if not self._has_record:
            return instants
        return instants | {name: getattr(version, name) for name in STEPS}


def _complete(said: dict[str, Any], defaults: dict[str, Any]) -> None:
    for name, default in defaults.items():
        if said[name] is None:
            said[name] = default


def _conditions(said: dict[str, Any], *, all_of_them: bool) -> dict[str, Any] | None:
    """Return renewal conditions as texts, with "-1" for those not set if wanted."""
    set_ = {name: str(said[name]) for name in CONDITIONS if said.get(name) is not None}
    if said.get("tracker"):
        set_["tracker"] = said["tracker"]
    if all_of_them or set_:
        return dict.fromkeys(CONDITIONS, NOT_SET) | {"tracker": []} | set_
    return None


def _number(amount: Decimal | None) -> int | float | None:
    """Return a JSON number: 5000 rather than 5000.0 or "5000.0000"."""
    if amount is None:
        return None
    whole = int(amount)
    return whole if whole == amount else float(amount)
