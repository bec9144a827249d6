"""Who asks, in which envelope, and how refusals are worded."""

import uuid
from collections.abc import Iterator
from typing import Any, Final

import structlog
from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404
from rest_framework import exceptions, renderers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from approvals.errors import Refused

from ..access import HasPermission
from ..authentication import BasicAuthentication, CapillaryToken, NativeKey
from ..errors import UnknownTier, status_of
from ..idempotency import KeyReused
from ..limits import Limited
from ..parsing import StrictJSONParser
from .bodies import in_their_words

# Errors


class StatusFilterNotSupported(Refused):
    """The list was asked for one status; the vendor's list has no such filter."""


class ProgramMissing(Refused):
    """``programId`` was left out, which the vendor answers with HTTP 500."""


class ProgramNeeded(Refused):
    """An imported tier was to be edited and its program not named."""


class StrategiesMissing(Refused):
    """The program has no live tier group, whose strategies move members."""


class PartOfSet(Refused):
    """The record waits together with others, and is decided on with them."""


#: HTTP status and number on the wire, where they are not what ``api.errors`` says.
STATUSES: Final[dict[type[Refused], int]] = {
    ProgramMissing: 500,
    ProgramNeeded: 400,
    StrategiesMissing: 409,
    PartOfSet: 409,
    KeyReused: 409,
}
NUMBERS: Final[dict[type[Refused], int]] = {
    UnknownTier: 9056,
    StatusFilterNotSupported: 9057,
}
#: Numbers that stand for a whole HTTP status.
GENERIC_NUMBERS: Final[dict[int, int]] = {403: 4000, 409: 999999}
#: The same for whatever was wrong: nobody learns which names exist or are locked.
UNAUTHENTICATED = (
    "Authentication failed: the name and password, the token or the key are missing "
    "or wrong, or there were too many wrong attempts from this address."
)
FORBIDDEN = "Not authorized. Access is denied!"


def answer_in_the_envelope(
    exception: Exception, context: dict[str, Any]
) -> Response | None:
    """Word a refusal; whatever else went wrong is Django's to report."""
    headers: dict[str, str] = {}
    if isinstance(exception, Refused):
        status = STATUSES.get(type(exception), status_of(exception))
        number = NUMBERS.get(type(exception), GENERIC_NUMBERS.get(status, status))
        messages = [exception.message]
    else:
        if isinstance(exception, Http404):
            exception = exceptions.NotFound()
        elif isinstance(exception, PermissionDenied):
            exception = exceptions.PermissionDenied()
        elif isinstance(exception, DjangoValidationError):
            exception = in_their_words(exception)
        if not isinstance(exception, exceptions.APIException):
            return None
        status = exception.status_code
        number = GENERIC_NUMBERS.get(status, status)
        messages = list(_messages(exception))
        if challenge := getattr(exception, "auth_header", None):
            headers["WWW-Authenticate"] = challenge
    set_rollback()
    errors = [{"code": number, "message": message} for message in messages]
    return Response(errors, status=status, headers=headers)


def _messages(exception: exceptions.APIException) -> Iterator[str]:
    if exception.status_code == 401:
        yield UNAUTHENTICATED
    elif exception.status_code == 403:
        yield FORBIDDEN
    elif isinstance(exception, exceptions.ValidationError):
        yield from _sentences(exception.detail)
    else:
        yield str(exception.detail)


def _sentences(detail: Any, field: str = "") -> Iterator[str]:
    """Flatten validation errors to sentences that name the field."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            path = f"{field}.{name}" if field else name
            yield from _sentences(inner, field if name == "non_field_errors" else path)
    elif isinstance(detail, list):
        for inner in detail:
            yield from _sentences(inner, field)
    else:
        yield f"{field}: {detail}" if field else str(detail)


# Envelope


class EnvelopeRenderer(renderers.JSONRenderer):
    """Puts what a view answers under ``data``, and what it refuses under ``errors``."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Any = None,
    ) -> Any:
        response = renderer_context["response"]
        if response.status_code == 204:
            return b""
        refused = response.exception
        envelope = {
            "data": None if refused else data,
            "errors": data if refused else None,
            "warnings": None,
        }
        return super().render(envelope, accepted_media_type, renderer_context)


# The base view


class CapillaryView(Limited, APIView):
    """What all endpoints of this voice have in common."""

    authentication_classes: Any = (BasicAuthentication, CapillaryToken, NativeKey)
    permission_classes: Any = (HasPermission,)
    renderer_classes = (EnvelopeRenderer,)
    parser_classes = (StrictJSONParser,)
    # What is not described is not there: OPTIONS is 405 as well.
    http_method_names = ["get", "head", "post", "put", "delete"]

    #: The permission that callers need, as "app.codename", for all methods or by each.
    permission: str | dict[str, str]

    def get_exception_handler(self) -> Any:
        return answer_in_the_envelope

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["X-Cap-Requestid"] = request_id()
        return response


def request_id() -> str:
    """Return the id under which this request is logged; nobody outside chooses it."""
    logged = structlog.contextvars.get_contextvars().get("request_id")
    return str(logged or uuid.uuid4())
