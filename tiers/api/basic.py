"""HTTP Basic for people of the back office, without a password hash per call.

Hashing a password costs a tenth of a second, on purpose. A system that reads the
list every few seconds would pay that each time, so a password that was right is
remembered for a short while: not the password, but a digest of it, keyed with
``SECRET_KEY``, together with the account's id and its stored hash.

* The account is read on every call. Deactivating it works at once, and so does a new
  password: the stored hash differs, and with it the digest.
* Only right passwords are remembered, and for the address they came from. A wrong one
  from there makes us forget: the next call is judged by ``authenticate`` again, where
  django-axes counts failures and locks out.
* A copy of the cache is of no use to anybody who has not got ``SECRET_KEY``.
"""

from typing import Any

import structlog
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_ip_address
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare, salted_hmac
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

logger = structlog.get_logger(__name__)

REMEMBERED_SECONDS = 60
_LONGEST_NAME = User._meta.get_field("username").max_length or 150


class BasicAuthentication(authentication.BasicAuthentication):
    """Lets the users of the admin in, by name and password."""

    www_authenticate_realm = "Tierwright"

    def authenticate_credentials(
        self, userid: str, password: str, request: Request | None = None
    ) -> tuple[User, None]:
        assert request is not None
        if len(userid) > _LONGEST_NAME or "\0" in userid:
            # Nobody is called that, and neither the accounts nor the record of
            # failed logins has room for it.
            raise AuthenticationFailed
        # Django's own request: axes keeps its notes there, and DRF's would begin to
        # parse the body when asked for POST.
        http = request._request
        known = next(iter(User.objects.filter(username=userid)), None)
        key = _key(known, http) if known else ""
        if known and known.is_active and _remembers(key, _digest(known, password)):
            return known, None
        user = authenticate(http, username=userid, password=password)
        if user is None:
            if key:
                _forget(key)
            # Else the middleware of axes would put its page for people in the place
            # of our answer.
            http.axes_locked_out = False  # type: ignore[attr-defined]
            raise AuthenticationFailed
        assert isinstance(user, User)
        _remember(key or _key(user, http), _digest(user, password))
        _forgive(user, http)
        return user, None

    def authenticate_header(self, request: Request) -> str:
        return f'Basic realm="{self.www_authenticate_realm}", charset="UTF-8"'


def _key(user: User, http: HttpRequest) -> str:
    return f"basic-auth:{user.pk}:{get_client_ip_address(http)}"


def _digest(user: User, password: str) -> str:
    # NUL is in no stored hash, so no two triples give one text.
    text = f"{user.pk}\0{user.password}\0{password}"
    return salted_hmac(__name__, text, algorithm="sha256").hexdigest()


# A cache that is down costs time, never the answer; each back end fails in exceptions
# of its own.


def _remembers(key: str, digest: str) -> bool:
    try:
        remembered = cache.get(key)
    except Exception:
        logger.warning("cache_unavailable", exc_info=True)
        return False
    return isinstance(remembered, str) and constant_time_compare(remembered, digest)


def _remember(key: str, digest: str) -> None:
    try:
        cache.set(key, digest, REMEMBERED_SECONDS)
    except Exception:
        logger.warning("cache_unavailable", exc_info=True)


def _forget(key: str) -> None:
    try:
        cache.delete(key)
    except Exception:
        logger.warning("cache_unavailable", exc_info=True)


def _forgive(user: User, http: HttpRequest) -> None:
    """Let a right password clear the count of wrong ones, as logging in does.

    A call is no login, so axes does not hear of it by itself.
    """
    credentials = {"username": user.get_username()}
    if settings.AXES_RESET_ON_SUCCESS and AxesProxyHandler.get_failures(
        http, credentials
    ):
        AxesProxyHandler.reset_attempts(
            username=user.get_username(), ip_address=get_client_ip_address(http)
        )


class BasicScheme(OpenApiAuthenticationExtension):
    """How the schema describes it."""

    target_class = BasicAuthentication
    name = "basicAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "basic"}
