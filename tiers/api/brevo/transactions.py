"""The vendor's transactions: begin, complete, cancel, and what there has been.

Its clients send a request again that was not answered, and the vendor knows no key for
telling one sent twice. What is only begun and begun again does no harm, since it is
completed by its id; an ``Idempotency-Key`` makes one that completes itself as safe.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import points, transactions
from loyalty.errors import NotPending
from loyalty.models import BalanceDefinition, Member, PointsEntry, PointsRequest
from loyalty.transactions import State, Transaction, Wanted

from .. import idempotency
from . import member_messages as messages
from . import member_schema as answers
from .fields import written
from .member_schema import (
    CONTACT,
    DEFINITION,
    IDEMPOTENCY_KEY,
    PAGE,
    SUBSCRIPTION,
    sorted_by,
)
from .people import POST_POINTS, MemberView, number
from .protocol import Unknown
from .schema import PID, TID, described, in_query

Settling = Callable[[PointsRequest], points.Posting]
VIEW = "loyalty.view_pointsentry"
SOURCE = "brevo"
Kind = PointsEntry.Kind


class TransactionView(MemberView):
    def request_named(self, tid: UUID) -> PointsRequest:
        asked = PointsRequest.objects.filter(program=self.program, uuid=tid)
        found = asked.select_related("member").first()
        if found is None or found.member is None:
            raise Unknown("There is no such transaction.")
        return found

    def show(self, tid: UUID) -> Response:
        request = self.request_named(tid)
        assert request.member is not None
        said = transactions.transaction(request, as_of=timezone.now())
        definition = self.program.balance_definitions.get(pk=said.definition_id)
        shown = document(said, definition)
        return Response(
            shown
            | {
                "loyaltyProgramId": str(self.program.uuid),
                "contactId": request.member.contact_id,
            }
        )


class BeginTransaction(TransactionView):
    permission = {"POST": POST_POINTS}

    @described(
        "beginTransaction",
        answers.Transaction,
        messages.BeginTransaction,
        fails=[404],
        parameters=[PID, IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, **ids: Any) -> Response:
        program = self.program
        said = self.read(messages.BeginTransaction)
        definition = self.definition(said["balanceDefinitionId"])
        definition.program = program
        member = self.find_member(
            said.get("contactId"), said.get("loyaltySubscriptionId")
        )
        if member is None:
            raise ValidationError(
                "The contact has no subscription to this program.", code="not_a_member"
            )
        return self.show(self._post(member, definition, said).request)

    def _post(
        self, member: Member, definition: BalanceDefinition, said: dict[str, Any]
    ) -> points.Posting:
        units = _units(definition, said)
        key = self.request.headers.get("Idempotency-Key")
        if key is not None:
            idempotency.expect_usable(key)
        posting: dict[str, Any] = {
            "reference": key or str(uuid4()),
            "source": SOURCE,
            "by": self.request.user,
            "meta": said["meta"],
        }
        if said["is_credit"]:
            # A debit happens when it is completed, whatever was said.
            posting["occurred_at"] = said.get("eventTime")
        if said["autoComplete"]:
            verb = points.earn if said["is_credit"] else points.redeem
            return verb(member, definition, units, **posting)
        now = timezone.now()
        if ttl := said.get("ttl"):
            posting["expires_at"] = now + timedelta(seconds=ttl)
        signed = units if said["is_credit"] else -units
        return points.begin(member, definition, signed, **posting)


def _units(definition: BalanceDefinition, said: dict[str, Any]) -> int:
    """Return the size of an amount in the smallest unit, rounded as the balance says."""
    kind = Kind.EARN if said["is_credit"] else Kind.REDEEM
    units = points.to_units(abs(said["amount"]), points.rules_of(definition), kind)
    if not units:
        raise ValidationError(
            {"amount": "That is less than the smallest amount of this balance."},
            code="min_value",
        )
    return units


class CompleteTransaction(TransactionView):
    permission = {"POST": POST_POINTS}

    @described(
        "completeTransaction", answers.Transaction, fails=[404], parameters=[PID, TID]
    )
    def post(self, request: Request, *, tid: UUID, **ids: Any) -> Response:
        settle(points.complete, self.request_named(tid))
        return self.show(tid)


class CancelTransaction(TransactionView):
    permission = {"POST": POST_POINTS}

    @described(
        "cancelTransaction", answers.Transaction, fails=[404], parameters=[PID, TID]
    )
    def post(self, request: Request, *, tid: UUID, **ids: Any) -> Response:
        settle(points.cancel, self.request_named(tid))
        return self.show(tid)


def settle(verb: Settling, request: PointsRequest) -> None:
    """Complete or cancel; what has been done before is refused by this vendor."""
    try:
        posting = verb(request)
    except NotPending as late:
        status = late.details["status"]
    else:
        if not posting.replayed:
            return
        status = posting.status
    word = PointsRequest.Status(status).label.lower()
    raise NotPending(f"The transaction is {word} already.", status=status)


class TransactionHistory(TransactionView):
    permission = VIEW

    @described(
        "getTransactionHistoryApi",
        answers.TransactionHistory,
        fails=[404],
        parameters=[
            PID,
            CONTACT,
            DEFINITION,
            SUBSCRIPTION,
            in_query("status", str, enum=list(messages.HistoryQuery.STATES)),
            in_query("transactionType", str, enum=list(answers.TYPES)),
            *PAGE,
            sorted_by("createdAt"),
        ],
    )
    def get(self, request: Request, **ids: Any) -> Response:
        asked = self.read_query(messages.HistoryQuery)
        member = self.member(asked["contactId"])
        definition = self.definition(asked["balanceDefinitionId"])
        number = asked.get("loyaltySubscriptionId", member.subscription_id)
        if number != member.subscription_id:
            raise Unknown("The contact's subscription has another id.")
        count, found = transactions.history(
            member, definition.pk, _wanted(asked), as_of=timezone.now()
        )
        return Response(
            {
                "count": count,
                "loyaltyProgramId": str(self.program.uuid),
                "contactId": member.contact_id,
                "balanceDefinitionId": str(definition.uuid),
                "transactionHistory": [past(said, definition) for said in found],
            }
        )


def _wanted(asked: dict[str, Any]) -> Wanted:
    kind = asked.get("transactionType")
    return Wanted(
        state=asked.get("status"),
        is_credit=None if kind is None else kind == "credit",
        newest_first=asked["sort"] == "desc",
        offset=asked["offset"],
        limit=asked["limit"],
    )


# Documents


def document(said: Transaction, definition: BalanceDefinition) -> dict[str, Any]:
    """Show a transaction; its program and contact are added by who knows them."""
    shown = _common(said, definition) | {
        "balanceDefinitionId": str(definition.uuid),
        "eventTime": _instant(said.occurred_at),
        "expirationDate": _instant(said.waits_until),
        "updatedAt": written(said.settled_at or said.created_at),
    }
    if said.balance is not None:
        shown["balance"] = number(said.balance, definition.scale)
    return shown


def past(said: Transaction, definition: BalanceDefinition) -> dict[str, Any]:
    return _common(said, definition) | {
        "balanceExpirationDate": _instant(said.expires_at)
    }


def _common(said: Transaction, definition: BalanceDefinition) -> dict[str, Any]:
    settled = {said.state: _instant(said.settled_at)}
    return {
        "id": str(said.uuid),
        "amount": number(said.amount, definition.scale),
        "transactionType": "credit" if said.amount >= 0 else "debit",
        "meta": said.meta,
        "status": said.state.value,
        "rejectReason": said.reason or None,
        "rejectedAt": settled.get(State.REJECTED),
        "completedAt": settled.get(State.COMPLETED),
        "cancelledAt": settled.get(State.CANCELLED),
        "createdAt": written(said.created_at),
    }


def _instant(at: Any) -> str | None:
    return None if at is None else written(at)
