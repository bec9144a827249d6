"""How the OpenAPI document describes this voice."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
)
from rest_framework import serializers

from loyalty.models import Program

from .fields import Described, GuidField, ImageField, RevisionField
from .serializers import RollingWindow

SITE: Final = OpenApiParameter(
    "wix-site-id",
    OpenApiTypes.UUID,
    OpenApiParameter.HEADER,
    required=True,
    description="The site: the uuid of a program.",
)

# Refusals


class FieldViolation(Described):
    field = serializers.CharField(help_text="The path in what was sent.")
    description = serializers.CharField()
    violatedRule = serializers.CharField()
    ruleName = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]


class ValidationErrorDetail(Described):
    fieldViolations = FieldViolation(many=True)


class ApplicationErrorDetail(Described):
    code = serializers.CharField()
    description = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]


class Details(Described):
    """Exactly one of the two."""

    applicationError = ApplicationErrorDetail(required=False)
    validationError = ValidationErrorDetail(required=False)


class Refusal(Described):
    message = serializers.CharField()
    details = Details()


REFUSALS: Final = {
    400: "Something that was sent breaks a rule, or is not supported.",
    401: "The key is missing, or of no use.",
    403: "The key may not do that, or a reviewer has to approve it.",
    404: "There is no such thing, or no such site.",
    409: "It exists already, or the revision is not the current one.",
    428: "A condition is not met: as many tiers as there can be, too few points.",
    429: "Too many requests.",
}


def described(
    operation: str,
    answer: Any,
    request: Any = None,
    parameters: Sequence[OpenApiParameter] = (),
) -> Callable[..., Any]:
    """Describe a method of a view under the name that the vendor's client gives it."""
    refusals = {
        status: OpenApiResponse(Refusal, sentence)
        for status, sentence in REFUSALS.items()
    }
    return extend_schema(
        operation_id=f"wix_{operation}",
        request=request,
        responses={200: answer} | refusals,
        parameters=[SITE, *parameters],
        tags=["Wix"],
    )


def in_path(name: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.UUID, OpenApiParameter.PATH)


# Tiers and settings


class TierDefinition(Described):
    name = serializers.CharField(allow_blank=True)
    description = serializers.CharField(allow_blank=True)
    icon = ImageField(allow_null=True)


class Tier(Described):
    id = GuidField()
    tierDefinition = TierDefinition()
    requiredPoints = serializers.IntegerField()
    revision = RevisionField()
    createdDate = serializers.DateTimeField()
    updatedDate = serializers.DateTimeField()


class Settings(Described):
    status = serializers.ChoiceField(Program.TiersStatus.choices)
    rollingWindow = RollingWindow()
    baseTierDefinition = TierDefinition()
    revision = RevisionField()
    createdDate = serializers.DateTimeField()
    updatedDate = serializers.DateTimeField()


class TierAnswer(Described):
    tier = Tier()


class TiersAnswer(Described):
    tiers = Tier(many=True)


class SettingsAnswer(Described):
    programSettings = Settings()


class ProgramAnswer(Described):
    tiers = Tier(many=True)
    programSettings = Settings()


class ItemMetadata(Described):
    id = GuidField(allow_null=True)
    originalIndex = serializers.IntegerField()
    success = serializers.BooleanField()
    error = ApplicationErrorDetail(allow_null=True)


class BulkResult(Described):
    itemMetadata = ItemMetadata()
    item = Tier(required=False)


class BulkMetadata(Described):
    totalSuccesses = serializers.IntegerField()
    totalFailures = serializers.IntegerField()
    undetailedFailures = serializers.IntegerField()


class BulkAnswer(Described):
    results = BulkResult(many=True)
    bulkActionMetadata = BulkMetadata()


class Nothing(Described):
    """An empty object."""


# Accounts


class Points(Described):
    balance = serializers.IntegerField()
    earned = serializers.IntegerField()
    adjusted = serializers.IntegerField()
    redeemed = serializers.IntegerField()
    expired = serializers.IntegerField()


class AccountTier(Described):
    id = GuidField(required=False, help_text="Left out for the base tier.")
    points = serializers.IntegerField()
    updatedDate = serializers.DateTimeField()


