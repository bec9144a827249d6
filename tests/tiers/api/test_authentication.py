"""HTTP Basic: whom it lets in, and how long a right password is remembered."""

import time
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from tests import factories
from tests.tiers.api.conftest import basic
from tiers.api import basic as remembering

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def status(header: str | None, address: str = HERE) -> int:
    headers = {"Authorization": header} if header is not None else {}
    return (
        Client(raise_request_exception=False)
        .get("/v3/tiers?programId=1", headers=headers, REMOTE_ADDR=address)
        .status_code
    )


@pytest.fixture
def hashings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names whose passwords were compared with a hash, in order."""
    compared: list[str] = []
    check = User.check_password

    def counting(self: User, raw: str) -> bool:
        compared.append(self.username)
        return check(self, raw)

    monkeypatch.setattr(User, "check_password", counting)
    return compared


# Remembering


def test_a_right_password_is_hashed_once_for_many_calls(aude, hashings):
    for _ in range(5):
        assert status(basic("aude")) == 200
    assert hashings == ["aude"]


def test_a_right_password_is_forgotten_after_a_while(aude, hashings, monkeypatch):
    # The cache's own clock decides, which is another server's: it is waited for.
    monkeypatch.setattr(remembering, "REMEMBERED_SECONDS", 1)
    assert status(basic("aude")) == 200
    time.sleep(1.5)
    assert status(basic("aude")) == 200
    assert hashings == ["aude", "aude"]


def test_a_wrong_password_is_never_remembered(aude, hashings):
    assert status(basic("aude", "wrong")) == 401
    assert status(basic("aude", "wrong")) == 401
    assert hashings == ["aude", "aude"]
    assert status(basic("aude")) == 200


def test_a_wrong_password_makes_us_forget_the_right_one(aude, hashings):
    assert status(basic("aude")) == 200
    assert status(basic("aude", "wrong")) == 401
    assert status(basic("aude")) == 200
    assert hashings == ["aude"] * 3


def test_a_wrong_password_from_elsewhere_costs_nobody_else(aude, hashings):
    assert status(basic("aude")) == 200
    assert status(basic("aude", "wrong"), ELSEWHERE) == 401
    assert status(basic("aude")) == 200
    assert len(hashings) == 2


def test_what_is_remembered_is_of_one_person(aude, maya, hashings):
    assert status(basic("aude")) == status(basic("maya")) == 200
    # The same password, another account.
    assert hashings == ["aude", "maya"]


def test_a_new_password_works_at_once_and_the_old_one_does_not(aude):
    assert status(basic("aude")) == 200
    aude.set_password("another")
    aude.save()
    assert status(basic("aude")) == 401
    assert status(basic("aude", "another")) == 200


def test_who_is_deactivated_is_out_at_once(aude):
    assert status(basic("aude")) == 200
    User.objects.filter(pk=aude.pk).update(is_active=False)
    assert status(basic("aude")) == 401


def test_no_password_can_be_read_from_the_cache(aude, monkeypatch):
    kept: list[tuple[Any, ...]] = []
    monkeypatch.setattr(cache, "set", lambda *args: kept.append(args))
    assert status(basic("aude")) == 200
    ((key, digest, seconds),) = kept
    assert "demo" not in key
    assert "demo" not in digest
    assert len(digest) == 64
    assert seconds == 60


def test_a_digest_is_worth_nothing_under_another_key(aude, hashings, settings):
    assert status(basic("aude")) == 200
    settings.SECRET_KEY = "another"
    assert status(basic("aude")) == 200
    assert len(hashings) == 2


def test_without_a_cache_every_call_is_hashed_and_answered(aude, hashings, monkeypatch):
    def down(*args: Any) -> None:
        raise ConnectionError

    for name in ("get", "set", "delete"):
        monkeypatch.setattr(cache, name, down)
    assert status(basic("aude")) == status(basic("aude")) == 200
    assert status(basic("aude", "wrong")) == 401
    assert len(hashings) == 3


# Locking out


def test_who_guesses_is_locked_out_at_that_address(aude):
    for _ in range(5):
        assert status(basic("aude", "guess")) == 401
    assert status(basic("aude")) == 401
    assert status(basic("aude"), ELSEWHERE) == 200


def test_a_remembered_password_does_not_open_a_locked_door(aude):
    assert status(basic("aude")) == 200
    for _ in range(5):
        status(basic("aude", "guess"))
    assert status(basic("aude")) == 401


def test_a_right_password_clears_the_count_of_wrong_ones(aude):
    for _ in range(3):
        for _ in range(4):
            assert status(basic("aude", "typo")) == 401
        assert status(basic("aude")) == 200


def test_the_lock_opens_after_a_while(aude, settings):
    with time_machine.travel("2026-03-02 09:00Z", tick=False) as clock:
        for _ in range(5):
            status(basic("aude", "guess"))
        assert status(basic("aude")) == 401
        clock.shift(settings.AXES_COOLOFF_TIME.total_seconds() + 1)
        assert status(basic("aude")) == 200


# Refusing


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic YXVkZQ==",  # no colon
        "Basic YXVkZTpkZW1v extra",
        "Bearer YXVkZTpkZW1v",
        basic("aude", ""),
        basic("", ""),
        basic("nobody", "demo"),
        basic("aude", "demo "),
        basic("aude ", "demo"),
        basic("Aude", "demo"),
        basic("aude\0", "demo"),
        basic("a" * 151, "demo"),
        basic("a" * 5000, "demo"),
        basic("aude", "demo\0"),
        basic("aude", "x" * 5000),
        # The vendor's clients send the MD5 of the password.
        basic("aude", "fe01ce2a7fbac8fafaed7c982a04e229"),
        "Basic /////w==",  # neither UTF-8 nor a pair
    ],
)
def test_all_refusals_look_alike(header, ask, payload, aude, client):
    headers = {"Authorization": header} if header is not None else {}
    answer = client.get("/v3/tiers?programId=1", headers=headers)
    assert answer.status_code == 401
    assert answer.json() == payload("refusal_401")


def test_a_locked_out_person_is_told_the_same(aude, client, payload):
    for _ in range(7):
        answer = client.get(
            "/v3/tiers", headers={"Authorization": basic("aude", "guess")}
        )
        assert answer.status_code == 401
        assert answer.json() == payload("refusal_401")


def test_a_login_in_the_admin_is_no_key_to_the_api(client, aude):
    client.force_login(aude)
    assert client.get("/v3/tiers?programId=1").status_code == 401


def test_names_and_passwords_may_be_of_any_script(db):
    factories.make_auditor("jürgen")
    user = User.objects.get(username="jürgen")
    user.set_password("naïve: 密碼")
    user.save()
    assert status(basic("jürgen", "naïve: 密碼")) == 200
