"""What nobody should send to programs, groups and tiers; and what is kept reads back."""

import json

import pytest
from django.test import Client

from tests import checkers
from tests.tiers.api.brevo.conftest import (
    CLUB,
    GOLD,
    POINTS,
    STATUS,
    expect,
    refused,
    violations,
)
from tests.tiers.api.brevo.test_programs import ONE, PROGRAMS
from tests.tiers.api.brevo.test_tiers import (
    GROUPS,
    LEVEL,
    OFFERS,
    PUBLISH,
    TIER,
    TIERS,
    asking,
    golden,
)
from tiers.models import TierVersion

#: Everything that is written, with what it says apart from its name.
WRITES = {
    "createNewLp": ("POST", PROGRAMS, {}),
    "updateLoyaltyProgram": ("PUT", ONE, {}),
    "partiallyUpdateLoyaltyProgram": ("PATCH", ONE, {}),
    "createTierGroup": ("POST", GROUPS, {}),
    "updateTierGroup": ("PUT", f"{GROUPS}/{STATUS}", LEVEL),
    "createTierForTierGroup": ("POST", f"{GROUPS}/{STATUS}/tiers", golden()),
    "updateTier": ("PUT", f"{TIERS}/{GOLD}", golden()),
    "createReward": ("POST", OFFERS, {}),
}
#: What another system would read next.
READS = (PROGRAMS, ONE, GROUPS, f"{GROUPS}/{STATUS}", TIERS, OFFERS)
PAGES = ("loyalty/program", "tiers/tiergroup", "tiers/tier")

pytestmark = pytest.mark.usefixtures("club")


@pytest.fixture(params=WRITES)
def write(request, call):
    method, address, rest = WRITES[request.param]

    def send(**changes):
        body = json.dumps(rest | changes)
        return call(method, address, body)

    return send


@pytest.fixture
def read_everything(call, maya):
    """Fetch what would show the poison: lists, documents, pages of the admin."""

    def read():
        for address in READS:
            assert call("GET", address).status_code == 200, address
            assert call("GET", f"{address}?version=active").status_code in (200, 404)
        person = Client(raise_request_exception=False)
        person.force_login(maya)
        for page in PAGES:
            assert person.get(f"/admin/{page}/").status_code == 200, page

    return read


@pytest.fixture
def unchanged(club, key):
    with checkers.nothing_is_written():
        yield


# Refused


@pytest.mark.usefixtures("unchanged")
def test_names_that_are_none(write):
    for name in (
        5,
        True,
        ["a"],
        {"a": 1},
        "",
        " \t ",
        "a" * 129,
        "\u200b\u200b",
        "a\u202eb",
        "a\u2066b",
        "a\r\nb",
        "a\x07b",
    ):
        assert set(violations(write(name=name))) == {"name"}, name


@pytest.mark.usefixtures("unchanged")
def test_text_that_cannot_be_stored(write):
    for name in ("a\0b", "a\ud800b"):
        refused(write(name=name), write(name=name).status_code, "bad_request")
        answer = write(name="Fine", meta={"key": name})
        assert answer.status_code in (400, 422)


@pytest.mark.usefixtures("unchanged")
def test_bodies_that_cannot_be_read(call):
    for text in [
        "{",
        "null",
        '"x"',
        "[1]",
        "{} {}",
        '{"name": NaN}',
        '{"name": 1e400}',
        '{"a": ' + "1" * 5000 + "}",
        '{"a":' * 20 + "1" + "}" * 20,
        "[" * 100_000,
        '{"name": "a", "name": "b"}',
        b"\xef\xbb\xbf{}",
        b'{"name": "\xff"}',
        '{"name": "a"}'.encode("utf-16"),
    ]:
        for name, (method, address, _rest) in WRITES.items():
            status = 400 if name == "createTierGroup" else 422
            refused(call(method, address, text), status, "bad_request")


@pytest.mark.usefixtures("unchanged")
def test_further_data_that_is_too_much(call):
    for meta in [
        [],
        "x",
        5,
        {"k" * 41: 1},
        {str(n): n for n in range(51)},
        {"k": "a" * 8200},
        {"k": 2**53},
        {"k": "a\u202eb"},
    ]:
        for name in (
            "createNewLp",
            "updateLoyaltyProgram",
            "createTierGroup",
            "updateTierGroup",
        ):
            method, address, rest = WRITES[name]
            body = rest | {"name": "Corner Shop Club 2", "meta": meta}
            assert {
                p.split(".")[0] for p in violations(call(method, address, body))
            } == {"meta"}


@pytest.mark.usefixtures("unchanged")
def test_least_amounts_that_are_none(call):
    for least in [
        True,
        "1_000",
        "１２",
        " 12 ",
        "1.0",
        1.0,
        1e3,
        1.5,
        -1,
        -5,
        2**53,
        2**63,
        None,
        [5],
    ]:
        sent = golden(accessConditions=asking((POINTS, least)))
        for method, address in (
            ("POST", f"{GROUPS}/{STATUS}/tiers"),
            ("PUT", f"{TIERS}/{GOLD}"),
        ):
            found = violations(call(method, address, sent))
            assert set(found) == {"accessConditions.0.minimumValue"}


