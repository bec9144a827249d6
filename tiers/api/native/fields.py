"""Values as this voice writes them, where ``strict`` has no word for it."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from loyalty.fields import MAX_JSON_INTEGER
from loyalty.models import Program

from .. import strict

Id: Final = {"type": "integer", "format": "int64", "minimum": 1}


@extend_schema_field(
    {"type": "string", "format": "decimal", "pattern": r"^\d+(\.\d+)?$"}
)
class ThresholdField(strict.AmountField):
    """An amount that is reached: not negative, without zeros that say nothing."""

    def __init__(self, **options: Any) -> None:
        most = Decimal(MAX_JSON_INTEGER)
        super().__init__(scale=4, min_value=Decimal(0), max_value=most, **options)

    def to_representation(self, value: Decimal) -> str:
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text


@extend_schema_field(OpenApiTypes.DATETIME)
class InstantField(strict.InstantField):
    """An instant in UTC."""

    def to_representation(self, value: datetime) -> str:
        text: str = super().to_representation(value)
        return text


class ChoiceField(strict.ChoiceField):
    """One of some words; an empty text where nothing is chosen, if that may be."""

    def to_internal_value(self, data: Any) -> Any:
        if data == "" and self.allow_blank:
            return ""
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.STR)
class PersonField(serializers.Field):
    """Somebody's name; null where the scheduler did it, or nobody has yet."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: Any) -> str:
        return str(value.get_username())


@extend_schema_field(Id)
class ThingField(serializers.PrimaryKeyRelatedField):
    """The id of something of the program that the caller may see."""

    default_error_messages: ClassVar = {
        "does_not_exist": "There is no such thing in the program.",
        "incorrect_type": "Send a whole number, in digits only and without quotes.",
    }

    def use_pk_only_optimization(self) -> bool:
        return True

    def get_queryset(self) -> Any:
        queryset: Any = super().get_queryset()
        if "visible_to" in self.context and hasattr(queryset, "visible_to"):
            queryset = queryset.visible_to(self.context["visible_to"])
        if "program_id" in self.context and queryset.model is not Program:
            queryset = queryset.filter(program=self.context["program_id"])
        return queryset

    def to_internal_value(self, data: Any) -> Any:
        if type(data) is not int or not 0 < data <= MAX_JSON_INTEGER:
            raise ValidationError(
                self.error_messages["incorrect_type"], code="invalid_integer"
            )
        found = self.get_queryset().filter(pk=data).first()
        if found is None:
            raise ValidationError(
                self.error_messages["does_not_exist"], code="not_found"
            )
        return found


# JSON of a known shape; what exactly it may hold, the verbs say


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


@extend_schema_field({"type": "object", "additionalProperties": {}})
class ObjectField(strict.ObjectField):
    """An object of somebody else's."""


@extend_schema_field(
    {
        "type": "object",
        "required": ["url"],
        "properties": {"url": {"type": "string", "format": "uri"}},
        "additionalProperties": {},
    }
)
class PictureField(strict.JsonField):
    """A picture: its address, and whatever else describes it."""


@extend_schema_field(_list({"type": "string"}))
class ChannelsField(strict.JsonField):
    """Names of channels."""


@extend_schema_field(_list({"type": "integer"}))
class TierOrderField(strict.JsonField):
    """Ids of tiers, lowest first."""


@extend_schema_field(
    _list(
        {
            "type": "object",
            "required": ["balance_definition", "minimum"],
            "properties": {"balance_definition": Id, "minimum": {"type": "integer"}},
            "additionalProperties": False,
        }
    )
)
class LeastAmountsField(strict.JsonField):
    """Least amounts of several balances."""


@extend_schema_field(_list({"type": "object", "additionalProperties": {}}))
class ConditionsField(strict.JsonField):
    """Conditions beside the threshold: ``type`` and ``value``, of a tracker its own."""


@extend_schema_field(_list({}))
class ListField(strict.JsonField):
    """A list."""


@extend_schema_field({})
class AnyField(strict.JsonField):
    """A list or a text, as whoever wrote it had it."""
