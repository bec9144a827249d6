"""Keys and tokens over HTTP: who gets in, and what exists for them."""

import hashlib
import io
import logging
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from structlog.stdlib import ProcessorFormatter

from loyalty import keys
from loyalty.models import ApiKey
from loyalty.models.keys import Scope
from tests import factories
from tests.tiers.api.conftest import basic
from tiers.api import authentication
from tiers.api.access import HasPermission, IsPerson, may, programs_for

LIST = "/v3/tiers?programId={}"
TOKEN = "/v3/oauth/token/generate"


def get(secret: str, program: Any = 1) -> Any:
    client = Client(raise_request_exception=False)
    return client.get(
        LIST.format(getattr(program, "pk", program)),
        headers={"Authorization": f"Api-Key {secret}"},
    )


def ask_as(way: type[authentication.KeyAuthentication], **headers: str) -> Any:
    """Authenticate a request in one way, as a view would."""
    named: dict[str, Any] = {
        f"HTTP_{n.upper().replace('-', '_')}": v for n, v in headers.items()
    }
    http: Any = APIRequestFactory().get("/", **named)
    return way().authenticate(Request(http))


# In which header


@pytest.mark.parametrize(
    ("way", "header", "value"),
    [
        (authentication.NativeKey, "Authorization", "Api-Key {}"),
        (authentication.NativeKey, "Authorization", "api-key  {} "),
        (authentication.BrevoKey, "api-key", "{}"),
        (authentication.BrevoBearer, "Authorization", "Bearer {}"),
        (authentication.WixKey, "Authorization", "{}"),
        (authentication.WixKey, "Authorization", "Bearer {}"),
    ],
)
def test_each_voice_reads_its_vendors_header(way, header, value, maya):
    key, secret = factories.make_key(maya)
    user, auth = ask_as(way, **{header: value.format(secret)})
    assert (user, auth) == (maya, key)
    assert user.get_username() == f"maya (API key {key.prefix})"
    with pytest.raises(AuthenticationFailed):
        ask_as(way, **{header: value.format(secret[:-1] + "!")})


@pytest.mark.parametrize(
    ("way", "headers"),
    [
        (authentication.NativeKey, {}),
        (authentication.NativeKey, {"Authorization": "Basic YTpi"}),
        (authentication.NativeKey, {"Authorization": "Api-Key"}),
        (authentication.BrevoKey, {"Authorization": "Bearer x"}),
        (authentication.BrevoBearer, {"Authorization": "x"}),
        (authentication.WixKey, {"Authorization": "Basic YTpi"}),
    ],
)
def test_another_header_is_left_to_others(way, headers, db):
    assert ask_as(way, **headers) is None


# What is refused, and how


def test_every_useless_key_is_refused_alike(maya, program):
    _, good = factories.make_key(maya)
    _, expired = factories.make_key(
        maya,
        at=timezone.now() - timedelta(days=2),
        expires_at=timezone.now() - timedelta(days=1),
    )
    revoked_key, revoked = factories.make_key(maya)
    keys.revoke(revoked_key, by=maya)
    gone = factories.make_maker("gone")
    _, of_gone = factories.make_key(gone)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    useless = [
        expired,
        revoked,
        of_gone,
        good[:-1] + ("a" if good[-1] != "a" else "b"),
        good[:-1],
        good + "a",
        good.upper(),
        good.replace(".", "_"),
        "zzzzzzzz." + good[9:],
        good[:9] + good[:9],
        "",
        "x" * 5000,
        "\xff",
    ]
    answers = [get(secret, program) for secret in useless]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {a.headers["WWW-Authenticate"] for a in answers} == {
        'Basic realm="Tierwright", charset="UTF-8"'
    }
    assert get(good, program).status_code == 200


def test_a_key_in_the_address_lets_nobody_in(maya, program, monkeypatch):
    printed = io.StringIO()
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, ProcessorFormatter):
            monkeypatch.setattr(handler, "stream", printed)
    key, secret = factories.make_key(maya)
    client = Client(raise_request_exception=False)
    for name in ("api-key", "api_key", "key", "token"):
        address = f"{LIST.format(program.pk)}&{name}={secret}"
        assert client.get(address).status_code == 401
    # The address is in the log; the secret is not.
    assert f"{key.prefix}.[redacted]" in printed.getvalue()
    assert secret[9:] not in printed.getvalue()


