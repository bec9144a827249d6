"""Runs, which bring members up to date, and what is on record."""

from typing import Any, ClassVar

from django.db.models import Exists, Q
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from approvals import audit
from approvals.models import AuditEvent
from loyalty.models import ProgramLimit
from tiers import recalculating
from tiers.models import Run

from ..access import programs_for
from . import filters, running
from .fields import PersonField
from .protocol import Body
from .running import OPERATE, ReasonField, RunningView, ShownIdField, WhenField

STATES = ("RUNNING", "FINISHED", "FAILED")


class MoveCountSerializer(serializers.Serializer):
    """So many members went from one tier to another; null is holding none."""

    from_tier = ShownIdField(allow_null=True)
    to_tier = ShownIdField(allow_null=True)
    members = serializers.IntegerField(read_only=True)


class RunSerializer(serializers.Serializer):
    """A job over a program's members, and how far it is."""

    id = ShownIdField()
    program = ShownIdField(source="program_id")
    group = ShownIdField(
        source="group_id",
        allow_null=True,
        help_text="The one group whose rules changed; null for all of the program.",
    )
    kind = serializers.ChoiceField(Run.Kind.choices, read_only=True)
    state = serializers.SerializerMethodField()
    as_of = WhenField(allow_null=True)
    asked_by = PersonField(allow_null=True)
    reason = serializers.CharField(read_only=True)
    created_at = WhenField()
    finished_at = WhenField(allow_null=True)
    failed_at = WhenField(allow_null=True)
    expected = serializers.IntegerField(
        read_only=True, help_text="How many members there were when it began."
    )
    members = serializers.SerializerMethodField(help_text="Looked at so far.")
    moved = serializers.SerializerMethodField(help_text="Who changed tier so far.")
    percent = serializers.SerializerMethodField()
    moves = serializers.SerializerMethodField()

    def get_state(self, run: Any) -> str:
        if run.failed_at:
            return "FAILED"
        return "FINISHED" if run.finished_at else "RUNNING"

    def get_members(self, run: Any) -> int:
        return int(run.judged if run.is_open else run.members)

    def get_moved(self, run: Any) -> int:
        return int(run.changed if run.is_open else run.moved)

    def get_percent(self, run: Any) -> int:
        if run.finished_at:
            return 100
        done = self.get_members(run)
        return min(99, done * 100 // run.expected) if run.expected else 0

    def get_moves(self, run: Any) -> list[dict[str, int | None]]:
        return [
            {"from_tier": before, "to_tier": after, "members": members}
            for before, after, members in run.moves
        ]


class RunFilters(running.NamedProgramFilters):
    """Which runs."""

    group = filters.NumberFilter(field_name="group_id", help_text="Of this group.")
    kind = filters.ChoiceFilter(words=Run.Kind.values, help_text="For this reason.")
    state = filters.ChoiceFilter(
        words=STATES, method="in_state", help_text="In this state."
    )

    def in_state(self, queryset: Any, name: str, value: str) -> Any:
        if value == "RUNNING":
            return queryset.open()
        ended = "finished_at" if value == "FINISHED" else "failed_at"
        return queryset.filter(**{f"{ended}__isnull": False})


class RecalculateBody(Body):
    """Which program is brought up to this moment, and why."""

    program = running.IdField()
    reason = ReasonField(max_length=1000)


class RecalculatedSerializer(serializers.Serializer):
    """What the recalculation has done while the caller waited."""

    as_of = WhenField(help_text="Everything judged is true as of this instant.")
    members = serializers.IntegerField(help_text="How many were looked at.")
    moved = serializers.IntegerField(help_text="How many changed tier.")
    is_complete = serializers.BooleanField(
        help_text="If not, another worker goes on; see the list of runs."
    )


class Runs(RunningView):
    """Jobs that bring members up to date; they cannot be cancelled, only repeated."""

    tag = "Operation"
    serializer_class = RunSerializer
    filterset_class = RunFilters
    orderings: ClassVar = {"id": "pk", "created_at": "created_at"}
    asks: ClassVar = {
        "list": "tiers.view_run",
        "retrieve": "tiers.view_run",
        "create": OPERATE,
    }
    bodies: ClassVar = {"create": RecalculateBody}
    answers: ClassVar = {"create": RecalculatedSerializer}

    def get_queryset(self) -> Any:
        runs: Any = Run.objects.visible_to(self.request.user)
        return runs.select_related("asked_by").with_progress().order_by()

    def list(self, request: Request) -> Response:
        """List runs."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: int) -> Response:
        """Get a run, with how far it is."""
        found = get_object_or_404(self.get_queryset(), pk=pk)
        return Response(self.get_serializer(found).data)

    def create(self, request: Request) -> Response:
        """Recalculate now: everybody to whom something happened, or who is due.

        It changes no rule, and doing it twice changes nothing.
        """
        said = self.read()
        program = self.program_named(said["program"])
        now = timezone.now()
        report = recalculating.recalculate_now(
            program, by=request.user, reason=said["reason"], at=now
        )
        return Response(
            RecalculatedSerializer(
                {
                    "as_of": now,
                    "members": report.members,
                    "moved": report.moved,
                    "is_complete": not report.broke_off,
                }
            ).data
        )


# What is on record


class AuditEventSerializer(serializers.Serializer):
    """One act of a person, of a system or of the scheduler; never changes."""

    id = ShownIdField()
    program = ShownIdField(source="program_id", allow_null=True)
    actor = serializers.CharField(source="actor_name", read_only=True)
    verb = serializers.CharField(read_only=True)
    kind = serializers.CharField(read_only=True, help_text="Of the thing acted on.")
    object_id = ShownIdField()
    label: Any = serializers.CharField(read_only=True)
    sentence = serializers.SerializerMethodField()
    reason = serializers.CharField(read_only=True)
    created_at = WhenField()

    def get_sentence(self, event: AuditEvent) -> str:
        return f"{audit.in_words(event)}."


class AuditEventFilters(running.NamedProgramFilters):
    """Which events."""

    verb = filters.TextFilter(field_name="verb", help_text="Of this verb.")
    kind = filters.TextFilter(field_name="kind", help_text="About such a thing.")
    object_id = filters.NumberFilter(
        field_name="object_id", help_text="About the thing with this id."
    )
    actor = filters.TextFilter(field_name="actor__username", help_text="By them.")
    created_from = filters.InstantFilter(
        field_name="created_at", lookup_expr="gte", help_text="Then or later."
    )
    created_until = filters.InstantFilter(
        field_name="created_at", lookup_expr="lt", help_text="Before."
    )


class AuditEvents(RunningView):
    """Who did what, when and why."""

    tag = "Operation"
    serializer_class = AuditEventSerializer
    filterset_class = AuditEventFilters
    orderings: ClassVar = {"id": "pk", "created_at": "created_at"}
    asks: ClassVar = {
        "list": "approvals.view_auditevent",
        "retrieve": "approvals.view_auditevent",
    }

    def get_queryset(self) -> Any:
        user: Any = self.request.user
        seen: Any = Q(program_id__in=programs_for(self.request).values("pk"))
        if getattr(user, "only_program_id", None) is None:
            # What concerns no program, such as people, is for who sees all of them.
            limits = ProgramLimit.objects.filter(user=user.pk)
            seen |= Q(program_id__isnull=True) & ~Exists(limits)
        return AuditEvent.objects.filter(seen).order_by()

    def list(self, request: Request) -> Response:
        """List what is on record."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: int) -> Response:
        """Get one event."""
        found = get_object_or_404(self.get_queryset(), pk=pk)
        return Response(self.get_serializer(found).data)
