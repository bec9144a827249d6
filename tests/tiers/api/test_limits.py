"""How often somebody may ask: exactly so often, however many ask at once."""

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.cache import caches
from django.test import Client, override_settings
from rest_framework.throttling import SimpleRateThrottle

from tests.counts import count
from tests.races import racers
from tests.servers import Unavailable, valkey
from tests.tiers.api.conftest import basic
from tiers.api import limits

THREADS = 32
ROUNDS = count(20, 200)
A_MINUTE = {"API_CALLER_LIMIT": 3, "API_ADDRESS_LIMIT": 5}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    try:
        with valkey() as url:
            yield url
    except Unavailable as problem:
        pytest.skip(str(problem))


def use(cache: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> limits.Counter:
    """Count in a cache, from nothing."""
    monkeypatch.setitem(settings.CACHES, "default", cache)
    monkeypatch.setattr(limits, "counter", counter := limits.Counter())
    monkeypatch.setattr(limits, "_shut", {})
    limits._script.cache_clear()
    return counter


def on(url: str) -> dict[str, Any]:
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": url,
        "OPTIONS": {"db": 9},
    }


IN_MEMORY = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


@pytest.fixture
def on_valkey(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[limits.Counter]:
    yield use(on(server), monkeypatch)
    redis.Redis.from_url(server, db=9).flushdb()
    limits._script.cache_clear()


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[limits.Counter]:
    yield use(IN_MEMORY, monkeypatch)
    limits._script.cache_clear()


# Exactly the limit


def accepted(ask: Callable[[], bool], times: int = 10) -> int:
    """Ask from many threads at once, some times each; return how often it was let."""
    passed: list[bool] = []
    with racers(THREADS) as people:
        people.race(
            *[lambda: passed.extend(ask() for _ in range(times))] * THREADS,
        )
    return sum(passed)


def passes(counter: limits.Counter, name: str) -> bool:
    return counter.count({name: 100})[0].passes


@pytest.mark.proof
def test_exactly_the_limit_passes_on_a_server(on_valkey, db):
    for number in range(ROUNDS):
        assert accepted(functools.partial(passes, on_valkey, f"race-{number}")) == 100


@pytest.mark.proof
def test_exactly_the_limit_passes_in_memory(in_memory, db):
    for number in range(ROUNDS):
        assert accepted(functools.partial(passes, in_memory, f"race-{number}")) == 100


def test_the_stock_throttle_lets_more_pass(server, db):
    """The control: what the race is to catch, it catches."""
    with override_settings(CACHES={"default": on(server)}):

        class Stock(SimpleRateThrottle):
            rate = "100/min"
            cache = caches["default"]

            def get_cache_key(self, request: Any, view: Any) -> str:
                return "stock"

        assert accepted(lambda: Stock().allow_request(None, None)) > 100  # type: ignore[arg-type]


def test_who_is_over_one_limit_is_not_counted_under_the_next(on_valkey):
    for _ in range(3):
        on_valkey.count({"address": 1, "key": 10})
    (counted,) = on_valkey.count({"key": 10})
    assert counted.used == 2


def test_a_minute_begins_anew(on_valkey, monkeypatch):
    monkeypatch.setattr(limits, "SECONDS", 1)
    first = on_valkey.count({"k": 1})[0]
    assert first.passes
    assert not on_valkey.count({"k": 1})[0].passes
    time.sleep(1.1)
    assert on_valkey.count({"k": 1})[0].passes


# Without a server


def test_each_process_has_its_share_without_a_server(in_memory, settings):
    settings.WEB_CONCURRENCY = 4
    assert [in_memory.count({"k": 8})[0].passes for _ in range(3)] == [1, 1, 0]


def test_a_server_that_is_down_is_done_without(monkeypatch):
    counter = use(on("unix:///nowhere/at/all"), monkeypatch)
    begun = time.perf_counter()
    passes = [counter.count({"k": 2})[0].passes for _ in range(100)]
    assert passes == [True] * 2 + [False] * 98
    # It is asked once, then left alone for a while.
    assert time.perf_counter() - begun < 1
    limits._script.cache_clear()


def test_memory_forgets_who_is_gone(in_memory, monkeypatch):
    monkeypatch.setattr(limits, "SECONDS", 0)
    for number in range(50):
        in_memory.count({f"somebody {number}": 1})
    assert len(in_memory.memory._windows) == 1


# At the door


def ask(name: str, address: str = "192.0.2.1", password: str = "demo") -> Any:  # noqa: S107
    return Client(raise_request_exception=False).get(
        "/v3/tiers?programId=1",
        headers={"Authorization": basic(name, password)},
        REMOTE_ADDR=address,
    )


@pytest.fixture
def few(settings: Any, in_memory: limits.Counter) -> None:
    for name, limit in A_MINUTE.items():
        setattr(settings, name, limit)


def test_answers_say_what_is_left(few, aude):
    answer = ask("aude")
    assert answer.status_code == 200
    assert answer.headers["X-RateLimit-Limit"] == "3"
    assert answer.headers["X-RateLimit-Remaining"] == "2"
    assert 0 < int(answer.headers["X-RateLimit-Reset"]) - time.time() <= 62
    assert "Retry-After" not in answer.headers


def test_a_person_is_told_when_to_come_back(few, aude):
    statuses = [ask("aude").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    answer = ask("aude", address="192.0.2.2")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    (error,) = answer.json()["errors"]
    assert error["code"] == 429
    assert error["message"].startswith("Too many requests: at most 3 a minute. Try")


def test_an_address_is_limited_whoever_asks_from_there(few, aude, maya):
    names = ["aude", "maya", "nobody"]
    statuses = [ask(names[place % 3]).status_code for place in range(7)]
    assert statuses == [200, 200, 401, 200, 200, 429, 429]
    assert ask("aude", address="192.0.2.2").status_code == 200


def test_who_has_used_up_a_minute_has_no_password_hashed(few, aude, monkeypatch):
    for _ in range(6):
        ask("nobody")
    hashed: list[str] = []
    monkeypatch.setattr(
        "tiers.api.basic.authenticate", lambda *a, **kw: hashed.append("x")
    )
    assert ask("nobody").status_code == 429
    assert not hashed


def test_an_ipv6_network_counts_as_one(few, aude):
    for number in range(5):
        ask("nobody", address=f"2001:db8::{number}")
    assert ask("aude", address="2001:db8::ffff").status_code == 429
    assert ask("aude", address="2001:db8:0:1::1").status_code == 200


def test_nought_is_no_limit(settings, in_memory, aude):
    settings.API_CALLER_LIMIT = settings.API_ADDRESS_LIMIT = 0
    answer = ask("aude")
    assert answer.status_code == 200
    assert "X-RateLimit-Limit" not in answer.headers


def test_a_forged_address_is_ignored_without_a_proxy(few, aude):
    for number in range(5):
        Client(raise_request_exception=False).get(
            "/v3/tiers?programId=1",
            headers={
                "Authorization": basic("nobody"),
                "X-Forwarded-For": f"198.51.100.{number}",
            },
            REMOTE_ADDR="192.0.2.1",
        )
    assert ask("aude").status_code == 429
