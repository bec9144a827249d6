"""What is done to members beside the ledger: moves, overrides, evaluations."""

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from tiers import acts
from tiers.models import ManualMove, OrderedEvaluation, Override, Tier, TierGroup

from .. import strict
from . import fields, filters, running
from .fields import PersonField
from .protocol import Body
from .running import MOVE_MEMBERS, ReasonField, RunningView, ShownIdField, WhenField


class ActSerializer(serializers.Serializer):
    """What was done, by whom and why."""

    id = ShownIdField()
    program = ShownIdField(source="group.program_id")
    group = ShownIdField(source="group_id")
    reason = serializers.CharField(read_only=True)
    made_by = PersonField(allow_null=True)
    at = WhenField()


class MoveSerializer(ActSerializer):
    """A member was put into a tier; it stands until the next due evaluation."""

    member = ShownIdField(source="member_id")
    tier = ShownIdField(source="tier_id")


class OverrideSerializer(MoveSerializer):
    """What a member reads as is bounded, until an instant or for good."""

    bound = serializers.ChoiceField(Override.Bound.choices, read_only=True)
    until = WhenField(allow_null=True, help_text="Null: until somebody ends it.")
    ended_at = WhenField(
        allow_null=True, help_text="When somebody ended it before its time."
    )
    ended_by = PersonField(allow_null=True)
    end_reason = serializers.CharField(read_only=True)


class EvaluationSerializer(ActSerializer):
    """A member, or everybody in the group, was evaluated out of turn."""

    member = ShownIdField(source="member_id", allow_null=True)


class MoveBody(Body):
    """Who is put where, and why."""

    member = running.IdField()
    tier = running.IdField()
    reason = ReasonField()


class OverrideBody(MoveBody):
    """What a member is to read as: at least, at most or exactly this tier."""

    bound = strict.ChoiceField(Override.Bound.values)
    until = fields.InstantField(
        required=False, allow_null=True, help_text="Without it, until it is ended."
    )


class EvaluationBody(Body):
    """Who is evaluated, and why; without a member, everybody in the group."""

    group = running.IdField()
    member = running.IdField(required=False)
    reason = ReasonField()


class ActFilters(running.MemberFilters):
    """Which acts."""

    group = filters.NumberFilter(field_name="group_id", help_text="In this group.")
    at_from = filters.InstantFilter(
        field_name="at", lookup_expr="gte", help_text="Done then or later."
    )
    at_until = filters.InstantFilter(
        field_name="at", lookup_expr="lt", help_text="Done before."
    )
    path = "group__program_id"


class OverrideFilters(ActFilters):
    """Which overrides."""

    tier = filters.NumberFilter(field_name="tier_id", help_text="Of this tier.")
    in_force_at = filters.InstantFilter(
        method="in_force", help_text="In force at this instant."
    )

    def in_force(self, queryset: Any, name: str, value: Any) -> Any:
        return queryset.in_force(value)


