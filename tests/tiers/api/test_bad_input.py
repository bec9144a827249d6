"""What nobody should send: refused in so many words, never with an accident."""

import uuid

import pytest
from django.test import Client

from tests import scenes
from tests.tiers.api import gemstone
from tests.tiers.api.conftest import basic


@scenes.kept
def gemstones(maya, chen, aude):
    return gemstone.make(maya, chen)


@pytest.fixture
def send(aude):
    """Send any method to any address as aude; return the answer."""
    client = Client(raise_request_exception=False)

    def request(address="/v3/tiers?programId=973", method="GET", **headers):
        return client.generic(
            method,
            address,
            headers={"Authorization": basic("aude")}
            | {name.replace("_", "-"): value for name, value in headers.items()},
        )

    return request


@pytest.mark.parametrize(
    "number",
    [
        "%20973",
        "973%20",
        "%EF%BC%91",  # a full-width 1
        "%D9%A1",  # an Arabic 1
        "0973",
        "+973",
        "%2B973",
        "-0",
        "973.0",
        "9_73",
        "9e2",
        "0x3cd",
        "%00",
        "973%00",
        "%ff",
        "973%0a",
        "973;1",
        "null",
        "NaN",
        "973,974",
        "[973]",
        "1" * 1001,
        "1" * 5000,
    ],
)
def test_what_is_no_canonical_number_is_refused(number, send):
    answer = send(f"/v3/tiers?programId={number}")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["code"] == 400
    assert error["message"].startswith("programId: ")


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-1",
        "-973",
        "974",
        "2147483648",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999",
        "1" * 1000,
    ],
)
def test_any_whole_number_is_a_program_or_none(number, send, payload, gemstones):
    answer = send(f"/v3/tiers?programId={number}")
    assert answer.status_code == 200
    assert answer.json() == payload("list_empty")


@pytest.mark.parametrize(
    "tier",
    [
        "%EF%BC%92%EF%BC%95%EF%BC%92%EF%BC%91%EF%BC%96",
        "%2025216",
        "25216%20",
        "-1",
        "abc",
        "%ff",
        "99999999999999999999",
        "x" * 5000,
        "25216' OR '1'='1",
    ],
)
def test_a_tier_has_no_second_spelling(tier, send, gemstones):
    answer = send(f"/v3/tiers?programId=973&tier={tier}")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == 9056


@pytest.mark.parametrize(
    "query",
    [
        "programId=973&programId=973",
        "programId=973&programId=1",
        "programId=973&tier=25216&tier=25220",
        "programId=973&tier=%00",
    ],
)
def test_what_is_ambiguous_or_unwritable_is_refused(query, send):
    assert send(f"/v3/tiers?{query}").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "format=xml",
        "limit=-1",
        "offset=99999999999999999999999",
        "ordering=password",
        "programm=1",
        "name__regex=(a%2B)%2B$",
        "_connector=OR",
        "_negated=1",
        "%00=%00",
    ],
)
def test_parameters_that_are_not_described_change_nothing(
    query, send, payload, gemstones
):
    answer = send(f"/v3/tiers?programId=973&{query}")
    assert answer.status_code == 200
    assert answer.json() == payload("list_973")


@pytest.mark.parametrize(
    "headers",
    [
        {"X_CAP_API_ATTRIBUTION_ENTITY_TYPE": "TILL"},
        {"X_CAP_API_ATTRIBUTION_ENTITY_CODE": "till.001"},
        {"X_HTTP_Method_Override": "DELETE"},
        {"X_Forwarded_For": ", ".join(["198.51.100.7"] * 100)},
        {"Content_Type": "application/xml"},
        {"Accept": "*/*"},
        {"Accept": "application/json;q=0.5"},
    ],
)
def test_headers_that_are_not_described_change_nothing(
    headers, send, payload, gemstones
):
    answer = send(**headers)
    assert answer.status_code == 200
    assert answer.json() == payload("list_973")


@pytest.mark.parametrize(
    "method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
)
def test_a_method_that_is_not_there_is_refused_in_the_envelope(method, send):
    answer = send(method=method)
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["code"] == 405
    assert sorted(answer.headers["Allow"].split(", ")) == ["GET", "HEAD", "POST"]
    assert answer.headers["X-Cap-Requestid"]


def test_head_is_get_without_the_document(send, gemstones):
    answer = send(method="HEAD")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "image/*"])
def test_another_format_is_refused_in_the_envelope(accept, send):
    answer = send(Accept=accept)
    assert answer.status_code == 406
    assert answer.json()["errors"][0]["code"] == 406


@pytest.mark.parametrize(
    "address", ["/v3/tiers/", "/v3/tiers/1/retire", "/v3/nothing", "/v3/%00"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_addresses_are_refused_in_the_envelope(address, method, send):
    answer = send(address, method=method)
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == 404
    assert answer.headers["X-Cap-Requestid"]


def test_a_foreign_host_name_is_refused(send):
    assert send(Host="evil.example").status_code == 400


# The id of the request


def test_every_answer_carries_an_id_of_its_own(send):
    ids = {
        send(query).headers["X-Cap-Requestid"]
        for query in ("/v3/tiers?programId=1", "/v3/tiers", "/v3/tiers?programId=x")
    }
    ids.add(Client().get("/v3/tiers").headers["X-Cap-Requestid"])
    assert len(ids) == 4


@pytest.mark.parametrize(
    "brought", ["abc-123", "a\r\nSet-Cookie: a=b", "x" * 5000, "ü", "<b>"]
)
def test_an_id_that_somebody_brings_is_not_taken(brought, send):
    answer = send(X_Request_Id=brought, X_Cap_Requestid=brought)
    assert answer.status_code == 200
    assert uuid.UUID(answer.headers["X-Cap-Requestid"])
    assert "Set-Cookie" not in answer.headers
