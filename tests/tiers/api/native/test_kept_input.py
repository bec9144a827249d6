"""What is taken reads back as it was sent; and rows of batches, and rules of the domain."""

import pytest

from loyalty.models import Member
from loyalty.points import verify
from tests.tiers.api.native.catalogue import Write, ids, writes
from tests.tiers.api.native.conftest import refused
from tests.tiers.api.native.poison import (
    read_everything,
    read_lists,
    send,
    sue,
    unchanged,
)
from tests.tiers.api.native.test_bad_input import VALUES, kind_of, walk
from tiers.api.native.activities import RowBody
from tiers.api.native.members import PersonRow

__all__ = [
    "ids",
    "read_everything",
    "read_lists",
    "send",
    "sue",
    "unchanged",
]

#: What only looks dangerous.
TEXTS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{ 7*7 }}{% now %}",
    "=HYPERLINK(1)",
    "' OR 1=1 --",
    "%s%n%(x)s",
    "a\\b\\u0000",
    "Zoë — ゴールド 🥇",
    "e\u0301 and é",
    "null",
    "1e5",
    "x" * 60,
]
THINGS = ("programs", "balance-definitions", "tier-groups", "tiers")


def test_90_text_is_kept_and_shown_as_it_is(send, ids, read_everything):
    for text in TEXTS:
        keep(text, send, ids)
    read_everything()
    assert verify(Member.objects.get(pk=ids["ada"])) is None


def keep(text, send, ids):
    asked = writes(ids)
    meta = {"note": text, text[:40]: [text, 1.0, 0.5, 1e-7, 9e15, None, True]}
    for name in THINGS:
        content = {"name": text, "description": text, "meta": meta}
        known = asked[f"{name} create"].body["content"]
        del content["description" if name == "tier-groups" else "name"]
        if name == "tiers":
            content |= {"icon": {"url": "https://example.org", "alt": meta}}
            del content["meta"]
        body = asked[f"{name} create"].changed("content", value=known | content)
        made = send(asked[f"{name} create"], body)
        assert made.status_code == 201, made.content
        shown = made.json()["draft"] or made.json()["live"]
        assert shown["content"] | content == shown["content"]
    person = asked["members create"].body | {"name": text, "card": text, "meta": meta}
    joined = send(asked["members create"], person).json()
    assert joined | {"name": text, "card": text, "meta": meta} == joined
    line = asked["entries create"].body | {"description": text, "meta": meta}
    posted = send(asked["entries create"], line | {"reference": text}).json()
    assert posted["reference"] == text
    ordered = asked["evaluations create"]
    assert send(ordered, ordered.body | {"reason": text}).json()["reason"] == text


def test_25_what_numbers_say_is_approved_as_it_was_read(call, key, send, ids, chen):
    """Databases give numbers back differently, if one is careless."""
    numbers = [1.0, -1.5, 0.1, 1e-7, 5e-324, 9e15, 2**53 - 1, 0, 1e2]
    icon = {"url": "https://example.org/i.png", "numbers": numbers}
    edit = Write("PATCH", f"tiers/{ids['gold']}/draft", {"content": {"icon": icon}})
    revision = send(edit).json()["revision"]
    named = {"kind": "tier", "id": ids["draft"], "revision": revision}
    handed_in = call("POST", "change-sets", {"versions": [named]}, by=key).json()
    said = {"fingerprint": handed_in["fingerprint"]}
    path = f"change-sets/{handed_in['id']}"
    assert call("GET", path, by=chen).json() == handed_in
    done = call("POST", f"{path}/approve", said, by=chen).json()
    assert done["state"] == "PUBLISHED"
    live = call("GET", f"tiers/{ids['gold']}", by=chen).json()["live"]
    assert live["content"]["icon"] == icon


def test_7_amounts_of_64_bits_are_kept_on_both_engines(send, ids, read_everything):
    write = writes(ids)["entries create"]
    for amount, kept in (
        ("2147483648", "2147483648"),
        ("900719925474", "900719925474"),
        ("1.0000", "1"),
        ("0001", "1"),
    ):
        posted = send(write, write.body | {"amount": amount, "reference": amount})
        assert posted.json()["lines"][0]["amount"] == kept, posted.content
    read_everything()


