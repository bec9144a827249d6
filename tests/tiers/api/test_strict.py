"""What nobody should send, to a small view with one field of each kind.

Voices are built of these parts, and have their own tests for what their vendors want
otherwise. Nothing here may be answered with an accident, or be kept and then break
what is read later.
"""

import json
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.test import Client, override_settings
from django.urls import include, path
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from loyalty.models import Contact
from tiers.api import strict
from tiers.api.parsing import StrictJSONParser, body_of

GOOD: dict[str, Any] = {
    "points": 12,
    "amount": "12.50",
    "name": "Zoë O'Neil 李",
    "note": "Two\nlines.",
    "occurredAt": "2026-03-01T09:30:00+01:00",
    "day": "2026-02-28",
    "ref": "11111111-1111-4111-8111-111111111111",
    "flag": False,
    "kind": "EARN",
    "metadata": {"k": ["v", 1, None, {"deep": True}]},
}


class Part(strict.StrictSerializer):
    name = strict.LineField(max_length=50)


class Body(strict.StrictSerializer):
    points = strict.IntegerField(min_value=1)
    amount = strict.AmountField()
    name = strict.LineField(max_length=50)
    note = strict.TextField(required=False, allow_blank=True)
    occurredAt = strict.InstantField()
    day = strict.DayField()
    ref = strict.UuidField()
    flag = strict.FlagField()
    kind = strict.ChoiceField(choices=["EARN", "REDEEM"])
    metadata = strict.ObjectField()
    parts = Part(many=True, required=False)
    status = strict.LineField(read_only=True)


class LenientBody(Body):
    ignores_unknown = True


class Query(strict.QuerySerializer):
    number = strict.NumberParameter(required=False)
    limit = strict.LimitParameter()
    search = strict.SearchParameter(required=False)
    live = strict.FlagParameter(required=False)


class View(APIView):
    """Keeps a body as a contact's attributes, and reads all that it has kept."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (StrictJSONParser,)
    serializer: type[Body] = Body

    def post(self, request: Request) -> Response:
        body = self.serializer(data=body_of(request))
        body.is_valid(raise_exception=True)
        kept = Contact.objects.create(
            name=body.validated_data["name"],
            attributes=body.to_representation(body.validated_data),
            created_at=datetime.now(UTC),
        )
        return Response(kept.attributes, status=201)

    def get(self, request: Request) -> Response:
        query = Query(data=request.query_params)
        query.is_valid(raise_exception=True)
        kept = Contact.objects.values_list("attributes", flat=True)
        return Response({"query": query.validated_data, "kept": list(kept)})


class Lenient(View):
    serializer = LenientBody


class One(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request, pk: int) -> Response:
        return Response(pk)


urlpatterns = [
    path("strict", View.as_view()),
    path("lenient", Lenient.as_view()),
    path("one/<number:pk>", One.as_view()),
    path("", include("config.urls")),
]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def send(body: Any, address: str = "/strict", **extra: Any) -> Any:
    """Post a document, or text and bytes as they are."""
    raw = body if isinstance(body, str | bytes) else json.dumps(body)
    extra.setdefault("content_type", "application/json")
    client = Client(raise_request_exception=False)
    begun = time.perf_counter()
    answer = client.generic("POST", address, raw, **extra)
    assert time.perf_counter() - begun < 2
    assert answer.status_code < 500
    # The poison read: whatever was kept can be read.
    later = client.get("/strict")
    assert later.status_code == 200
    json.loads(later.content.decode())
    return answer


def codes(answer: Any) -> set[tuple[str | None, str]]:
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def raw(field: str, text: str) -> str:
    """Return the good body with a field's value written as ``text``."""
    rest = {name: value for name, value in GOOD.items() if name != field}
    return json.dumps(rest)[:-1] + f', "{field}": {text}}}'


def test_what_is_good_is_kept_as_it_was_sent():
    answer = send(GOOD)
    assert answer.status_code == 201
    assert answer.json() == GOOD | {"occurredAt": "2026-03-01T08:30:00Z"}


def test_values_arrive_as_what_they_are():
    body = Body(data=GOOD)
    assert body.is_valid()
    assert body.validated_data == GOOD | {
        "amount": Decimal("12.50"),
        "occurredAt": datetime(2026, 3, 1, 8, 30, tzinfo=UTC),
        "day": date(2026, 2, 28),
        "ref": UUID(GOOD["ref"]),
    }


# Fields; rows 1 to 47 of what people try

