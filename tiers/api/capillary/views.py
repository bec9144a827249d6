"""Capillary's endpoints."""

from functools import partial
from typing import Any, Final

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from .. import idempotency
from ..access import HasPermission, IsPerson
from ..errors import UnknownTier
from ..parsing import body_of
from . import schema, writing
from .bodies import CreateBody, DecisionBody, UpdateBody
from .entries import Entry, entries, matching
from .protocol import CapillaryView, ProgramMissing
from .records import Record, entries_of_tier, pending
from .serializers import (
    ListQuery,
    LiveTierSerializer,
    OpenTierSerializer,
    ProgramQuery,
    RecordSerializer,
)

# Made once: REST framework copies every declared field anew for each serializer that
# it makes, which takes longer than the query. Sending keeps no state in them.
LIVE, OPEN, RECORD = LiveTierSerializer(), OpenTierSerializer(), RecordSerializer()

READ: Final = "tiers.view_tier"
MAKE: Final = "approvals.make_changes"
REVIEW: Final = "approvals.review_changes"


class TierList(CapillaryView):
    """The tiers of a program: what is live, and what is about to be."""

    permission = {"GET": READ, "POST": MAKE}

    @extend_schema(**schema.LIST)
    def get(self, request: Request) -> Response:
        query = asked(ListQuery, request)
        program_id, tier = query["program_id"], query.get("tier")
        found = entries(program_id, visible_to=caller(request))
        if tier is not None:
            found = matching(found, tier)
            if not found:
                raise UnknownTier(f"There is no tier {tier} in program {program_id}.")
        return Response({"tiers": shown(found)})

    @extend_schema(**schema.CREATE)
    def post(self, request: Request) -> Response:
        sent = read(CreateBody, request)
        program = writing.program_for(sent.pop("program_id"), by=caller(request))
        record = idempotency.once(
            partial(self._create, request, program, sent),
            key=request.headers.get("Idempotency-Key"),
            by=caller(request),
            endpoint="capillary: create a tier",
            asked=request.data,
        )
        return Response(record, status=201)

    def _create(self, request: Request, program: Any, sent: dict[str, Any]) -> Any:
        return written(writing.create(program, sent, by=caller(request)))


class OneTier(CapillaryView):
    """A tier with its open version; a record to edit or to delete."""

    permission = {"GET": READ, "PUT": MAKE, "DELETE": MAKE}

    @extend_schema(**schema.GET)
    def get(self, request: Request, tier_id: str) -> Response:
        return Response(shown(entries_of_tier(tier_id, visible_to=caller(request))))

    @extend_schema(**schema.UPDATE)
    def put(self, request: Request, tier_id: str) -> Response:
        record = writing.update(
            tier_id,
            read(UpdateBody, request),
            by=caller(request),
            program_id=writing.program_id_in(request.query_params),
        )
        return Response(written(record))

    @extend_schema(**schema.DELETE)
    def delete(self, request: Request, tier_id: str) -> Response:
        writing.discard(tier_id, by=caller(request))
        return Response(status=204)


class Submit(CapillaryView):
    """A draft is handed to the reviewers."""

    permission = {"POST": MAKE}

    @extend_schema(**schema.SUBMIT)
    def post(self, request: Request, tier_id: str) -> Response:
        return Response(written(writing.submit(tier_id, by=caller(request))))


class Decide(CapillaryView):
    """A reviewer approves or rejects; a person, never a key."""

    permission = {"POST": REVIEW}
    permission_classes = (HasPermission, IsPerson)

    @extend_schema(**schema.DECIDE)
    def post(self, request: Request, tier_id: str) -> Response:
        sent = read(DecisionBody, request)
        record = writing.decide(
            tier_id,
            sent["approvalStatus"],
            by=caller(request),
            comment=sent.get("comment", ""),
        )
        return Response(written(record))


class Queue(CapillaryView):
    """What waits for a reviewer."""

    permission = {"GET": REVIEW}

    @extend_schema(**schema.QUEUE)
    def get(self, request: Request) -> Response:
        query = asked(ProgramQuery, request)
        waiting = pending(query["program_id"], visible_to=caller(request))
        return Response([written(record) for record in waiting])


class NothingHere(CapillaryView):
    """Any other address of the vendor's: refused in the envelope, not on a page."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise NotFound


def caller(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def asked(query: type[ProgramQuery], request: Request) -> dict[str, Any]:
    """Return the parameters, by our names."""
    if "programId" not in request.query_params:
        raise ProgramMissing("The parameter programId is missing.")
    parameters = query(data=request.query_params)
    parameters.is_valid(raise_exception=True)
    found: dict[str, Any] = parameters.validated_data
    return found


def read(body: type[Any], request: Request) -> dict[str, Any]:
    """Return what was sent, by our names."""
    sent = body(data=body_of(request))
    sent.is_valid(raise_exception=True)
    return dict(sent.validated_data)


def shown(found: list[Entry]) -> list[dict[str, Any]]:
    return [
        (LIVE if entry.is_live else OPEN).to_representation(entry) for entry in found
    ]


def written(record: Record) -> dict[str, Any]:
    return RECORD.to_representation(record)
