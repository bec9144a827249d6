"""Capillary's words for what ``entries`` found, and its query parameters.

Every value passes through these declarations on its way out, so what the OpenAPI
document says is what is sent. ``source`` names ours.
"""

import re
from datetime import UTC, datetime
from functools import cached_property
from operator import attrgetter
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tiers.models import TierVersion

from .protocol import StatusFilterNotSupported
from .words import KPI_TYPES, SAME_AS_ELIGIBILITY, VALIDITY_UNITS

OPEN_STATUSES = ["DRAFT", "PENDING_APPROVAL", "REJECTED", "PUBLISH_FAILED"]
RECORD_STATUSES = ["ACTIVE", *OPEN_STATUSES]

# What is sent


class SparseSerializer(serializers.Serializer):
    """Leaves out what is null, at every depth; our columns say "not set" with "" too.

    A list passes some six hundred values through here. REST framework's own loop finds
    each in several steps; this one looks each field up once a process.
    """

    @cached_property
    def _fields(self) -> list[tuple[str, str, Any, Any]]:
        found = []
        for name, field in self.fields.items():
            source = field.source or name
            found.append((name, source, attrgetter(source), field.to_representation))
        return found

    def to_representation(self, instance: Any) -> dict[str, Any]:
        is_dict = isinstance(instance, dict)
        shown = {}
        for name, source, attribute, write in self._fields:
            value = instance.get(source) if is_dict else attribute(instance)
            if value is not None and value != "":
                shown[name] = write(value)
        return shown


@extend_schema_field(OpenApiTypes.DATETIME)
class Instant(serializers.DateTimeField):
    """An instant as the vendor writes it, in UTC and to the second."""

    suffix = "Z"

    def to_representation(self, value: datetime) -> str:
        plain = value.astimezone(UTC).replace(tzinfo=None)
        return plain.isoformat(timespec="seconds") + self.suffix


class InstantWithOffset(Instant):
    """The other form, which the vendor's example has for dates of renewal."""

    suffix = "+00:00"


@extend_schema_field({"type": "number", "minimum": 0})
class Number(serializers.Field):
    """A JSON number: whole where it can be."""

    def to_representation(self, value: float) -> float:
        return value


