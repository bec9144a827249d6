"""How the OpenAPI document describes this voice."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from .fields import Described, ObjectField
from .serializers import (
    MODIFIERS,
    STRATEGIES,
    UNITS,
    AccessCondition,
    TierReward,
)

# Refusals


class Violation(Described):
    path = serializers.CharField(help_text="Where in what was sent.")
    rule = serializers.CharField()
    error = serializers.CharField()


class Refusal(Described):
    message = serializers.CharField()
    code = serializers.CharField()
    errors: Any = serializers.ListField(child=Violation(), required=False)
    link = serializers.URLField(
        required=False, help_text="Where a reviewer decides, with approval_required."
    )


REFUSALS: Final = {
    400: "What was sent cannot be read.",
    401: "The key is missing, or of no use.",
    403: "The key may not do that.",
    404: "There is no such thing.",
    409: "There is one already, or it is in use.",
    422: "What was sent breaks a rule, or a reviewer has to approve it.",
    424: "Something else has to be there first.",
    429: "Too many requests.",
}
#: What every call may answer with.
ALWAYS: Final = (401, 403, 422, 429)


def described(
    operation: str,
    answer: Any,
    request: Any = None,
    *,
    fails: Sequence[int] = (),
    parameters: Sequence[OpenApiParameter] = (),
) -> Callable[..., Any]:
    """Describe a method of a view under the name that the vendor's client gives it.

    ``answer`` is None for calls that answer 204. ``fails`` are the statuses that the
    vendor's clients know from this call, besides those that they know from all; others
    of 400, 409 and 424 become 422. Where ``request`` is given, the body is read.
    """
    responses: dict[int, Any] = {204: None} if answer is None else {200: answer}
    if any(each.location == OpenApiParameter.PATH for each in parameters):
        # A program, at least, that there may not be: the vendor does not always say so.
        fails = (*fails, 404)
    for status in sorted({*ALWAYS, *fails}):
        responses[status] = OpenApiResponse(Refusal, REFUSALS[status])
    describe = extend_schema(
        operation_id=f"brevo_{operation}",
        request=request,
        responses=responses,
        parameters=list(parameters),
        tags=["Brevo"],
    )

    def decorate(method: Any) -> Any:
        method = describe(method)
        method.fails = tuple(fails)
        method.takes_body = request is not None
        return method

    return decorate


def in_path(name: str) -> OpenApiParameter:
    kind = OpenApiTypes.INT64 if name == "cid" else OpenApiTypes.UUID
    return OpenApiParameter(name, kind, OpenApiParameter.PATH)


def in_query(
    name: str, kind: Any = OpenApiTypes.INT, **options: Any
) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, **options)


PID: Final = in_path("pid")
GID: Final = in_path("gid")
TID: Final = in_path("tid")
RID: Final = in_path("rid")
CID: Final = in_path("cid")
VERSION: Final = in_query(
    "version",
    OpenApiTypes.STR,
    enum=["draft", "active"],
    default="draft",
    description="What would be live after a publication, or what is.",
)
LIMIT: Final = in_query("limit", default=50)
OFFSET: Final = in_query("offset", default=0)
SORT: Final = in_query("sort", OpenApiTypes.STR, enum=["asc", "desc"], default="desc")
SORT_FIELD: Final = in_query(
    "sort_field",
    OpenApiTypes.STR,
    enum=["name", "created_at", "updated_at"],
    default="created_at",
)

# Programs and rewards


class LoyaltyProgram(Described):
    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    meta = ObjectField()
    state = serializers.ChoiceField(["inactive", "active", "draft"])
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class ProgramList(Described):
    items = LoyaltyProgram(many=True)


class Reward(Described):
    id = serializers.UUIDField()
    loyaltyProgramId = serializers.UUIDField()
    name = serializers.CharField()
    publicName = serializers.CharField(allow_blank=True)
    publicDescription = serializers.CharField(allow_blank=True)
    publicImage = serializers.CharField(allow_blank=True)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class RewardList(Described):
    items = Reward(many=True)
    totalCount = serializers.IntegerField()


# Tier groups and tiers


class ShownSchedule(Described):
    strategy = serializers.ChoiceField(list(STRATEGIES))
    durationValue = serializers.IntegerField(required=False)
    durationUnit = serializers.ChoiceField(list(UNITS), required=False)
    durationModifier = serializers.ChoiceField(list(MODIFIERS), required=False)
    scheduledDate = serializers.CharField(required=False, help_text="DD/MM")


class TierGroup(Described):
    id = serializers.UUIDField()
    loyaltyProgramId = serializers.UUIDField()
    name = serializers.CharField()
    upgradeStrategy = serializers.ChoiceField(list(STRATEGIES))
    downgradeStrategy = serializers.ChoiceField(list(STRATEGIES))
    tierOrder: Any = serializers.ListField(
        child=serializers.UUIDField(), help_text="Lowest first."
    )
    upgradeSchedule = ShownSchedule(required=False)
    downgradeSchedule = ShownSchedule(required=False)
    meta = ObjectField()
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class TierGroupList(Described):
    items = TierGroup(many=True)


class Tier(Described):
    tierId = serializers.UUIDField()
    id = serializers.UUIDField(help_text="The same as tierId.")
    groupId = serializers.UUIDField()
    loyaltyProgramId = serializers.UUIDField()
    name = serializers.CharField()
    accessConditions = AccessCondition(many=True)
    imageRef = serializers.CharField(required=False)
    tierRewards = TierReward(many=True)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class TierList(Described):
    items = Tier(many=True)


class Assignment(Described):
    id = serializers.UUIDField(help_text="The id of the tier.")
    contactId = serializers.IntegerField()
    groupId = serializers.UUIDField()
    loyaltyProgramId = serializers.UUIDField()
    meta = ObjectField()
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()