class Contact(Described):
    id = GuidField()
    name = serializers.CharField(allow_null=True)
    email = serializers.CharField(allow_null=True)
    displayName = serializers.CharField(allow_null=True)


class Account(Described):
    id = GuidField()
    contactId = GuidField()
    memberId = serializers.CharField(required=False)
    points = Points()
    rewardAvailable = serializers.BooleanField()
    createdDate = serializers.DateTimeField()
    updatedDate = serializers.DateTimeField()
    lastActivityDate = serializers.DateTimeField(required=False)
    revision = RevisionField()
    tier = AccountTier(required=False)
    contact = Contact()


class AccountAnswer(Described):
    account = Account()


class PostedAnswer(Described):
    account = Account()
    transactionId = GuidField(allow_null=True)


class Cursors(Described):
    next = serializers.CharField(required=False)
    prev = serializers.CharField(required=False)


class PagingMetadata(Described):
    count = serializers.IntegerField()
    cursors = Cursors()
    hasNext = serializers.BooleanField()


class AccountsAnswer(Described):
    accounts = Account(many=True)
    pagingMetadata = PagingMetadata()


class AggregationData(Described):
    results = serializers.ListField(child=serializers.DictField())


class SearchAnswer(AccountsAnswer):
    aggregationData = AggregationData()


class QueryAnswer(Described):
    loyaltyAccounts = Account(many=True)
    pagingMetadata = PagingMetadata()


class CountAnswer(Described):
    count = serializers.IntegerField()


class TierTotal(Described):
    id = GuidField(required=False, help_text="Left out for the base tier.")
    numberOfAccounts = serializers.IntegerField()


class TotalsAnswer(Described):
    points = Points()
    tierTotals = TierTotal(many=True)


# Transactions


@extend_schema_field({"type": "object"})
class ObjectField(serializers.Field):
    """An object of one of the kinds that the vendor describes."""


class Transaction(Described):
    id = GuidField()
    accountId = GuidField()
    createdDate = serializers.DateTimeField()
    amount = serializers.IntegerField()
    transactionType = serializers.ChoiceField(
        ["EARN", "REDEEM", "ADJUST", "REFUND", "EXPIRE"]
    )
    description = serializers.CharField(required=False)
    idempotencyKey = serializers.CharField(required=False)
    earnInfo = ObjectField(required=False)
    redeemInfo = ObjectField(required=False)
    adjustInfo = ObjectField(required=False)
    refundInfo = ObjectField(required=False)
    expireInfo = ObjectField(required=False)


class TransactionAnswer(Described):
    loyaltyTransaction = Transaction()


class TransactionsAnswer(Described):
    loyaltyTransactions = Transaction(many=True)
    pagingMetadata = PagingMetadata()


# What is asked


class Paging(Described):
    limit = serializers.IntegerField(min_value=1, max_value=100, default=50)
    cursor = serializers.CharField(required=False)


class SortItem(Described):
    fieldName = serializers.CharField()
    order = serializers.ChoiceField(["ASC", "DESC"], default="ASC")


class Query(Described):
    """A page after the first is asked for by its cursor alone."""

    filter = ObjectField(required=False)
    sort = SortItem(many=True, required=False)
    cursorPaging = Paging(required=False)


class QueryRequest(Described):
    query = Query(required=False)


class Search(Query):
    search = ObjectField(required=False)


class SearchRequest(Described):
    search = Search(required=False)


class CountRequest(Described):
    filter = ObjectField(required=False)
    search = ObjectField(required=False)


PAGING: Final = (
    OpenApiParameter("contactIds", OpenApiTypes.UUID, many=True),
    OpenApiParameter("cursorPaging.limit", OpenApiTypes.INT),
    OpenApiParameter("cursorPaging.cursor", OpenApiTypes.STR),
)
CONTACT_OR_MEMBER: Final = (
    OpenApiParameter("contactId", OpenApiTypes.UUID),
    OpenApiParameter("memberId", OpenApiTypes.STR),
)
REVISION: Final = OpenApiParameter(
    "revision", OpenApiTypes.STR, description="The revision that was read."
)