class Text(serializers.CharField):
    """A text, which the vendor also uses for some numbers and ids."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False} | options)


class Choice(serializers.ChoiceField):
    def __init__(self, choices: Any, **options: Any) -> None:
        super().__init__(choices, **{"required": False} | options)


class Whole(serializers.IntegerField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False} | options)


class YesNo(serializers.BooleanField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False} | options)


class EligibilitySerializer(SparseSerializer):
    """What a member must reach; of a live tier, the first three only."""

    kpiType = serializers.ChoiceField(KPI_TYPES, source="kpi_type")
    threshold = Number(required=False, help_text="Absent on the base tier.")
    upgradeType = serializers.ChoiceField(
        TierVersion.UpgradeType.choices, source="upgrade_type"
    )
    expressionRelation = Text(source="expression_relation")
    conditions = serializers.ListField(child=serializers.DictField(), required=False)


class ConditionsSerializer(SparseSerializer):
    """What a renewal asks for; tiers without any are renewed at every check."""

    purchase = serializers.CharField(help_text="-1: not set.")
    numVisits = serializers.CharField(help_text="-1: not set.")
    points = serializers.CharField(help_text="-1: not set.")
    tracker = serializers.ListField(child=serializers.JSONField())


class TermsSerializer(SparseSerializer):
    """What renewal and downgrade both show."""

    shouldDowngrade = YesNo(source="should_downgrade")
    conditions = ConditionsSerializer(required=False)
    always = YesNo()
    renewalOrderString = serializers.JSONField(
        source="renewal_order_string", required=False
    )


class RenewalSerializer(TermsSerializer):
    """Until when the tier is held, and what renews it."""

    periodType = Choice(TierVersion.PeriodType.choices, source="period_type")
    periodValue = Text(source="period_value", help_text="Months, as a text.")
    unit = Choice(VALIDITY_UNITS)
    startDate = InstantWithOffset(source="start_date", required=False)
    endDate = InstantWithOffset(source="end_date", required=False)
    isFixedTypeWithoutYear = YesNo(source="is_fixed_type_without_year")
    renewalWindowType = Choice(
        TierVersion.RenewalWindow.choices, source="renewal_window_type"
    )
    computationWindowStartValue = Whole(source="computation_window_start_value")
    computationWindowEndValue = Whole(source="computation_window_end_value")
    minimumDuration = Whole(source="minimum_duration")
    criteriaType = serializers.ChoiceField(
        [SAME_AS_ELIGIBILITY], source="criteria_type"
    )
    downgradeTo = Choice(TierVersion.DowngradeTo.choices, source="downgrade_to")
    expressionRelationAIRA = Text(source="expression_relation_aira")
    expressionRelation = Text(source="renewal_expression_relation")
    originalExpression = Text(source="original_expression")


class DowngradeSerializer(TermsSerializer):
    """What becomes of a member who is not renewed; read only."""

    target = Choice(TierVersion.DowngradeTo.choices, source="downgrade_to")
    reevaluateOnReturn = serializers.BooleanField(source="reevaluate_on_return")
    dailyEnabled = serializers.BooleanField(source="daily_enabled")


class ChannelsSerializer(SparseSerializer):
    """How members hear of it; all but `upgrade` are set for the program."""

    upgrade = serializers.ListField(child=serializers.CharField())
    renewal = serializers.ListField(child=serializers.CharField())
    downgrade = serializers.ListField(child=serializers.CharField())
    reminders = serializers.ListField(child=serializers.CharField())


class MetaSerializer(SparseSerializer):
    """Who did what to this version, and when; ids of people are texts."""

    createdBy = Text(source="created_by_id")
    createdAt = Instant(source="created_at")
    updatedBy = Text(source="updated_by_id")
    updatedAt = Instant(source="updated_at")
    approvedBy = Text(source="approved_by_id")
    approvedAt = Instant(source="approved_at", required=False)
    rejectedBy = Text(source="rejected_by_id")
    rejectedAt = Instant(source="rejected_at", required=False)
    rejectionComment = Text(source="rejection_comment")


class TierEntrySerializer(SparseSerializer):
    """What live and open versions both show."""

    status: serializers.Field
    origin: serializers.Field
    slabId = Whole(source="slab_id", help_text="Absent until first published.")
    tierUniqueId = Text(source="unique_id")
    objectId = Text(source="object_id", help_text="The id of this version.")
    name = serializers.CharField(source="version.name")
    description = Text(source="version.description")
    color = Text(source="version.color", help_text="#RRGGBB")
    serialNumber = serializers.IntegerField(
        source="serial_number", help_text="Position in the ladder, 1 at the bottom."
    )
    eligibility = EligibilitySerializer()
    renewal = RenewalSerializer(required=False)
    meta = MetaSerializer()


class LiveTierSerializer(TierEntrySerializer):
    """A tier as it is in force."""

    status = serializers.ChoiceField(["LIVE"])
    origin = serializers.ChoiceField(["BOTH", "LEGACY_SQL_ONLY"])
    tierStartDate = Instant(source="live_since")
    downgrade = DowngradeSerializer(required=False)
    communicationModeConfig = ChannelsSerializer(source="channels")
    customerCount = Whole(
        source="customer_count", help_text="Active customers; absent until counted."
    )
    countRefreshedAt = Instant(source="counted_at", required=False)


class OpenTierSerializer(TierEntrySerializer):
    """A version of a tier that is not in force yet."""

    status = serializers.ChoiceField(OPEN_STATUSES)
    origin = serializers.ChoiceField(["BOTH", "MONGO_ONLY"])
    rejectionComment = Text(
        source="rejection_comment", help_text="Why; present when it was rejected."
    )


class RecordRenewalSerializer(SparseSerializer):
    """What renews the tier, within its validity."""

    criteriaType = serializers.ChoiceField(
        [SAME_AS_ELIGIBILITY], source="criteria_type"
    )
    renewalWindowType = Choice(
        TierVersion.RenewalWindow.choices, source="renewal_window_type"
    )
    computationWindowStartValue = Whole(source="computation_window_start_value")
    computationWindowEndValue = Whole(source="computation_window_end_value")
    downgradeTo = Choice(TierVersion.DowngradeTo.choices, source="downgrade_to")
    shouldDowngrade = YesNo(source="should_downgrade")
    always = YesNo()
    expressionRelationAIRA = Text(source="expression_relation_aira")
    expressionRelation = Text(source="renewal_expression_relation")
    originalExpression = Text(source="original_expression")
    renewalOrderString = serializers.JSONField(
        source="renewal_order_string", required=False
    )
    conditions = ConditionsSerializer(required=False)


class RecordValiditySerializer(SparseSerializer):
    """The `renewal` of an entry by its name in requests and records."""

    periodType = Choice(TierVersion.PeriodType.choices, source="period_type")
    periodValue = Whole(source="period_value", help_text="Months, as a number.")
    unit = Choice(VALIDITY_UNITS)
    startDate = InstantWithOffset(source="start_date", required=False)
    endDate = InstantWithOffset(source="end_date", required=False)
    isFixedTypeWithoutYear = YesNo(source="is_fixed_type_without_year")
    minimumDuration = Whole(source="minimum_duration")
    renewal = RecordRenewalSerializer()


@extend_schema_field({"type": "null"})
class Null(serializers.Field):
    """A key that is always there and always null."""

    def to_representation(self, value: Any) -> None:
        return None


class RecordSerializer(SparseSerializer):
    """One version as it is written: every key is there, null where not set."""

    objectId = serializers.CharField(source="object_id")
    tierUniqueId = serializers.CharField(source="unique_id")
    orgId = serializers.IntegerField(source="organisation")
    programId = serializers.IntegerField(source="program_id")
    status = serializers.ChoiceField(RECORD_STATUSES)
    parentId = serializers.CharField(
        source="parent_id",
        allow_null=True,
        help_text="The record that an edit was made from.",
    )
    version = serializers.IntegerField(source="number")
    slabId = serializers.IntegerField(source="slab_id", allow_null=True)
    name = serializers.CharField(source="version.name")
    description = serializers.CharField(source="version.description", allow_null=True)
    color = serializers.CharField(source="version.color", allow_null=True)
    serialNumber = serializers.IntegerField(source="serial_number")
    eligibility = EligibilitySerializer()
    validity = RecordValiditySerializer(allow_null=True)
    downgrade = Null(source="nothing")
    engineConfig = Null(source="nothing")
    comments = Null(source="nothing")
    meta = MetaSerializer()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return dict.fromkeys(self.fields) | super().to_representation(instance)


# What is asked


class CanonicalInteger(serializers.IntegerField):
    """A whole number in its one spelling, so that an id has no second name.

    Python would read "１", " 1", "01" and "1_0" as numbers too.
    """

    default_error_messages = {"invalid": "Write a whole number, for example 973."}

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch(r"0|-?[1-9][0-9]*", str(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class ProgramQuery(serializers.Serializer):
    """The program that is meant; other parameters are ignored, as the vendor does."""

    programId = CanonicalInteger(source="program_id")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name in self.fields:
            if len(self.initial_data.getlist(name)) > 1:
                raise serializers.ValidationError({str(name): "This was sent twice."})
        return attrs


class ListQuery(ProgramQuery):
    """The query of the list."""

    tier = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="The `slabId` or `tierUniqueId` of the one tier that is wanted.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        super().validate(attrs)
        if "status" in self.initial_data:
            raise StatusFilterNotSupported("Tiers cannot be listed by status.")
        return attrs
