"""Members: who takes part, and what becomes of their membership."""

from datetime import datetime
from typing import Any, ClassVar, Final

from django.db.models import Exists, OuterRef, Prefetch, QuerySet, Subquery
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from approvals.errors import StaleEdit
from loyalty import members
from loyalty.members import Details, Outcome, Person, Upserted
from loyalty.models import Member, Membership
from tiers.models import Standing

from .. import strict
from . import fields, filters, running
from .conditional import expect_match
from .fields import ObjectField
from .protocol import Body
from .refusals import PreconditionFailed
from .running import EDIT_MEMBERS, VIEW_MEMBERS, RunningView, ShownIdField, WhenField

ERASE: Final = "loyalty.erase_contacts"


# What is shown


class MemberSerializer(serializers.Serializer):
    """A person's membership in a program."""

    id = ShownIdField()
    uuid = serializers.UUIDField(read_only=True)
    program = ShownIdField(source="program_id")
    status = serializers.ChoiceField(Member.Status.choices, read_only=True)
    belongs = serializers.BooleanField(
        read_only=True, help_text="Whether they are in the program now."
    )
    joined_at = WhenField(
        allow_null=True, help_text="When the membership that lasts began."
    )
    membership_number = serializers.CharField(source="subscription_id", read_only=True)
    card = serializers.CharField(read_only=True)
    contact = serializers.UUIDField(
        source="contact.uuid",
        read_only=True,
        help_text="The person, who may be a member of other programs.",
    )
    name = serializers.CharField(source="contact.name", read_only=True)
    email = serializers.CharField(source="contact.email", read_only=True)
    mobile = serializers.CharField(source="contact.mobile", read_only=True)
    external_id = serializers.CharField(source="contact.external_id", read_only=True)
    meta = ObjectField(read_only=True)
    created_at = WhenField()
    flagged_at = WhenField(
        allow_null=True, help_text="When a reversal took a balance below its floor."
    )
    erased_at = WhenField(
        source="contact.erased_at",
        allow_null=True,
        help_text="When the personal data was erased.",
    )
    tiers = running.HeldSerializer(source="shown_standings", many=True, read_only=True)


def shown(rows: Any) -> QuerySet[Any]:
    """Fetch members with all that is shown of them, in two queries."""
    present = Membership.objects.filter(member=OuterRef("pk"), ended_at__isnull=True)
    return (
        rows.select_related("contact")
        .annotate(
            belongs=Exists(present),
            joined_at=Subquery(present.values("started_at")[:1]),
        )
        .prefetch_related(
            Prefetch("standings", running.standings(), to_attr="shown_standings")
        )
    )


# What is sent


class PersonBody(Body):
    """What another system knows of a person."""

    name = strict.LineField(max_length=150, allow_blank=True, default="")
    email = strict.LineField(max_length=254, allow_blank=True, default="")
    mobile = strict.LineField(max_length=32, allow_blank=True, default="")
    external_id = strict.LineField(
        max_length=128,
        allow_blank=True,
        default="",
        help_text="The person's number in your shop or customer system.",
    )
    membership_number = strict.LineField(
        source="subscription_id", max_length=64, allow_blank=True, default=""
    )
    card = strict.LineField(max_length=64, allow_blank=True, default="")

    def validate_email(self, email: str) -> str:
        if email:
            serializers.EmailField().run_validation(email)
        return email

    def validate_joined_at(self, instant: datetime) -> datetime:
        if instant > timezone.now():
            raise ValidationError("That has not come yet.", code="in_future")
        return instant


class MemberBody(PersonBody):
    """A person who becomes a member."""

    program = running.IdField()
    joined_at = fields.InstantField(
        required=False, help_text="When the membership began; without it, now."
    )
    meta = ObjectField(default=dict)


class MemberChangesBody(Body):
    """What is known of a member by now; what is left out stays."""

    name = strict.LineField(max_length=150, allow_blank=True, required=False)
    email = strict.LineField(max_length=254, allow_blank=True, required=False)
    mobile = strict.LineField(max_length=32, allow_blank=True, required=False)
    external_id = strict.LineField(max_length=128, allow_blank=True, required=False)
    membership_number = strict.LineField(
        source="subscription_id", max_length=64, required=False
    )
    card = strict.LineField(max_length=64, allow_blank=True, required=False)

    validate_email = PersonBody.validate_email


