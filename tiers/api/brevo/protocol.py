"""Who asks about which program, and how refusals are worded."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as WordingError
from django.http import Http404
from rest_framework import exceptions, renderers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from approvals import errors
from approvals.errors import Refused
from loyalty.models import Program
from tiers import errors as tiers

from ..access import HasPermission, programs_for
from ..authentication import BrevoBearer, BrevoKey
from ..errors import UnknownTier, status_of
from ..limits import Limited
from ..parsing import StrictJSONParser, body_of
from .fields import read_contact_id, read_uuid

# Errors


class Unknown(Refused):
    """Nothing that the caller may see has that id."""


class BadRequest(Refused):
    """What was asked for cannot be; ``details["code"]`` may say in a word why."""


class MissingDependency(Refused):
    """Something else has to be there first."""


#: HTTP status of what means something else here than in ``api/errors.py``.
STATUSES: Final[dict[type[Refused], int]] = {
    Unknown: 404,
    UnknownTier: 404,
    BadRequest: 400,
    MissingDependency: 424,
    tiers.NotAccepted: 422,
    tiers.TierNotLive: 424,
    errors.ApprovalRequired: 422,
}
#: Statuses that are sent only from calls that declare them (see ``described``). The
#: vendor's clients know no class of error for them elsewhere, and the one in Python
#: sends a request that met a 409 again.
DECLARED: Final = (400, 409, 424)
CODES: Final[dict[int, str]] = {
    400: "bad_request",
    401: "unauthorized",
    403: "permission_denied",
    404: "document_not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "duplicate_parameter",
    413: "bad_request",
    415: "bad_request",
    429: "too_many_requests",
}
UNAUTHENTICATED: Final = (
    "The api-key header holds no key that can be used. Ask an administrator for an API "
    "key."
)
FORBIDDEN: Final = "This API key, or the person whose it is, may not do that."
NOT_FOUND: Final = "There is nothing at this address."
#: What verbs call a field, and what it is called on this wire.
NAMES: Final[dict[str, str]] = {
    "access_conditions": "accessConditions",
    "image_ref": "imageRef",
    "reward_refs": "tierRewards",
    "threshold": "accessConditions",
    "tier_order": "tierOrder",
    "availability_value": "balanceAvailabilityDurationValue",
    "credit_limit": "maxCreditAmountLimit",
    "debit_limit": "maxDebitAmountLimit",
    "expires_on": "balanceExpirationDate",
    "external_id": "ext_id",
    "maximum": "maxAmount",
    "mobile": "attributes.SMS",
    **{
        f"{way}_{ours}": f"{way}Schedule.{theirs}"
        for way in ("upgrade", "downgrade")
        for ours, theirs in (
            ("every", "durationValue"),
            ("unit", "durationUnit"),
            ("modifier", "durationModifier"),
            ("date", "scheduledDate"),
        )
    },
}


def answer(exception: Exception, context: dict[str, Any]) -> Response | None:
    """Word a refusal; whatever else went wrong is Django's to report."""
    headers: dict[str, str] = {}
    declared = _declared(context)
    if isinstance(exception, Refused):
        status, body = _refused(exception, declared)
    elif isinstance(exception, exceptions.ValidationError):
        status, body = 422, invalid(exception.detail)
    elif isinstance(exception, WordingError):
        status, body = 422, invalid(_our_words(exception))
    else:
        if isinstance(exception, Http404):
            exception = exceptions.NotFound(NOT_FOUND)
        elif isinstance(exception, PermissionDenied):
            exception = exceptions.PermissionDenied()
        if not isinstance(exception, exceptions.APIException):
            return None
        status = exception.status_code
        sentence = {401: UNAUTHENTICATED, 403: FORBIDDEN}.get(status)
        body = refusal(CODES.get(status), sentence or str(exception.detail))
        if challenge := getattr(exception, "auth_header", None):
            headers["WWW-Authenticate"] = challenge
        if wait := getattr(exception, "wait", None):
            headers["Retry-After"] = f"{wait:.0f}"
        if _is_strange(status, declared):
            status = 422
    set_rollback()
    return Response(body, status=status, headers=headers)


def _refused(refused: Refused, declared: tuple[int, ...]) -> tuple[int, dict[str, Any]]:
    own = next((STATUSES[k] for k in type(refused).__mro__ if k in STATUSES), None)
    status = own or status_of(refused)
    # What was sent could be read; it breaks a rule.
    broken = (own is None and status == 400) or isinstance(refused, tiers.Taken)
    if (own is None and status == 400) or _is_strange(status, declared):
        status = 422
    code = CODES.get(status) or (
        "invalid_parameter" if broken else "unprocessable_entity"
    )
    if isinstance(refused, errors.ApprovalRequired):
        code = refused.code
    body = refusal(refused.details.get("code", code), refused.message)
    if link := refused.details.get("link"):
        body["link"] = link
    return status, body


