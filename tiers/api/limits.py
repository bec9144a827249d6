"""How often somebody may ask: each key or person, and each address, in a minute.

A minute begins with the first request in it. Counting is one script on Redis, which
runs scripts one after the other: however many processes ask at once, exactly so many
requests pass. (REST framework's own throttle reads a list, appends and writes it back;
under load it lets nearly everything through.)

Without Redis, or while it cannot be reached, every process counts in its own memory
and lets an equal share of the limit pass: more than the limit never do, and nobody is
locked out because of a server that is down. The log says so, as an error.
"""

import ipaddress
import math
import threading
import time
from functools import lru_cache
from typing import Any, Final

import redis
import structlog
from axes.helpers import get_client_ip_address
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

logger = structlog.get_logger(__name__)

SECONDS: Final = 60
#: How long Redis is left alone after it has failed.
PAUSE: Final = 5.0
#: Of one IPv6 network, whose owner has 2^64 addresses, all count as one.
_NETWORK: Final = 64

#: Counts for the one and, if it passes there, for the other.
_SCRIPT: Final = """
local counts = {}
for i, name in ipairs(KEYS) do
  local used = redis.call('INCR', name)
  if used == 1 then redis.call('PEXPIRE', name, ARGV[1]) end
  counts[i] = {used, redis.call('PTTL', name)}
  if used > tonumber(ARGV[i + 1]) then break end
end
return counts
"""


class Count:
    """Where somebody stands after a request."""

    def __init__(self, name: str, limit: int, used: int, seconds_left: float) -> None:
        self.name, self.limit, self.used = name, limit, used
        self.ends_at = time.monotonic() + seconds_left

    @property
    def passes(self) -> bool:
        return self.used <= self.limit

    @property
    def seconds_left(self) -> int:
        """How long to wait for the next minute to begin, in whole seconds."""
        return math.ceil(max(0.0, self.ends_at - time.monotonic())) or 1

    @property
    def headers(self) -> dict[str, str]:
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.used)),
            # As a Unix time, which is what the vendors' clients read.
            "X-RateLimit-Reset": str(math.ceil(time.time()) + self.seconds_left),
        }
        if not self.passes:
            headers["Retry-After"] = str(self.seconds_left)
        return headers


class TooManyRequests(Throttled):
    """The limit is used up; ``wait`` says for how long."""

    extra_detail_singular = "Try again in {wait} second."
    extra_detail_plural = "Try again in {wait} seconds."

    def __init__(self, count: Count) -> None:
        super().__init__(
            wait=count.seconds_left,
            detail=f"Too many requests: at most {count.limit:,} a minute.",
        )


# Counting


class Memory:
    """Counts of this process."""

    def __init__(self) -> None:
        self._windows: dict[str, list[float]] = {}
        self._lock = threading.Lock()
        self._sweep_at = 0.0

    def count(self, name: str) -> tuple[int, float]:
        now = time.monotonic()
        with self._lock:
            if now >= self._sweep_at:
                self._sweep_at = now + SECONDS
                self._windows = {n: w for n, w in self._windows.items() if w[1] > now}
            window = self._windows.get(name)
            if window is None or window[1] <= now:
                window = self._windows[name] = [0, now + SECONDS]
            window[0] += 1
            return int(window[0]), window[1] - now


class Counter:
    """Counts on Redis where there is one, else in memory."""

    def __init__(self) -> None:
        self.memory = Memory()
        self._down_until = 0.0

    def count(self, limits: dict[str, int]) -> list[Count]:
        """Count a request under each name in turn, up to the one where it is too many."""
        script = _script()
        if script is not None and time.monotonic() >= self._down_until:
            try:
                counts = script(
                    keys=list(limits), args=[SECONDS * 1000, *limits.values()]
                )
            except redis.RedisError:
                self._down_until = time.monotonic() + PAUSE
                logger.error("rate_limits_without_redis", exc_info=True)
            else:
                return [
                    Count(name, limit, int(used), max(0, int(left)) / 1000)
                    for (name, limit), (used, left) in zip(
                        limits.items(), counts, strict=False
                    )
                ]
        return self._in_memory(limits)

    def _in_memory(self, limits: dict[str, int]) -> list[Count]:
        counts: list[Count] = []
        for name, limit in limits.items():
            share = max(1, limit // settings.WEB_CONCURRENCY)
            counts.append(Count(name, share, *self.memory.count(name)))
            if not counts[-1].passes:
                break
        return counts


counter = Counter()


@lru_cache
def _script() -> Any:
    """Return the script on the cache's Redis; None where the cache is another."""
    cache = settings.CACHES["default"]
    if not cache["BACKEND"].endswith("RedisCache"):
        return None
    client = redis.Redis.from_url(
        cache["LOCATION"],
        socket_timeout=0.5,
        socket_connect_timeout=0.5,
        # A connection that the server closed meanwhile is opened again, once.
        retry=Retry(NoBackoff(), 1),
        **cache.get("OPTIONS", {}),
    )
    return client.register_script(_SCRIPT)


# At the door

#: Addresses that have used up their minute, and until when: refused before anything
#: else is done for them, be it hashing a password.
_shut: dict[str, Count] = {}


class Limited:
    """What every view of the API has in front of it; goes before ``APIView``."""

    def perform_authentication(self, request: Request) -> None:
        http = request._request
        limits = _limits(ADDRESS=f"address:{_network(get_client_ip_address(http))}")
        if any(name in _shut for name in limits):
            _refuse_shut(http, *limits)
        try:
            super().perform_authentication(request)  # type: ignore[misc]
        except AuthenticationFailed:
            _take(http, limits)
            raise
        if request.auth is not None:
            limits |= _limits(CALLER=f"key:{request.auth.pk}")
        elif request.user and request.user.is_authenticated:
            limits |= _limits(CALLER=f"person:{request.user.pk}")
        _take(http, limits)

    def finalize_response(
        self, request: Any, response: Any, *args: Any, **kwargs: Any
    ) -> Any:
        response = super().finalize_response(  # type: ignore[misc]
            request, response, *args, **kwargs
        )
        count: Count | None = getattr(request._request, "rate_limit", None)
        if count is not None:
            for name, value in count.headers.items():
                response.headers[name] = value
        return response


def _limits(**names: str) -> dict[str, int]:
    """Return the limits that are on, by the name to count under."""
    limits = {}
    for which, name in names.items():
        if limit := getattr(settings, f"API_{which}_LIMIT"):
            limits[f"tierwright:requests:{name}"] = limit
    return limits


def _take(http: Any, limits: dict[str, int]) -> None:
    if not limits:
        return
    count = counter.count(limits)[-1]
    http.rate_limit = count
    if not count.passes:
        if ":address:" in count.name:
            _shut[count.name] = count
        logger.warning("rate_limit_reached", whose=count.name, limit=count.limit)
        raise TooManyRequests(count)


def _refuse_shut(http: Any, name: str) -> None:
    now = time.monotonic()
    for shut, count in list(_shut.items()):
        if count.ends_at <= now:
            _shut.pop(shut, None)
    if refused := _shut.get(name):
        http.rate_limit = refused
        raise TooManyRequests(refused)


def _network(address: str | None) -> str:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _NETWORK), strict=False))
