"""What the vendor's clients send about accounts, and within which limits."""

from typing import Any, Final

from rest_framework import serializers

from .fields import Described, GuidField, RevisionField, TextField, WholeField

MOST_AT_ONCE: Final = 9_999_999
MOST_BALANCE: Final = 999_999_999
SEARCHED: Final = ("contact.name", "contact.email")


class CreateAccountRequest(Described):
    contactId = GuidField()


class SecondaryIdQuery(Described):
    contactId = GuidField(required=False)
    memberId = TextField(required=False, max_length=50)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Send either contactId or memberId.")
        return attrs


class SocialMedia(Described):
    channel = TextField(max_length=32)


class EarnPointsRequest(Described):
    amount = WholeField(min_value=1, max_value=MOST_AT_ONCE)
    appId = TextField(max_length=100)
    idempotencyKey = TextField(max_length=256)
    description = TextField(max_length=100, required=False, allow_null=True)
    activityType = TextField(max_length=100, required=False, allow_null=True)
    orderId = TextField(max_length=512, required=False, allow_null=True)
    followedSocialMedia = SocialMedia(required=False, allow_null=True)

    #: What is kept beside an entry, under the vendor's names.
    KEPT = ("appId", "activityType", "orderId", "followedSocialMedia")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        meta = {name: attrs[name] for name in self.KEPT if attrs.get(name)}
        return attrs | {"description": attrs.get("description") or "", "meta": meta}


class AdjustPointsRequest(Described):
    """Where both are sent, ``balance`` wins."""

    balance = WholeField(
        min_value=0, max_value=MOST_BALANCE, required=False, allow_null=True
    )
    amount = WholeField(
        min_value=-MOST_AT_ONCE,
        max_value=MOST_AT_ONCE,
        required=False,
        allow_null=True,
    )
    description = TextField(max_length=100, required=False, allow_null=True)
    revision = RevisionField()

    def validate_amount(self, value: int | None) -> int | None:
        if value == 0:
            raise serializers.ValidationError("An adjustment changes something.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("balance") is None and attrs.get("amount") is None:
            raise serializers.ValidationError("Send either balance or amount.")
        return attrs


class SearchWords(Described):
    mode = serializers.ChoiceField(["OR", "AND"], default="OR", allow_null=True)
    expression = TextField(
        max_length=100, required=False, allow_null=True, allow_blank=True
    )

    def get_fields(self) -> dict[str, Any]:
        # Not declared: "fields" is a name of REST framework's own.
        searched = serializers.ListField(
            child=serializers.ChoiceField(SEARCHED), default=list, max_length=20
        )
        return super().get_fields() | {"fields": searched}


class PagingQuery(Described):
    """The paging of a list, which comes in the address, in dotted names."""

    limit = serializers.RegexField(r"\A[1-9][0-9]{0,2}\Z", required=False)
    cursor = serializers.CharField(required=False)
