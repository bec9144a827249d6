"""What this voice answers about members and balances, and what it is asked with."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer
from rest_framework import serializers

from loyalty.transactions import State

from .fields import Described, ObjectField, UuidField
from .schema import LIMIT, OFFSET, SORT, in_path, in_query

UNITS: Final = (
    "POINTS",
    "EUR",
    "USD",
    "MXN",
    "GBP",
    "INR",
    "CAD",
    "SGD",
    "RON",
    "JPY",
    "MYR",
    "CLP",
    "PEN",
    "MAD",
    "AUD",
    "CHF",
    "BRL",
)
TYPES: Final = ("credit", "debit")
STATUSES: Final = tuple(state.value for state in State)
ROUNDINGS: Final = ("lower", "upper", "natural")


class ContactId(serializers.IntegerField):
    """A contact's number, from 1."""


class Amount(serializers.FloatField):
    """An amount of a balance, with its decimals."""


# Contacts and memberships


class Contact(Described):
    id = ContactId()


class Subscription(Described):
    organizationId = serializers.IntegerField()
    loyaltyProgramId = UuidField()
    versionId = serializers.IntegerField(
        help_text="Counts the times that the contact joined."
    )
    contactId = ContactId()
    loyaltySubscriptionId = serializers.CharField()
    meta = ObjectField()
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class Household(Described):
    organizationId = serializers.IntegerField()
    ownerContactId = ContactId()
    memberContactIds: Any = serializers.ListField(child=ContactId())
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class NamedBalanceValue(Described):
    balanceDefinitionId = UuidField()
    balanceDefinitionName = serializers.CharField()
    value = Amount()


class AccountBalance(Described):
    contactId = ContactId()
    loyaltyProgramId = UuidField()
    balances = NamedBalanceValue(many=True)


class AccountTier(Described):
    tierId = UuidField()
    tierName = serializers.CharField()
    contactId = ContactId()
    groupId = UuidField()
    groupName = serializers.CharField()
    loyaltyProgramId = UuidField()
    meta = ObjectField()
    createdAt = serializers.DateTimeField(help_text="Since when it is held.")
    updatedAt = serializers.DateTimeField()


class Membership(Described):
    loyaltySubscriptionId = serializers.CharField()
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class AccountMember(Described):
    memberContactId = ContactId()
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class Account(Described):
    """Parts that ``params`` leaves out are not there."""

    loyaltyProgramName = serializers.CharField()
    membership = Membership()
    balance = AccountBalance(required=False)
    tier = AccountTier(many=True, required=False)
    reward: Any = serializers.ListField(
        child=ObjectField(), required=False, help_text="Always empty."
    )
    members = AccountMember(many=True, required=False)


# Balances


class Definition(Described):
    id = UuidField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    imageRef = serializers.CharField(allow_null=True)
    meta = ObjectField()
    unit = serializers.CharField(help_text=f"One of {', '.join(UNITS)}; or our own.")
    minAmount = Amount(allow_null=True)
    maxAmount = Amount(allow_null=True)
    maxCreditAmountLimit = Amount(allow_null=True)
    maxDebitAmountLimit = Amount(allow_null=True)
    balanceOptionAmountOvertakingStrategy = serializers.ChoiceField(
        ["strict", "partial"]
    )
    balanceOptionCreditRounding = serializers.ChoiceField(ROUNDINGS)
    balanceOptionDebitRounding = serializers.ChoiceField(ROUNDINGS)
    balanceAvailabilityDurationValue = serializers.IntegerField(allow_null=True)
    balanceAvailabilityDurationUnit = serializers.ChoiceField(
        ["day", "week", "month", "year"], allow_null=True
    )
    balanceAvailabilityDurationModifier = serializers.ChoiceField(
        ["noModification", "startOfPeriod", "endOfPeriod"], allow_null=True
    )
    balanceExpirationDate = serializers.CharField(allow_null=True, help_text="dd/mm.")
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()
    deletedAt = serializers.DateTimeField(allow_null=True)


class Definitions(Described):
    items = Definition(many=True)


class BalanceValue(Described):
    balanceDefinitionId = UuidField()
    value = Amount()


class SubscriptionBalances(Described):
    loyaltyProgramId = UuidField()
    contactId = ContactId()
    balance = BalanceValue(many=True)


