"""How the OpenAPI document describes this voice."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema_field,
    inline_serializer,
)
from rest_framework import serializers

from .protocol import FORBIDDEN, UNAUTHENTICATED
from .serializers import (
    OPEN_STATUSES,
    ListQuery,
    LiveTierSerializer,
    OpenTierSerializer,
)


@extend_schema_field({"type": "null"})
class Null(serializers.Field):
    """A key that is always there and always null."""


def envelope(name: str, data: serializers.Field, errors: serializers.Field) -> Any:
    return inline_serializer(name, {"data": data, "errors": errors, "warnings": Null()})


class ErrorSerializer(serializers.Serializer):
    code = serializers.IntegerField()
    message = serializers.CharField()


class TiersSerializer(serializers.Serializer):
    tiers = PolymorphicProxySerializer(
        component_name="TierEntry",
        serializers={
            "LIVE": LiveTierSerializer,
            **dict.fromkeys(OPEN_STATUSES, OpenTierSerializer),
        },
        resource_type_field_name="status",
        many=True,
    )


TIER_LIST: Final = envelope("TierList", TiersSerializer(), Null())
REFUSAL: Final = envelope("Refusal", Null(), ErrorSerializer(many=True))


def refusal(*reasons: tuple[str, int, str]) -> OpenApiResponse:
    """Describe an answer by its (when, code, message), each an example."""
    return OpenApiResponse(
        REFUSAL,
        description=" ".join(f"{when}." for when, _, _ in reasons),
        examples=[
            OpenApiExample(
                when,
                value={
                    "data": None,
                    "errors": [{"code": code, "message": message}],
                    "warnings": None,
                },
                response_only=True,
            )
            for when, code, message in reasons
        ],
    )


def header(name: str, description: str, **options: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        description=description,
        **options,
    )


COMMON: Final = (
    header("X-CAP-API-ATTRIBUTION-ENTITY-TYPE", "Taken and ignored."),
    header("X-CAP-API-ATTRIBUTION-ENTITY-CODE", "Taken and ignored."),
    header("X-Cap-Requestid", "The id under which the call is logged.", response=True),
)

LIST: Final[dict[str, Any]] = {
    "operation_id": "capillary_list_tiers",
    "tags": ["Capillary: /v3/tiers"],
    "summary": "List the tiers of a program",
    "description": (
        "Live versions and, behind each, the version that is being worked on; lowest "
        "tier first. What is null is left out, at every depth. A program that is not "
        "there, or not yours to see, has no tiers."
    ),
    "parameters": [
        ListQuery,
        OpenApiParameter(
            "status",
            OpenApiTypes.STR,
            deprecated=True,
            description="Not supported: any value is refused with 9057.",
        ),
        *COMMON,
    ],
    "responses": {
        200: TIER_LIST,
        400: refusal(
            ("A status was sent", 9057, "Tiers cannot be listed by status."),
            (
                "The programId is no whole number",
                400,
                "programId: Write a whole number, for example 973.",
            ),
        ),
        401: refusal(
            ("Nobody could be told from the credentials", 401, UNAUTHENTICATED)
        ),
        403: refusal(("The permission to read tiers is missing", 4000, FORBIDDEN)),
        404: refusal(
            ("No tier answers to that id", 9056, "There is no tier 7 in program 973.")
        ),
        500: refusal(
            ("The programId is missing", 500, "The parameter programId is missing.")
        ),
    },
}