@pytest.mark.parametrize("amount", ["0", "-0", "-0.00", "-5", "0.0000"])
@pytest.mark.usefixtures("unchanged")
def test_6_and_16_nothing_is_not_earned(amount, send, ids):
    for name in ("entries create", "postings create"):
        write = writes(ids)[name]
        answer = send(write, write.body | {"amount": amount})
        problem = refused(answer, 400, "invalid_request")
        [error] = problem["errors"]
        assert (error["pointer"], error["code"]) == ("/amount", "out_of_range")


# Batches

ROWS = {
    "members upsert": ("members", PersonRow),
    "activities batch": ("activities", RowBody),
}


@pytest.mark.parametrize("row", VALUES)
@pytest.mark.usefixtures("unchanged")
def test_48_a_row_of_a_batch_is_read_as_strictly(row, send, ids):
    value, codes = VALUES[row]
    for name, (many, reader) in ROWS.items():
        write, expected = writes(ids)[name], {}
        bad = dict(write.body[many][0])
        for path, field in walk(reader()):
            if code := codes.get(kind_of(field)):
                bad[path[-1]] = value
                expected["/".join(("", *path))] = code
        if expected:
            answer = send(write, write.body | {many: [bad]})
            assert answer.status_code == 200, answer.content
            [outcome] = answer.json()["results"]
            assert outcome["outcome"] == "REFUSED"
            found = {e["pointer"]: e["code"] for e in outcome["problem"]["errors"]}
            assert found == expected


@pytest.mark.parametrize("rows", [[], {}, "x", 5, None, True, [{}] * 501])
@pytest.mark.usefixtures("unchanged")
def test_48_a_batch_has_a_size(rows, send, ids):
    for name, (many, _reader) in ROWS.items():
        write = writes(ids)[name]
        problem = refused(
            send(write, write.body | {many: rows}), 400, "invalid_request"
        )
        [error] = problem["errors"]
        assert error["pointer"] == f"/{many}"
        assert error["code"] in ("batch_size", "not_a_list", "null")


@pytest.mark.parametrize("rows", [[1], [None], [[]], ["x"], [True], [{}], [{"a": 1}]])
@pytest.mark.usefixtures("unchanged")
def test_49_a_row_that_says_nothing_is_named(rows, send, ids):
    for name, (many, _reader) in ROWS.items():
        write = writes(ids)[name]
        answer = send(write, write.body | {many: rows})
        assert [each["outcome"] for each in answer.json()["results"]] == ["REFUSED"]


# The domain


@pytest.mark.parametrize("name", ["GOLD", "gold", "Ｇｏｌｄ", " Gold ", "ＧＯＬＤ"])
def test_74_a_name_in_another_case_or_width_is_taken(name, send, call, key, ids):
    write = writes(ids)["tiers create"]
    made = send(write, write.changed("content", "name", value=name)).json()
    version = made["draft"]
    named = {"kind": "tier", "id": version["id"], "revision": version["revision"]}
    answer = call("POST", "change-sets", {"versions": [named]}, by=key)
    problem = refused(answer, 400, "unsound")
    assert "Gold" in problem["detail"]


@pytest.mark.parametrize("currency", ["usd", "XXX", "€", "EU", "EURO", "ＥＵＲ", " "])
@pytest.mark.usefixtures("unchanged")
def test_18_a_currency_that_is_none(currency, send, ids):
    write = writes(ids)["programs create"]
    problem = refused(
        send(write, write.body | {"currency": currency}), 400, "invalid_request"
    )
    [error] = problem["errors"]
    assert error["pointer"] == "/currency"
    assert error["code"] in ("unknown_currency", "blank")


def test_82_what_is_taken_back_is_taken_back_once(send, call, key, ids):
    taking = writes(ids)["entries reverse"]
    done = send(taking).json()
    for reference, code in (("twice", "already_reversed"),):
        refused(send(taking, {"reference": reference}), 409, code)
    found = call("GET", f"entries?posting={done['posting']}", by=key).json()
    [line] = found["results"]
    again = Write("POST", f"entries/{line['id']}/reverse", {"reference": "back"})
    refused(send(again), 409, "not_reversible")
