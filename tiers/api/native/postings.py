"""Postings: what came of each request, and those that are announced first."""

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from approvals.errors import InvalidTransition
from loyalty import adjustments, points
from loyalty.models import PointsRequest
from loyalty.points.requests import activity_of

from .. import strict
from ..access import programs_for
from . import fields, filters, posted, running
from .entries import CorrectionBody, EntryBody, PostingView
from .posted import Balances, Kind, PostedSerializer
from .protocol import NothingBody
from .running import POST_POINTS, ShownIdField, WhenField

Status = PointsRequest.Status
VIEW = "loyalty.view_pointsrequest"


class PendingBody(EntryBody):
    """A line that is only announced, and until when it can be completed."""

    kind = strict.ChoiceField([Kind.EARN.value, Kind.REDEEM.value])
    expires_at = fields.InstantField(
        required=False, help_text="Without it, 24 hours from now."
    )


class AnnouncedSerializer(serializers.Serializer):
    """A line that is to be written."""

    kind = serializers.ChoiceField(Kind.choices, read_only=True)
    balance_definition = ShownIdField()
    amount = running.AmountField()


class PostingRefusalSerializer(serializers.Serializer):
    """Why a posting was refused, for good."""

    code = serializers.CharField(read_only=True)
    detail = serializers.CharField(read_only=True)


