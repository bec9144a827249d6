"""What versions say: the fields that are drafted, approved and live.

Made from the models' own fields, so that lengths, choices, defaults and explanations
stand in one place; what is read, is read by strict ones. ``Meta.fields`` is the
version's ``CONTENT``, so a new field is offered here as soon as it is approved there.
"""

from typing import Any, ClassVar

from django.db import models
from rest_framework import serializers

from approvals.text import validate_line, validate_text
from loyalty.fields import MAX_JSON_INTEGER
from loyalty.models import BalanceDefinition, BalanceDefinitionVersion, ProgramVersion
from tiers.models import TierGroupVersion, TierVersion

from .. import strict
from . import fields

#: Looked after by the strict fields themselves, which would say it twice.
_OWN = (validate_line, validate_text)


class Content(strict.StrictSerializer, serializers.ModelSerializer):
    """The fields of a version's wording."""

    serializer_field_mapping: ClassVar[Any] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: strict.LineField,
        models.TextField: strict.TextField,
        models.PositiveSmallIntegerField: strict.IntegerField,
        models.PositiveIntegerField: strict.IntegerField,
        models.BigIntegerField: strict.IntegerField,
        models.BooleanField: strict.FlagField,
        models.DateTimeField: fields.InstantField,
    }
    serializer_choice_field = fields.ChoiceField
    serializer_related_field = fields.ThingField

    #: Of each field that holds JSON, the field that reads it.
    json: ClassVar[dict[str, Any]] = {}
    #: Whether every field may be left out, as it keeps its value then.
    is_change = False

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        kind, options = super().build_standard_field(field_name, model_field)
        others = [v for v in options.pop("validators", ()) if v not in _OWN]
        if others:
            # In place of the strict field's own; each of them is narrower.
            options["validators"] = others
        for unused in ("encoder", "decoder", "style"):
            options.pop(unused, None)
        if isinstance(model_field, models.DecimalField):
            kind = fields.ThresholdField
            for unused in ("max_digits", "decimal_places", "min_value", "validators"):
                options.pop(unused, None)
        if "max_value" in options:
            # In 64 bits, and exact in JavaScript too.
            options["max_value"] = min(options["max_value"], MAX_JSON_INTEGER)
            options["min_value"] = max(options["min_value"], -MAX_JSON_INTEGER)
        kind = self.json.get(field_name, kind)
        if self.is_change:
            options["required"] = False
        return kind, options

    def build_relational_field(self, field_name: str, relation_info: Any) -> Any:
        kind, options = super().build_relational_field(field_name, relation_info)
        options.pop("view_name", None)
        options["queryset"] = BalanceDefinition.objects.filter(
            discarded_at__isnull=True
        )
        return kind, options


class ProgramContent(Content):
    """How a program is called and works."""

    json: ClassVar = {
        "base_tier_icon": fields.PictureField,
        "renewal_channels": fields.ChannelsField,
        "downgrade_channels": fields.ChannelsField,
        "reminder_channels": fields.ChannelsField,
        "meta": fields.ObjectField,
    }

    class Meta:
        model = ProgramVersion
        fields = ProgramVersion.CONTENT
        validators: ClassVar[list[Any]] = []


class ProgramChanges(ProgramContent):
    """The fields that are to change; all others keep their values."""

    is_change = True


class BalanceDefinitionContent(Content):
    """How a balance is called, and how amounts come and go."""

    json: ClassVar = {"meta": fields.ObjectField}

    class Meta:
        model = BalanceDefinitionVersion
        fields = BalanceDefinitionVersion.CONTENT
        validators: ClassVar[list[Any]] = []


class BalanceDefinitionChanges(BalanceDefinitionContent):
    """The fields that are to change; all others keep their values."""

    is_change = True


class TierGroupContent(Content):
    """How tiers of a group compete for a member."""

    json: ClassVar = {
        "tier_order": fields.TierOrderField,
        "meta": fields.ObjectField,
    }

    class Meta:
        model = TierGroupVersion
        fields = TierGroupVersion.CONTENT
        validators: ClassVar[list[Any]] = []


class TierGroupChanges(TierGroupContent):
    """The fields that are to change; all others keep their values."""

    is_change = True


class TierContent(Content):
    """What a tier is called and asks for."""

    json: ClassVar = {
        "icon": fields.PictureField,
        "conditions": fields.ConditionsField,
        "access_conditions": fields.LeastAmountsField,
        "reward_refs": fields.ListField,
        "upgrade_channels": fields.ChannelsField,
        "renewal_order_string": fields.AnyField,
        "renewal_conditions": fields.ObjectField,
    }

    class Meta:
        model = TierVersion
        fields = TierVersion.CONTENT
        validators: ClassVar[list[Any]] = []


class TierChanges(TierContent):
    """The fields that are to change; all others keep their values."""

    is_change = True
