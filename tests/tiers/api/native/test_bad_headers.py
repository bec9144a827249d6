"""The catalogue of what nobody should say beside a request: headers of all kinds."""

import re
from typing import Any

import pytest

from tests.tiers.api.native.catalogue import ids, views, writes
from tests.tiers.api.native.conftest import refused
from tests.tiers.api.native.poison import lists, send, sue, unchanged

__all__ = ["ids", "send", "sue", "unchanged"]


BAD_KEYS = ["", " ", "a b", "x" * 256, "x" * 5000, "a,b", "\u00fc", "\u0663", "a\tb"]


@pytest.mark.parametrize("value", [*BAD_KEYS, "a\r\nSet-Cookie: a=b", "a\0b", "\x7f"])
@pytest.mark.usefixtures("unchanged")
def test_65_an_idempotency_key_that_cannot_be_kept(value, send, ids):
    for name, write in writes(ids).items():
        view = next(view for _, _, each, view in views() if each == name)
        if name.split()[1] in view.repeatable:
            answer = send(write, Idempotency_Key=value)
            refused(answer, 400, "idempotency_key_invalid")
            assert "Set-Cookie" not in answer.headers


BAD_TAGS = ["", " ", "x", '"', '""', '"x"', "x, y", 'W/"x"', "*, *", '"*"', "\u00fc"]


@pytest.mark.parametrize("value", [*BAD_TAGS, "x" * 5000, '"a\r\nb"', '"' * 5000])
@pytest.mark.usefixtures("unchanged")
def test_67_an_etag_that_names_nothing_read(value, call, key, sue, ids):
    for name, write in writes(ids).items():
        view = next(view for _, _, each, view in views() if each == name)
        action = name.split()[1]
        if action in view.conditional | view.may_be_conditional:
            by: Any = sue if write.by_person else key
            answer = call(write.method, write.path, write.body, by=by, If_Match=value)
            refused(answer, 412, "precondition_failed")


@pytest.mark.parametrize("value", BAD_TAGS)
def test_an_etag_of_nothing_is_read_whole(value, call, sue, ids):
    answer = call("GET", f"tiers/{ids['gold']}", by=sue, If_None_Match=value)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X_HTTP_Method_Override": "DELETE"},
        {"X_Forwarded_For": ", ".join(["198.51.100.7"] * 100)},
        {"X_Forwarded_Host": "evil.example"},
        {"X_Original_Url": "/api/v1/programs"},
        {"Accept": "application/json;q=0.1, */*;q=0"},
        {"Accept_Language": "tlh"},
        {"Range": "bytes=0-1"},
        {"Cookie": "sessionid=x; csrftoken=\u00fc"},
    ],
)
def test_69_and_70_headers_that_are_not_described_change_nothing(
    headers, call, key, ids
):
    path = f"tiers/{ids['gold']}"
    answer = call("GET", path, by=key, **headers)
    assert answer.status_code == 200
    assert answer.content == call("GET", path, by=key).content


def test_70_a_foreign_host_name_is_refused(call, key):
    for host in ("evil.example", "testserver@evil", "a b", "x" * 300):
        assert call("GET", "tiers", by=key, Host=host).status_code == 400


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "image/*", "x"])
@pytest.mark.usefixtures("unchanged")
def test_71_another_format_is_refused(accept, call, sue, key, ids):
    for route in lists():
        answer = call("GET", route, by=sue, Accept=accept)
        refused(answer, 406, "not_acceptable")
    for write in writes(ids).values():
        by: Any = sue if write.by_person else key
        answer = call(write.method, write.path, write.body, by=by, Accept=accept)
        refused(answer, 406, "not_acceptable")


@pytest.mark.parametrize(
    "brought", ["abc", "a\r\nSet-Cookie: a=b", "x" * 5000, "\u00fc"]
)
def test_72_an_id_of_a_request_that_somebody_brings_is_not_taken(brought, call, key):
    answer = call("GET", "tiers", by=key, X_Request_Id=brought)
    assert answer.status_code == 200
    assert re.fullmatch("[0-9a-f-]{36}", answer.headers["X-Request-Id"])
    assert not {"Set-Cookie"} & set(answer.headers)