FIELDS = [
    # Numbers: JSON integers, and no others.
    *(
        ("points", text, "invalid_integer")
        for text in (
            *("true", '"1_000"', '"12"', '" 12 "', '"1.0"', "1.0", "1e3", "1.5"),
            *('"１２"', '"٣"', "[1]", "{}", '""'),
        )
    ),
    *(
        ("points", text, "out_of_range")
        for text in (
            *("0", "-0", "-5", "9007199254740992", "9223372036854775808"),
            *("-9223372036854775809", "9" * 4000),
        )
    ),
    ("points", "null", "null"),
    # Amounts: strings, with a dot.
    *(
        ("amount", text, "invalid_decimal")
        for text in (
            *('"1_000.00"', '"１２"', "0.1", "12", "true", '"1E1000000"', '"sNaN"'),
            *('"NaN"', '"Infinity"', '"1,50"', '"+1"', '" 1"', '"1."', '".5"', '""'),
            '"' + "9" * 5000 + '"',
        )
    ),
    ("amount", '"1.005"', "too_many_decimals"),
    ("amount", '"1.000000000000001"', "too_many_decimals"),
    ("amount", '"9007199254740993.00"', "out_of_range"),
    # Text that hides, reorders, or is none.
    *(
        ("name", text, "invalid_text")
        for text in (
            *("5", '["a"]', "true", '"\\u200b\\u200b"', '"\\u202eabc"', '"a\\u2066b"'),
            *('"a\\r\\nb"', '"a\\nb"', '"a\\tb"', '"\\ufeffa"', '"a\\u2028b"'),
            *('"\\u0007"', '"a\\u00adb"'),
        )
    ),
    ("name", '"   "', "blank"),
    ("name", '"' + "x" * 51 + '"', "max_length"),
    ("note", '"a\\u202eb"', "invalid_text"),
    # Instants: RFC 3339, with an offset.
    *(
        ("occurredAt", text, "offset_required")
        for text in ('"2026-03-29T02:30:00"', '"2026-01-01T00:00:00.123"')
    ),
    *(
        ("occurredAt", text, "invalid_instant")
        for text in (
            *('"2026-01-01"', '"2026-W01-1"', '"2026-02-30T00:00:00Z"', "1767225600"),
            *('"2026-01-01T24:00:00Z"', '"2026-01-01T00:00:60Z"', '"2026-01-01T00Z"'),
            *('"2026-01-01T00:00:00+25:00"', '"10000-01-01T00:00:00Z"', '"now"'),
            *('"2026-01-01 00:00:00Z"', '"２026-01-01T00:00:00Z"', "true", '""'),
            '"2026-01-01T00:00:00+0100"',
        )
    ),
    *(
        ("occurredAt", text, "out_of_range")
        for text in (
            *('"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-12:00"'),
            *('"1899-12-31T23:59:59Z"', '"2200-01-01T00:00:00Z"'),
        )
    ),
    *(
        ("day", text, "invalid_day")
        for text in (
            '"2026-02-30"',
            '"20260228"',
            '"28/02/2026"',
            "20260228",
            '"2026-2-8"',
        )
    ),
    # Uuids: one form.
    *(
        ("ref", text, "invalid_uuid")
        for text in (
            "5",
            '"urn:uuid:11111111-1111-4111-8111-111111111111"',
            '"{11111111-1111-4111-8111-111111111111}"',
            '"11111111111141118111111111111111"',
            '"AAAAAAAA-1111-4111-8111-111111111111"',
            '" 11111111-1111-4111-8111-111111111111"',
        )
    ),
    *(("flag", text, "invalid_flag") for text in ('"true"', "1", "0", '"yes"', "[]")),
    *(
        ("kind", text, "invalid_choice")
        for text in ('"earn"', '"EARN "', "1", "true", '["EARN"]', "{}", '"ADJUST"')
    ),
    ("metadata", '"text"', "not_an_object"),
    ("metadata", "[]", "not_an_object"),
    ("metadata", json.dumps({"k": 10**4000}), "invalid_number"),
    ("metadata", json.dumps({"k": "x" * 9000}), "too_large"),
    ("metadata", json.dumps({str(n): n for n in range(51)}), "too_large"),
    ("metadata", json.dumps({"k" * 41: 1}), "too_large"),
    ("metadata", '{"k": "\\u202e"}', "invalid_text"),
]


@pytest.mark.parametrize(
    ("field", "text", "code"), FIELDS, ids=[f"{f}-{t[:30]}" for f, t, _ in FIELDS]
)
def test_a_field_takes_what_it_says_and_nothing_like_it(field, text, code):
    answer = send(raw(field, text))
    assert answer.status_code == 400
    assert codes(answer) == {(field, code)}
    (error,) = answer.json()["errors"]
    assert error["detail"].endswith((".", "…", ".]", "}."))
    assert len(answer.content) < 1000


