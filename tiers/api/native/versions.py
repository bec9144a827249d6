"""Versions of things: what was, is and may be in force, and how two of them differ."""

from functools import lru_cache
from typing import Any, ClassVar

from django.db.models import Prefetch, Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from approvals import changes, kinds
from approvals.models import Version

from ..access import sees_drafts
from . import contents, filters
from .fields import InstantField, PersonField
from .protocol import NativeView

Status = Version.Status
#: What was or is in force, which is all that some keys see.
SEEN_BY_ALL = (Status.LIVE, Status.SNAPSHOT)
PEOPLE = ("created_by", "updated_by", "submitted_by", "approved_by", "rejected_by")


def word_of(kind: kinds.Kind) -> str:
    """Return a kind's name as it is written on the wire."""
    return kind.name.replace(" ", "_")


WORDS = ("program", "balance_definition", "tier_group", "tier")

# What is sent


class VersionSerializer(serializers.Serializer):
    """One wording of a thing; its kind adds ``content``."""

    id = serializers.IntegerField()
    object_id = serializers.CharField(help_text="24 hex digits, lasting.")
    kind = serializers.SerializerMethodField()
    thing = serializers.IntegerField(
        source="thing_id", help_text="The id of what this is a version of."
    )
    number = serializers.IntegerField(help_text="1 for the thing's first.")
    status = serializers.ChoiceField(Status.choices)
    operation = serializers.ChoiceField(
        Version.Operation.choices, help_text="RETIRE ends the thing when it goes live."
    )
    revision = serializers.IntegerField(help_text="Counts the edits.")
    based_on = serializers.IntegerField(
        source="based_on_id",
        allow_null=True,
        help_text="The id of the version that was live when drafting began.",
    )
    change_set = serializers.IntegerField(
        source="change_set_id",
        allow_null=True,
        help_text="The submission that it is, or went live, in.",
    )
    note = serializers.CharField(help_text="For the reviewer: why.")
    rejection_comment = serializers.CharField()
    created_at = InstantField()
    created_by = PersonField(allow_null=True)
    updated_at = InstantField()
    updated_by = PersonField(allow_null=True)
    submitted_at = InstantField(allow_null=True)
    submitted_by = PersonField(allow_null=True)
    approved_at = InstantField(allow_null=True)
    approved_by = PersonField(allow_null=True)
    rejected_at = InstantField(allow_null=True)
    rejected_by = PersonField(allow_null=True)
    live_from = InstantField(allow_null=True)
    live_until = InstantField(allow_null=True)

    @extend_schema_field({"type": "string", "enum": list(WORDS)})
    def get_kind(self, version: Any) -> str:
        return word_of(kinds.kind_of(version))


class ProgramVersionSerializer(VersionSerializer):
    content = contents.ProgramContent(source="*")


class BalanceDefinitionVersionSerializer(VersionSerializer):
    content = contents.BalanceDefinitionContent(source="*")


class TierGroupVersionSerializer(VersionSerializer):
    content = contents.TierGroupContent(source="*")


class TierVersionSerializer(VersionSerializer):
    content = contents.TierContent(source="*")


SERIALIZERS: dict[str, type[VersionSerializer]] = {
    "program": ProgramVersionSerializer,
    "balance_definition": BalanceDefinitionVersionSerializer,
    "tier_group": TierGroupVersionSerializer,
    "tier": TierVersionSerializer,
}


@lru_cache
def sender(serializer: type[serializers.Serializer], *, drafts: bool = True) -> Any:
    """Return a serializer that sends: made once, since it is made of many fields."""
    return serializer(context={"drafts": drafts})


def shown(version: Any) -> Any:
    """Return a version as it is sent."""
    word = word_of(kinds.kind_of(version))
    return sender(SERIALIZERS[word]).to_representation(version)