class PersonRow(PersonBody):
    """One of many: named by ``external_id`` or ``email``; empty is not said."""

    joined_at = fields.InstantField(required=False)
    meta = ObjectField(default=dict)


class MembersBody(Body):
    """Many people of one program."""

    program = running.IdField()
    members: Any = serializers.ListField()

    def validate_members(self, rows: Any) -> Any:
        return strict.many(rows, most=running.MOST)


class DescribedMembersBody(MembersBody):
    """Many people of one program."""

    members = PersonRow(many=True)


class UpsertedSerializer(serializers.Serializer):
    """What came of one person."""

    outcome = serializers.ChoiceField([(o.value, o.value) for o in Outcome])
    member = ShownIdField(allow_null=True)
    problem = running.RowProblemSerializer(allow_null=True)


class UpsertedManySerializer(serializers.Serializer):
    """What came of each, in the order in which they were sent."""

    results = UpsertedSerializer(many=True)


class MemberListFilters(running.NamedProgramFilters):
    """Which members."""

    status = filters.ChoiceFilter(
        words=Member.Status.values, help_text="In this state."
    )
    belongs = filters.FlagFilter(
        field_name="belongs", help_text="Who are in the program now, or are not."
    )
    external_id = filters.TextFilter(
        field_name="contact__external_id", help_text="With this number in your shop."
    )
    email = filters.TextFilter(
        method="with_email", help_text="With this e-mail address, in any case."
    )
    mobile = filters.TextFilter(
        field_name="contact__mobile", help_text="With this telephone."
    )
    membership_number = filters.TextFilter(
        field_name="subscription_id", help_text="With this number."
    )
    card = filters.TextFilter(field_name="card", help_text="With this card.")
    contact = filters.UuidFilter(
        field_name="contact__uuid", help_text="Of this person, in any program."
    )
    tier = filters.NumberFilter(method="in_tier", help_text="Who hold this tier.")
    created_from = filters.InstantFilter(
        field_name="created_at", lookup_expr="gte", help_text="Made then or later."
    )
    created_until = filters.InstantFilter(
        field_name="created_at", lookup_expr="lt", help_text="Made before."
    )

    def with_email(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(contact__email=value.strip().lower())

    def in_tier(self, queryset: Any, name: str, value: int) -> Any:
        held = Standing.objects.filter(member=OuterRef("pk"), tier=value)
        return queryset.filter(Exists(held))


# Endpoints

ADA = {"name": "Ada Byron", "email": "ada@example.org", "external_id": "10815"}
EXAMPLES: Final = {
    "create": [
        OpenApiExample("Ada", {"program": 973, **ADA}, request_only=True),
    ],
    "upsert": [
        OpenApiExample(
            "Two people",
            {"program": 973, "members": [ADA, {"external_id": "10816", "card": "7"}]},
            request_only=True,
        )
    ],
}
STEPS: Final = ("close", "leave", "rejoin", "activate", "deactivate", "erase")


class Members(RunningView):
    """People who take part in programs."""

    tag = "Members"
    serializer_class = MemberSerializer
    filterset_class = MemberListFilters
    search_fields = ("subscription_id", "contact__name", "contact__email")
    orderings: ClassVar = {"id": "pk", "created_at": "created_at"}
    asks: ClassVar = {
        "list": VIEW_MEMBERS,
        "retrieve": VIEW_MEMBERS,
        "create": EDIT_MEMBERS,
        "upsert": EDIT_MEMBERS,
        "partial_update": EDIT_MEMBERS,
        **dict.fromkeys(STEPS, EDIT_MEMBERS),
        "erase": ERASE,
    }
    conditional = frozenset({"partial_update"})
    repeatable = frozenset({"create", "upsert", *STEPS})
    creates = frozenset({"create"})
    bodies: ClassVar = {
        "create": MemberBody,
        "upsert": DescribedMembersBody,
        "partial_update": MemberChangesBody,
        **dict.fromkeys(STEPS, running.GivenReasonBody),
    }
    answers: ClassVar = {
        "create": MemberSerializer,
        "upsert": UpsertedManySerializer,
        "partial_update": MemberSerializer,
        **dict.fromkeys(STEPS, MemberSerializer),
    }
    examples: ClassVar = EXAMPLES

    def get_queryset(self) -> Any:
        return shown(self.members())

    def document(self, pk: int) -> Any:
        return MemberSerializer(get_object_or_404(self.get_queryset(), pk=pk)).data

    def list(self, request: Request) -> Response:
        """List members."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(MemberSerializer(page, many=True).data)

    def retrieve(self, request: Request, pk: int) -> Response:
        """Get a member, with where they stand in each group."""
        return Response(self.document(pk))

    def create(self, request: Request) -> Response:
        """Make a person a member; the person too, if nobody knows them yet.

        Who has left comes back with ``rejoin``.
        """
        said = self.read()
        program = self.program_named(said.pop("program"))

        def act() -> Any:
            member = members.enrol(program, Person(**said), by=request.user)
            return self.document(member.pk)

        data = self.once(act)
        return self.created(data, f"/api/v1/members/{data['id']}")

    @action(detail=False, methods=["post"], url_path="batch")
    def upsert(self, request: Request) -> Response:
        """Make known up to 500 people, each found by number or e-mail address.

        Who is no member becomes one, of who is one the details are filled in; empty
        details stay as they are. Each has an outcome of their own, and sent again
        nothing changes.
        """
        said = self.read(MembersBody)
        program = self.program_named(said["program"])
        rows, problems = running.read_rows(PersonRow, said["members"])
        people = [Person(**row) for row in rows.values()]

        def act() -> Any:
            found = members.upsert(program, people, by=request.user)
            upserted = dict(zip(rows, map(_upserted, found), strict=True))
            refused = {place: _refused(problem) for place, problem in problems.items()}
            return {"results": [row for _, row in sorted((upserted | refused).items())]}

        return Response(self.once(act))

    def partial_update(self, request: Request, pk: int) -> Response:
        """Change what is known of a member."""
        said = self.read()
        member = get_object_or_404(self.get_queryset(), pk=pk)
        before = members.details_of(member)
        expect_match(request, MemberSerializer(member).data)
        names = before.__dataclass_fields__
        details = Details(**{n: said.get(n, getattr(before, n)) for n in names})
        try:
            members.edit(member, details, by=request.user, seen=before.digest)
        except StaleEdit:
            raise PreconditionFailed from None
        return Response(self.document(pk))

    # Steps

    def step(self, pk: int, verb: Any) -> Response:
        reason = self.read()["reason"]
        member = get_object_or_404(self.members().select_related("contact"), pk=pk)

        def act() -> Any:
            verb(member, by=self.request.user, reason=reason)
            return self.document(pk)

        return Response(self.once(act))

    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: int) -> Response:
        """Close an account for good: nothing can be posted to it any more."""
        return self.step(pk, members.close)

    @action(detail=True, methods=["post"])
    def leave(self, request: Request, pk: int) -> Response:
        """End a membership; what was earned stays in the ledger."""
        return self.step(pk, members.leave)

    @action(detail=True, methods=["post"])
    def rejoin(self, request: Request, pk: int) -> Response:
        """Begin a new membership of somebody who has left."""
        return self.step(pk, members.rejoin)

    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: int) -> Response:
        """Count a member as a customer of their tiers again."""
        return self.step(pk, members.activate)

    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, pk: int) -> Response:
        """Leave a member out of the counts; they go on earning and holding tiers."""
        return self.step(pk, members.deactivate)

    @action(detail=True, methods=["post"])
    def erase(self, request: Request, pk: int) -> Response:
        """Erase what is known of the person for good, in all of their programs.

        For people only: no scope of a key covers it.
        """
        return self.step(pk, members.erase)


def _upserted(one: Upserted) -> dict[str, Any]:
    problem = None
    if one.refusal is not None:
        problem = {"code": one.refusal.code, "detail": one.refusal.message}
    return {
        "outcome": one.outcome.value,
        "member": one.member.pk if one.member else None,
        "problem": problem,
    }


def _refused(problem: dict[str, Any]) -> dict[str, Any]:
    return {"outcome": Outcome.REFUSED.value, "member": None, "problem": problem}
