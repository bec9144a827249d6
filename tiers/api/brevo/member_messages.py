"""What the vendor's clients send about members and balances."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from loyalty.fields import MAX_JSON_INTEGER
from loyalty.models import BalanceDefinitionVersion
from loyalty.transactions import State

from .. import strict
from .fields import (
    MOST_CONTACTS,
    Body,
    ObjectField,
    Query,
    UuidField,
    read_contact_id,
    read_uuid,
)
from .member_schema import TYPES, UNITS
from .serializers import WordField

Version = BalanceDefinitionVersion
#: Of these, and of what is not sent, whatever is sent beside them is said in return.
PARTS: Final = ("balance", "tier", "reward", "members")
#: A floating-point number is taken for the decimal number that was meant.
DECIMALS: Final = 8
MOST_HOUSEHOLD: Final = 100
MOST_MINUTES: Final = 2**31 - 1
MOST_LISTED: Final = 500


@extend_schema_field(OpenApiTypes.INT64)
class ContactField(serializers.Field):
    """A contact's number, as JSON."""

    default_error_messages = {
        "invalid": "Send the contact's id, a whole number from 1."
    }

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int or not 1 <= data <= MOST_CONTACTS:
            self.fail("invalid")
        return data


@extend_schema_field(OpenApiTypes.NUMBER)
class NumberField(serializers.Field):
    """A JSON number, with decimals or without."""

    default_error_messages = {
        "invalid": "Send a number, without quotes.",
        "out_of_range": f"Send a number from -{MAX_JSON_INTEGER} to {MAX_JSON_INTEGER}.",
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if type(data) not in (int, float):
            self.fail("invalid")
        number = Decimal(repr(data))
        if abs(number) > MAX_JSON_INTEGER:
            self.fail("out_of_range")
        return round(number, DECIMALS)


@extend_schema_field(OpenApiTypes.DATETIME)
class InstantField(strict.InstantField):
    pass


class Parameter(serializers.CharField):
    """A value in an address, read by a function that knows its one form."""

    def __init__(self, read: Callable[[str], Any], **options: Any) -> None:
        self.read = read
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Any:
        try:
            return self.read(data)
        except ValueError as error:
            raise ValidationError(str(error)) from None


def _subscription(**options: Any) -> strict.LineField:
    return strict.LineField(max_length=64, required=False, **options)


def _offset() -> strict.NumberParameter:
    return strict.NumberParameter(required=False, min_value=0, default=0)


def _limit(default: int = 50) -> strict.LimitParameter:
    return strict.LimitParameter(required=False, most=MOST_LISTED, default=default)


def _sort(default: str = "desc") -> strict.ChoiceField:
    return strict.ChoiceField(choices=["asc", "desc"], required=False, default=default)


def _contact() -> Parameter:
    return Parameter(read_contact_id)


def _definition() -> Parameter:
    return Parameter(read_uuid)


def _internal() -> strict.FlagParameter:
    return strict.FlagParameter(required=False, default=False)


# Contacts and memberships


class CreateContact(Body):
    """A person: an e-mail address, a number of yours, or a telephone is needed."""

    email = strict.LineField(max_length=254, required=False)
    ext_id = strict.LineField(max_length=128, required=False)
    attributes = ObjectField(required=False, default=dict)
    updateEnabled = strict.FlagField(required=False, default=False)
    getId = strict.FlagField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attributes = attrs["attributes"]
        mobile = attributes.get("SMS", "")
        if not isinstance(mobile, str):
            raise ValidationError(
                {"attributes": {"SMS": "Send the number as text."}}, code="invalid"
            )
        if not (attrs.get("email") or attrs.get("ext_id") or mobile):
            raise ValidationError(
                "Send email, ext_id, or SMS among the attributes.", code="required"
            )
        names = (("FIRSTNAME", "FNAME"), ("LASTNAME", "LNAME"))
        said = [
            next((str(attributes[name]) for name in both if attributes.get(name)), "")
            for both in names
        ]
        return attrs | {"mobile": mobile, "name": " ".join(filter(None, said))}


class Subscribe(Body):
    contactId = ContactField()
    loyaltySubscriptionId = _subscription()
    creationDate = InstantField(required=False)
    meta = ObjectField(required=False, default=dict)


class Share(Body):
    contactId = ContactField(required=False)
    loyaltySubscriptionId = _subscription()
    memberContactIds: Any = serializers.ListField(
        child=ContactField(), min_length=1, max_length=MOST_HOUSEHOLD
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "contactId" not in attrs and "loyaltySubscriptionId" not in attrs:
            raise ValidationError(
                "Send contactId or loyaltySubscriptionId.", code="required"
            )
        return attrs


class AccountQuery(Query):
    contactId = Parameter(read_contact_id, required=False)
    loyaltySubscriptionId = _subscription()
    params = serializers.CharField(required=False, allow_blank=True, default="")
    includeInternal = _internal()

    def validate_params(self, value: str) -> set[str]:
        """Return the parts that are named; all of them where none is."""
        return {word.strip() for word in value.split(",")} & {*PARTS} or {*PARTS}


# Balance definitions

OVERTAKING: Final = {word.lower(): word for word in Version.Overtaking.values}
ROUNDING: Final = {word.lower(): word for word in Version.Rounding.values}
SPANS: Final = {word.lower(): word for word in Version.Span.values}
SPAN_ENDS: Final = {
    "noModification": Version.SpanEnd.EXACT.value,
    "startOfPeriod": Version.SpanEnd.START_OF_PERIOD.value,
    "endOfPeriod": Version.SpanEnd.END_OF_PERIOD.value,
}


class DayOfYearField(strict.LineField):
    """``dd/mm``; the client in Python sends a whole date, which is as good."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            day = strict.DayField().to_internal_value(text)
        except ValidationError:
            return text
        return f"{day:%d/%m}"


class DefinitionRequest(Body):
    """A balance definition as it shall be; what is not sent has its default."""

    name = strict.LineField(max_length=128)
    unit = strict.ChoiceField(choices=UNITS)
    description = strict.TextField(max_length=500, default="", allow_blank=True)
    imageRef = strict.LineField(
        source="image_ref", max_length=200, default="", allow_blank=True
    )
    minAmount = NumberField(source="minimum", default=Decimal(0))
    maxAmount = NumberField(source="maximum", default=None)
    maxCreditAmountLimit = NumberField(source="credit_limit", default=None)
    maxDebitAmountLimit = NumberField(source="debit_limit", default=None)
    balanceOptionAmountOvertakingStrategy = WordField(
        OVERTAKING, source="overtaking", default=Version.Overtaking.STRICT.value
    )
    balanceOptionCreditRounding = WordField(
        ROUNDING, source="credit_rounding", default=Version.Rounding.LOWER.value
    )
    balanceOptionDebitRounding = WordField(
        ROUNDING, source="debit_rounding", default=Version.Rounding.LOWER.value
    )
    balanceAvailabilityDurationValue = strict.IntegerField(
        source="availability_value", min_value=1, max_value=1200, default=None
    )
    balanceAvailabilityDurationUnit = WordField(
        SPANS, source="availability_unit", default=""
    )
    balanceAvailabilityDurationModifier = WordField(
        SPAN_ENDS, source="availability_end", default=Version.SpanEnd.EXACT.value
    )
    balanceExpirationDate = DayOfYearField(
        source="expires_on", max_length=10, default="", allow_blank=True
    )
    meta = ObjectField(default=dict)


class DefinitionsQuery(Query):
    limit = _limit(default=200)
    offset = _offset()
    sortField = strict.ChoiceField(
        choices=["name", "created_at", "updated_at"],
        required=False,
        default="updated_at",
    )
    sort = _sort()
    version = strict.ChoiceField(
        choices=["draft", "active"], required=False, default="draft"
    )


# Balances and transactions


class InternalQuery(Query):
    includeInternal = _internal()


class CreateBalance(Body):
    balanceDefinitionId = UuidField()


class ProgressQuery(Query):
    tierGroupId = Parameter(read_uuid, required=False)


class ActiveBalancesQuery(InternalQuery):
    contactId = _contact()
    balanceDefinitionId = _definition()
    limit = _limit()
    offset = _offset()
    sortField = strict.ChoiceField(choices=["createdAt"], required=False)
    sort = _sort(default="asc")


class ContactBalancesQuery(InternalQuery):
    balanceDefinitionId = _definition()
    limit = _limit()
    offset = _offset()
    sortField = strict.ChoiceField(choices=["updatedAt", "value"], required=False)
    sort = _sort()


class HistoryQuery(Query):
    #: All the words that the vendor's clients and pages have for states.
    STATES: Final = {
        "draft": State.PENDING,
        "pending": State.PENDING,
        "complete": State.COMPLETED,
        "completed": State.COMPLETED,
        "rejected": State.REJECTED,
        "cancelled": State.CANCELLED,
        "expired": State.EXPIRED,
    }

    contactId = _contact()
    balanceDefinitionId = _definition()
    loyaltySubscriptionId = _subscription()
    status = strict.ChoiceField(choices=list(STATES), required=False)
    transactionType = strict.ChoiceField(choices=TYPES, required=False)
    limit = _limit()
    offset = _offset()
    sortField = strict.ChoiceField(choices=["createdAt"], required=False)
    sort = _sort()

    def validate_status(self, value: str) -> State:
        return self.STATES[value]


class BeginTransaction(Body):
    """A credit or a debit; the sign says which, unless ``transactionType`` does."""

    amount = NumberField()
    balanceDefinitionId = UuidField()
    contactId = ContactField(required=False)
    loyaltySubscriptionId = _subscription()
    transactionType = strict.ChoiceField(choices=TYPES, required=False)
    meta = ObjectField(required=False, default=dict)
    ttl = strict.IntegerField(required=False, min_value=10, max_value=MOST_MINUTES)
    eventTime = InstantField(required=False)
    autoComplete = strict.FlagField(required=False, default=False)
    balanceExpiryInMinutes = strict.IntegerField(
        required=False, min_value=1, max_value=MOST_MINUTES
    )

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and "LoyaltySubscriptionId" in data:
            # As the clients write it; the vendor's guides do not.
            data = {"loyaltySubscriptionId": data["LoyaltySubscriptionId"]} | data
        return super().to_internal_value(data)

    def validate_amount(self, value: Decimal) -> Decimal:
        if not value:
            raise ValidationError("The amount is not 0.", code="min_value")
        return value

    def validate_balanceExpiryInMinutes(self, value: int) -> int:
        raise ValidationError(
            "Credits expire as their balance definition says, not one by one.",
            code="unsupported",
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "contactId" not in attrs and "loyaltySubscriptionId" not in attrs:
            raise ValidationError(
                "Send contactId or LoyaltySubscriptionId.", code="required"
            )
        sign = "credit" if attrs["amount"] > 0 else "debit"
        attrs["is_credit"] = attrs.pop("transactionType", sign) == "credit"
        return attrs
