"""Who asks: API keys, access tokens made of them, and people by name and password.

Each class is one way of asking; a voice lists those that its vendor's clients use.
``request.user`` is the person: themselves, or as their key's holder, cut down to what
the key may. ``request.auth`` is the key, or None for a person.

Whatever is wrong with a key (unknown, revoked, expired, of somebody who has left) is
refused alike, and only the log says which it was.
"""

import inspect
from typing import Any, Final

from django.core import signing
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from loyalty import keys
from loyalty.models import ApiKey, KeyHolder

from .basic import BasicAuthentication

__all__ = [
    "BasicAuthentication",
    "BrevoBearer",
    "BrevoKey",
    "CapillaryToken",
    "NativeKey",
    "WixKey",
    "exchange",
]

#: For how long an access token is good; its key is looked at on every call.
TOKEN_SECONDS: Final = 3600
_SALT = "tierwright.api.access-token"


class KeyAuthentication(authentication.BaseAuthentication):
    """An API key in a header; subclasses say in which."""

    header = "Authorization"
    #: What stands before the key there; empty for the bare key.
    schemes: tuple[str, ...] = ("",)
    challenge = 'Api-Key realm="Tierwright"'

    def authenticate(self, request: Request) -> tuple[KeyHolder, ApiKey] | None:
        presented = self.presented(request)
        if presented is None:
            return None
        key = self.recognise(presented)
        if key is None:
            raise AuthenticationFailed
        keys.note_use(key)
        return key.holder, key

    def presented(self, request: Request) -> str | None:
        """Return what was sent as a key; None where nothing was, in this way."""
        value: str | None = request.headers.get(self.header)
        if value is None:
            return None
        word, space, rest = value.strip().partition(" ")
        if not space:
            return word if "" in self.schemes else None
        named = word.lower() in {scheme.lower() for scheme in self.schemes}
        return rest.strip() if named else None

    def recognise(self, presented: str) -> ApiKey | None:
        return keys.recognise(presented)

    def authenticate_header(self, request: Request) -> str:
        return self.challenge


class NativeKey(KeyAuthentication):
    """``Authorization: Api-Key <key>``."""

    schemes = ("Api-Key",)


class BrevoKey(KeyAuthentication):
    """``api-key: <key>``."""

    header = "api-key"


class BrevoBearer(KeyAuthentication):
    """``Authorization: Bearer <key>``, as the vendor's Python client can send it."""

    schemes = ("Bearer",)


class WixKey(KeyAuthentication):
    """``Authorization: <key>``, bare or after ``Bearer``.

    Which site is meant stands in ``wix-site-id``, which is the uuid of a program.
    """

    schemes = ("", "Bearer")


# Access tokens


class CapillaryToken(KeyAuthentication):
    """``X-CAP-API-OAUTH-TOKEN: <token>``, the token having been exchanged for a key."""

    header = "X-CAP-API-OAUTH-TOKEN"

    def recognise(self, presented: str) -> ApiKey | None:
        """Return the key that a token was given for, while both are good.

        A token is signed, not stored: it says which key it stands for, and ends with it.
        """
        try:
            prefix = signing.loads(presented, salt=_SALT, max_age=TOKEN_SECONDS)
        except signing.BadSignature:
            return None
        key = keys.found(prefix)
        return key if key is not None and not key.why_refused() else None


def exchange(key: str, secret: str) -> str | None:
    """Return an access token for the two halves of a usable key; else None."""
    recognised = keys.recognise(f"{key}.{secret}")
    if recognised is None:
        return None
    keys.note_use(recognised)
    return signing.dumps(recognised.prefix, salt=_SALT)


# How the schema describes them


class NativeKeyScheme(OpenApiAuthenticationExtension):
    target_class: Any = NativeKey
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": self.target.header,
            "description": inspect.cleandoc(str(self.target.__doc__)),
        }


class BrevoKeyScheme(NativeKeyScheme):
    target_class = BrevoKey
    name = "brevoKey"


class BrevoBearerScheme(NativeKeyScheme):
    target_class = BrevoBearer
    name = "brevoBearer"


class WixKeyScheme(NativeKeyScheme):
    target_class = WixKey
    name = "wixKey"


class CapillaryTokenScheme(NativeKeyScheme):
    target_class = CapillaryToken
    name = "capillaryToken"
