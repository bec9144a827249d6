"""Lines of the ledger: read, posted one by one, taken back, given back."""

from decimal import Decimal
from typing import Any, ClassVar, Final

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import points
from loyalty.models import PointsEntry

from .. import strict
from . import fields, filters, posted, running
from .posted import Balances, Kind, PostedSerializer, PostingBody
from .running import POST_POINTS, VIEW_ENTRIES, RunningView

POSTED_KINDS: Final = (Kind.EARN.value, Kind.ADJUST.value, Kind.REDEEM.value)


# What is sent


class EntryBody(PostingBody):
    """One line: what is earned or redeemed is positive, an adjustment is signed."""

    member = running.IdField()
    kind = strict.ChoiceField(POSTED_KINDS)
    amount = running.SentAmountField()
    balance_definition = running.IdField(
        required=False, help_text="Without it, the program's points."
    )
    occurred_at = fields.InstantField(
        required=False, help_text="Without it, when it is posted."
    )

    def validate(self, said: dict[str, Any]) -> dict[str, Any]:
        if said["amount"] == 0 or (said["amount"] < 0 and said["kind"] != Kind.ADJUST):
            raise ValidationError(
                {"amount": [ErrorDetail("Send more than 0.", "out_of_range")]}
            )
        return said


class CorrectionBody(PostingBody):
    """How much is taken or given back; without an amount, all that is left."""

    amount = running.SentAmountField(required=False, min_value=Decimal("0.0001"))


class EntryFilters(running.MemberFilters):
    """Which lines."""

    balance_definition = filters.NumberFilter(
        field_name="balance_definition_id", help_text="Of this balance."
    )
    kind = filters.ChoiceFilter(words=Kind.values, help_text="Of this kind.")
    posting = filters.UuidFilter(
        field_name="request__uuid", help_text="Written by this posting."
    )
    source = filters.TextFilter(field_name="request__source", help_text="From there.")
    reference = filters.TextFilter(
        field_name="request__reference", help_text="Under this reference."
    )
    occurred_from = filters.InstantFilter(
        field_name="occurred_at", lookup_expr="gte", help_text="Then or later."
    )
    occurred_until = filters.InstantFilter(
        field_name="occurred_at", lookup_expr="lt", help_text="Before."
    )
    recorded_from = filters.InstantFilter(
        field_name="recorded_at", lookup_expr="gte", help_text="Written then or later."
    )
    recorded_until = filters.InstantFilter(
        field_name="recorded_at", lookup_expr="lt", help_text="Written before."
    )


# Endpoints


class PostingView(RunningView):
    """Posts, and says what came of it."""

    def answer(
        self, program_id: int, name: posted.Named, asked: Any, balances: Balances
    ) -> Any:
        """Post what is asked, or find what came of it; refusals are kept, too."""
        with posted.worded(name):
            posting = points.post(
                program_id, asked, source=name.source, by=self.request.user, at=None
            )
        return posted.documents([(posting, name.reference)], balances)[0]


class Entries(PostingView):
    """Lines of the ledger, which never change: corrections are new lines."""

    tag = "Points"
    serializer_class = posted.EntrySerializer
    filterset_class = EntryFilters
    orderings: ClassVar = {
        "id": "pk",
        "occurred_at": "occurred_at",
        "recorded_at": "recorded_at",
    }
    asks: ClassVar = {
        "list": VIEW_ENTRIES,
        "retrieve": VIEW_ENTRIES,
        **dict.fromkeys(("create", "reverse", "refund"), POST_POINTS),
    }
    repeatable = frozenset({"create", "reverse", "refund"})
    bodies: ClassVar = {
        "create": EntryBody,
        "reverse": CorrectionBody,
        "refund": CorrectionBody,
    }
    answers: ClassVar = dict.fromkeys(bodies, PostedSerializer)
    creates = frozenset({"create", "reverse", "refund"})
    examples: ClassVar = {
        "create": [
            OpenApiExample(
                "120 points",
                {
                    "member": 1,
                    "kind": "EARN",
                    "amount": "120",
                    "reference": "order-4711",
                    "occurred_at": "2026-03-01T09:30:00Z",
                },
                request_only=True,
            )
        ]
    }

    def get_queryset(self) -> Any:
        entries = PointsEntry.objects.visible_to(self.request.user)
        return entries.select_related("member", "request", "balance_definition")

    def list(self, request: Request) -> Response:
        """List lines."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: int) -> Response:
        """Get a line."""
        found = get_object_or_404(self.get_queryset(), pk=pk)
        return Response(self.get_serializer(found).data)

    def create(self, request: Request) -> Response:
        """Post one line, with an API key; the answer shows the tiers held now."""
        posted.expect_key(request)
        said = self.read()
        name = posted.name_of(request, said)
        member = self.member_named(said["member"])
        balances = Balances.of(member.program_id)
        balance = balances.chosen(said.get("balance_definition"), "balance_definition")
        units = posted.units(said["amount"], balance, "amount")
        activity = points.Activity(
            member_id=member.pk,
            reference=name.reference,
            lines=(
                points.Line(
                    said["kind"],
                    balance.pk,
                    -units if said["kind"] == Kind.REDEEM else units,
                ),
            ),
            occurred_at=said.get("occurred_at"),
            description=said["description"],
            meta=said["meta"],
        )
        data = self.answer(member.program_id, name, activity, balances)
        return self.created(data, f"/api/v1/postings/{data['posting']}")

    @action(detail=True, methods=["post"])
    def reverse(self, request: Request, pk: int) -> Response:
        """Take back a line, or a part of it; it counts in the original's window."""
        return self.correct(pk, Kind.REVERSAL)

    @action(detail=True, methods=["post"])
    def refund(self, request: Request, pk: int) -> Response:
        """Give back what was redeemed, or a part of it, as a credit of today."""
        return self.correct(pk, Kind.REFUND)

    def correct(self, pk: int, kind: str) -> Response:
        said = self.read()
        entry = get_object_or_404(self.get_queryset(), pk=pk)
        name = posted.name_of(self.request, said)
        correction = points.Correction(
            kind,
            member_id=entry.member_id,
            reference=name.reference,
            request=entry.request.uuid,
            entry=entry.uuid,
            amount=posted.units_or_all(said.get("amount"), entry.balance_definition),
            description=said["description"],
            meta=said["meta"],
        )
        program_id = entry.member.program_id
        balances = Balances.of(program_id)
        data = self.answer(program_id, name, correction, balances)
        return self.created(data, f"/api/v1/postings/{data['posting']}")
