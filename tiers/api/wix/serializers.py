"""The vendor's words for tiers and settings, sent and received.

What is received keeps to the vendor's limits; fields that nobody knows are ignored, as
its own servers do. ``source`` names ours.
"""

from decimal import ROUND_CEILING
from typing import Any, Final

from rest_framework import serializers

from loyalty.models import Program
from tiers.models import TierVersion

from .fields import (
    Described,
    ImageField,
    RevisionField,
    TextField,
    WholeField,
    image,
    written,
)
from .site import Site

#: How many tiers a site may have, and how many are made at once.
MOST_TIERS: Final = 20
MOST_POINTS: Final = 9_999_999

# What is sent


def tier(version: TierVersion) -> dict[str, Any]:
    threshold = version.threshold
    assert threshold is not None
    assert version.live_from is not None
    return {
        "id": str(version.tier.uuid),
        "tierDefinition": {
            "name": version.name,
            "description": version.description,
            "icon": image(version.icon),
        },
        # A fraction of a point is reached with the next whole one.
        "requiredPoints": int(threshold.to_integral_value(ROUND_CEILING)),
        "revision": str(version.tier.publications),
        "createdDate": written(version.tier.first_live_at or version.tier.created_at),
        "updatedDate": written(version.live_from),
    }


def settings(site: Site) -> dict[str, Any]:
    version = site.settings
    assert version.live_from is not None
    changed = [version.live_from, *filter(None, [site.switched_at])]
    return {
        "status": site.program.tiers_status,
        "rollingWindow": {"durationInMonths": version.rolling_window_months},
        "baseTierDefinition": {
            "name": version.base_tier_name,
            "description": version.base_tier_description,
            "icon": image(version.base_tier_icon),
        },
        "revision": str(site.program.settings_revision),
        "createdDate": written(site.program.created_at),
        "updatedDate": written(max(changed)),
    }


# What is received


class Flat(Described):
    """Its validated data holds our words only, whatever the nesting on the wire."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        said: dict[str, Any] = super().to_internal_value(data)
        flat: dict[str, Any] = {}
        for name, value in said.items():
            field = self.fields.get(name)
            flat |= value if isinstance(field, Flat) else {name: value}
        return flat


class Definition(Flat):
    """A tier's looks."""

    name = TextField(max_length=50)
    description = TextField(
        max_length=70, lines=True, required=False, allow_null=True, allow_blank=True
    )
    icon = ImageField(required=False, allow_null=True)

    def validate_description(self, value: str | None) -> str:
        return value or ""


class PartOfDefinition(Definition):
    """What changes of a tier's looks; what is not sent stays."""

    name = TextField(max_length=50, required=False)


class NewTier(Flat):
    tierDefinition = Definition()
    requiredPoints = WholeField(source="threshold", min_value=1, max_value=MOST_POINTS)


class ChangedTier(Flat):
    tierDefinition = PartOfDefinition(required=False)
    requiredPoints = WholeField(
        source="threshold", min_value=1, max_value=MOST_POINTS, required=False
    )
    revision = RevisionField()


class CreateTierRequest(Described):
    tier = NewTier()


class BulkCreateTiersRequest(Described):
    tiers: Any = serializers.ListSerializer(
        child=NewTier(), allow_empty=False, max_length=MOST_TIERS
    )


class UpdateTierRequest(Described):
    tier = ChangedTier()


class DeleteTierQuery(Described):
    revision = RevisionField(required=False)


class RollingWindow(Flat):
    durationInMonths = WholeField(
        source="rolling_window_months", min_value=1, max_value=36
    )


class BaseTier(Flat):
    """How the base tier reads; what is not sent is empty."""

    name = TextField(
        source="base_tier_name",
        max_length=50,
        default="",
        allow_null=True,
        allow_blank=True,
    )
    description = TextField(
        source="base_tier_description",
        max_length=70,
        lines=True,
        default="",
        allow_null=True,
        allow_blank=True,
    )
    icon = ImageField(source="base_tier_icon", default=None, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        texts = ("base_tier_name", "base_tier_description")
        return attrs | {name: attrs[name] or "" for name in texts}


class Settings(Flat):
    """A site's settings, whole: an update replaces all of them."""

    status = serializers.ChoiceField(Program.TiersStatus.choices)
    rollingWindow = RollingWindow()
    baseTierDefinition = BaseTier()

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and data.get("baseTierDefinition") is None:
            data = data | {"baseTierDefinition": {}}
        return super().to_internal_value(data)


class NewSettings(Settings):
    status = serializers.ChoiceField(
        Program.TiersStatus.choices, default=Program.TiersStatus.DISABLED
    )
    rollingWindow = RollingWindow(required=False)


class ChangedSettings(Settings):
    revision = RevisionField()


class CreateSettingsRequest(Described):
    programSettings = NewSettings()


class UpdateSettingsRequest(Described):
    programSettings = ChangedSettings()
