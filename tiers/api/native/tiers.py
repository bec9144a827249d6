"""Tier groups and tiers: read, drafted, retired."""

from decimal import Decimal
from typing import Any, ClassVar, Final

from django.db.models import DecimalField, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, NullIf
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.models import Program
from tiers import drafting
from tiers.models import Tier, TierGroup, TierGroupVersion, TierVersion
from tiers.models.groups import Measure

from ..access import sees_drafts
from . import contents, filters, versions
from .fields import InstantField, ThingField
from .protocol import Body
from .thing_lists import ThingFilters
from .things import (
    Note,
    Retirable,
    ThingSerializer,
    asks_of,
    describing,
)

READ_GROUPS: Final = "tiers.view_tiergroup"
READ: Final = "tiers.view_tier"
#: What thresholds are compared with where neither tier nor group says.
USUAL: Final = Measure.WINDOW
THRESHOLD: Final = DecimalField(max_digits=20, decimal_places=4)
MEASURED: Final = "Whose thresholds are compared with that."


# Groups


class TierGroupSerializer(ThingSerializer):
    """The tiers that compete for a member."""

    program = serializers.IntegerField(source="program_id")
    is_default = serializers.BooleanField(
        help_text="Whether it is the group that systems without groups speak of."
    )
    source = serializers.ChoiceField(  # type: ignore[assignment]
        Program.Source.choices, help_text="Where it was made."
    )
    ruleset = serializers.IntegerField(
        help_text="Counts publications that change how members are judged."
    )
    applied_ruleset = serializers.IntegerField(
        help_text="The ruleset under which every member has been judged."
    )
    live = versions.TierGroupVersionSerializer(allow_null=True)
    draft = versions.TierGroupVersionSerializer(allow_null=True)


class TierGroupBody(Body):
    """A new tier group, drafted; a program's first is its main one."""

    program = ThingField(queryset=Program.objects.all())
    content = contents.TierGroupContent()
    note = Note()


class TierGroupChangesBody(Body):
    """What of a group is to change."""

    content = contents.TierGroupChanges(required=False)
    note = Note()


class TierGroupFilters(ThingFilters):
    """Which tier groups."""

    measure = filters.ChoiceFilter(
        words=Measure.values, method="about_versions", help_text=MEASURED
    )
    version_model = TierGroupVersion
    lookups: ClassVar = {"measure": "measured_by"}

    def versions(self) -> Any:
        return TierGroupVersion.objects.annotate(
            measured_by=Coalesce(NullIf("measure", Value("")), Value(USUAL))
        )


class TierGroups(Retirable):
    """Groups of tiers that compete for a member."""

    tag = "Tier groups"
    queryset = TierGroup.objects.all()
    model = TierGroup
    version_model = TierGroupVersion
    serializer_class = TierGroupSerializer
    filterset_class = TierGroupFilters
    asks: ClassVar = asks_of(READ_GROUPS)
    bodies, answers = describing(
        versions.TierGroupVersionSerializer, TierGroupChangesBody, TierGroupBody
    )
    answers["create"] = TierGroupSerializer

    def things(self) -> Any:
        return super().things().kept()

    def create(self, request: Request) -> Response:
        """Draft a new tier group."""
        sent = self.read(context={"visible_to": request.user})

        def act() -> Any:
            draft = drafting.add_group(
                sent["program"],
                by=request.user,
                source=Program.Source.NATIVE,
                note=sent.get("note", ""),
                **sent["content"],
            )
            return self.shown(draft.group_id)

        made = self.once(act)
        return self.created(made, f"/api/v1/tier-groups/{made['id']}")


class TierGroupVersions(versions.Versions):
    """Versions of a tier group."""

    tag = "Tier groups"
    queryset = TierGroupVersion.objects.all()
    serializer_class = versions.TierGroupVersionSerializer
    things = TierGroup
    version_model = TierGroupVersion
    asks: ClassVar = versions.reading(READ_GROUPS)


# Tiers


class TierSerializer(ThingSerializer):
    """One lasting level of a group."""

    program = serializers.IntegerField(source="program_id")
    group = serializers.IntegerField(source="group_id")
    unique_id = serializers.CharField(help_text="As `ut-3-001`; lasting.")
    source = serializers.ChoiceField(  # type: ignore[assignment]
        Tier.Source.choices, help_text="Where it was made."
    )
    slab_id = serializers.IntegerField(
        allow_null=True, help_text="Given with the first publication; lasting."
    )
    serial_number = serializers.IntegerField(
        allow_null=True, help_text="Among the group's live tiers, 1 at the bottom."
    )
    publications = serializers.IntegerField(help_text="How often it was published.")
    first_live_at = InstantField(allow_null=True)
    customer_count = serializers.IntegerField(
        allow_null=True, help_text="Active members who hold it, at `counted_at`."
    )
    counted_at = InstantField(allow_null=True)
    live = versions.TierVersionSerializer(allow_null=True)
    draft = versions.TierVersionSerializer(allow_null=True)


