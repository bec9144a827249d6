"""Who asks about which site, and how refusals are worded."""

import uuid
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

import structlog
from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as WordingError
from django.http import Http404
from rest_framework import exceptions, renderers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from approvals import errors
from approvals.errors import Refused
from loyalty import errors as loyalty
from loyalty.models import Program
from tiers import errors as tiers

from ..access import HasPermission, programs_for
from ..authentication import WixKey
from ..errors import UnknownTier, status_of
from ..limits import Limited
from ..parsing import StrictJSONParser, body_of
from .fields import guid
from .site import Site

# Errors


class UnknownEntity(Refused):
    """Nothing that the caller may see has that id."""


class Outdated(Refused):
    """The revision that was sent is not the entity's; ``details["entity_id"]``."""


class Exists(Refused):
    """There is one already."""


class Unsupported(Refused):
    """The vendor has it and we do not."""


#: HTTP status and code on the wire; who is not here is looked up by status.
WORDS: Final[dict[type[Refused], tuple[int, str]]] = {
    UnknownEntity: (404, "NOT_FOUND"),
    UnknownTier: (404, "NOT_FOUND"),
    tiers.TierNotLive: (404, "NOT_FOUND"),
    Outdated: (409, "INVALID_REVISION"),
    errors.StaleEdit: (409, "INVALID_REVISION"),
    Exists: (409, "ALREADY_EXISTS"),
    tiers.Taken: (409, "ALREADY_EXISTS"),
    loyalty.AlreadyMember: (409, "ALREADY_EXISTS"),
    loyalty.ReferenceReused: (409, "ALREADY_EXISTS"),
    tiers.LimitReached: (428, "BASIC_TIERS_LIMIT_REACHED"),
    errors.ApprovalRequired: (403, "PERMISSION_DENIED"),
    errors.Unsound: (428, "FAILED_PRECONDITION"),
    loyalty.InsufficientPoints: (428, "INSUFFICIENT_POINTS"),
    loyalty.PostingRefused: (428, "FAILED_PRECONDITION"),
    Unsupported: (400, "UNIMPLEMENTED"),
}
CODES: Final[dict[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    406: "INVALID_ARGUMENT",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    428: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
}
#: The vendor's names of the rules that a field can break, by REST framework's codes.
RULES: Final[dict[str, str]] = {
    "required": "REQUIRED_FIELD",
    "null": "REQUIRED_FIELD",
    "blank": "MIN_LENGTH",
    "min_length": "MIN_LENGTH",
    "max_length": "MAX_LENGTH",
    "min_value": "MIN",
    "max_value": "MAX",
    "empty": "MIN_SIZE",
    "min_size": "MIN_SIZE",
    "max_size": "MAX_SIZE",
    "invalid_choice": "ONE_OF",
}
#: The same for whatever was wrong with a key.
UNAUTHENTICATED = (
    "The Authorization header holds no key that can be used. Ask an administrator for "
    "an API key."
)
FORBIDDEN = "This API key, or the person whose it is, may not do that."
NOT_FOUND = "There is nothing at this address."


def answer(exception: Exception, context: dict[str, Any]) -> Response | None:
    """Word a refusal; whatever else went wrong is Django's to report."""
    headers: dict[str, str] = {}
    if isinstance(exception, Refused):
        status, code = words_for(exception)
        body = application_error(code, sentence_of(exception), data_of(exception))
    elif isinstance(exception, exceptions.ValidationError):
        status, body = 400, validation_error(exception.detail)
    elif isinstance(exception, WordingError):
        # What a verb found wrong; the fields of a tier or program are named alike.
        status, body = 400, validation_error(_our_words(exception))
    else:
        if isinstance(exception, Http404):
            exception = exceptions.NotFound(NOT_FOUND)
        elif isinstance(exception, PermissionDenied):
            exception = exceptions.PermissionDenied()
        if not isinstance(exception, exceptions.APIException):
            return None
        status = exception.status_code
        sentence = {401: UNAUTHENTICATED, 403: FORBIDDEN}.get(status)
        body = application_error(
            CODES.get(status, "ABORTED"), sentence or str(exception.detail), {}
        )
        if challenge := getattr(exception, "auth_header", None):
            headers["WWW-Authenticate"] = challenge
        if wait := getattr(exception, "wait", None):
            headers["Retry-After"] = f"{wait:.0f}"
    set_rollback()
    return Response(body, status=status, headers=headers)


def words_for(refusal: Refused) -> tuple[int, str]:
    """Return the status and the code of a refusal: its own, or of the nearest above."""
    for kind in type(refusal).__mro__:
        if kind in WORDS:
            return WORDS[kind]
    status = status_of(refusal)
    return status, CODES.get(status, "ABORTED")


def sentence_of(refusal: Refused) -> str:
    if isinstance(refusal, tiers.LimitReached):
        # The vendor's own, which integrations look for.
        return f"Tiers limit reached [{refusal.details['most']}]"
    return refusal.message


def data_of(refusal: Refused) -> dict[str, Any]:
    """Return what the vendor's clients find beside a code."""
    if entity := refusal.details.get("entity_id"):
        return {"revisionViolation": {"entityId": entity}}
    if isinstance(refusal, tiers.Taken):
        field = {"name": "tierDefinition.name", "threshold": "requiredPoints"}
        return {"field": f"tier.{field[refusal.details['field']]}"}
    return {}


def application_error(code: str, sentence: str, data: dict[str, Any]) -> dict[str, Any]:
    error = {"code": code, "description": sentence, "data": data}
    return {"message": sentence, "details": {"applicationError": error}}


def validation_error(detail: Any) -> dict[str, Any]:
    return {
        "message": "validation failed",
        "details": {"validationError": {"fieldViolations": list(_violations(detail))}},
    }


def _violations(detail: Any, field: str = "") -> Iterator[dict[str, Any]]:
    """Flatten errors to one for each field, named by its path in the message."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            path = f"{field}[{name}]" if isinstance(name, int) else _join(field, name)
            yield from _violations(inner, path)
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            nested = isinstance(inner, dict)
            yield from _violations(inner, f"{field}[{place}]" if nested else field)
    else:
        code = getattr(detail, "code", "invalid")
        yield {
            "field": field,
            "description": str(detail),
            "violatedRule": RULES.get(code, "VALIDATION"),
            "ruleName": code.upper(),
            "data": {},
        }


def _join(path: str, name: str) -> str:
    if name == "non_field_errors":
        return path
    return f"{path}.{name}" if path else name


def _our_words(exception: WordingError) -> Any:
    named = {
        "name": "tierDefinition.name",
        "description": "tierDefinition.description",
        "icon": "tierDefinition.icon",
        "threshold": "requiredPoints",
        "rolling_window_months": "rollingWindow.durationInMonths",
    }
    if not hasattr(exception, "error_dict"):
        return exception.messages
    found = exception.message_dict
    return {named.get(field, field): problems for field, problems in found.items()}


# The base view


class Parser(StrictJSONParser):
    """Allows for filters, which combine others in lists of objects."""

    max_depth = 16


class WixView(Limited, APIView):
    """What all endpoints of this voice have in common.

    Success is always 200 with a JSON document: the vendor's client takes everything
    else for an error.
    """

    authentication_classes: Any = (WixKey,)
    permission_classes: Any = (HasPermission,)
    renderer_classes = (renderers.JSONRenderer,)
    parser_classes: Any = (Parser,)
    # What is not described is not there: OPTIONS is 405 as well.
    http_method_names = ["get", "head", "post", "patch", "delete"]

    #: What callers need, as "app.codename", for all methods or for each.
    permission: Any

    def get_exception_handler(self) -> Any:
        return answer

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["X-Wix-Request-Id"] = request_id()
        return response

    @cached_property
    def site(self) -> Site:
        """The program that ``wix-site-id`` names."""
        program = self.find_program()
        if program is None:
            # A site that there is not and one of somebody else's read alike.
            raise UnknownEntity("There is no loyalty program for this site.")
        return Site(program)

    @cached_property
    def site_id(self) -> uuid.UUID:
        sent = self.request.headers.get("wix-site-id")
        if sent is None:
            raise exceptions.ValidationError(
                {"wix-site-id": "Send the site's id in this header."}
            )
        try:
            return guid(sent)
        except ValueError as error:
            raise exceptions.ValidationError({"wix-site-id": str(error)}) from None

    def find_program(self) -> Program | None:
        found: Program | None = (
            programs_for(self.request).filter(uuid=self.site_id).first()
        )
        return found

    def read(self, kind: Any) -> Any:
        """Read the body by a serializer, and return what it says in our words."""
        return read(kind, self.body)

    @property
    def body(self) -> dict[str, Any]:
        return body_of(self.request)


def read(kind: Any, data: Any) -> Any:
    serializer = kind(data=data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def request_id() -> str:
    """Return the id under which this request is logged; nobody outside chooses it."""
    logged = structlog.contextvars.get_contextvars().get("request_id")
    return str(logged or uuid.uuid4())