def test_a_key_is_refused_on_the_request_after_it_was_revoked(maya, program):
    for _ in range(20):
        key, secret = factories.make_key(maya)
        assert get(secret, program).status_code == 200
        keys.revoke(key, by=maya)
        assert get(secret, program).status_code == 401


def test_the_log_says_why_and_never_the_secret(maya, program, caplog):
    key, secret = factories.make_key(maya)
    keys.revoke(key, by=maya)
    with caplog.at_level("INFO"):
        get(secret, program)
    assert "revoked" in caplog.text
    assert key.prefix in caplog.text
    assert secret[9:] not in caplog.text


# Scopes


def test_a_key_without_scopes_is_let_in_and_refused_everything(maya, program):
    _, secret = keys.make(by=maya, name="Nothing", owner=maya, scopes=[])
    answer = get(secret, program)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["code"] == 4000


def test_a_key_may_nothing_that_its_owner_may_not(program):
    nobody = factories.make_user("nobody")
    _, secret = factories.make_key(nobody)
    assert get(secret, program).status_code == 403


SCOPED = {
    Scope.READ: {"tiers.view_tier", "loyalty.view_member", "approvals.view_changeset"},
    Scope.POINTS: {
        "loyalty.post_points",
        "loyalty.edit_members",
        "loyalty.move_members",
    },
    Scope.DRAFTS: {"approvals.make_changes"},
    Scope.PUBLISH: {"approvals.make_changes", "loyalty.operate_programs"},
}
NEVER = {
    "approvals.review_changes",
    "approvals.view_auditevent",
    "approvals.view_decision",
    "loyalty.erase_contacts",
    "loyalty.add_apikey",
    "auth.change_user",
    "auth.view_user",
}


@pytest.mark.parametrize("scope", Scope.values)
def test_a_scope_covers_its_permissions_and_no_others(scope, program):
    # Of somebody who may everything, so that the scope alone decides.
    sue = factories.make_user("sue", is_superuser=True)
    key, _ = factories.make_key(sue, scope)
    holder = key.holder
    request: Any = type("Request", (), {"user": holder, "auth": key})
    for permission in set.union(*SCOPED.values(), NEVER):
        expected = permission in SCOPED[Scope(scope)]
        assert may(request, permission) == expected, permission
        assert holder.has_perm(permission) == expected, permission


def test_a_key_never_decides(maya):
    sue = factories.make_user("sue", is_superuser=True)
    key, _ = factories.make_key(sue)
    request: Any = type("Request", (), {"user": key.holder, "auth": key})
    door = IsPerson()
    assert not door.has_permission(request, None)
    assert door.code == "human_required"
    person: Any = type("Request", (), {"user": maya, "auth": None})
    assert door.has_permission(person, None)


def test_the_door_says_that_a_scope_is_missing(maya):
    key, _ = factories.make_key(maya, Scope.POINTS)
    request: Any = type(
        "Request", (), {"user": key.holder, "auth": key, "method": "GET"}
    )
    view = type("View", (), {"permission": "tiers.view_tier"})
    door = HasPermission()
    assert not door.has_permission(request, view)
    assert door.code == "insufficient_scope"


# One program


def test_what_is_not_a_keys_program_does_not_exist_for_it(maya, group, program):
    other = factories.make_program(maya, "Other")
    _, secret = factories.make_key(maya, program=other)
    hidden, unknown = get(secret, program), get(secret, 424242)
    assert hidden.status_code == unknown.status_code
    assert hidden.content == unknown.content
    one_tier = [
        Client().get(
            f"{LIST.format(number)}&tier=424242",
            headers={"Authorization": f"Api-Key {secret}"},
        )
        for number in (program.pk, 424242)
    ]
    bodies = {answer.content.replace(b"424242", b"") for answer in one_tier}
    # The sentence names the program that was asked for; nothing else differs.
    assert len({body.replace(str(program.pk).encode(), b"") for body in bodies}) == 1
    _, own = factories.make_key(maya, program=program)
    assert get(own, program).json()["data"]["tiers"]
    assert get(own, other).content == unknown.content


