"""Where members stand, which tiers they held, and what has changed since."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.db.models import OuterRef, Q, QuerySet, Subquery
from drf_spectacular.utils import (
    OpenApiParameter,
    extend_schema,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from tiers import feed
from tiers.models import Standing, TierAssignment, TierEvent, TierVersion

from .. import strict
from ..access import programs_for
from . import filters, running
from .refusals import InvalidQuery
from .running import RunningView, ShownIdField, WhenField

VIEW_STANDINGS: Final = "tiers.view_standing"


# Standings


class StandingSerializer(running.HeldSerializer):
    """Where a member stands in a group."""

    id = ShownIdField()
    member = ShownIdField(source="member_id")
    program = ShownIdField(source="group.program_id")


class StandingFilters(running.MemberFilters):
    """Which standings."""

    group = filters.NumberFilter(field_name="group_id", help_text="In this group.")
    tier = filters.NumberFilter(field_name="tier_id", help_text="Who hold this tier.")
    without_tier = filters.FlagFilter(
        field_name="tier", lookup_expr="isnull", help_text="Who hold none, or one."
    )
    drops_from = filters.InstantFilter(
        field_name="drops_at", lookup_expr="gte", help_text="Lost then or later."
    )
    drops_until = filters.InstantFilter(
        field_name="drops_at", lookup_expr="lt", help_text="Lost before."
    )
    since_from = filters.InstantFilter(
        field_name="since", lookup_expr="gte", help_text="Held since then or later."
    )
    since_until = filters.InstantFilter(
        field_name="since", lookup_expr="lt", help_text="Held since before."
    )
    path = "group__program_id"


class Standings(RunningView):
    """Where members stand now, as far as they have been judged."""

    tag = "Tiers of members"
    serializer_class = StandingSerializer
    filterset_class = StandingFilters
    orderings: ClassVar = {"id": "pk"}
    asks: ClassVar = {"list": VIEW_STANDINGS}

    def get_queryset(self) -> QuerySet[Standing]:
        programs = programs_for(self.request)
        found: QuerySet[Standing] = running.standings().order_by()
        return found.filter(group__program__in=programs).select_related("group")

    def list(self, request: Request) -> Response:
        """List standings: one for each member and group."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


# History


class AssignmentSerializer(serializers.Serializer):
    """A member held a tier from, until, and why; superseded, never edited."""

    id = ShownIdField()
    member = ShownIdField(source="member_id")
    group = ShownIdField(source="group_id")
    tier = ShownIdField(source="tier_id")
    tier_name = serializers.CharField(
        read_only=True, help_text="As it was called when the interval began."
    )
    valid_from = WhenField()
    valid_until = WhenField(allow_null=True, help_text="Null: it goes on.")
    reason = serializers.ChoiceField(TierAssignment.Reason.choices, read_only=True)
    amount = serializers.SerializerMethodField(
        help_text="What was compared, in the smallest unit of the balance."
    )
    threshold = serializers.SerializerMethodField(
        help_text="With what, in the smallest unit; null where nothing is asked for."
    )
    tier_version = ShownIdField(source="tier_version_id")
    group_version = ShownIdField(source="group_version_id")
    recorded_at = WhenField(help_text="Since when this is known.")
    superseded_at = WhenField(
        allow_null=True, help_text="Since when better is known; null: it still holds."
    )

    def get_amount(self, row: TierAssignment) -> int:
        return row.amount

    def get_threshold(self, row: TierAssignment) -> int | None:
        return row.threshold


class AssignmentFilters(running.MemberFilters):
    """Which intervals; as known now, unless ``known_at`` or ``known`` say otherwise."""

    group = filters.NumberFilter(field_name="group_id", help_text="In this group.")
    tier = filters.NumberFilter(field_name="tier_id", help_text="Of this tier.")
    reason = filters.ChoiceFilter(
        words=TierAssignment.Reason.values, help_text="For this reason."
    )
    valid_at = filters.InstantFilter(
        method="at", help_text="What was held at this instant."
    )
    known_at = filters.InstantFilter(
        method="as_known", help_text="As it was known at this instant."
    )
    known = filters.ChoiceFilter(
        words=("now", "ever"),
        method="as_known",
        help_text="“ever”: with what was superseded since. Default: now.",
    )

    def at(self, queryset: Any, name: str, value: Any) -> Any:
        covers = Q(valid_until__isnull=True) | Q(valid_until__gt=value)
        return queryset.filter(covers, valid_from__lte=value)

    def as_known(self, queryset: Any, name: str, value: Any) -> Any:
        """Leave it to ``filter_queryset``: without either, it is as known now."""
        return queryset

    def filter_queryset(self, queryset: Any) -> Any:
        queryset = super().filter_queryset(queryset)
        known_at = self.form.cleaned_data.get("known_at")
        if known_at is not None:
            still = Q(superseded_at__isnull=True) | Q(superseded_at__gt=known_at)
            return queryset.filter(still, recorded_at__lte=known_at)
        if self.form.cleaned_data.get("known") == "ever":
            return queryset
        return queryset.known_now()