def test_nothing_has_no_sign():
    assert send(GOOD | {"amount": "-0.00"}).json()["amount"] == "0.00"


def test_sixty_four_bits_are_taken_on_both_engines():
    assert send(GOOD | {"points": 2**31}).status_code == 201
    assert send(GOOD | {"points": 2**53 - 1}).json()["points"] == 2**53 - 1


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.123456Z"),
        ("2026-01-01t00:00:00z", "2026-01-01T00:00:00Z"),
        ("2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00Z"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z"),
    ],
)
def test_an_instant_is_kept_in_utc(sent, kept):
    assert send(GOOD | {"occurredAt": sent}).json()["occurredAt"] == kept


def test_a_voice_may_take_numbers_for_amounts():
    field = strict.AmountField(numbers=True)
    assert field.run_validation(1.5) == Decimal("1.50")
    assert field.run_validation(10**6) == Decimal(1000000)
    for wrong in (True, 1e400, 1.005, float("nan")):
        with pytest.raises(ValidationError):
            field.run_validation(wrong)


# Bodies

UNKNOWN = {"is_admin": True, "__class__": 1, "": 2, "pk": 3, "owner_id": 4}


def test_every_unknown_field_is_named():
    answer = send(GOOD | UNKNOWN)
    assert answer.status_code == 400
    assert {code for _, code in codes(answer)} == {"unknown_field"}
    assert len(answer.json()["errors"]) == len(UNKNOWN)


def test_what_is_not_the_callers_to_set_is_refused():
    assert codes(send(GOOD | {"status": "LIVE"})) == {("status", "read_only_field")}


def test_unknown_and_wrong_fields_are_named_together():
    answer = send(GOOD | {"points": "x", "extra": 1, "status": "LIVE"})
    assert codes(answer) == {
        ("points", "invalid_integer"),
        ("extra", "unknown_field"),
        ("status", "read_only_field"),
    }


def test_unknown_fields_further_in_are_refused():
    answer = send(GOOD | {"parts": [{"name": "a"}, {"name": "b", "extra": 1}]})
    assert codes(answer) == {("parts.1.extra", "unknown_field")}


def test_a_voice_may_ignore_what_it_does_not_know():
    inner = {"parts": [{"name": "a", "extra": 1}]}
    body = GOOD | UNKNOWN | inner | {"status": "LIVE"}
    answer = send(body, "/lenient")
    assert answer.status_code == 201
    assert answer.json()["parts"] == [{"name": "a"}]
    assert not set(answer.json()) & {"status", *UNKNOWN}


def test_what_is_ignored_may_not_be_poison():
    for text in ('"\\ud800"', '"\\u0000"', "[" * 900 + "]" * 900, "NaN"):
        assert send(raw("stranger", text), "/lenient").status_code == 400


BODIES = [
    ("[1]", "malformed_json"),
    ("null", "malformed_json"),
    ('"x"', "malformed_json"),
    ("", "malformed_json"),
    ('{"points": 1', "malformed_json"),
    ("{} {}", "malformed_json"),
    ("{'points': 1}", "malformed_json"),
    ('{"points": 1,}', "malformed_json"),
    ('{"points": 01}', "malformed_json"),
    ('{"points": NaN}', "malformed_json"),
    ('{"points": -Infinity}', "malformed_json"),
    ('{"points": 1e400}', "malformed_json"),
    ('{"points": ' + "9" * 5000 + "}", "malformed_json"),
    ('{"name": "a\nb"}', "malformed_json"),
    ('{"points": 1, "points": 999}', "duplicate_key"),
    ('{"metadata": {"a": 1, "\\u0061": 2}}', "duplicate_key"),
    ('{"name": "\\ud800"}', "invalid_text"),
    ('{"\\udfff": 1}', "invalid_text"),
    ('{"metadata": {"k": "\\u0000"}}', "invalid_text"),
    ('{"metadata": ' + "[" * 900 + "]" * 900 + "}", "too_deep"),
    ("[" * 100_000, "too_deep"),
    ('{"a":' * 100_000, "too_deep"),
    ('{"a":' * 8 + "[]" + "}" * 8, "too_deep"),
    (b"\xef\xbb\xbf{}", "malformed_json"),
    (b'{"name": "\xff"}', "malformed_json"),
    (b'{"name": "\xed\xa0\x80"}', "malformed_json"),
    ('{"name": "x"}'.encode("utf-16"), "malformed_json"),
]


