"""What nobody should send about people and balances; and what is kept reads back."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from loyalty.models import Contact, Member, PointsEntry
from loyalty.points import verify
from tests import checkers, factories
from tests.tiers.api.brevo.conftest import (
    NOBODYS,
    POINTS,
    refused,
    violations,
)
from tests.tiers.api.brevo.test_balances import BALANCE, DEFINITIONS, ada
from tests.tiers.api.brevo.test_members import ACCOUNT, CONFIG, HOUSEHOLD, SUBSCRIPTIONS
from tests.tiers.api.brevo.test_transactions import TRANSACTIONS

__all__ = ["ada"]

STARS = {"name": "Stars", "unit": "POINTS"}
OPENED = f"{BALANCE}/subscriptions/{{contact}}/balances"
#: Calls with a body: what is sent, and what a body that cannot be read is answered.
WRITES: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "createContact": ("POST", "/contacts", {"email": "bob@example.org"}, 400),
    "subscribeToLoyaltyProgram": ("POST", SUBSCRIPTIONS, {"contactId": "{new}"}, 400),
    "subscribeMemberToASubscription": (
        "POST",
        HOUSEHOLD,
        {"contactId": "{contact}", "memberContactIds": ["{new}"]},
        422,
    ),
    "createBalanceDefinition": ("POST", DEFINITIONS, STARS, 422),
    "updateBalanceDefinition": ("PUT", f"{DEFINITIONS}/{POINTS}", STARS, 422),
    "beginTransaction": (
        "POST",
        TRANSACTIONS,
        {"contactId": "{contact}", "amount": 5, "balanceDefinitionId": str(POINTS)},
        422,
    ),
    "createSubscriptionBalances": (
        "POST",
        OPENED,
        {"balanceDefinitionId": str(POINTS)},
        422,
    ),
}
OF_CONTACT = f"contactId={{contact}}&balanceDefinitionId={POINTS}"
#: What another system would read next, and what that is described as.
READS = {
    f"{ACCOUNT}?contactId={{contact}}": "Account",
    DEFINITIONS: "Definitions",
    f"{DEFINITIONS}?version=active": "Definitions",
    f"{DEFINITIONS}/{POINTS}": "Definition",
    OPENED: "SubscriptionBalances",
    f"{BALANCE}/active-balance?{OF_CONTACT}": "ActiveBalances",
    f"{BALANCE}/contact-balances?balanceDefinitionId={POINTS}": "ContactBalances",
    f"{BALANCE}/transaction-history?{OF_CONTACT}": "TransactionHistory",
    f"{BALANCE}/subscriptions/{{contact}}/tier": "TierProgress",
}
PAGES = [
    f"loyalty/{name}"
    for name in ("balancedefinition", "contact", "member", "pointsentry")
]

pytestmark = pytest.mark.usefixtures("club")


@pytest.fixture
def names(ada: Member) -> dict[str, int]:
    """The contacts that requests name: a member's, and somebody else's."""
    other = Contact.objects.create(
        email="child@example.org", created_at=factories.LONG_AGO
    )
    return {"{contact}": ada.contact_id, "{new}": other.pk}


@pytest.fixture
def send(call: Any, names: dict[str, int]) -> Any:
    """Make a call as it is in the table, with other values or another body."""

    def sent(
        name: str, /, body: Any = None, *, headers: Any = None, **changes: Any
    ) -> Any:
        method, path, rest, _status = WRITES[name]
        path = path.replace("{contact}", str(names["{contact}"]))
        text = json.dumps(rest)
        for word, pk in names.items():
            text = text.replace(f'"{word}"', str(pk))
        body = json.loads(text) | changes if body is None else body
        return call(method, path, body, **(headers or {}))

    return sent


@pytest.fixture(scope="module")
def schemas() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)["components"]


@pytest.fixture
def read_everything(call: Any, maya: User, names: Any, schemas: Any) -> Any:
    """Fetch what would show the poison: documents by their schema, pages of the admin."""
    person = Client(raise_request_exception=False)
    person.force_login(maya)

    def read() -> None:
        for address, schema in READS.items():
            answer = call("GET", address.replace("{contact}", str(names["{contact}"])))
            assert answer.status_code == 200, (address, answer.content)
            Draft202012Validator(
                {
                    "$ref": f"#/components/schemas/Brevo{schema}",
                    "components": schemas,
                }
            ).validate(answer.json())
        for page in PAGES:
            assert person.get(f"/admin/{page}/").status_code == 200, page

    return read


@pytest.fixture
def unchanged(names: Any, frozen: Any) -> Any:
    with checkers.nothing_is_written():
        yield


@pytest.mark.parametrize("name", WRITES)
def test_what_is_sent_well_is_done(name, send, read_everything):
    assert send(name).status_code == 200
    read_everything()


# Bodies

BODIES = [
    *("{", "null", '"x"', "[1]", "5", "", "  ", "{} {}", "{} x", "{a: 1}"),
    *('{"a": NaN}', '{"a": -Infinity}', '{"a": 1e400}', '{"a": ' + "1" * 5000 + "}"),
    *('{"a":' * 20 + "1" + "}" * 20, '{"a":' * 10_000 + "1" + "}" * 10_000),
    *("[" * 100_000, '{"a": "' + "a" * 1_000_001 + '"}'),
    *('{"contactId": 1, "contactId": 2}', '{"a": {"b": 1, "b": 2}}'),
    *('{"a": "\\ud800"}', '{"a": "\\u0000"}', '{"meta": {"\\ud800": 1}}'),
    *(b"\xef\xbb\xbf{}", b'{"a": "\xff"}', '{"a": 1}'.encode("utf-16")),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: str(body[:20]))
@pytest.mark.usefixtures("unchanged")
def test_10_to_39_a_body_that_cannot_be_read(body, send):
    for name, (_method, _path, _rest, status) in WRITES.items():
        if len(body) > 1_000_000:
            # Too large is 413 to all of the vendor's clients.
            status = 413
        refused(send(name, body), status, "bad_request")


def test_whoever_read_all_of_these_goes_on(send, read_everything):
    for body in BODIES:
        send("beginTransaction", body)
    read_everything()


@pytest.mark.parametrize(
    "media",
    [
        *("text/plain", "application/xml", "", "application/json; charset=utf-7"),
        *("application/x-www-form-urlencoded", "multipart/form-data"),
    ],
)
@pytest.mark.usefixtures("unchanged")
def test_36_to_38_only_json_in_utf_8_is_read(media, client, key, names):
    client.raise_request_exception = False
    for method, path, rest, _status in WRITES.values():
        answer = client.generic(
            method,
            f"/v3{path.replace('{contact}', str(names['{contact}']))}",
            json.dumps(rest),
            content_type=media,
            headers={"api-key": key},
        )
        refused(answer, 415, "bad_request")


# Values

LINES: list[Any] = [
    *(5, True, ["a"], {"a": 1}, "\u200b", "a\u202eb", "a\u2066b", "a\x07b", "a\r\nb"),
    "a" * 300,
]
INTEGERS: list[Any] = [
    *(True, "12", "1_000", "１２", " 12 ", 1.0, 1e3, 1.5, -1, 0, 2**63, 2**64, [5], {}),
]
NUMBERS: list[Any] = [
    *(True, "12", "1_000", "１２", "NaN", [5], {}, 2**53 + 1, -(2**60), 1e300, 0, 1e-9),
]
IDS: list[Any] = [
    5,
    "",
    "x",
    f"{{{POINTS}}}",
    f"urn:uuid:{POINTS}",
    str(POINTS).upper(),
]
FLAGS: list[Any] = ["true", 1, 0, "yes", []]
INSTANTS: list[Any] = [
    *("2026-01-07", "2026-01-07T00:00:00", "2026-02-30T00:00:00Z", "2026-W01-1", ""),
    *("2026-01-07T24:00:00Z", "2026-01-07T00:00:60Z", "2026-01-07T00:00:00+25:00"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", 1767744000, True),
    *("0000-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
]
OBJECTS: list[Any] = [
    *([], "x", 5, {"k" * 41: 1}, {str(n): n for n in range(51)}, {"k": "a" * 8200}),
    *({"k": 2**53}, {"k": 1e16}, {"k": "a\u202eb"}),
]
WORDS: list[Any] = ["", "Points", "points ", "ＰＯＩＮＴＳ", 5, True, ["POINTS"], "XXX"]
ROWS: dict[tuple[str, str], list[Any]] = {
    ("createContact", "email"): [*LINES, "nobody", "a@", "a b@example.org"],
    ("createContact", "ext_id"): LINES,
    ("createContact", "updateEnabled"): FLAGS,
    ("createContact", "getId"): FLAGS,
    ("createContact", "attributes"): [*OBJECTS, {"SMS": 5}, {"SMS": "9" * 33}],
    ("subscribeToLoyaltyProgram", "contactId"): INTEGERS,
    ("subscribeToLoyaltyProgram", "loyaltySubscriptionId"): LINES,
    ("subscribeToLoyaltyProgram", "creationDate"): INSTANTS,
    ("subscribeToLoyaltyProgram", "meta"): OBJECTS,
    ("subscribeMemberToASubscription", "contactId"): INTEGERS,
    ("subscribeMemberToASubscription", "memberContactIds"): [
        *([], "5", 5, {}, [0], ["5"], [True], [1.0], [2**63], [1] * 101),
    ],
    ("createBalanceDefinition", "name"): [*LINES, "", " "],
    ("createBalanceDefinition", "unit"): WORDS,
    ("createBalanceDefinition", "description"): [5, ["a"], "a\x07b", "a" * 501],
    ("createBalanceDefinition", "imageRef"): LINES,
    ("createBalanceDefinition", "minAmount"): [*NUMBERS[:-2], 0.5],
    ("createBalanceDefinition", "maxAmount"): [*NUMBERS[:-2], 0.5, -5],
    ("createBalanceDefinition", "maxCreditAmountLimit"): [*NUMBERS[:-1], -5],
    ("createBalanceDefinition", "maxDebitAmountLimit"): [*NUMBERS[:-1], -5],
    ("createBalanceDefinition", "balanceOptionCreditRounding"): WORDS,
    ("createBalanceDefinition", "balanceAvailabilityDurationValue"): [*INTEGERS, 1201],
    ("createBalanceDefinition", "balanceExpirationDate"): [
        *("31/04", "1/4", "04/31", "2026-02-30", "32/01", "３１/01", 5, "a\u202eb"),
    ],
    ("createBalanceDefinition", "meta"): OBJECTS,
    ("beginTransaction", "amount"): NUMBERS,
    ("beginTransaction", "contactId"): INTEGERS,
    ("beginTransaction", "balanceDefinitionId"): IDS,
    ("beginTransaction", "transactionType"): ["Credit", "", 5, ["credit"], "credit "],
    ("beginTransaction", "ttl"): [*INTEGERS, 9, 2**31],
    ("beginTransaction", "eventTime"): INSTANTS,
    ("beginTransaction", "meta"): OBJECTS,
    ("beginTransaction", "autoComplete"): FLAGS,
    ("createSubscriptionBalances", "balanceDefinitionId"): IDS,
}


@pytest.mark.parametrize(("name", "field"), ROWS)
@pytest.mark.usefixtures("unchanged")
def test_1_to_47_a_value_that_cannot_be_is_refused_by_its_field(name, field, send):
    for value in ROWS[name, field]:
        answer = send(name, **{field: value})
        document = answer.json()
        assert answer.status_code == (400 if name == "createContact" else 422), value
        assert document["code"] in ("invalid_parameter", "missing_parameter"), value
        named = {error["path"].split(".")[0] for error in document.get("errors", ())}
        # What verbs find out has a sentence only.
        assert named <= {field}, (value, document)


@pytest.mark.parametrize("name", WRITES)
def test_32_what_is_not_described_is_ignored(name, send, call, names, read_everything):
    strangers = {
        "id": str(NOBODYS),
        "uuid": str(NOBODYS),
        "status": "completed",
        "is_admin": True,
        "approvedBy": "me",
        "balance": 10**6,
        "createdAt": "2020-01-01T00:00:00Z",
        "organizationId": 5,
        "loyaltyProgramId": str(NOBODYS),
        "site_member_id": "x",
        "source": "wix",
        "built_in": "POINTS",
        "is_internal": True,
        "scale": 4,
    }
    document = send(name, **strangers).json()
    for field in ("id", "createdAt", "organizationId", "loyaltyProgramId"):
        assert document.get(field) != strangers[field]
    assert document.get("status", "pending") == "pending"
    assert not PointsEntry.objects.exists()
    assert not Contact.objects.exclude(site_member_id="").exists()
    read_everything()


# Addresses, parameters, headers

ADDRESSES = [
    ("DELETE", f"{CONFIG}/contact/{{}}"),
    ("GET", f"{BALANCE}/subscriptions/{{}}/balances"),
    ("POST", f"{BALANCE}/subscriptions/{{}}/balances"),
    ("GET", f"{BALANCE}/subscriptions/{{}}/tier"),
]
NO_NUMBERS = [
    *("0", "-1", "+1", "01", "1%20", "%EF%BC%91", "%D9%A1", "1.0", "abc", "%00", "%ff"),
    *("9223372036854775808", "9" * 40, "1;x", "1%0d%0aA:b"),
]
NO_IDS = [
    *("0", "x", "%00", "%ff", str(POINTS).upper(), f"{{{POINTS}}}", f"{POINTS}0"),
    *(f"urn:uuid:{POINTS}", str(POINTS).replace("-", ""), f"{POINTS}%20"),
]


@pytest.mark.usefixtures("unchanged")
def test_50_and_51_ids_have_one_spelling(call):
    for number in NO_NUMBERS:
        for method, address in ADDRESSES:
            body: Any = {} if method == "POST" else None
            answer = call(method, address.format(number), body)
            assert violations(answer) == {"cid": "invalid"}, number
    for pk in NO_IDS:
        for method, address, field in (
            ("GET", f"{DEFINITIONS}/{pk}", "bdid"),
            ("DELETE", f"{DEFINITIONS}/{pk}", "bdid"),
            ("POST", f"{TRANSACTIONS}/{pk}/complete", "tid"),
            ("POST", f"{TRANSACTIONS}/{pk}/cancel", "tid"),
        ):
            assert violations(call(method, address)) == {field: "invalid"}, pk


QUERIES = [
    *("limit=-1", "limit=0", "limit=501", "limit=1_0", "limit=%EF%BC%91", "limit="),
    *("limit=1&limit=2", "offset=-1", "offset=99999999999999999999", "offset=1e3"),
    *("sort=up", "sort=", "sortField=password", "sortField=-createdAt"),
    *("sort=asc&sort=desc", "limit=%00", "limit=%ff"),
]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.usefixtures("unchanged")
def test_52_to_56_parameters_are_given_once_and_readably(query, call, names):
    paged = [
        path.replace("{contact}", str(names["{contact}"]))
        for path, schema in READS.items()
        if schema in ("ActiveBalances", "ContactBalances", "TransactionHistory")
    ]
    for address in (*paged, f"{DEFINITIONS}?version=draft"):
        found = violations(call("GET", f"{address}&{query}"))
        assert set(found) == {query.partition("=")[0]}, address


@pytest.mark.usefixtures("unchanged")
def test_50_ids_in_parameters_have_one_spelling(call, names):
    for number in (*NO_NUMBERS, ""):
        path = f"{BALANCE}/active-balance?contactId={number}"
        found = violations(call("GET", f"{path}&balanceDefinitionId={POINTS}"))
        assert set(found) == {"contactId"}
        refused(call("GET", f"{ACCOUNT}?contactId={number}"), 400, "invalid_parameter")
        shared = call("DELETE", f"{HOUSEHOLD}?memberContactIds={number}")
        # There spaces may stand around an id.
        assert shared.status_code == (404 if number in ("1%20", "+1") else 400), number
    for pk in (*NO_IDS, ""):
        path = f"{BALANCE}/contact-balances?balanceDefinitionId={pk}"
        assert set(violations(call("GET", path))) == {"balanceDefinitionId"}


@pytest.mark.parametrize("query", ["limitt=1", "_connector=OR", "pk__gt=0", "%00=1"])
@pytest.mark.usefixtures("unchanged")
def test_58_what_is_not_described_is_ignored(query, call, names):
    for path in READS:
        address = path.replace("{contact}", str(names["{contact}"]))
        plain = call("GET", address)
        more = call("GET", f"{address}{'&' if '?' in address else '?'}{query}")
        # A name that is no text is none that is not described.
        assert more.status_code in (200, 400, 422), more.content
        if more.status_code == 200:
            assert more.json() == plain.json()


@pytest.mark.parametrize(
    "value",
    ["a b", "x" * 257, "\u00fc", "a\tb", "a\r\nA: b", "a\0b", "\x7f", "a\u202eb", " "],
)
@pytest.mark.usefixtures("unchanged")
def test_65_an_idempotency_key_that_cannot_be_kept(value, send):
    for changes in ({}, {"autoComplete": True}):
        answer = send("beginTransaction", headers={"Idempotency-Key": value}, **changes)
        refused(answer, 422, "invalid_parameter")


@pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "TRACE", "COPY", "BREW"])
@pytest.mark.usefixtures("unchanged")
def test_70_a_method_that_an_address_has_not_got(method, client, key, names):
    client.raise_request_exception = False
    for address in (*READS, *(path for _, path, _, _ in WRITES.values())):
        path = address.replace("{contact}", str(names["{contact}"])).partition("?")[0]
        for slash in ("", "/"):
            headers = {"api-key": key}
            answer = client.generic(method, f"/v3{path}{slash}", headers=headers)
            refused(answer, 405, "method_not_allowed")


@pytest.mark.parametrize(
    "path",
    [
        f"//v3{DEFINITIONS}",
        f"/v3/{DEFINITIONS}",
        f"/v3{DEFINITIONS}//",
        f"/v3{DEFINITIONS}%00",
        f"/v3{DEFINITIONS}/{POINTS}/x",
        f"/v3{DEFINITIONS.upper()}",
    ],
)
def test_an_address_has_one_spelling_but_for_its_last_slash(path, client, key):
    for method in ("GET", "POST", "OPTIONS"):
        answer = client.generic(method, path, headers={"api-key": key})
        assert answer.status_code == 404
        assert "Location" not in answer.headers


# Kept


@pytest.mark.parametrize(
    "text",
    [
        *("<script>alert(1)</script>", "=1+1", "Zoë — ゴールド 🥇", "' OR 1=1 --"),
        *("{{ 7*7 }}", "%s%n", "\\", "a" * 64, "null", "-0"),
    ],
)
def test_what_is_sent_is_what_is_read(text, send, call, names, read_everything):
    meta = {"key": text, text[:40]: [0, -1, 0.5, 2**53 - 1, None, True]}
    contact = send("createContact", attributes={"FIRSTNAME": text, "x": meta}).json()
    body = {"contactId": contact["id"], "loyaltySubscriptionId": text, "meta": meta}
    joined = call("POST", SUBSCRIPTIONS, body).json()
    assert (joined["loyaltySubscriptionId"], joined["meta"]) == (text, meta)
    made = send("createBalanceDefinition", name=text, description=text, meta=meta)
    assert (made.json()["name"], made.json()["meta"]) == (text, meta)
    posted = send("beginTransaction", meta=meta, autoComplete=True).json()
    assert posted["meta"] == meta
    read_everything()
    member = Member.objects.get(contact=names["{contact}"])
    assert verify(member) is None


def test_7_and_16_amounts_at_the_edge_are_kept(send, read_everything):
    for amount in (2**31, 2**32, -1, 1e3, 1.0):
        made = send("beginTransaction", amount=amount, autoComplete=True)
        assert made.json()["amount"] == amount, made.content
    # What is next to nothing is nothing.
    assert violations(send("beginTransaction", amount=-0.0)) == {"amount": "min_value"}
    read_everything()
