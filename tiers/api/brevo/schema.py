"""How the OpenAPI document describes this voice."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from .fields import Described

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


PID: Final = in_path("pid")