@pytest.mark.usefixtures("unchanged")
def test_ids_have_one_spelling(call):
    for value in [
        5,
        "urn:uuid:" + str(POINTS),
        f"{{{POINTS}}}",
        str(POINTS).upper(),
        "",
        "x",
    ]:
        sent = golden(accessConditions=asking((value, 5)))
        found = violations(call("PUT", f"{TIERS}/{GOLD}", sent))
        assert set(found) == {"accessConditions.0.balanceDefinitionId"}
        if isinstance(value, str) and value:
            refused(call("DELETE", f"{TIERS}/{value}"), 422, "invalid_parameter")


@pytest.mark.usefixtures("unchanged")
def test_addresses_have_one_spelling(call):
    for path in [
        "%00",
        "%ff",
        "%20",
        "1",
        f"{GOLD}%20",
        f"{GOLD}0",
        "..",
        "%2e%2e",
        "１",
    ]:
        for address in (f"{TIERS}/{path}", f"{GROUPS}/{path}"):
            answer = call("DELETE", address)
            assert answer.status_code in (404, 405, 422), path
            assert set(answer.json()) <= {"message", "code", "errors"}


@pytest.mark.usefixtures("unchanged")
def test_parameters_are_given_once_and_readably(call):
    for query in [
        "version=draft&version=active",
        "version=%00",
        "version=%ff",
        "version=1",
        "version=active%20",
    ]:
        for address in (GROUPS, TIERS):
            assert set(violations(call("GET", f"{address}?{query}"))) == {"version"}


@pytest.mark.usefixtures("unchanged")
def test_pages_that_are_none(call):
    for query in [
        "limit=-1",
        "limit=1&limit=1000000",
        "limit=201",
        "limit=1_0",
        "limit=%EF%BC%91",
        "offset=99999999999999999999999",
        "offset=1e3",
        "sort=",
        "sort_field=name&sort_field=id",
    ]:
        assert len(violations(call("GET", f"{PROGRAMS}?{query}"))) == 1


@pytest.mark.usefixtures("unchanged")
def test_programs_are_sorted_by_what_is_named_only(call):
    for field in ["id", "program__created_by", "-name", "name,id", "?"]:
        answer = call("GET", PROGRAMS + f"?sort_field={field.replace('?', '%3F')}")
        refused(answer, 400, "invalid_parameter")


@pytest.mark.usefixtures("unchanged")
def test_other_media_types(client, key):
    for media in [
        "text/plain",
        "application/xml",
        "application/json; charset=utf-7",
        "",
    ]:
        for method, address, rest in WRITES.values():
            answer = client.generic(
                method,
                f"/v3{address}",
                json.dumps(rest | {"name": "A"}),
                content_type=media,
                headers={"api-key": key},
            )
            assert answer.status_code in (415, 422, 400), answer.content
            assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.usefixtures("unchanged")
def test_another_format(call):
    refused(call("GET", TIERS, Accept="application/xml"), 406, "not_acceptable")


# Passed over


def test_what_is_not_described_is_ignored(call, read_everything):
    strangers = {
        "id": "x",
        "tierId": 7,
        "status": "LIVE",
        "approvedBy": "me",
        "entry": "BASE",
        "threshold": 5,
        "program": 1,
        "is_admin": True,
        "createdAt": "2020-01-01",
        "loyaltyProgramId": None,
    }
    for number, (method, address, rest) in enumerate(WRITES.values()):
        name = f"Name {number}"
        answer = call(method, address, strangers | rest | {"name": name})
        assert answer.status_code == 200, answer.content
        assert answer.json()["name"] == name
    read_everything()
    assert not TierVersion.objects.live().filter(name__startswith="Name").exists()


def test_what_is_sent_is_what_is_read(call, read_everything):
    """Text that only looks dangerous is kept as it is, and shown as text."""
    for number, name in enumerate(
        (
            "<script>alert(1)</script>",
            "=1+1",
            "Zoë — ゴールド 🥇",
            "' OR 1=1 --",
            "{{ 7*7 }}",
        )
    ):
        group = call("POST", GROUPS, {"name": name, "meta": {"key": name}})
        assert (group.json()["name"], group.json()["meta"]) == (name, {"key": name})
        sent = golden(name=name, accessConditions=asking((POINTS, 7000 + number)))
        tier = call("POST", f"{GROUPS}/{group.json()['id']}/tiers", sent)
        assert tier.json()["name"] == name
        read_everything()
    assert call("POST", PUBLISH).status_code == 200
    read_everything()


def test_the_widest_values_are_kept(call, read_everything):
    sent = golden(
        name="a" * 128,
        accessConditions=asking((POINTS, 2**53 - 1)),
        imageRef="b" * 200,
    )
    kept = call("PUT", f"{TIERS}/{GOLD}", sent).json()
    assert kept["accessConditions"][0]["minimumValue"] == 2**53 - 1
    assert call("POST", PUBLISH).status_code == 200
    assert (
        call("GET", f"{TIER}/tiers?version=active").json()["items"][2]["name"]
        == "a" * 128
    )
    read_everything()


def test_a_key_in_the_address_is_none(call, key):
    expect(call("GET", f"{TIERS}?api-key={key}", token=None), 401, "refusal_401")


def test_an_address_cannot_be_overridden(call):
    answer = call("POST", PUBLISH, **{"X-HTTP-Method-Override": "DELETE"})
    assert answer.status_code == 200
    assert call("GET", f"/loyalty/config/programs/{CLUB}").status_code == 200
