"""The catalogue of what nobody should send, at every address that writes, by its rows.

A row names the mistake; what it makes of a request depends on the kind of each field.
Whatever is refused leaves nothing behind. Rows that are not here are about forms,
files and commands, or stand with what they are about.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework import serializers

from tests.tiers.api.native.catalogue import Write, ids, reader, views, writes
from tests.tiers.api.native.conftest import errors, refused
from tests.tiers.api.native.poison import (
    read_everything,
    read_lists,
    send,
    sue,
    unchanged,
)
from tiers.api import strict
from tiers.api.native import fields, problems

__all__ = [
    "ids",
    "read_everything",
    "read_lists",
    "send",
    "sue",
    "unchanged",
]


# What every row starts from


def test_every_address_that_writes_has_a_request_that_is_done(ids):
    asked = {name for method, _, name, _ in views() if method not in ("GET", "HEAD")}
    assert asked == set(writes(ids))


NAMES = [name for method, _, name, _ in views() if method not in ("GET", "HEAD")]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_well_is_done(name, send, ids):
    write = writes(ids)[name]
    answer = send(write)
    assert answer.status_code == write.status, answer.content


# Bodies that are none

DEEP = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
BODIES = {
    "10 a number of 5,000 digits": (b'{"a": ' + b"1" * 5000 + b"}", "malformed_json"),
    "11 a number that is too large": (b'{"a": 1e400}', "malformed_json"),
    "11 no number": (b'{"a": NaN}', "malformed_json"),
    "11 no end": (b'{"a": -Infinity}', "malformed_json"),
    "20 half a pair": (b'{"a": "\\ud800"}', "invalid_text"),
    "21 half a pair inside": (b'{"a": {"b": ["\\udfff"]}}', "invalid_text"),
    "21 half a pair for a name": (b'{"\\ud800": 1}', "invalid_text"),
    "22 an end of text inside": (b'{"a": {"b": "\\u0000"}}', "invalid_text"),
    "23 nested 900 deep": (b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}", "too_deep"),
    "24 nested 10,000 deep": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "too_deep"),
    "24 nested 100,000 deep": (DEEP, "too_deep"),
    "24 never closed": (b"[" * 100_000, "too_deep"),
    "25 a number of 4,000 digits": (b'{"a": ' + b"1" * 4400 + b"}", "malformed_json"),
    "30 a name twice": (b'{"a": 1, "a": 999}', "duplicate_key"),
    "30 a name twice inside": (b'{"a": [{"b": 1, "b": 1}]}', "duplicate_key"),
    "30 a name twice in two spellings": (b'{"a": 1, "\\u0061": 2}', "duplicate_key"),
    "34 a list": (b"[1]", "malformed_json"),
    "34 null": (b"null", "malformed_json"),
    "34 a text": (b'"x"', "malformed_json"),
    "34 a number": (b"5", "malformed_json"),
    "34 a flag": (b"true", "malformed_json"),
    "34 spaces": (b"  ", "malformed_json"),
    "34 cut off": (b'{"a": ', "malformed_json"),
    "34 with more behind": (b"{} x", "malformed_json"),
    "34 two of them": (b"{}{}", "malformed_json"),
    "34 of JavaScript": (b"{a: 'b',} // c", "malformed_json"),
    "35 with a mark of its bytes": (b"\xef\xbb\xbf{}", "malformed_json"),
    "35 no UTF-8": (b'{"a": "\xff"}', "malformed_json"),
    "35 too long UTF-8": (b'{"a": "\xc0\xaf"}', "malformed_json"),
    "35 UTF-16": ('{"a": 1}'.encode("utf-16"), "malformed_json"),
    "39 too large": (b'{"a": "' + b"a" * 1_000_001 + b'"}', "too_large"),
}
#: What reads a body; of those one for each view, which parse alike; and for each
#: serializer.
READ = [name for name in NAMES if reader(name) is not None]
OF_VIEWS = sorted({name.split()[0]: name for name in READ}.values())
OF_READERS = sorted({reader(name): name for name in READ}.values())


@pytest.mark.parametrize("row", BODIES)
@pytest.mark.usefixtures("unchanged")
def test_a_body_that_cannot_be_read(row, send, ids):
    body, code = BODIES[row]
    for name in OF_VIEWS:
        refused(send(writes(ids)[name], body), problems.PROBLEMS[code].status, code)


def test_whoever_read_all_of_these_goes_on(send, ids, read_everything):
    for body, _code in BODIES.values():
        send(writes(ids)[OF_VIEWS[0]], body)
    read_everything()


MEDIA = [
    "text/plain",
    "application/xml",
    "",
    "nonsense",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-7",
    "application/json; charset=latin-1",
    "application/json; charset=bogus",
    "application/json-patch+json",
]


@pytest.mark.parametrize("media", MEDIA)
@pytest.mark.usefixtures("unchanged")
def test_36_to_38_only_json_in_utf_8_is_read(media, send, ids):
    for name in OF_VIEWS:
        answer = send(writes(ids)[name], b'{"a": 1}', Content_Type=media)
        refused(answer, 415, "unsupported_media_type")


@pytest.mark.usefixtures("unchanged")
def test_39_a_body_in_disguise_is_not_read(send, ids):
    for name in OF_VIEWS:
        answer = send(writes(ids)[name], b'{"a": 1}', Content_Encoding="gzip")
        refused(answer, 415, "unsupported_media_type")


# Fields that are not the caller's

STRANGERS = {
    "is_admin": True,
    "id": 5,
    "uuid": "11111111-1111-4111-8111-111111111111",
    "status": "LIVE",
    "state": "PUBLISHED",
    "approved_by": "chen",
    "created_by": "chen",
    "created_at": "2020-01-01T00:00:00Z",
    "live_from": "2020-01-01T00:00:00Z",
    "customer_count": 5,
    "balance": "5",
    "serial_number": 1,
    "slab_id": 1,
    "tiers_status": "ACTIVE",
    "direct": True,
    "_state": {},
    "__class__": "x",
    "pk": 5,
    "program_id": 5,
    "a/b~c": 1,
    "": 1,
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.usefixtures("unchanged")
def test_31_to_33_nobody_sets_what_is_ours_or_unknown(name, send, ids):
    write = writes(ids)[name]
    inside = "content" in reader(name)().fields
    for place in ((), ("content",)) if inside else ((),):
        body = write.body | {}
        expected = {}
        known = reader(name)().fields
        known = known["content"].fields if place else known
        for stranger, value in STRANGERS.items():
            if stranger not in known:
                body = Write("", "", body).changed(*place, stranger, value=value)
                said = stranger.replace("~", "~0").replace("/", "~1")
                expected["/".join(("", *place, said))] = "unknown_field"
        found = errors(send(write, body))
        assert {p: c for p, c in found.items() if c == "unknown_field"} == expected
        assert len(found) == len(expected)


# Values that cannot be

Kind = type[serializers.Field]
JSON = (strict.JsonField, strict.ObjectField)
#: What is asked of a field by each kind, from the narrowest to the widest.
KINDS: tuple[Kind, ...] = (
    fields.ThingField,
    strict.IntegerField,
    strict.AmountField,
    strict.InstantField,
    strict.FlagField,
    serializers.ChoiceField,
    strict.TextField,
    strict.LineField,
    strict.ObjectField,
    fields.AnyField,
    strict.JsonField,
    serializers.ListField,
)
THING, INTEGER, AMOUNT, INSTANT, FLAG, CHOICE, TEXT, LINE, OBJECT, ANY, SHAPE, LIST = (
    KINDS
)
WORDS = {TEXT: "invalid_text", LINE: "invalid_text"}
NUMBERS = {THING: "invalid_integer", INTEGER: "invalid_integer"}
LARGE = {INTEGER: "out_of_range", THING: "invalid_integer"}
WRONG = {INSTANT: "invalid_instant", FLAG: "invalid_flag", CHOICE: "invalid_choice"}
NO_JSON = {OBJECT: "not_an_object", LIST: "not_a_list"}
#: {what is sent in place of a value: the code, by the kind of field}
VALUES: dict[str, tuple[Any, dict[Kind, str]]] = {
    "1 a flag": (True, NUMBERS | WORDS | NO_JSON | {AMOUNT: "invalid_decimal"}),
    "1 another flag": (False, NUMBERS | WORDS | NO_JSON | {CHOICE: "invalid_choice"}),
    "2 digits in groups": ("1_000", NUMBERS | WRONG),
    "3 wide digits": ("\uff11\uff12", NUMBERS | WRONG | {AMOUNT: "invalid_decimal"}),
    "3 Arabic digits": ("\u0663", NUMBERS | WRONG | {AMOUNT: "invalid_decimal"}),
    "4 spaces around": (" 12 ", NUMBERS | WRONG | {AMOUNT: "invalid_decimal"}),
    "4 a number in quotes": ("12", NUMBERS | WRONG | NO_JSON),
    "4 a decimal in quotes": ("1.0", NUMBERS),
    "4 a whole fraction": (1.0, NUMBERS | WORDS | WRONG | {AMOUNT: "invalid_decimal"}),
    "4 a power of ten": (1e3, NUMBERS | WORDS | WRONG | NO_JSON),
    "4 a sign in front": ("+5", NUMBERS | WRONG | {AMOUNT: "invalid_decimal"}),
    "4 noughts in front of a number": ("007", NUMBERS | WRONG),
    "5 a fraction": (1.5, NUMBERS | WORDS | WRONG | {AMOUNT: "invalid_decimal"}),
    "8 more than 53 bits": (2**53, LARGE | WORDS),
    "9 more than 64 bits": (2**63, LARGE | {AMOUNT: "invalid_decimal"}),
    "9 less than 64 bits": (-(2**63) - 1, LARGE | {AMOUNT: "invalid_decimal"}),
    "12 an amount in groups": ("1_000.00", {AMOUNT: "invalid_decimal"}),
    "13 an amount as a number": (0.1, {AMOUNT: "invalid_decimal"}),
    "14 too many decimals": ("1.00005", {AMOUNT: "too_many_decimals"}),
    "15 a huge power": ("1E1000000", {AMOUNT: "invalid_decimal"}),
    "15 no number that signals": ("sNaN", {AMOUNT: "invalid_decimal"} | NUMBERS),
    "15 no end": ("Infinity", {AMOUNT: "invalid_decimal"} | NUMBERS),
    "15 20,000 digits": ("1" * 20_000, {AMOUNT: "invalid_decimal"} | NUMBERS),
    "17 a comma": ("1,50", {AMOUNT: "invalid_decimal"}),
    "27 nothing to be seen": ("\u200b\u200b", WORDS | {CHOICE: "invalid_choice"}),
    "27 the other way round": ("a\u202eb", WORDS | {CHOICE: "invalid_choice"}),
    "27 embedded": ("a\u2066b", WORDS | {INSTANT: "invalid_instant"}),
    "27 a mark of bytes": ("\ufeffa", WORDS),
    "28 a bell": ("a\x07b", WORDS),
    "28 two lines": ("a\r\nb", {LINE: "invalid_text", CHOICE: "invalid_choice"}),
    "28 a separator of lines": ("a\u2028b", WORDS),
    "29 a number for text": (5, WORDS | WRONG | NO_JSON | {AMOUNT: "invalid_decimal"}),
    "29 a list for text": (["a"], WORDS | NUMBERS | WRONG | {OBJECT: "not_an_object"}),
    "29 an object for text": ({"a": 1}, WORDS | NUMBERS | WRONG | {LIST: "not_a_list"}),
    "40 no offset": ("2026-01-01T00:00:00", {INSTANT: "offset_required"}),
    "41 a day": ("2026-01-01", {INSTANT: "invalid_instant"}),
    "41 a week": ("2026-W01-1", {INSTANT: "invalid_instant"}),
    "41 without separators": ("20260101T000000Z", {INSTANT: "invalid_instant"}),
    "43 the first day": ("0001-01-01T00:00:00+14:00", {INSTANT: "out_of_range"}),
    "43 the year 0": ("0000-01-01T00:00:00Z", {INSTANT: "invalid_instant"}),
    "43 the last day": ("9999-12-31T23:59:59-12:00", {INSTANT: "out_of_range"}),
    "44 a day that is none": ("2026-02-30T00:00:00Z", {INSTANT: "invalid_instant"}),
    "44 the 24th hour": ("2026-02-03T24:00:00Z", {INSTANT: "invalid_instant"}),
    "44 the 60th second": ("2026-02-03T00:00:60Z", {INSTANT: "invalid_instant"}),
    "44 far from anywhere": ("2026-02-03T00:00:00+25:00", {INSTANT: "invalid_instant"}),
    "44 the year 10000": ("10000-01-01T00:00:00Z", {INSTANT: "invalid_instant"}),
    "44 since 1970": (1767744000, {INSTANT: "invalid_instant"}),
    "44 wide digits": ("２０２６-01-01T00:00:00Z", {INSTANT: "invalid_instant"}),
    "21 text that hides inside": ({"k": "a\u202eb"}, {OBJECT: "invalid_text"}),
    "25 a large number inside": ({"k": 2**53}, {OBJECT: "invalid_number"}),
    "26 8 KB inside": ({"k": "a" * 8200}, {OBJECT: "too_large"}),
    "26 too many names": ({str(n): n for n in range(51)}, {OBJECT: "too_large"}),
    "26 too long a name": ({"k" * 41: 1}, {OBJECT: "too_large"}),
}


#: Fields of text whose own rule comes first.
NARROW = {
    "color": "invalid",
    "currency": "unknown_currency",
    "downgrade_date": "invalid_day",
    "expires_on": "invalid_day",
    "time_zone": "unknown_time_zone",
    "upgrade_date": "invalid_day",
}


def test_the_catalogue_knows_every_kind_of_field():
    for name in READ:
        for path, field in walk(reader(name)()):
            assert kind_of(field), (name, path, type(field))


def walk(serializer: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield all fields of a body, with where they stand."""
    for name, field in serializer.fields.items():
        if isinstance(field, serializers.Serializer):
            yield from walk(field, *path, name)
        else:
            yield (*path, name), field


def kind_of(field: Any) -> Kind:
    if isinstance(field, serializers.ListSerializer):
        return LIST
    return next(kind for kind in KINDS if isinstance(field, kind))


@pytest.mark.parametrize("row", VALUES)
@pytest.mark.usefixtures("unchanged")
def test_a_value_that_cannot_be(row, send, ids):
    value, codes = VALUES[row]
    began, sent = time.monotonic(), 0
    for name in OF_READERS:
        write, body, expected = writes(ids)[name], None, {}
        for path, field in walk(reader(name)()):
            if code := codes.get(kind_of(field)):
                made = Write("", "", write.body if body is None else body)
                body = made.changed(*path, value=value)
                if code == "invalid_text" and isinstance(value, str):
                    code = NARROW.get(path[-1], code)
                expected["/".join(("", *path))] = code
        if expected:
            sent += 1
            assert errors(send(write, body)) == expected, name
    assert sent
    assert time.monotonic() - began < 2 * sent
