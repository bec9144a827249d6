"""``POST /v3/oauth/token/generate``: an access token for an API key.

``key`` is the part of an API key before its dot, ``secret`` the part after it. A token
ends after an hour, and at once when its key is revoked or expires.
"""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from ..authentication import TOKEN_SECONDS, exchange
from ..parsing import body_of
from ..strict import LineField, StrictSerializer
from .protocol import UNAUTHENTICATED, CapillaryView
from .schema import MALFORMED, TAGS, envelope, refusal
from .serializers import Null


class CapillaryCredentials(StrictSerializer):
    ignores_unknown = True

    key = LineField(max_length=64, help_text="What stands before the dot of the key.")
    secret = LineField(max_length=64, help_text="What stands after it.")


class AccessToken(serializers.Serializer):
    accessToken = serializers.CharField()
    ttlSeconds = serializers.IntegerField()


class TokenGenerate(CapillaryView):
    """Exchange an API key for a token of one hour."""

    # Who asks says so in the body.
    authentication_classes = ()
    permission_classes = ()

    @extend_schema(
        operation_id="capillary_generate_token",
        summary="Exchange an API key for an access token",
        description=(
            "Send it as `X-CAP-API-OAUTH-TOKEN`. It is good for an hour, and no longer "
            "than its key."
        ),
        tags=list(TAGS),
        auth=[],
        request=CapillaryCredentials,
        responses={
            200: envelope("Token", AccessToken(), Null()),
            400: refusal(MALFORMED),
            401: refusal(("The key is of no use", 401, UNAUTHENTICATED)),
        },
    )
    def post(self, request: Request) -> Response:
        credentials = CapillaryCredentials(data=body_of(request))
        credentials.is_valid(raise_exception=True)
        token = exchange(**credentials.validated_data)
        if token is None:
            raise AuthenticationFailed
        return Response(
            {"accessToken": token, "ttlSeconds": TOKEN_SECONDS},
            headers={"Cache-Control": "no-store"},
        )

    def get_authenticate_header(self, request: Request) -> Any:
        # Without one, REST framework would answer 403 in the place of 401.
        return 'Basic realm="Tierwright", charset="UTF-8"'