class TierBody(Body):
    """A new tier, drafted."""

    group = ThingField(queryset=TierGroup.objects.kept())
    content = contents.TierContent()
    note = Note()


class TierChangesBody(Body):
    """What of a tier is to change."""

    content = contents.TierChanges(required=False)
    note = Note()


class TierFilters(ThingFilters):
    """Which tiers."""

    group = filters.NumberFilter(field_name="group_id", help_text="Of this group.")
    entry = filters.ChoiceFilter(
        words=TierVersion.Entry.values,
        method="about_versions",
        help_text="That one gets into so.",
    )
    measure = filters.ChoiceFilter(
        words=Measure.values, method="about_versions", help_text=MEASURED
    )
    threshold_min = filters.AmountFilter(
        method="about_versions", help_text="With this threshold or a higher one."
    )
    threshold_max = filters.AmountFilter(
        method="about_versions", help_text="With this threshold or a lower one."
    )
    version_model = TierVersion
    lookups: ClassVar = {
        "entry": "entry",
        "measure": "measured_by",
        "threshold_min": "threshold__gte",
        "threshold_max": "threshold__lte",
    }

    def versions(self) -> Any:
        group = TierGroupVersion.objects.live().filter(group=OuterRef("tier__group"))
        return TierVersion.objects.annotate(
            measured_by=Coalesce(
                NullIf("measure", Value("")),
                NullIf(Subquery(group.values("measure")[:1]), Value("")),
                Value(USUAL),
            )
        )


class Tiers(Retirable):
    """Levels that members reach."""

    tag = "Tiers"
    queryset = Tier.objects.all()
    model = Tier
    version_model = TierVersion
    serializer_class = TierSerializer
    filterset_class = TierFilters
    asks: ClassVar = asks_of(READ)
    orderings: ClassVar = {**Retirable.orderings, "threshold": "current_threshold"}
    bodies, answers = describing(
        versions.TierVersionSerializer, TierChangesBody, TierBody
    )
    answers["create"] = TierSerializer
    examples: ClassVar = {
        "create": [
            OpenApiExample(
                "A tier that is reached",
                {
                    "group": 3,
                    "content": {
                        "name": "Jade",
                        "threshold": "1500",
                        "color": "#00A86B",
                        "period_type": "SLAB_UPGRADE",
                        "period_value": 12,
                    },
                    "note": "For the autumn.",
                },
                request_only=True,
            )
        ],
        "revise_draft": [
            OpenApiExample(
                "Another threshold",
                {"content": {"threshold": "1750"}},
                request_only=True,
            )
        ],
    }

    def things(self) -> Any:
        return super().things().kept()

    def get_queryset(self) -> Any:
        own = TierVersion.objects.filter(tier=OuterRef("pk"))
        words = [own.live()]
        user: Any = self.request.user
        if sees_drafts(user):
            words.append(own.open().filter(direct=False))
        threshold = [Subquery(found.values("threshold")[:1]) for found in words]
        # Tiers without a threshold are ordered as the lowest.
        lowest = Value(Decimal(-1), output_field=THRESHOLD)
        ordered = Coalesce(*threshold, lowest, output_field=THRESHOLD)
        return super().get_queryset().annotate(current_threshold=ordered)

    def create(self, request: Request) -> Response:
        """Draft a new tier."""
        sent = self.read(context={"visible_to": request.user})

        def act() -> Any:
            draft = drafting.add_tier(
                sent["group"],
                by=request.user,
                source=Tier.Source.API,
                note=sent.get("note", ""),
                **sent["content"],
            )
            return self.shown(draft.tier_id)

        made = self.once(act)
        return self.created(made, f"/api/v1/tiers/{made['id']}")


class TierVersions(versions.Versions):
    """Versions of a tier."""

    tag = "Tiers"
    queryset = TierVersion.objects.all()
    serializer_class = versions.TierVersionSerializer
    things = Tier
    version_model = TierVersion
    asks: ClassVar = versions.reading(READ)
