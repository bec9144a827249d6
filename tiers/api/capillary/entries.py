"""What the list says of each version, still in our words.

All of it comes from one SQL statement. On PostgreSQL a statement sees one instant;
two statements would see two, and a change set that is published in between would
show a tier twice, not at all, or beside one of the generation before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final, TypeVar

from django.contrib.auth.models import User
from django.db.models import (
    BigIntegerField,
    Case,
    Exists,
    F,
    Q,
    QuerySet,
    Subquery,
    When,
)

from loyalty.models import BalanceDefinition, Program, ProgramVersion
from loyalty.statements import Statement
from tiers.models import Tier, TierGroupVersion, TierVersion
from tiers.models.tiers import unique_id

from ..access import sees_drafts
from .words import CONDITIONS, MONTHS, NOT_SET, SAME_AS_ELIGIBILITY, TRACKER, kpi_type

BuiltIn = BalanceDefinition.BuiltIn
Operation, Status = TierVersion.Operation, TierVersion.Status

Shown = TypeVar("Shown", bound="Entry")

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

#: Live and open versions. A direct write is nobody's draft: it is live when its call
#: returns.
_CURRENT = Q(status=Status.LIVE) | Q(status__in=TierVersion.OPEN, direct=False)
#: What the program's version adds to a tier's own channels.
_CHANNELS = ("renewal_channels", "downgrade_channels", "reminder_channels")
#: What is read of the tier that a version belongs to.
_TIER = (
    "number",
    "source",
    "slab_id",
    "serial_number",
    "first_live_at",
    "customer_count",
    "counted_at",
)
COLUMNS: Final = (
    "tier_id",
    *(f"tier_{name}" for name in _TIER),
    *("status", "operation", "object_id", "created_at", "updated_at", *STEPS),
    *("name", "description", "color", "entry", "threshold", "upgrade_type"),
    *("measure", "measured_balance_id", "expression_relation"),
    *("conditions", "access_conditions", "upgrade_channels"),
    *(*TERMS, "renewal_order_string", "renewal_conditions", *CHECKS),
    *("group_measure", "group_balance", "points", "purchases", *_CHANNELS),
)


def entries(program_id: int, *, visible_to: User) -> list["Entry"]:
    """Return the live and open versions of a program's main group, lowest tier first.

    A program that is not there, or not for these eyes, has none.
    """
    return read(Entry, VERSIONS, program_id, visible_to=visible_to)


def read(
    kind: type[Shown], statement: Statement, program_id: int, *, visible_to: User
) -> list[Shown]:
    """Run ``statement``, of ``versions_of`` and its columns; wrap each row."""
    if not visible_to.is_active or abs(program_id) > BigIntegerField.MAX_BIGINT:
        return []
    if getattr(visible_to, "only_program_id", None) not in (None, program_id):
        return []
    versions = statement.run(program_id, visible_to.pk)
    if not sees_drafts(visible_to):
        versions = [v for v in versions if v.status == Status.LIVE]
    live = [version for version in versions if version.status == Status.LIVE]
    being_changed = {v.tier_id for v in versions if v.status != Status.LIVE}
    shown = [
        kind(
            version,
            program_id=program_id,
            has_open=version.tier_id in being_changed,
            # A tier that is not live yet would go on top.
            serial_number=version.tier_serial_number or len(live) + 1,
        )
        for version in versions
        if version.status == Status.LIVE or version.operation == Operation.SET
    ]
    return sorted(
        shown, key=lambda e: (e.serial_number, e.version.tier_number, not e.is_live)
    )


def versions_of(program_id: int, user_id: int) -> QuerySet[TierVersion]:
    visible = Program.objects.visible_to(User(pk=user_id)).filter(pk=program_id)
    program = ProgramVersion.objects.live().filter(program=program_id)
    # A new group's tiers are measured by its draft, as long as that is all there is.
    group = (
        TierGroupVersion.objects.filter(_CURRENT)
        .filter(group__program=program_id, group__is_default=True)
        .order_by(Case(When(status=Status.LIVE, then=0), default=1))
    )
    balances = BalanceDefinition.objects.filter(program=program_id)
    # Questions that are the same for all rows stand beside the joins rather than in
    # them: the database answers each once, and plans the rest in half the time.
    versions: QuerySet[TierVersion] = (
        TierVersion.objects.filter(
            _CURRENT,
            Exists(visible),
            tier__program=program_id,
            tier__group__is_default=True,
        )
        .annotate(
            group_measure=Subquery(group.values("measure")[:1]),
            group_balance=Subquery(group.values("measured_balance")[:1]),
            points=Subquery(balances.filter(built_in=BuiltIn.POINTS).values("pk")),
            purchases=Subquery(
                balances.filter(built_in=BuiltIn.PURCHASES).values("pk")
            ),
            **{name: Subquery(program.values(name)) for name in _CHANNELS},
            **{f"tier_{name}": F(f"tier__{name}") for name in _TIER},
        )
        .order_by()
    )
    return versions


VERSIONS: Final = Statement(COLUMNS, versions_of)


def matching(found: Iterable["Entry"], tier: str) -> list["Entry"]:
    """Keep the versions of the tier with that slab id or unique id."""
    return [entry for entry in found if entry.answers_to(tier)]


@dataclass(slots=True)
class Entry:
    """One version of a tier as the list shows it; None stands for "not shown"."""

    #: A row of ``VERSIONS``.
    version: Any
    program_id: int
    has_open: bool
    serial_number: int

    #: What a live version's status is called.
    live_word: ClassVar[str] = "LIVE"

    @property
    def is_live(self) -> bool:
        return self.version.status == Status.LIVE

    @property
    def status(self) -> str:
        if self.is_live:
            return self.live_word
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
        return self.version.tier_slab_id if self._was_published else None

    @property
    def unique_id(self) -> str | None:
        return self._unique_id if self._has_record else None

    @property
    def _unique_id(self) -> str:
        return unique_id(self.program_id, self.version.tier_number)

    def answers_to(self, tier: str) -> bool:
        """Tell whether ``tier`` is an id of this tier, shown or not."""
        is_slab_id = self.slab_id is not None and tier == str(self.slab_id)
        return is_slab_id or tier == self._unique_id

    @property
    def object_id(self) -> str | None:
        return self.version.object_id if self._has_record else None

    @property
    def live_since(self) -> datetime | None:
        return self.version.tier_first_live_at if self.is_live else None

    @property
    def customer_count(self) -> int | None:
        return self.version.tier_customer_count if self.is_live else None

    @property
    def counted_at(self) -> datetime | None:
        return self.version.tier_counted_at if self.is_live else None

    @property
    def rejection_comment(self) -> str | None:
        rejected = self.version.status == Status.REJECTED
        return self.version.rejection_comment if rejected else None

    @property
    def _was_published(self) -> bool:
        return self.version.tier_first_live_at is not None

    @property
    def _is_as_written(self) -> bool:
        """Tell whether to show what was sent, and nothing that the engine adds."""
        return not self.is_live

    @property
    def _has_record(self) -> bool:
        """Tell whether the vendor would have a record of its own for this version.

        It has none for live tiers that came from elsewhere.
        """
        return not self.is_live or self.version.tier_source != Tier.Source.IMPORT

    @property
    def eligibility(self) -> dict[str, Any]:
        version = self.version
        shown = {
            "kpi_type": self._kpi_type,
            "threshold": _number(version.threshold),
            "upgrade_type": version.upgrade_type,
        }
        if self._is_as_written:
            shown["expression_relation"] = version.expression_relation
            shown["conditions"] = version.conditions or None
        return shown

    @property
    def _kpi_type(self) -> str:
        version = self.version
        if version.access_conditions:
            return TRACKER
        if version.measure or version.measured_balance_id:
            measure, balance = version.measure, version.measured_balance_id
        else:
            measure, balance = version.group_measure, version.group_balance
        return kpi_type(measure, balance, version.points, version.purchases)

    @property
    def renewal(self) -> dict[str, Any] | None:
        """Until when the tier is held and what renews it.

        An open version shows what was set; a live one the engine's defaults as well.
        """
        said = self._terms()
        if said is None:
            return None
        if not self._is_as_written:
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
        falls = not self._is_as_written and version.downgrade_to
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