def test_programs_for_a_caller(maya, program):
    other = factories.make_program(maya, "Other")

    def seen(**fields: Any) -> set[Any]:
        key, _ = factories.make_key(maya, **fields)
        request: Any = type("Request", (), {"user": key.holder, "auth": key})
        return set(programs_for(request))

    assert seen() == {program, other}
    assert seen(program=other) == {other}
    # The owner's own limits hold as well.
    maya.program_limits.create(program=program)
    assert seen() == {program}
    assert seen(program=other) == set()


# Tokens


def exchange(**body: Any) -> Any:
    return Client(raise_request_exception=False).post(
        TOKEN, body, content_type="application/json"
    )


def list_with(token: str, program: Any) -> Any:
    return Client().get(
        LIST.format(program.pk),
        headers={
            "X-CAP-API-OAUTH-TOKEN": token,
            "X-CAP-API-ATTRIBUTION-ENTITY-TYPE": "TILL",
            "X-CAP-API-ATTRIBUTION-ENTITY-CODE": "till-1",
        },
    )


@pytest.fixture
def halves(maya: User) -> dict[str, str]:
    _, secret = factories.make_key(maya)
    key, _, rest = secret.partition(".")
    return {"key": key, "secret": rest}


def test_a_token_is_given_for_the_halves_of_a_key(halves, program):
    answer = exchange(**halves, grantType="ignored")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    token = answer.json()["data"]["accessToken"]
    assert answer.json() == {
        "data": {"accessToken": token, "ttlSeconds": 3600},
        "errors": None,
        "warnings": None,
    }
    assert halves["secret"] not in token
    assert list_with(token, program).status_code == 200


def test_a_token_ends_after_an_hour(halves, program):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        token = exchange(**halves).json()["data"]["accessToken"]
        clock.shift(3599)
        assert list_with(token, program).status_code == 200
        clock.shift(2)
        assert list_with(token, program).status_code == 401


def test_a_token_ends_with_its_key(halves, program, maya):
    token = exchange(**halves).json()["data"]["accessToken"]
    keys.revoke(ApiKey.objects.get(prefix=halves["key"]), by=maya)
    assert list_with(token, program).status_code == 401


def test_a_tampered_token_is_refused(halves, program, settings):
    token = exchange(**halves).json()["data"]["accessToken"]
    for forged in (token[:-1], token + "x", "a" + token, "", "a:b:c"):
        assert list_with(forged, program).status_code == 401
    settings.SECRET_KEY = "another"
    assert list_with(token, program).status_code == 401


def test_wrong_halves_are_refused_alike(halves):
    wrong = [
        halves | {"secret": "0" * 32},
        halves | {"key": "00000000"},
        halves | {"secret": "short"},
        halves | {"key": halves["key"] + "." + halves["secret"]},
        {"key": "maya", "secret": "demo"},
    ]
    answers = [exchange(**body) for body in wrong]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize(
    "body", [{}, {"key": "a"}, {"key": 1, "secret": "b"}, {"key": [], "secret": {}}]
)
def test_halves_that_are_missing_are_named(body, db):
    assert exchange(**body).status_code == 400


# Passwords as the vendor's clients send them


def test_the_md5_of_a_password_is_no_password(aude, program):
    digest = hashlib.md5(b"demo").hexdigest()  # noqa: S324
    answer = Client().get(
        LIST.format(program.pk), headers={"Authorization": basic("aude", digest)}
    )
    assert answer.status_code == 401


# What it costs


def test_a_key_costs_one_query(maya, program, django_assert_num_queries):
    _, secret = factories.make_key(maya)
    get(secret, program)  # notes the first use
    # the key with its owner; the permission; the list
    with django_assert_num_queries(3):
        assert get(secret, program).status_code == 200