@pytest.mark.parametrize(
    ("body", "code"), BODIES, ids=[str(body)[:30] for body, _ in BODIES]
)
def test_a_body_that_can_be_read_two_ways_is_not_read(body, code):
    answer = send(body)
    assert answer.status_code == 400
    assert codes(answer) == {(None, code)}


def test_pairs_of_surrogates_are_characters():
    answer = send(raw("name", '"\\ud83d\\ude00"'))
    assert answer.json()["name"] == "\U0001f600"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-7",
        "application/json; charset=utf-16",
        "application/json; charset=nonsense",
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "",
    ],
)
def test_only_json_in_utf_8_is_taken(content_type):
    assert send(json.dumps(GOOD), content_type=content_type).status_code == 415


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=UTF-8",
        'Application/JSON;charset="utf-8"',
    ],
)
def test_json_is_taken_by_any_of_its_names(content_type):
    assert send(json.dumps(GOOD), content_type=content_type).status_code == 201


def test_a_compressed_body_is_refused():
    assert send(b"\x1f\x8b", headers={"Content-Encoding": "gzip"}).status_code == 415


def test_a_large_body_is_not_read():
    with override_settings(API_LARGEST_BODY=2000):
        answer = send(" " * 2001)
        assert answer.status_code == 413
        assert codes(answer) == {(None, "too_large")}
        assert send(json.dumps(GOOD).ljust(2000)).status_code == 201
    assert send(b"[" + b"1," * 5_000_000 + b"1]").status_code == 413


# Queries


def look(query: str) -> Any:
    answer = Client(raise_request_exception=False).get(f"/strict?{query}")
    assert answer.status_code in (200, 400)
    return answer


@pytest.mark.parametrize(
    ("query", "attribute", "code"),
    [
        *(
            (f"limit={text}", "limit", "invalid_limit")
            for text in (
                "-1",
                "0",
                "abc",
                "201",
                "1000000",
                "",
                "1%20",
                "１",
                "9" * 999,
            )
        ),
        *(
            (f"number={text}", "number", "invalid_integer")
            for text in ("+1", "%2B1", "01", "1.0", "1e3", "0x1", "1_0", "%D9%A1", "")
        ),
        ("number=9223372036854775808", "number", "out_of_range"),
        ("limit=10&limit=1000", "limit", "repeated_parameter"),
        ("programm=1", "programm", "unknown_filter"),
        ("name__regex=(a%2B)%2B$", "name__regex", "unknown_filter"),
        ("_connector=OR", "_connector", "unknown_filter"),
        ("_negated=1", "_negated", "unknown_filter"),
        ("a.b=1", "a.b", "unknown_filter"),
        ("format=xml", "format", "unknown_filter"),
        ("search=%00", "search", "invalid_text"),
        ("search=%ff", "search", "invalid_text"),
        ("search=%E2%80%AEa", "search", "invalid_text"),
        ("search=" + "word+" * 2000, "search", "search_too_long"),
        ("live=True", "live", "invalid_flag"),
        ("live=1", "live", "invalid_flag"),
    ],
)
def test_a_parameter_is_known_canonical_and_given_once(query, attribute, code):
    answer = look(query)
    assert answer.status_code == 400
    assert codes(answer) == {(attribute, code)}


def test_good_parameters_are_read():
    query = look("number=-5&limit=200&search=zo%C3%AB&live=false").json()["query"]
    assert query == {"number": -5, "limit": 200, "search": "zoë", "live": False}
    assert look("").json()["query"] == {"limit": 50}


# Paths


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "01",
        "-1",
        "abc",
        "%00",
        "1%20",
        "１",
        "%EF%BC%91",
        "9" * 20,
        "1.0",
        "+1",
        "1/",
    ],
)
def test_what_is_no_canonical_id_is_not_found(number):
    client = Client(raise_request_exception=False)
    answer, unknown = client.get(f"/one/{number}"), client.get("/one/nothing")
    assert answer.status_code == 404
    assert answer.content == unknown.content
    assert client.get("/one/12").json() == 12


# Batches


@pytest.mark.parametrize("batch", [[], {}, None, "x", [1] * 1001])
def test_a_batch_has_a_size(batch):
    with pytest.raises(ValidationError) as refused:
        strict.many(batch)
    assert refused.value.get_codes() == ["batch_size"]
    assert strict.many([1]) == [1]


def test_what_is_in_a_batch_twice_is_pointed_at():
    assert strict.repeated(["a", "b", "a", "c", "b"]) == [0, 1, 2, 4]