def _is_strange(status: int, declared: tuple[int, ...]) -> bool:
    return status in DECLARED and status not in declared


def _declared(context: dict[str, Any]) -> tuple[int, ...]:
    fails: tuple[int, ...] = getattr(_handler(context["view"]), "fails", ())
    return fails


def _handler(view: Any) -> Any:
    return getattr(view, str(view.request.method).lower(), None)


def refusal(code: str | None, message: str) -> dict[str, Any]:
    return {"message": message, "code": code or "unprocessable_entity"}


def invalid(detail: Any) -> dict[str, Any]:
    """Word what is wrong with single fields: the first in the sentence, all behind."""
    violations = list(_violations(detail))
    first = violations[0]
    missing = all(violation["rule"] == "required" for violation in violations)
    sentence = f"{first['path']}: {first['error']}" if first["path"] else first["error"]
    body = refusal("missing_parameter" if missing else "invalid_parameter", sentence)
    return body | {"errors": violations}


def _violations(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Flatten errors to one for each field, named by its path in the message."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _violations(inner, _join(path, str(name)))
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            nested = isinstance(inner, dict)
            yield from _violations(inner, _join(path, str(place)) if nested else path)
    else:
        rule = getattr(detail, "code", "invalid")
        yield {"path": path, "rule": rule, "error": str(detail)}


def _join(path: str, name: str) -> str:
    if name == "non_field_errors":
        return path
    return f"{path}.{name}" if path else name


def _our_words(exception: WordingError) -> Any:
    if not hasattr(exception, "error_dict"):
        return exception.messages
    found = exception.message_dict
    return {NAMES.get(field, field): problems for field, problems in found.items()}


# The base view


class BrevoView(Limited, APIView):
    """What all endpoints of this voice have in common.

    Judged in this order: who asks, what they may, whether the body is JSON, ids in the
    address, its parameters, whether the program is there, what the body says.
    """

    authentication_classes: Any = (BrevoKey, BrevoBearer)
    permission_classes: Any = (HasPermission,)
    renderer_classes = (renderers.JSONRenderer,)
    parser_classes: Any = (StrictJSONParser,)
    # What is not described is not there: OPTIONS is 405 as well.
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    #: What callers need, as "app.codename", for all methods or for each.
    permission: Any

    def get_exception_handler(self) -> Any:
        return answer

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        if getattr(_handler(self), "takes_body", False):
            body_of(request)
        self._read_path()

    def _read_path(self) -> None:
        """Read the ids in the address, in place: handlers are given what was read."""
        problems = {}
        for name, value in self.kwargs.items():
            read = read_contact_id if name == "cid" else read_uuid
            try:
                self.kwargs[name] = read(value)
            except ValueError as error:
                problems[name] = str(error)
        if problems:
            raise exceptions.ValidationError(problems)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Say how many requests are left as the vendor does.

        Its clients take ``X-RateLimit-Reset`` for how long to wait before they try
        again, after whatever failure; it is for requests that were too many.
        """
        response = super().finalize_response(request, response, *args, **kwargs)
        count = getattr(request._request, "rate_limit", None)
        if count is not None:
            left = max(0, count.limit - count.used)
            response.headers["x-sib-ratelimit-limit"] = str(count.limit)
            response.headers["x-sib-ratelimit-remaining"] = str(left)
            response.headers["x-sib-ratelimit-reset"] = str(count.seconds_left)
        if response.status_code != 429:
            for name in ("Limit", "Remaining", "Reset"):
                response.headers.pop(f"X-RateLimit-{name}", None)
        return response

    @cached_property
    def program(self) -> Program:
        """The program that the address names."""
        found = programs_for(self.request).filter(uuid=self.kwargs["pid"]).first()
        if found is None:
            # A program that there is not and one of somebody else's read alike.
            raise Unknown("There is no such loyalty program.")
        program: Program = found
        return program

    def read(self, kind: Any) -> Any:
        """Read the body by a serializer, and return what it says in our words."""
        serializer = kind(data=body_of(self.request))
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def read_query(self, kind: Any) -> Any:
        serializer = kind(data=self.request.query_params)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data


class NothingHere(BrevoView):
    """Any other address of the vendor's: refused in its words, not on a page."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise exceptions.NotFound(NOT_FOUND)