class Assignments(RunningView):
    """Which tiers members held, from when to when, and why."""

    tag = "Tiers of members"
    serializer_class = AssignmentSerializer
    filterset_class = AssignmentFilters
    orderings: ClassVar = {"id": "pk", "valid_from": "valid_from"}
    asks: ClassVar = {"list": "tiers.view_tierassignment"}

    def get_queryset(self) -> QuerySet[TierAssignment]:
        wording = TierVersion.objects.filter(pk=OuterRef("tier_version"))
        rows: Any = TierAssignment.objects.visible_to(self.request.user)
        found: QuerySet[TierAssignment] = rows.annotate(
            tier_name=Subquery(wording.values("name")[:1])
        )
        return found.order_by()

    def list(self, request: Request) -> Response:
        """List intervals, as known now or as known then."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


# What has changed


class TierEventSerializer(serializers.Serializer):
    """A member moved, kept or is about to lose a tier."""

    position = serializers.IntegerField(read_only=True)
    member = ShownIdField(source="member_id")
    group = ShownIdField(source="group_id")
    kind = serializers.ChoiceField(TierEvent.Kind.choices, read_only=True)
    from_tier = ShownIdField(source="from_tier_id", allow_null=True)
    to_tier = ShownIdField(source="to_tier_id", allow_null=True)
    occurred_at = WhenField(help_text="When that became true.")
    recorded_at = WhenField(help_text="When it was found.")
    ends_at = WhenField(
        allow_null=True,
        help_text="Until when a renewed tier is valid, or when one will be lost.",
    )
    channels = serializers.ListField(child=serializers.CharField(), read_only=True)


@extend_schema_serializer(many=False)
class TierEventPageSerializer(serializers.Serializer):
    """Changes in order, and where the next request goes on."""

    results = TierEventSerializer(many=True)
    after = serializers.IntegerField(help_text="Send this with the next request.")
    goes_on = serializers.BooleanField(
        help_text="Whether more are there already; else ask again later."
    )


class TierChangeFilters(running.MemberFilters):
    """Which changes."""

    group = filters.NumberFilter(field_name="group_id", help_text="In this group.")
    kind = filters.ChoiceFilter(words=TierEvent.Kind.values, help_text="Of this kind.")


class PollQuery(strict.StrictSerializer):
    """Where to go on, and how far."""

    after = strict.NumberParameter(min_value=0, default=0)
    limit = strict.LimitParameter(most=1000, default=100)


POLLING: Final = (
    OpenApiParameter(
        "after",
        {"type": "integer", "minimum": 0, "default": 0},
        description="The “after” of the last answer.",
    ),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        description="How many at once.",
    ),
)


class TierChanges(RunningView):
    """What has happened to members' tiers, for systems that poll.

    Each change is read once and none is ever missed, whichever of two is committed
    first. Nothing is told while a program's tiers are not ACTIVE, nor of who has left.
    """

    tag = "Tiers of members"
    pagination_class = None
    filterset_class = TierChangeFilters
    asks: ClassVar = {"list": "tiers.view_tierevent"}
    serializer_class = TierEventPageSerializer
    parameters: ClassVar = {"list": POLLING}

    def known_parameters(self) -> set[str]:
        return {"after", "limit", *TierChangeFilters.base_filters}

    def get_queryset(self) -> Any:
        found: Any = TierEvent.objects.visible_to(self.request.user)
        return found.order_by()

    @extend_schema(responses=TierEventPageSerializer)
    def list(self, request: Request) -> Response:
        """List what has changed since a position, oldest first."""
        sent = {
            n: v for n, v in request.query_params.items() if n in PollQuery().fields
        }
        query = PollQuery(data=sent)
        try:
            query.is_valid(raise_exception=True)
        except ValidationError as error:
            raise InvalidQuery(error.detail) from None
        after, limit = query.validated_data["after"], query.validated_data["limit"]
        among = self.get_queryset()
        wanted: Any = self.filter_queryset(among)
        page = feed.after(after, wanted, among=among, limit=limit)
        return Response(
            TierEventPageSerializer(
                {
                    "results": page.events,
                    "after": _last(page.events, after),
                    "goes_on": page.goes_on,
                }
            ).data
        )


def _last(events: Sequence[TierEvent], otherwise: int) -> int:
    return events[-1].position or 0 if events else otherwise
