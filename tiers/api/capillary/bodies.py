"""What callers send, read strictly and put into our words.

A key that is null is one that was not sent, so a record can be sent back as it came.
What is not described is ignored, as the vendor does; ``downgrade`` alone is refused.
``source`` names our field: whatever is nested arrives as one flat wording.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from loyalty.fields import MAX_JSON_INTEGER, validate_color
from tiers import conditions
from tiers.models import TierVersion
from tiers.models.tiers import MOST_MONTHS

from ..strict import (
    AmountField,
    ChoiceField,
    FlagField,
    InstantField,
    IntegerField,
    JsonField,
    LineField,
    TextField,
)
from .entries import TERMS
from .words import CONDITIONS, KPI_TYPES, MONTHS, NOT_SET, SAME_AS_ELIGIBILITY

#: The vendor's limits, narrower than those of our tables.
LONGEST_NAME: Final = 50
LONGEST_DESCRIPTION: Final = 500
MOST_CONDITIONS: Final = 3
#: Our fields that are written within ``validity``.
VALIDITY: Final = frozenset((*TERMS, "renewal_order_string", "renewal_conditions"))
#: Guesses, kept in one place: the vendor's page names kinds of condition in prose.
CONDITION_TYPES: Final = (*conditions.TYPES, conditions.TRACKER)
RELATIONS: Final = TierVersion.Relation.values


# Fields


class Text(TextField):
    """A JSON string; a number is none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False} | options)


class Line(LineField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False} | options)


class Choice(ChoiceField):
    """One of some words, in this very spelling."""

    def __init__(self, choices: Iterable[Any], **options: Any) -> None:
        super().__init__(list(choices), **{"required": False} | options)


class Whole(IntegerField):
    def __init__(self, **options: Any) -> None:
        defaults = {"required": False, "min_value": 0, "max_value": MOST_MONTHS}
        super().__init__(**defaults | options)


class YesNo(FlagField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False} | options)


@extend_schema_field({"type": "number", "minimum": 0})
class Threshold(AmountField):
    """A JSON number of at most four decimals."""

    default_error_messages: ClassVar = {
        "invalid": "Send a number without quotes, for example 5000 or 612.5."
    }

    def __init__(self, **options: Any) -> None:
        bounds = {"min_value": Decimal(0), "max_value": Decimal(MAX_JSON_INTEGER)}
        super().__init__(scale=4, numbers=True, **bounds, **options)

    def to_internal_value(self, data: Any) -> Decimal:
        if type(data) not in (int, float):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.DATETIME)
class Timestamp(InstantField):
    """An instant by either of the vendor's spellings."""


# Bodies


class Body(serializers.Serializer):
    """An object whose null keys were not sent."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            data = {key: value for key, value in data.items() if value is not None}
        return super().to_internal_value(data)


class ConditionBody(Body):
    """One condition beside the threshold."""

    type = Choice(CONDITION_TYPES, required=True)
    value = Line(required=True, max_length=20, help_text="The least amount: `250`.")
    trackerName = Line(max_length=100)
    trackerId = Whole(
        min_value=1, max_value=MAX_JSON_INTEGER, help_text="Needed with `TRACKER`."
    )
    trackerCondition = Whole(
        min_value=1,
        max_value=conditions.MAX_MONTHS,
        help_text="The tracker's window in months; needed with `TRACKER`.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["type"] == conditions.TRACKER:
            missing = [n for n in ("trackerId", "trackerCondition") if n not in attrs]
            if missing:
                raise serializers.ValidationError(
                    dict.fromkeys(missing, "A tracker needs this.")
                )
        return attrs


class EligibilityBody(Body):
    kpiType = Choice(
        KPI_TYPES,
        source="kpi_type",
        help_text="That of the program's live tiers; may be left out.",
    )
    threshold = Threshold(
        required=False,
        help_text="Above that of the tier below; 0 or left out for the base tier.",
    )
    upgradeType = Choice(TierVersion.UpgradeType.choices, source="upgrade_type")
    expressionRelation = Choice(RELATIONS, source="expression_relation")
    conditions = serializers.ListField(
        child=ConditionBody(),
        required=False,
        max_length=MOST_CONDITIONS,
        help_text="Replaced as a whole when sent.",
    )


class TrackerBody(Body):
    trackerId = Whole(required=True, min_value=1, max_value=MAX_JSON_INTEGER)
    trackerCondition = Whole(min_value=1, max_value=conditions.MAX_MONTHS)
    value = Line(required=True, max_length=20)


class RenewalConditionsBody(Body):
    """What renews a tier; "-1" takes a condition away."""

    purchase = Line(max_length=20)
    numVisits = Line(max_length=20)
    points = Line(max_length=20)
    tracker = serializers.ListField(
        child=TrackerBody(), required=False, max_length=MOST_CONDITIONS
    )


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "array", "items": {}}]})
class OrderField(JsonField):
    """A text by the vendor's table, a list by its example."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, (str, list)):
            self.fail("invalid")
        return super().to_internal_value(data)


