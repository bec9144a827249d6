"""How the OpenAPI document describes this voice."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    inline_serializer,
)
from rest_framework import serializers

from .bodies import CreateBody, DecisionBody, UpdateBody
from .protocol import FORBIDDEN, UNAUTHENTICATED
from .serializers import (
    OPEN_STATUSES,
    ListQuery,
    LiveTierSerializer,
    Null,
    OpenTierSerializer,
    ProgramQuery,
    RecordSerializer,
)


def envelope(name: str, data: serializers.Field, errors: serializers.Field) -> Any:
    return inline_serializer(name, {"data": data, "errors": errors, "warnings": Null()})


class ErrorSerializer(serializers.Serializer):
    code = serializers.IntegerField()
    message = serializers.CharField()


def entries() -> Any:
    return PolymorphicProxySerializer(
        component_name="TierEntry",
        serializers={
            "LIVE": LiveTierSerializer,
            **dict.fromkeys(OPEN_STATUSES, OpenTierSerializer),
        },
        resource_type_field_name="status",
        many=True,
    )


class TiersSerializer(serializers.Serializer):
    tiers = entries()


TIER_LIST: Final = envelope("TierList", TiersSerializer(), Null())
TIER_VERSIONS: Final = envelope("TierVersions", entries(), Null())
TIER_RECORD: Final = envelope("TierRecord", RecordSerializer(), Null())
TIER_RECORDS: Final = envelope("TierRecords", RecordSerializer(many=True), Null())
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

TAGS: Final = ("Capillary: /v3/tiers",)
ID: Final = "What the tier is named by: "
UNKNOWN: Final = ("No tier answers to that id", 9056, "There is no tier 7.")
PROGRAM_MISSING: Final = (
    "The programId is missing",
    500,
    "The parameter programId is missing.",
)
BAD_PROGRAM: Final = (
    "The programId is no whole number",
    400,
    "programId: Write a whole number, for example 973.",
)
MALFORMED: Final = ("The body is not JSON", 400, "Send a JSON object: {…}.")


def operation(
    name: str, summary: str, description: str, *, needs: str, **options: Any
) -> dict[str, Any]:
    """Describe one operation; everybody without credentials or permission is refused."""
    options["parameters"] = [*options.get("parameters", ()), *COMMON]
    options["responses"] |= {
        401: refusal(
            ("Nobody could be told from the credentials", 401, UNAUTHENTICATED)
        ),
        403: refusal((f"The permission to {needs} is missing", 4000, FORBIDDEN)),
    }
    return {
        "operation_id": f"capillary_{name}",
        "tags": list(TAGS),
        "summary": summary,
        "description": description,
        **options,
    }


def tier_id(which: str) -> OpenApiParameter:
    return OpenApiParameter(
        "tier_id", OpenApiTypes.STR, OpenApiParameter.PATH, description=ID + which
    )


LIST: Final = operation(
    "list_tiers",
    "List the tiers of a program",
    "Live versions and, behind each, the version that is being worked on; lowest "
    "tier first. What is null is left out, at every depth. A program that is not "
    "there, or not yours to see, has no tiers.",
    needs="read tiers",
    parameters=[
        ListQuery,
        OpenApiParameter(
            "status",
            OpenApiTypes.STR,
            deprecated=True,
            description="Not supported: any value is refused with 9057.",
        ),
    ],
    responses={
        200: TIER_LIST,
        400: refusal(
            ("A status was sent", 9057, "Tiers cannot be listed by status."),
            BAD_PROGRAM,
        ),
        404: refusal(
            ("No tier answers to that id", 9056, "There is no tier 7 in program 973.")
        ),
        500: refusal(PROGRAM_MISSING),
    },
)

CREATE: Final = operation(
    "create_tier",
    "Draft a new tier",
    "A new tier goes on top of the program's others and is a draft until a reviewer "
    "approves it. A program has one new tier in progress at a time, and 50 at most.",
    needs="make changes",
    parameters=[
        header(
            "Idempotency-Key",
            "1 to 255 visible ASCII characters of your choice. The same key and body "
            "within 24 hours get the first answer again, and no second tier.",
        )
    ],
    request=CreateBody,
    responses={
        201: TIER_RECORD,
        400: refusal(
            (
                "The threshold is not above that of the tier below",
                400,
                "eligibility.threshold: This must be above 1000, the threshold of "
                "Gold, the tier below.",
            ),
            MALFORMED,
        ),
        404: refusal(
            ("There is no such program", 9056, "There is no program 974."),
        ),
        409: refusal(
            (
                "Another new tier is in progress",
                999999,
                "The new tier Jade (ut-973-010) is in progress: a program has one at "
                "a time. Submit it, or delete it, first.",
            ),
            (
                "The key came with another body",
                999999,
                "This Idempotency-Key came with another body before: send a new key "
                "with each new request.",
            ),
        ),
    },
)

GET: Final = operation(
    "get_tier",
    "Read one tier",
    "Its live version and the version that is being worked on, as in the list.",
    needs="read tiers",
    parameters=[tier_id("a `slabId`, or the `tierUniqueId` of a draft.")],
    responses={200: TIER_VERSIONS, 404: refusal(UNKNOWN)},
)

UPDATE: Final = operation(
    "update_tier",
    "Edit a tier",
    "Fields that are not sent, or are null, keep their values. A live tier gets a "
    "draft of its next version and stays in force; its open version, if it has one, "
    "is edited in place. An edit of what waits for approval takes it back to DRAFT.",
    needs="make changes",
    parameters=[
        tier_id("the `objectId` of a draft, or the `slabId` of a published tier."),
        OpenApiParameter(
            "programId",
            OpenApiTypes.INT,
            description="Needed with the slabId of an imported tier, else ignored.",
        ),
    ],
    request=UpdateBody,
    responses={
        200: TIER_RECORD,
        400: refusal(
            ("A read-only field was sent", 400, "downgrade: This is read-only."),
            MALFORMED,
        ),
        404: refusal(UNKNOWN),
        409: refusal(
            (
                "The record is not in a state to be edited",
                999999,
                "Cannot edit Gold version 1: it is replaced.",
            )
        ),
    },
)

DELETE: Final = operation(
    "delete_tier",
    "Delete a draft",
    "The draft is put away; what is live stays.",
    needs="make changes",
    parameters=[tier_id("the `objectId` of a draft.")],
    responses={
        204: None,
        404: refusal(UNKNOWN),
        409: refusal(
            (
                "The record is not a draft",
                999999,
                "Cannot delete Gold version 1: it is live.",
            )
        ),
    },
)

SUBMIT: Final = operation(
    "submit_tier",
    "Hand a draft to the reviewers",
    "A draft becomes PENDING_APPROVAL. There is no body; one that is sent is ignored.",
    needs="make changes",
    parameters=[tier_id("the `objectId` of a draft.")],
    request=None,
    responses={
        200: TIER_RECORD,
        400: refusal(
            (
                "The tiers would not be sound together",
                400,
                "Jade asks for 1000, as Gold does: each tier needs a threshold of "
                "its own.",
            )
        ),
        404: refusal(UNKNOWN),
        409: refusal(
            (
                "The record is not a draft",
                999999,
                "Cannot submit Gold version 2: it is pending approval.",
            )
        ),
    },
)

DECIDE: Final = operation(
    "decide_on_tier",
    "Approve or reject",
    "By a reviewer who had no hand in the change; never by an API key. An approved "
    "record is ACTIVE, or PENDING_APPROVAL until its time where one was set; a "
    "rejected one is REJECTED, with the comment.",
    needs="review changes",
    parameters=[tier_id("the `objectId` of a pending record.")],
    request=DecisionBody,
    responses={
        200: TIER_RECORD,
        400: refusal(
            (
                "The decision is none of the two",
                400,
                "approvalStatus: Send one of: APPROVE, REJECT.",
            ),
            MALFORMED,
        ),
        404: refusal(UNKNOWN),
        409: refusal(
            (
                "Somebody decided already",
                999999,
                "chen approved this change on 04 March 2026 at 10:00.",
            ),
            (
                "The record waits together with others",
                999999,
                "Gold waits in Change set 7 together with Silver: they are decided on "
                "as one, in the admin.",
            ),
        ),
    },
)

QUEUE: Final = operation(
    "list_pending_tiers",
    "List what waits for a reviewer",
    "All records of a program that are pending; an empty list when there are none.",
    needs="review changes",
    parameters=[ProgramQuery],
    responses={
        200: TIER_RECORDS,
        400: refusal(BAD_PROGRAM),
        500: refusal(PROGRAM_MISSING),
    },
)