class SubscriptionBalance(Described):
    id = UuidField()
    amount = Amount()
    loyaltyProgramId = UuidField()
    organizationId = serializers.IntegerField()
    contactId = ContactId()
    balanceDefinitionId = UuidField()
    createdAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField(allow_null=True)
    consumedAt = serializers.DateTimeField(allow_null=True)


class ActiveBalance(Described):
    id = UuidField()
    amount = Amount()
    createdAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField(required=False)


class ActiveBalances(Described):
    count = serializers.IntegerField()
    loyaltyProgramId = UuidField()
    contactId = ContactId()
    balanceDefinitionId = UuidField()
    activeBalances = ActiveBalance(many=True)


class ContactBalance(Described):
    contactId = ContactId()
    loyaltySubscriptionId = serializers.CharField()
    value = Amount()
    updatedAt = serializers.DateTimeField()


class ContactBalances(Described):
    balanceDefinitionId = UuidField()
    loyaltyProgramId = UuidField()
    count = serializers.IntegerField()
    balances = ContactBalance(many=True)


class TierProgress(Described):
    """How far it is to the next tier of a group."""

    tierGroupId = UuidField()
    tierGroupName = serializers.CharField()
    tierId = UuidField(allow_null=True)
    tierName = serializers.CharField(allow_null=True)
    nextTierName = serializers.CharField(allow_null=True)
    nextTierThreshold = Amount(allow_null=True)
    currentBalance = Amount()


#: Of each group, where the program has several and none is named.
TIER_PROGRESS: Final = PolymorphicProxySerializer(
    component_name="BrevoTierProgressOfGroups",
    serializers=[TierProgress, TierProgress(many=True)],
    resource_type_field_name=None,
    many=False,
)


# Transactions


class Transaction(Described):
    """``amount`` is negative where it is a debit, so that amounts add up."""

    id = UuidField()
    amount = Amount()
    transactionType = serializers.ChoiceField(TYPES)
    meta = ObjectField()
    status = serializers.ChoiceField(STATUSES)
    loyaltyProgramId = UuidField()
    balanceDefinitionId = UuidField()
    contactId = ContactId()
    eventTime = serializers.DateTimeField(allow_null=True)
    rejectReason = serializers.CharField(allow_null=True)
    rejectedAt = serializers.DateTimeField(allow_null=True)
    expirationDate = serializers.DateTimeField(allow_null=True)
    completedAt = serializers.DateTimeField(allow_null=True)
    cancelledAt = serializers.DateTimeField(allow_null=True)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()
    balance = Amount(required=False, help_text="After it, once it is completed.")


class PastTransaction(Described):
    id = UuidField()
    amount = Amount()
    transactionType = serializers.ChoiceField(TYPES)
    status = serializers.ChoiceField(STATUSES)
    balanceExpirationDate = serializers.DateTimeField(allow_null=True)
    createdAt = serializers.DateTimeField()
    completedAt = serializers.DateTimeField(allow_null=True)
    cancelledAt = serializers.DateTimeField(allow_null=True)
    rejectedAt = serializers.DateTimeField(allow_null=True)
    rejectReason = serializers.CharField(allow_null=True)
    meta = ObjectField()


class TransactionHistory(Described):
    count = serializers.IntegerField()
    loyaltyProgramId = UuidField()
    contactId = ContactId()
    balanceDefinitionId = UuidField()
    transactionHistory = PastTransaction(many=True)


# Parameters


INTERNAL: Final = in_query(
    "includeInternal", OpenApiTypes.BOOL, description="Also what is for internal use."
)
CONTACT: Final = in_query("contactId", OpenApiTypes.INT64, required=True)
DEFINITION: Final = in_query("balanceDefinitionId", OpenApiTypes.UUID, required=True)
SUBSCRIPTION: Final = in_query("loyaltySubscriptionId", OpenApiTypes.STR)
BDID: Final = in_path("bdid")
PAGE: Final = (LIMIT, OFFSET, SORT)
IDEMPOTENCY_KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The same key with the same body has one effect, however often.",
)


def sorted_by(*fields: str) -> OpenApiParameter:
    return in_query("sortField", OpenApiTypes.STR, enum=list(fields))
