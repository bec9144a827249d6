"""API keys in the admin: shown once, replaced, revoked; never found again."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework_api_key.models import APIKey

from approvals import ui
from approvals.admin.drafts import lifecycle_url
from loyalty import keys
from loyalty.models import ApiKey
from tests import factories, scenes
from tests.approvals.browsing import as_, press

SECRET = re.compile(r"[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}")
ADD = ui.add_url


@scenes.kept
def sue() -> User:
    """The administrator."""
    return factories.make_user("sue", is_superuser=True)


def wanted(owner: User, **fields: Any) -> dict[str, Any]:
    return {
        "name": "Web shop",
        "owner": owner.pk,
        "scopes": ["read", "points"],
        "days": "30",
    } | fields


def shown(answer: Any) -> str:
    (secret,) = set(SECRET.findall(answer.content.decode()))
    return secret


def test_a_key_is_made_and_shown_once(sue, maya, program):
    client = as_(sue)
    answer = client.post(ADD(ApiKey), wanted(maya, program=program.pk))
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    secret = shown(answer)
    key = keys.recognise(secret)
    assert key is not None
    assert (key.owner.pk, key.made_by, key.program) == (maya.pk, sue, program)
    assert key.scopes == ["read", "points"]
    assert key.expiry_date is not None
    assert (key.expiry_date - key.created).days in (29, 30)
    for page in (
        ui.list_url(ApiKey),
        ui.change_url(key),
        lifecycle_url(key, "rotate"),
        lifecycle_url(key, "revoke"),
        "/admin/",
        "/admin/approvals/auditevent/",
    ):
        answer = client.get(page)
        assert answer.status_code == 200, page
        text = answer.content.decode()
        assert secret[9:] not in text
        assert key.hashed_key not in text
        assert key.hashed_key.removeprefix("sha512$$") not in text
    assert secret[9:] not in str(dict(client.session))
    assert not any(secret[9:] in cookie.value for cookie in client.cookies.values())


def test_a_form_that_makes_no_sense_makes_no_key(sue, maya):
    wrong: dict[str, Any]
    for wrong in (
        {"name": ""},
        {"name": "a\u202eb"},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"owner": 424242},
        {"program": 424242},
        {"days": "0"},
        {"days": "1_0"},
    ):
        answer = as_(sue).post(ADD(ApiKey), wanted(maya) | wrong)
        assert not SECRET.search(answer.content.decode())
    assert not ApiKey.objects.exists()


def test_a_key_is_replaced_with_an_overlap(sue, maya):
    old, secret = factories.make_key(maya)
    answer = as_(sue).post(lifecycle_url(old, "rotate"), {"days": "7"})
    new = keys.recognise(shown(answer))
    assert new is not None
    assert new.replaces == old
    assert keys.recognise(secret) == old
    old.refresh_from_db()
    assert old.expiry_date is not None
    page = as_(sue).get(ui.change_url(old))
    assert new.prefix in page.content.decode()
    assert [button.label for button in page.context["buttons"]] == ["Revoke"]
    again = as_(sue).post(lifecycle_url(old, "rotate"), {"days": "7"})
    assert again.status_code == 409


def test_a_key_is_revoked_with_a_reason(sue, maya):
    key, secret = factories.make_key(maya)
    assert press(sue, key, "revoke", comment="It leaked.").status_code == 302
    assert keys.recognise(secret) is None
    page = as_(sue).get(ui.change_url(key))
    assert page.context["buttons"] == []
    assert "It leaked." in page.content.decode()
    assert press(sue, key, "revoke", comment="Again.").status_code == 409


@pytest.mark.parametrize("who", ["maya", "chen", "aude"])
def test_only_administrators_make_keys(who, request, program):
    person = request.getfixturevalue(who)
    client = as_(person)
    key, _ = factories.make_key(factories.make_maker("mike"))
    assert client.get(ui.list_url(ApiKey)).status_code == 200
    assert client.get(ADD(ApiKey)).status_code == 403
    assert client.post(ADD(ApiKey), wanted(person)).status_code == 403
    for method in (client.get, client.post):
        assert method(lifecycle_url(key, "rotate"), {"days": 1}).status_code == 403
    assert press(person, key, "revoke", comment="No.").status_code == 403
    assert client.post(ui.change_url(key), {"revoked": ""}).status_code == 403
    assert ApiKey.objects.count() == 1


def test_a_manager_revokes_a_key_of_their_program(sue, maya, program):
    key, secret = factories.make_key(sue, program=program)
    assert press(maya, key, "revoke", comment="It leaked.").status_code == 302
    assert keys.recognise(secret) is None


def test_who_is_limited_sees_keys_of_their_programs_only(maya, chen, program):
    other = factories.make_program(maya, "Other")
    here, _ = factories.make_key(maya, program=program)
    for elsewhere in (other, None):
        factories.make_key(maya, program=elsewhere)
    chen.program_limits.create(program=program)
    seen = as_(chen).get(ui.list_url(ApiKey)).context["cl"].queryset
    assert list(seen) == [here]


def test_the_list_asks_as_often_for_many_keys(sue, maya, django_assert_num_queries):
    client = as_(sue)
    for number in range(3):
        factories.make_key(maya, name=f"Key {number}")
    client.get(ui.list_url(ApiKey))
    with CaptureQueriesContext(connection) as few:
        client.get(ui.list_url(ApiKey))
    for number in range(20):
        factories.make_key(maya, name=f"More {number}")
    with django_assert_num_queries(len(few)):
        client.get(ui.list_url(ApiKey))


def test_nobody_gets_in_without_logging_in(db):
    for address in (ui.list_url(ApiKey), ADD(ApiKey)):
        assert Client().get(address).status_code == 302
    # The package's own table is nobody's to edit.
    assert APIKey not in admin.site._registry
