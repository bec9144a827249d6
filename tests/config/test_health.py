import time
from threading import Event

import pytest

from config import health


def test_liveness_asks_nobody(client):
    # No database mark: a query would fail.
    response = client.get("/livez", headers={"host": "10.0.0.7"})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.fixture
def probes(monkeypatch):
    """Answers that the probes give, to be changed by the test."""
    answers: dict[str, str | Exception] = {}

    def probe(name):
        def ask():
            answer = answers.get(name, "ok")
            if isinstance(answer, Exception):
                raise answer
            return answer

        return health.Probe(ask)

    monkeypatch.setattr(
        health, "NEEDED", {name: probe(name) for name in ("database", "migrations")}
    )
    monkeypatch.setattr(health, "MISSED", {"broker": probe("broker")})
    return answers


@pytest.mark.parametrize(
    ("name", "answer", "status", "code"),
    [
        ("database", "ok", "ok", 200),
        ("database", ConnectionError("host db-7 refused"), "unavailable", 503),
        ("migrations", "not applied", "unavailable", 503),
        ("broker", ConnectionError("redis-3"), "degraded", 200),
        ("broker", "none", "ok", 200),
    ],
)
def test_readiness_is_about_what_we_cannot_do_without(
    client, probes, name, answer, status, code
):
    probes[name] = answer
    response = client.get("/readyz", headers={"host": "10.0.0.7"})
    assert (response.status_code, response.json()["status"]) == (code, status)
    # Neither hosts nor errors are told to whoever asks.
    assert "db-7" not in response.content.decode()
    assert "redis-3" not in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_migrated_database_is_ready(client):
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["checks"]["database"] == "ok"
    assert response.json()["checks"]["migrations"] == "ok"


def test_a_database_that_hangs_is_asked_once_and_waited_for_one_second():
    asked, over = [], Event()

    def hang():
        asked.append(1)
        over.wait(10)
        return "ok"

    probe = health.Probe(hang)
    started = time.monotonic()
    assert probe.answer() == health.NO_ANSWER
    assert time.monotonic() - started < 1.5
    assert probe.answer() == health.NO_ANSWER
    assert len(asked) == 1
    over.set()
    assert probe._asking is not None
    probe._asking.result(5)
    assert probe.answer() == "ok"
