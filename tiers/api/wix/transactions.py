"""Loyalty transactions: the ledger's lines of points, as the vendor shows them."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, Value, When
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.models import PointsEntry, PointsRequest

from . import schema
from .fields import guid, instant, written
from .protocol import UnknownEntity, WixView
from .queries import Field, page, read_query, text, whole
from .schema import described, in_path
from .site import Site
from .views import path_guid

Kind = PointsEntry.Kind
VIEW = "loyalty.view_pointsentry"
SOURCE = "wix"
NEWEST_FIRST = (("recorded_at", True),)

#: What lines that take another back are called: what was spent is given back, and the
#: rest is corrected.
TYPE = Case(
    When(kind=Kind.REVERSAL, reverses__kind=Kind.REDEEM, then=Value(Kind.REFUND.value)),
    When(kind=Kind.REVERSAL, then=Value(Kind.ADJUST.value)),
    default=F("kind"),
    output_field=CharField(),
)


def transactions(site: Site) -> QuerySet[PointsEntry]:
    return (
        PointsEntry.objects.filter(
            member__program=site.program, balance_definition=site.points
        )
        .select_related("member", "request", "concerns", "reverses")
        .annotate(type=TYPE)
    )


def _type(value: Any) -> str:
    if value not in ("EARN", "REDEEM", "ADJUST", "REFUND", "EXPIRE", "UNKNOWN"):
        raise ValueError("A type is EARN, REDEEM, ADJUST, REFUND or EXPIRE.")
    return str(value)


#: Keys are shown where they came from the vendor's side, and can be asked for there.
_KEYED = Q(request__source=SOURCE, kind=Kind.EARN)
FIELDS = {
    "id": Field("uuid", guid),
    "accountId": Field("member__uuid", guid),
    "createdDate": Field("recorded_at", instant),
    "amount": Field("amount", whole),
    "transactionType": Field("type", _type),
    "description": Field("description", text, missing=Q(description="")),
    "idempotencyKey": Field(
        "request__reference", text, missing=~_KEYED, sortable=False
    ),
}


def documents(entries: Sequence[Any]) -> list[dict[str, Any]]:
    return [_document(entry) for entry in entries]


def _document(entry: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": str(entry.uuid),
        "accountId": str(entry.member.uuid),
        "createdDate": written(entry.recorded_at),
        "amount": entry.amount,
        "transactionType": entry.type,
    }
    if entry.description:
        shown["description"] = entry.description
    if entry.request.source == SOURCE and entry.kind == Kind.EARN:
        shown["idempotencyKey"] = entry.request.reference
    return shown | _details(entry)


def _details(entry: Any) -> dict[str, Any]:
    """Return the one member that says more, by the type of the transaction."""
    app = str(entry.meta.get("appId") or entry.request.source)
    if entry.type == Kind.EARN:
        kept = ("activityType", "orderId", "followedSocialMedia")
        more = {name: entry.meta[name] for name in kept if name in entry.meta}
        return {"earnInfo": {"appId": app} | more}
    if entry.type == Kind.REFUND:
        original = entry.concerns or entry.reverses
        return {
            "refundInfo": {"appId": app, "refundedTransactionId": str(original.uuid)}
        }
    if entry.type == Kind.REDEEM:
        # Which reward it was is known to whoever keeps rewards.
        return {"redeemInfo": {}}
    after = _balance_after(entry)
    amounts = {} if after is None else {"amountBefore": after - entry.amount}
    amounts |= {} if after is None else {"amountAfter": after}
    if entry.type == Kind.EXPIRE:
        return {"expireInfo": amounts}
    return {"adjustInfo": {"appId": app} | amounts}


def _balance_after(entry: Any) -> int | None:
    """Return what the balance was then, which the request's outcome keeps."""
    request: PointsRequest = entry.request
    for line in request.outcome.get("lines", ()):
        if line["uuid"] == str(entry.uuid):
            return int(line["balance"])
    return None


# Endpoints


class OneTransaction(WixView):
    permission = VIEW

    @described(
        "getLoyaltyTransaction",
        schema.TransactionAnswer,
        parameters=[in_path("transaction_id")],
    )
    def get(self, request: Request, transaction_id: str) -> Response:
        wanted = path_guid(transaction_id, "loyaltyTransactionId")
        found = list(transactions(self.site).filter(uuid=wanted))
        if not found:
            raise UnknownEntity("There is no such loyalty transaction.")
        return Response({"loyaltyTransaction": documents(found)[0]})


class QueryTransactions(WixView):
    permission = VIEW

    @described(
        "queryLoyaltyTransactions", schema.TransactionsAnswer, schema.QueryRequest
    )
    def post(self, request: Request) -> Response:
        owner = f"transactions {self.site.program.pk}"
        sent = self.body.get("query") or {}
        try:
            query = read_query(sent, FIELDS, default=NEWEST_FIRST, owner=owner)
        except ValidationError as error:
            raise ValidationError({"query": error.detail}) from None
        found, metadata = page(transactions(self.site), query, FIELDS, owner=owner)
        return Response(
            {"loyaltyTransactions": documents(found), "pagingMetadata": metadata}
        )