def current(version_model: Any) -> Prefetch:
    """Fetch what is live and what is open of each thing, as ``current``."""
    open_ = Q(status__in=Version.OPEN, direct=False)
    versions = version_model.objects.filter(Q(status=Status.LIVE) | open_)
    return Prefetch(
        "versions", queryset=versions.select_related(*PEOPLE), to_attr="current"
    )


class LineSerializer(serializers.Serializer):
    """One field in which two versions differ."""

    field = serializers.CharField()
    label = serializers.CharField(  # type: ignore[assignment]
        help_text="What people call the field."
    )
    before = serializers.JSONField(help_text="Null where nothing is said.")
    after = serializers.JSONField(help_text="Null where nothing is said.")


class DifferenceSerializer(serializers.Serializer):
    """A version beside another; ``before`` is null where there is none."""

    before = serializers.IntegerField(allow_null=True, help_text="Number of a version.")
    after = serializers.IntegerField(help_text="Number of this version.")
    operation = serializers.ChoiceField(Version.Operation.choices)
    changes = LineSerializer(many=True)


def difference(before: Any, after: Any) -> dict[str, Any]:
    """Compare two versions of a thing, or one with nothing."""
    new = shown(after)["content"]
    old = shown(before)["content"] if before is not None else {}
    return {
        "before": before.number if before is not None else None,
        "after": after.number,
        "operation": after.operation,
        "changes": [
            {
                "field": name,
                "label": changes.label_of(type(after), name),
                "before": old.get(name),
                "after": value,
            }
            for name, value in new.items()
            if old.get(name) != value
        ],
    }


def reading(permission: str) -> dict[str, str]:
    """Return what the actions of a view of versions ask for."""
    return dict.fromkeys(("list", "retrieve", "difference"), permission)


# What is asked


class VersionFilters(filters.FilterSet):
    """Which versions of a thing."""

    status = filters.ChoiceFilter(words=Status.values, help_text="In this status.")
    created_since = filters.InstantFilter(
        field_name="created_at",
        lookup_expr="gte",
        help_text="Drafted at this instant or later.",
    )


class Versions(NativeView):
    """The versions of one thing; the view of each kind names it in its address."""

    things: ClassVar[Any]
    version_model: ClassVar[Any]
    filterset_class = VersionFilters
    orderings: ClassVar = {"number": "number"}
    lookup_field = "number"
    parameters: ClassVar = {
        "difference": (
            OpenApiParameter(
                "to",
                {"type": "integer", "minimum": 1},
                description="The number of the other version; left out: what is live.",
            ),
        )
    }
    answers: ClassVar = {"difference": DifferenceSerializer}

    def get_queryset(self) -> QuerySet[Any]:
        user: Any = self.request.user
        thing = get_object_or_404(
            self.things.objects.visible_to(user),
            pk=self.kwargs["thing_id"],
        )
        versions = self.version_model.objects.filter(
            **{self.version_model.THING: thing}, direct=False
        ) | self.version_model.objects.filter(
            **{self.version_model.THING: thing}, status__in=SEEN_BY_ALL
        )
        if not sees_drafts(user):
            versions = versions.filter(status__in=SEEN_BY_ALL)
            if not versions.exists():
                # What was never live does not exist for such a key.
                raise NotFound
        return versions.select_related(*PEOPLE)

    def list(self, request: Request, thing_id: int) -> Response:
        """List a thing's versions, whatever became of them."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shown(version) for version in page or ()])

    def retrieve(self, request: Request, thing_id: int, number: int) -> Response:
        """Read one version."""
        return Response(shown(get_object_or_404(self.get_queryset(), number=number)))

    @action(detail=True, methods=["get"])
    def difference(self, request: Request, thing_id: int, number: int) -> Response:
        """Compare a version with what is live, or with another."""
        versions = self.get_queryset()
        after = get_object_or_404(versions, number=number)
        to = request.query_params.get("to")
        if to is None:
            before = versions.filter(status=Status.LIVE).first()
        else:
            before = get_object_or_404(versions, number=filters.number("to", to))
        return Response(difference(before, after))