class ActView(RunningView):
    """Shows what was done, and does it."""

    tag = "Tiers by hand"
    filterset_class: Any = ActFilters
    orderings: ClassVar = {"id": "pk", "at": "at"}
    repeatable = frozenset({"create"})
    creates = frozenset({"create"})
    model: ClassVar[Any]
    people: ClassVar[tuple[str, ...]] = ("group", "made_by")

    def get_queryset(self) -> Any:
        rows = self.model.objects.visible_to(self.request.user)
        return rows.select_related(*self.people).order_by()

    def list(self, request: Request) -> Response:
        """List what was done."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: int) -> Response:
        """Get one."""
        return Response(self.document(pk))

    def document(self, pk: int) -> Any:
        return self.get_serializer(get_object_or_404(self.get_queryset(), pk=pk)).data

    def tier_named(self, pk: int, program_id: int) -> Tier:
        tiers: Any = Tier.objects.visible_to(self.request.user).with_wording()
        tier = tiers.filter(pk=pk, program=program_id).first()
        if tier is None:
            raise running.not_found("tier")
        found: Tier = tier
        return found

    def make(self, act: Any) -> Response:
        data = self.once(lambda: self.document(act().pk))
        return self.created(data, f"{self.request.path}/{data['id']}")


class Moves(ActView):
    """Members who were put into a tier by hand."""

    model = ManualMove
    serializer_class = MoveSerializer
    asks: ClassVar = {
        "list": "tiers.view_manualmove",
        "retrieve": "tiers.view_manualmove",
        "create": MOVE_MEMBERS,
    }
    bodies: ClassVar = {"create": MoveBody}
    answers: ClassVar = {"create": MoveSerializer}

    def create(self, request: Request) -> Response:
        """Put a member into a tier; it stands until the next due evaluation."""
        said = self.read()
        member = self.member_named(said["member"])
        tier = self.tier_named(said["tier"], member.program_id)
        return self.make(
            lambda: acts.move(member, tier, by=request.user, reason=said["reason"])
        )


class Overrides(ActView):
    """Bounds on what members read as."""

    model = Override
    serializer_class = OverrideSerializer
    filterset_class = OverrideFilters
    people = ("group", "made_by", "ended_by")
    asks: ClassVar = {
        "list": "tiers.view_override",
        "retrieve": "tiers.view_override",
        "create": MOVE_MEMBERS,
        "end": MOVE_MEMBERS,
    }
    repeatable = frozenset({"create", "end"})
    bodies: ClassVar = {"create": OverrideBody, "end": running.GivenReasonBody}
    answers: ClassVar = {"create": OverrideSerializer, "end": OverrideSerializer}
    examples: ClassVar = {
        "create": [
            OpenApiExample(
                "At least gold, for a year",
                {
                    "member": 1,
                    "tier": 3,
                    "bound": "FLOOR",
                    "until": "2027-03-01T00:00:00Z",
                    "reason": "Moved here from a competitor.",
                },
                request_only=True,
            )
        ]
    }

    def create(self, request: Request) -> Response:
        """Bound what a member reads as; a member has one override of a group."""
        said = self.read()
        member = self.member_named(said["member"])
        tier = self.tier_named(said["tier"], member.program_id)
        return self.make(
            lambda: acts.override(
                member,
                tier,
                bound=said["bound"],
                until=said.get("until"),
                by=request.user,
                reason=said["reason"],
            )
        )

    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: int) -> Response:
        """End an override before its time; what lies beneath shows again at once."""
        reason = self.read()["reason"]
        rows = self.get_queryset().select_related("member")
        override = get_object_or_404(rows, pk=pk)

        def act() -> Any:
            acts.end_override(override, by=request.user, reason=reason)
            return self.document(pk)

        return Response(self.once(act))


class Evaluations(ActView):
    """Evaluations that somebody ordered out of turn."""

    model = OrderedEvaluation
    serializer_class = EvaluationSerializer
    asks: ClassVar = {
        "list": "tiers.view_orderedevaluation",
        "retrieve": "tiers.view_orderedevaluation",
        "create": MOVE_MEMBERS,
    }
    bodies: ClassVar = {"create": EvaluationBody}
    answers: ClassVar = {"create": EvaluationSerializer}

    def create(self, request: Request) -> Response:
        """Evaluate a member, or everybody, upwards and downwards, whatever is due.

        Everybody in a large program is evaluated by a run, which begins with this.
        """
        said = self.read()
        groups: Any = TierGroup.objects.visible_to(request.user).kept().with_live()
        group = groups.filter(pk=said["group"]).first()
        if group is None:
            raise running.not_found("group")
        why = {"by": request.user, "reason": said["reason"]}
        if "member" not in said:
            return self.make(lambda: acts.order_evaluation_of_all(group, **why))
        member = self.member_named(said["member"])
        if member.program_id != group.program_id:
            sentence = "The member is not in the group's program."
            raise ValidationError({"member": [ErrorDetail(sentence, "not_found")]})
        return self.make(lambda: acts.order_evaluation(member, group, **why))
