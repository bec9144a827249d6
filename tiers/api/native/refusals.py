"""How refusals are worded: as problem documents (RFC 9457)."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import structlog
from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as WordingError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from approvals.errors import Refused

from ..strict import InstantField
from .problems import PROBLEMS

MEDIA_TYPE: Final = "application/problem+json"
#: The same for whatever was wrong with a key or a password.
UNAUTHENTICATED: Final = (
    "Send an API key (“Authorization: Api-Key …”) or the name and password of a person "
    "(HTTP Basic). What was sent is missing, wrong, revoked or expired, or there were "
    "too many wrong attempts from this address."
)
NOT_FOUND: Final = "There is no such thing, or not for you."
FORBIDDEN: Final = "You may not do that."


class InvalidQuery(exceptions.ValidationError):
    """The parameters of an address, rather than the body, break a rule."""


class PreconditionFailed(exceptions.APIException):
    """What If-Match names has changed since."""

    status_code = 412
    default_code = "precondition_failed"
    default_detail = (
        "Somebody changed this since you read it. Read it again, then decide. Nothing "
        "was saved."
    )


class PreconditionRequired(exceptions.APIException):
    """The request changes something without saying what was read."""

    status_code = 428
    default_code = "precondition_required"
    default_detail = (
        "Send the ETag of what you read in If-Match, so that nobody's change is "
        "overwritten unseen."
    )


class ProgramLimited(Refused):
    """Whoever sees some programs only cannot make one."""

    code = "program_limited"


#: Codes of REST framework's own refusals, by status.
CODES: Final[dict[int, str]] = {
    400: "malformed_json",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
}


def answer(exception: Exception, context: dict[str, Any]) -> Response | None:
    """Word a refusal; whatever else went wrong is Django's to report."""
    headers: dict[str, str] = {}
    details: dict[str, Any] = {}
    errors: list[dict[str, str]] = []
    if isinstance(exception, Refused):
        code, sentence = exception.code, exception.message
        details = _plain(exception.details)
    elif isinstance(exception, exceptions.ValidationError):
        where = "parameter" if isinstance(exception, InvalidQuery) else "pointer"
        code = "invalid_request"
        errors = list(flattened(exception.detail, where))
        sentence = _summary(errors)
    elif isinstance(exception, WordingError):
        code = "invalid_request"
        errors = list(_wording_errors(exception, context["view"]))
        sentence = _summary(errors)
    else:
        if isinstance(exception, Http404):
            exception = exceptions.NotFound()
        elif isinstance(exception, PermissionDenied):
            exception = exceptions.PermissionDenied()
        if not isinstance(exception, exceptions.APIException):
            return None
        code, sentence = _code_and_sentence(exception)
        if challenge := getattr(exception, "auth_header", None):
            headers["WWW-Authenticate"] = challenge
        if wait := getattr(exception, "wait", None):
            headers["Retry-After"] = f"{wait:.0f}"
    set_rollback()
    body = document(code, sentence, errors=errors, details=details)
    return Response(
        body, status=body["status"], headers=headers, content_type=MEDIA_TYPE
    )


def document(
    code: str,
    sentence: str,
    *,
    errors: list[dict[str, str]] | None = None,
    details: dict[str, Any] | None = None,
) -> dict[str, Any]:
    problem = PROBLEMS[code]
    body: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "code": code,
        "detail": sentence,
        # The request itself is the occurrence, and is logged under this id.
        "instance": f"urn:uuid:{request_id()}",
    }
    if errors:
        body["errors"] = errors
    if details:
        body["details"] = details
    return body


def request_id() -> str:
    """Return the id under which this request is logged; nobody outside chooses it."""
    logged = structlog.contextvars.get_contextvars().get("request_id")
    return str(logged or uuid.uuid4())


def _code_and_sentence(exception: exceptions.APIException) -> tuple[str, str]:
    status = exception.status_code
    if status == 401:
        return "unauthenticated", UNAUTHENTICATED
    own = str(getattr(exception.detail, "code", ""))
    code = own if PROBLEMS.get(own) else CODES[status]
    if code in ("permission_denied", "not_found"):
        # Nothing of what was asked for: whatever there is not, reads alike.
        return code, {"permission_denied": FORBIDDEN, "not_found": NOT_FOUND}[code]
    return code, str(exception.detail)


def _plain(details: dict[str, Any]) -> dict[str, Any]:
    """Return what a refusal says besides its sentence, as far as JSON can say it.

    Not what would have been the right fingerprint: that is to be read with its content.
    """
    plain = {}
    for name, value in details.items():
        if name == "fingerprint":
            continue
        if isinstance(value, datetime):
            value = InstantField().to_representation(value)
        items = value if isinstance(value, list) else [value]
        if all(item is None or isinstance(item, str | int) for item in items):
            plain[name] = value
    return plain


# One entry for each thing that is wrong


def _summary(errors: list[dict[str, str]]) -> str:
    first = errors[0]
    place = first.get("pointer") or first.get("parameter", "")
    more = f" There are {len(errors) - 1} more problems." if len(errors) > 1 else ""
    return f"{place}: {first['detail']}{more}" if place else f"{first['detail']}{more}"


def flattened(detail: Any, where: str, path: str = "") -> Iterator[dict[str, str]]:
    """Flatten REST framework's errors to one entry each, with its place."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from flattened(inner, where, _join(path, name, where))
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from flattened(
                inner, where, _join(path, place, where) if nested else path
            )
    else:
        code = getattr(detail, "code", None) or "invalid"
        yield {where: path, "code": code, "detail": str(detail)}


def _join(path: str, name: Any, where: str) -> str:
    if name == "non_field_errors":
        return path
    if where == "parameter":
        return str(name)
    return f"{path}/{str(name).replace('~', '~0').replace('/', '~1')}"


def _wording_errors(problem: WordingError, view: Any) -> Iterator[dict[str, str]]:
    """Place what a verb found wrong with a wording where that was sent."""
    if not hasattr(problem, "error_dict"):
        for error in problem.error_list:
            yield _worded("", error)
        return
    for name, found in problem.error_dict.items():
        place = {"note": "/note", "__all__": ""}.get(name, f"/content/{name}")
        for error in found:
            yield _worded(place, error)


def _worded(place: str, error: WordingError) -> dict[str, str]:
    code = error.code or "invalid"
    return {"pointer": place, "code": code, "detail": " ".join(error.messages)}