class PostingSerializer(serializers.Serializer):
    """One thing that somebody asked to be posted, and what came of it."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    program = ShownIdField(source="program_id")
    member = ShownIdField(source="member_id", allow_null=True)
    source: Any = serializers.CharField(read_only=True)
    reference = serializers.CharField(read_only=True)
    status = serializers.ChoiceField(Status.choices, read_only=True)
    lines = serializers.SerializerMethodField()
    announced = serializers.SerializerMethodField()
    refusal = serializers.SerializerMethodField()
    created_at = WhenField()
    expires_at = WhenField(allow_null=True)
    settled_at = WhenField(allow_null=True)

    @extend_schema_field(posted.PostedLineSerializer(many=True))
    def get_lines(self, request: Any) -> Any:
        if request.status == Status.REFUSED:
            return []
        lines = points.outcome(request, replayed=True).lines
        return [posted.line_document(line, self.context["balances"]) for line in lines]

    @extend_schema_field(AnnouncedSerializer(many=True))
    def get_announced(self, request: Any) -> Any:
        if request.status != Status.PENDING:
            return []
        return [
            {
                "kind": line.kind,
                "balance_definition": line.definition_id,
                "amount": running.written(line.amount, self._scale(line)),
            }
            for line in activity_of(request).lines
        ]

    @extend_schema_field(PostingRefusalSerializer(allow_null=True))
    def get_refusal(self, request: Any) -> Any:
        if request.status != Status.REFUSED:
            return None
        return {"code": request.outcome["code"], "detail": request.outcome["message"]}

    def _scale(self, line: Any) -> int:
        return int(self.context["balances"].by_id[line.definition_id].scale)


class PostingFilters(running.NamedProgramFilters):
    """Which postings."""

    member = filters.NumberFilter(field_name="member_id", help_text="Of this member.")
    status = filters.ChoiceFilter(words=Status.values, help_text="In this state.")
    source = filters.TextFilter(field_name="source", help_text="From this system.")
    reference = filters.TextFilter(
        field_name="reference", help_text="Under this reference."
    )
    created_from = filters.InstantFilter(
        field_name="created_at", lookup_expr="gte", help_text="Made then or later."
    )
    created_until = filters.InstantFilter(
        field_name="created_at", lookup_expr="lt", help_text="Made before."
    )


class Postings(PostingView):
    """What was asked to be posted; a pending one is not in the ledger yet."""

    tag = "Points"
    serializer_class = PostingSerializer
    filterset_class = PostingFilters
    lookup_value_converter = "uuid"
    orderings: ClassVar = {"id": "pk", "created_at": "created_at"}
    asks: ClassVar = {
        "list": VIEW,
        "retrieve": VIEW,
        **dict.fromkeys(("create", "complete", "cancel", "reverse"), POST_POINTS),
    }
    repeatable = frozenset({"create", "reverse"})
    creates = frozenset({"create", "reverse"})
    may_be_bodiless = frozenset({"complete", "cancel"})
    bodies: ClassVar = {
        "create": PendingBody,
        "complete": NothingBody,
        "cancel": NothingBody,
        "reverse": CorrectionBody,
    }
    answers: ClassVar = dict.fromkeys(
        ("create", "complete", "cancel", "reverse"), PostedSerializer
    )
    examples: ClassVar = {
        "create": [
            OpenApiExample(
                "500 points held for a voucher",
                {
                    "member": 1,
                    "kind": "REDEEM",
                    "amount": "500",
                    "reference": "voucher-17",
                },
                request_only=True,
            )
        ]
    }

    def get_queryset(self) -> Any:
        programs = programs_for(self.request)
        return PointsRequest.objects.filter(program__in=programs)

    def show(self, found: Any, **options: Any) -> Any:
        rows = found if options else [found]
        balances = Balances.of_all({row.program_id for row in rows})
        return PostingSerializer(found, context={"balances": balances}, **options).data

    def list(self, request: Request) -> Response:
        """List postings, refused and pending ones too."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.show(page, many=True))

    def retrieve(self, request: Request, pk: Any) -> Response:
        """Get a posting."""
        return Response(self.show(self.find(pk)))

    def find(self, pk: Any) -> PointsRequest:
        found: PointsRequest = get_object_or_404(self.get_queryset(), uuid=pk)
        return found

    def create(self, request: Request) -> Response:
        """Announce a credit or a redemption; nothing is posted until it is completed.

        Refused, and remembered so, if it could not be completed as things are now.
        """
        posted.expect_key(request)
        said = self.read()
        name = posted.name_of(request, said)
        member = self.member_named(said["member"])
        balances = Balances.of(member.program_id)
        balance = balances.chosen(said.get("balance_definition"), "balance_definition")
        units = posted.units(said["amount"], balance, "amount")
        with posted.worded(name):
            posting = points.begin(
                member,
                balance,
                -units if said["kind"] == Kind.REDEEM else units,
                reference=name.reference,
                source=name.source,
                by=request.user,
                expires_at=said.get("expires_at"),
                occurred_at=said.get("occurred_at"),
                description=said["description"],
                meta=said["meta"],
            )
        [data] = posted.documents([(posting, name.reference)], balances)
        return self.created(data, f"/api/v1/postings/{data['posting']}")

    @action(detail=True, methods=["post"])
    def complete(self, request: Request, pk: Any) -> Response:
        """Post what was announced; a second time, what came of it is the answer."""
        return self.settle(pk, points.complete)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: Any) -> Response:
        """Withdraw what was announced; a second time, nothing more happens."""
        return self.settle(pk, points.cancel)

    def settle(self, pk: Any, verb: Any) -> Response:
        posted.expect_key(self.request)
        self.read()
        found = self.find(pk)
        if found.source == adjustments.SOURCE:
            raise InvalidTransition(
                "An adjustment by hand waits for a second person, in the admin."
            )
        posting = verb(found)
        balances = Balances.of(found.program_id)
        return Response(posted.documents([(posting, found.reference)], balances)[0])

    @action(detail=True, methods=["post"])
    def reverse(self, request: Request, pk: Any) -> Response:
        """Take back all lines of a posting, or their shares of a part of it.

        The amount is how much of the purchase was returned; of the first line, where
        nothing was bought. Parts that add up to the purchase take back exactly what it
        earned.
        """
        said = self.read()
        found = self.find(pk)
        name = posted.name_of(request, said)
        balances = Balances.of(found.program_id)
        correction = points.Correction(
            Kind.REVERSAL,
            member_id=found.member_id or 0,
            reference=name.reference,
            request=found.uuid,
            amount=posted.units_or_all(said.get("amount"), leading(found, balances)),
            description=said["description"],
            meta=said["meta"],
        )
        data = self.answer(found.program_id, name, correction, balances)
        return self.created(data, f"/api/v1/postings/{data['posting']}")


def leading(request: PointsRequest, balances: Balances) -> Any:
    """Return the balance that a partial return is counted in."""
    lines = [each["definition"] for each in request.outcome.get("lines", ())]
    purchases = balances.built_in(posted.BuiltIn.PURCHASES)
    if purchases.pk in lines or not lines:
        return purchases
    return balances.by_id[lines[0]]
