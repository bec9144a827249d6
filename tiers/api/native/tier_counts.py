"""How many customers hold each tier: now, and when each day began."""

from typing import Any, ClassVar

from django.db.models import OuterRef, QuerySet, Subquery
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from tiers.models import Tier, TierSnapshot, TierVersion

from . import filters, running
from .refusals import InvalidQuery
from .running import RunningView, ShownIdField, WhenField

MOST_TIERS = 1000
OF_PROGRAM = OpenApiParameter(
    "program",
    {"type": "integer", "minimum": 1},
    required=True,
    description="Of which program.",
)


class DailyCountSerializer(serializers.Serializer):
    """How many customers held a tier when a local day of its program began."""

    tier = ShownIdField(source="tier_id")
    group = ShownIdField(source="tier.group_id")
    program = ShownIdField(source="tier.program_id")
    day = serializers.DateField(read_only=True)
    at = WhenField(help_text="The day's first instant.")
    customers = serializers.IntegerField(read_only=True)
    recorded_at = WhenField(help_text="Counted from what was known then.")


class DailyCountFilters(running.NamedProgramFilters):
    """Which counts."""

    group = filters.NumberFilter(
        field_name="tier__group_id", help_text="Of tiers of this group."
    )
    tier = filters.NumberFilter(field_name="tier_id", help_text="Of this tier.")
    day_from = filters.DayFilter(
        field_name="day", lookup_expr="gte", help_text="On this day or later."
    )
    day_until = filters.DayFilter(
        field_name="day", lookup_expr="lt", help_text="Before this day."
    )
    path = "tier__program_id"


class CountNowSerializer(serializers.Serializer):
    """How many customers hold a tier."""

    tier = ShownIdField(source="pk")
    group = ShownIdField(source="group_id")
    name = serializers.CharField(source="live_name", read_only=True)
    customers = serializers.IntegerField(source="customer_count", read_only=True)
    counted_at = WhenField(help_text="The instant for which that is true.")


class CountsNowSerializer(serializers.Serializer):
    """Of each live tier that was counted."""

    results = CountNowSerializer(many=True)


class TierCounts(RunningView):
    """How many customers hold each tier; only active members are counted."""

    tag = "Tiers of members"
    serializer_class = DailyCountSerializer
    filterset_class = DailyCountFilters
    orderings: ClassVar = {"day": "day", "id": "pk"}
    asks: ClassVar = {"list": "tiers.view_tiersnapshot", "now": "tiers.view_tier"}
    answers: ClassVar = {"now": CountsNowSerializer}
    parameters: ClassVar = {"now": (OF_PROGRAM,)}

    def get_queryset(self) -> QuerySet[TierSnapshot]:
        rows: QuerySet[TierSnapshot] = TierSnapshot.objects.visible_to(
            self.request.user
        )
        return rows.select_related("tier").order_by()

    def list(self, request: Request) -> Response:
        """List counts by day."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @action(detail=False)
    def now(self, request: Request) -> Response:
        """Count now: live tiers of a program, lowest first."""
        sent = request.query_params.get("program")
        if sent is None:
            sentence = "Say of which program."
            raise InvalidQuery({"program": [ErrorDetail(sentence, "required")]})
        live = TierVersion.objects.live().filter(tier=OuterRef("pk"))
        tiers: Any = Tier.objects.visible_to(request.user).annotate(
            live_name=Subquery(live.values("name")[:1])
        )
        rows = tiers.filter(
            program=filters.number("program", sent),
            live_name__isnull=False,
            customer_count__isnull=False,
        ).order_by("group", "serial_number", "pk")
        return Response(CountsNowSerializer({"results": rows[:MOST_TIERS]}).data)
