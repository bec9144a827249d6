"""Capillary's endpoints."""

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from ..errors import UnknownTier
from .entries import entries, matching
from .protocol import CapillaryView, ProgramMissing
from .schema import LIST
from .serializers import ListQuery, LiveTierSerializer, OpenTierSerializer

# Made once: REST framework copies every declared field anew for each serializer that
# it makes, which takes longer than the query. Sending keeps no state in them.
LIVE, OPEN = LiveTierSerializer(), OpenTierSerializer()


class TierList(CapillaryView):
    """The tiers of a program: what is live, and what is about to be."""

    permission = "tiers.view_tier"

    @extend_schema(**LIST)
    def get(self, request: Request) -> Response:
        if "programId" not in request.query_params:
            raise ProgramMissing("The parameter programId is missing.")
        query = ListQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        program_id = query.validated_data["program_id"]
        tier = query.validated_data.get("tier")
        assert isinstance(request.user, User)
        found = entries(program_id, visible_to=request.user)
        if tier is not None:
            found = matching(found, tier)
            if not found:
                raise UnknownTier(f"There is no tier {tier} in program {program_id}.")
        return Response(
            {
                "tiers": [
                    (LIVE if entry.is_live else OPEN).to_representation(entry)
                    for entry in found
                ]
            }
        )


class NothingHere(CapillaryView):
    """Any other address of the vendor's: refused in the envelope, not on a page."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise NotFound
