"""Who asks, what every endpoint has in common, and what every answer carries.

A view says per action which permission it asks for (``asks``), which actions are for
people only (``decisions``), publish (``publishes``), show what may be decided yet
(``shows_drafts``), or need If-Match (``conditional``). The documentation says the same,
from the same words.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter
from rest_framework import authentication, permissions, serializers, viewsets
from rest_framework.exceptions import MethodNotAllowed, NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from .. import idempotency
from ..access import is_key, may, sees_drafts, within_scopes
from ..authentication import BasicAuthentication, NativeKey
from ..limits import SECONDS, Count, Limited
from ..parsing import StrictJSONParser, body_of
from ..strict import StrictSerializer
from . import paging, schema
from .conditional import Conditional, PlainRenderer
from .filters import Filters, Search, expect_parameters
from .refusals import answer, request_id

# Who asks


class Session(authentication.SessionAuthentication):
    """Somebody logged in to the admin, as on the page of the documentation."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise PermissionDenied(str(error.detail), "csrf_failed") from None


class MayAct(permissions.BasePermission):
    """Asks for what the view's action needs, and says which of it is missing."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        if view.action not in view.asks:
            # Among them OPTIONS, which a view set has an action for.
            raise MethodNotAllowed(str(request.method))
        if view.action in view.decisions and is_key(request):
            raise PermissionDenied(
                "An API key cannot decide. A person has to, by name and password.",
                "human_required",
            )
        wanted = view.asks[view.action]
        wanted = (wanted,) if isinstance(wanted, str) else wanted
        covered = [each for each in wanted if within_scopes(request, each)]
        if not covered or not self._is_wide_enough(request, view):
            raise PermissionDenied(
                "This API key's scopes do not cover that.", "insufficient_scope"
            )
        return any(may(request, each) for each in covered)

    def _is_wide_enough(self, request: Request, view: Any) -> bool:
        user: Any = request.user
        if view.action in view.publishes and not getattr(user, "may_publish", True):
            return False
        return view.action not in view.shows_drafts or sees_drafts(user)


# The base view


class NativeView(Limited, Conditional, viewsets.GenericViewSet):
    """What all endpoints of this voice have in common."""

    authentication_classes: Any = (NativeKey, BasicAuthentication, Session)
    permission_classes: Any = (MayAct,)
    renderer_classes: Any = (PlainRenderer,)
    parser_classes: Any = (StrictJSONParser,)
    pagination_class: Any = paging.CursorPaging
    filter_backends: Any = (Filters, Search)
    schema: Any = schema.NativeSchema()
    # What is not described is not there: OPTIONS is 405 as well.
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    lookup_value_converter = "number"

    #: Under which heading the documentation has it.
    tag: str
    #: The permission that each action asks for, or several of which one will do.
    asks: ClassVar[Mapping[str, str | tuple[str, ...]]] = {}
    #: Actions that a person has to take.
    decisions: ClassVar[frozenset[str]] = frozenset()
    #: Actions that make something live at once: of keys, those that may publish.
    publishes: ClassVar[frozenset[str]] = frozenset()
    #: Actions that keys without the right to draft have nothing to see in.
    shows_drafts: ClassVar[frozenset[str]] = frozenset()
    #: Actions that have to say in If-Match what was read.
    conditional: ClassVar[frozenset[str]] = frozenset()
    #: Actions that may say so there, or in the body.
    may_be_conditional: ClassVar[frozenset[str]] = frozenset()
    #: What a list may be ordered by, the default first; see ``paging``.
    orderings: ClassVar[Mapping[str, Any]] = {"id": "pk"}
    default_ordering: ClassVar[str] = ""
    #: Where the words of ``?search=`` are looked for.
    search_fields: ClassVar[tuple[str, ...]] = ()
    #: Parameters of other actions than ``list``, as the documentation has them.
    parameters: ClassVar[Mapping[str, tuple[OpenApiParameter, ...]]] = {}
    #: What each action reads, and answers; None is an answer without a body.
    bodies: ClassVar[Mapping[str, Any]] = {}
    answers: ClassVar[Mapping[str, Any]] = {}
    #: Actions whose body may be left out where it would say nothing.
    may_be_bodiless: ClassVar[frozenset[str]] = frozenset()
    #: Actions that answer 201, with the address of what they made.
    creates: ClassVar[frozenset[str]] = frozenset()
    #: Examples for the documentation, by action.
    examples: ClassVar[Mapping[str, Any]] = {}
    #: Actions that can be sent twice with one Idempotency-Key.
    repeatable: ClassVar[frozenset[str]] = frozenset()

    def get_exception_handler(self) -> Any:
        return answer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        expect_parameters(request, self.known_parameters())

    def known_parameters(self) -> set[str]:
        own = self.parameters.get(str(self.action), ())
        known = {parameter.name for parameter in own}
        if self.action == "list":
            known.update(paging.PARAMETERS)
            if self.search_fields:
                known.add("search")
            filterset = getattr(self, "filterset_class", None)
            known.update(filterset.base_filters if filterset else ())
        return known

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["X-Request-Id"] = request_id()
        count: Count | None = getattr(request._request, "rate_limit", None)
        if count is not None:
            for name, value in rate_limit_headers(count).items():
                response.headers[name] = value
        return response

    # Reading and answering

    def read(
        self, kind: type[serializers.Serializer] | None = None, **options: Any
    ) -> Any:
        """Read the body by the action's serializer; return what it says, in our words."""
        kind = kind or self.bodies[str(self.action)]
        data = body_of(self.request) if self.has_body() else {}
        serializer = kind(data=data, **options)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def has_body(self) -> bool:
        """Tell whether a body was sent, or has to be."""
        sent = self.request.META.get("CONTENT_LENGTH") not in (None, "", "0")
        return sent or self.action not in self.may_be_bodiless

    def once(self, act: Callable[[], Any]) -> Any:
        """Carry a request out once, however often its Idempotency-Key is sent.

        ``act`` returns what is answered: plain data, as a serializer gives it.
        """
        request = self.request
        key = request.headers.get("Idempotency-Key")
        if key is None:
            # All or nothing, as with a key.
            with transaction.atomic():
                return act()
        return idempotency.once(
            act,
            key=key,
            by=request.user,
            endpoint=f"native: {self.basename} {self.action}"[:40],
            asked={"path": request.path, "body": request.data},
        )

    def created(self, data: Any, location: str) -> Response:
        return Response(data, status=201, headers={"Location": location})


def rate_limit_headers(count: Count) -> dict[str, str]:
    """Return the two headers of the IETF's draft on rate limits."""
    name = "address" if ":address:" in count.name else "caller"
    left = max(0, count.limit - count.used)
    return {
        "RateLimit-Policy": f'"{name}";q={count.limit};w={SECONDS}',
        "RateLimit": f'"{name}";r={left};t={count.seconds_left}',
    }


class NothingHere(NativeView):
    """Any other address below ours: refused in our words, not on a page."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound

    def retrieve(self, request: Request, anything: str = "") -> Response:
        raise NotFound


class Body(StrictSerializer):
    """What is sent; unknown fields are refused."""


class NothingBody(Body):
    """Nothing: a verb that could be asked for less does not do all of it instead."""