class RenewalBody(Body):
    criteriaType = Choice([SAME_AS_ELIGIBILITY], write_only=True)
    renewalWindowType = Choice(
        TierVersion.RenewalWindow.choices, source="renewal_window_type"
    )
    computationWindowStartValue = Whole(source="computation_window_start_value")
    computationWindowEndValue = Whole(source="computation_window_end_value")
    downgradeTo = Choice(TierVersion.DowngradeTo.choices, source="downgrade_to")
    shouldDowngrade = YesNo(source="should_downgrade")
    always = YesNo()
    expressionRelationAIRA = Text(source="expression_relation_aira", max_length=255)
    expressionRelation = Text(
        source="renewal_expression_relation",
        max_length=255,
        allow_blank=True,
    )
    originalExpression = Text(
        source="original_expression",
        max_length=255,
        allow_blank=True,
    )
    renewalOrderString = OrderField(source="renewal_order_string", required=False)
    conditions = RenewalConditionsBody(source="renewal_conditions", required=False)


class ValidityBody(Body):
    periodType = Choice(TierVersion.PeriodType.choices, source="period_type")
    periodValue = Whole(source="period_value", min_value=1, help_text="Months.")
    unit = Choice([MONTHS], write_only=True)
    startDate = Timestamp(source="start_date", required=False)
    isFixedTypeWithoutYear = YesNo(source="is_fixed_type_without_year")
    minimumDuration = Whole(source="minimum_duration")
    renewal = RenewalBody(source="*", required=False)


class NewValidityBody(ValidityBody):
    """Of a new tier, the whole of it."""

    periodType = Choice(
        TierVersion.PeriodType.choices, source="period_type", required=True
    )
    periodValue = Whole(source="period_value", min_value=1, required=True)


class ReadOnly(serializers.JSONField):
    """A field of the answer that is refused in a request."""

    def to_internal_value(self, data: Any) -> Any:
        raise serializers.ValidationError("This is read-only: do not send it.")


class TierBody(Body):
    """What create and update both take."""

    name = Line(max_length=LONGEST_NAME)
    description = Text(max_length=LONGEST_DESCRIPTION, allow_blank=True)
    color = Line(validators=[validate_color], help_text="#RRGGBB")
    eligibility = EligibilityBody(source="*", required=False)
    validity = ValidityBody(source="*", required=False)
    downgrade = ReadOnly(required=False, help_text="Refused: it is read-only.")

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        wording: dict[str, Any] = super().to_internal_value(data)
        for fixed in ("unit", "criteriaType"):
            wording.pop(fixed, None)
        return wording


class UpdateBody(TierBody):
    """The fields that are to change; all others keep their values."""


class CreateBody(TierBody):
    """A new tier, which goes on top of the program's others."""

    programId = Whole(source="program_id", required=True, max_value=MAX_JSON_INTEGER)
    name = Line(required=True, max_length=LONGEST_NAME)
    validity = NewValidityBody(source="*", required=False)


class DecisionBody(Body):
    """How a reviewer decides."""

    approvalStatus = Choice(["APPROVE", "REJECT"], required=True)
    comment = Text(
        allow_blank=True,
        trim_whitespace=False,
        help_text="Kept with the decision; why, where it is a rejection.",
    )


# From what was sent to a wording


def merged(before: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """Lay renewal conditions that were sent over those there are, key by key."""
    conditions = before | sent
    said = {
        name: conditions[name]
        for name in CONDITIONS
        if conditions.get(name) not in (None, "", NOT_SET)
    }
    if trackers := conditions.get("tracker"):
        said["tracker"] = trackers
    return said


# The other way round, for what the verbs refuse


def in_their_words(problem: DjangoValidationError) -> serializers.ValidationError:
    """Name the fields of a refused wording as the vendor does."""
    return serializers.ValidationError(
        {
            _THEIRS.get(name, name): messages
            for name, messages in problem.message_dict.items()
        }
    )


def _paths(body: serializers.Serializer, above: str = "") -> Iterator[tuple[str, str]]:
    for name, field in body.fields.items():
        if isinstance(field, serializers.Serializer) and field.source == "*":
            yield from _paths(field, f"{above}{name}.")
        else:
            yield str(field.source), f"{above}{name}"


_THEIRS: Final = dict(_paths(UpdateBody()))
