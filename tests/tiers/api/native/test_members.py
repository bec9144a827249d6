"""Members over our own voice: made, found, changed, made known in hundreds, erased."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals import roles
from loyalty import members
from loyalty.models import Contact, Member
from tests import factories, scenes
from tests.tiers.api.native.conftest import Call, errors, expect, make_key, refused

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ADA = {"name": "Ada Byron", "email": "Ada@example.org", "external_id": "10815"}


@scenes.kept
def ada(group: Any) -> Member:
    return factories.make_member(
        group.program, name="Ada", email="ada@example.org", external_id="10815"
    )


@pytest.fixture(autouse=True)
def frozen(group: Any) -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def post(call: Call, key: str) -> Call:
    def send(path: str, body: Any = None, by: Any = key, **headers: str) -> Any:
        return call("POST", path, body, by=by, **headers)

    return send


def test_who_is_enrolled_has_a_place_at_once(post, call, key, program, group):
    response = post("members", ADA | {"program": program.pk})
    member = Member.objects.get(program=program)
    document = expect(
        response,
        201,
        "member",
        id=member.pk,
        uuid=str(member.uuid),
        program=program.pk,
        number=member.subscription_id,
        contact=str(member.contact.uuid),
        group=group.pk,
        bronze=factories.live_tier(group, "Bronze").tier_id,
    )
    assert response.headers["Location"] == f"/api/v1/members/{member.pk}"
    read = call("GET", f"members/{member.pk}", by=key)
    assert read.json() == document
    not_again = {"If-None-Match": read.headers["ETag"]}
    assert call("GET", f"members/{member.pk}", by=key, **not_again).status_code == 304
    said = refused(
        post("members", ADA | {"program": program.pk}), 409, "already_member"
    )
    assert said["details"] == {"member_id": member.pk}


def test_a_request_sent_twice_makes_one_member(post, program):
    body = {"program": program.pk, "name": "Nobody in particular"}
    first = post("members", body, Idempotency_Key="k")
    assert post("members", body, Idempotency_Key="k").content == first.content
    assert Member.objects.count() == 1
    other = post("members", body | {"name": "Bob"}, Idempotency_Key="k")
    refused(other, 422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"email": "nobody"}, {"/email": "invalid"}),
        ({"email": 5}, {"/email": "invalid_text"}),
        ({"name": "a\u202eb"}, {"/name": "invalid_text"}),
        ({"name": "x" * 151}, {"/name": "max_length"}),
        ({"program": 10**9}, {"/program": "not_found"}),
        ({"program": "1"}, {"/program": "invalid_integer"}),
        ({"joined_at": "2026-03-02T00:00:00Z"}, {"/joined_at": "in_future"}),
        ({"joined_at": "2026-02-30T00:00:00Z"}, {"/joined_at": "invalid_instant"}),
        ({"meta": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}}, {}),
        ({"status": "ACTIVE"}, {"/status": "unknown_field"}),
        ({"id": 5}, {"/id": "unknown_field"}),
    ],
)
def test_people_are_read_strictly(post, call, key, program, changes, wrong):
    response = post("members", ADA | {"program": program.pk} | changes)
    if wrong:
        assert errors(response) == wrong
    assert Member.objects.exists() is not bool(wrong)
    assert call("GET", "members", by=key).status_code == 200


# Changing


def test_details_change_for_who_has_read_them(call, key, ada):
    path = f"members/{ada.pk}"
    refused(call("PATCH", path, {"card": "7"}, by=key), 428, "precondition_required")
    etag = call("GET", path, by=key).headers["ETag"]
    changed = call("PATCH", path, {"card": "7"}, by=key, **{"If-Match": etag})
    assert (changed.status_code, changed.json()["card"]) == (200, "7")
    assert changed.json()["name"] == "Ada"
    late = call("PATCH", path, {"card": "8"}, by=key, **{"If-Match": etag})
    refused(late, 412, "precondition_failed")
    assert Member.objects.get(pk=ada.pk).card == "7"


def test_somebody_elses_address_is_refused(call, key, ada, program):
    factories.make_member(program, email="bob@example.org")
    path = f"members/{ada.pk}"
    body = {"email": "bob@example.org"}
    refused(
        call("PATCH", path, body, by=key, **{"If-Match": "*"}), 409, "contact_conflict"
    )


@pytest.mark.parametrize(
    ("verbs", "status", "belongs"),
    [
        (["deactivate"], "INACTIVE", True),
        (["deactivate", "activate"], "ACTIVE", True),
        (["leave"], "ACTIVE", False),
        (["leave", "rejoin"], "ACTIVE", True),
        (["close"], "CLOSED", False),
    ],
)
def test_a_membership_goes_its_way(post, frozen, ada, verbs, status, belongs):
    for verb in verbs:
        frozen.shift(timedelta(minutes=1))
        response = post(f"members/{ada.pk}/{verb}", {"reason": "They asked for it."})
        assert response.status_code == 200, response.content
    document = response.json()
    assert (document["status"], document["belongs"]) == (status, belongs)
    again = post(f"members/{ada.pk}/{verbs[-1]}", {"reason": "Once more."})
    assert again.status_code == 409


def test_a_step_has_a_reason(post, ada):
    assert errors(post(f"members/{ada.pk}/close", {})) == {"/reason": "required"}
    assert Member.objects.get(pk=ada.pk).status == "ACTIVE"


def test_people_erase_and_keys_do_not(post, call, key, ada, maya):
    path, body = f"members/{ada.pk}/erase", {"reason": "They asked for it."}
    refused(post(path, body), 403, "insufficient_scope")
    refused(post(path, body, by=maya), 403, "permission_denied")
    maya.groups.add(Group.objects.get(name=roles.DATA_PROTECTION))
    erased = post(path, body, by=maya).json()
    assert (erased["name"], erased["email"], erased["external_id"]) == ("", "", "")
    assert erased["erased_at"] == "2026-03-01T09:30:00Z"
    found = call("GET", "members?email=ada@example.org", by=key).json()
    assert found["results"] == []


# Hundreds


def test_each_of_many_has_an_outcome_of_their_own(post, program, ada):
    sent = {
        "program": program.pk,
        "members": [
            {"external_id": "10815", "card": "C-1"},
            {"email": "bob@example.org", "name": "Bob"},
            {"name": "Nobody"},
            {"email": "nobody", "external_id": "3"},
            7,
            {"external_id": "10815"},
        ],
    }
    response = post("members/batch", sent)
    assert response.status_code == 200, response.content
    results = response.json()["results"]
    said = [(r["outcome"], (r["problem"] or {}).get("code")) for r in results]
    assert said == [
        ("UPDATED", None),
        ("CREATED", None),
        ("REFUSED", "invalid_person"),
        ("REFUSED", "invalid_request"),
        ("REFUSED", "invalid_request"),
        ("REFUSED", "contact_conflict"),
    ]
    assert results[0]["member"] == ada.pk
    assert results[3]["problem"]["errors"][0]["pointer"] == "/email"
    again = post("members/batch", sent).json()["results"]
    assert [r["outcome"] for r in again[:2]] == ["UNCHANGED", "UNCHANGED"]
    assert Contact.objects.get(email="bob@example.org").name == "Bob"


@pytest.mark.parametrize("rows", [[], [{}] * 501, {}])
def test_a_batch_has_1_to_500_people(post, program, rows):
    found = errors(post("members/batch", {"program": program.pk, "members": rows}))
    assert found["/members"] in ("batch_size", "not_a_list")


# Lists and what stands beside


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 3),
        ("external_id=10815", 1),
        ("email=ADA@example.org", 1),
        ("search=Ada", 1),
        ("status=INACTIVE", 1),
        ("belongs=false", 1),
        ("created_from=2021-01-01T00:00:00Z", 0),
        ("limit=2&ordering=-created_at", 2),
    ],
)
def test_members_are_found(call, key, frozen, program, ada, maya, query, number):
    left, resting = (factories.make_member(program) for _ in range(2))
    members.leave(left, by=maya)
    members.deactivate(resting, by=maya, reason="Moved away.")
    found = call("GET", f"members?{query}", by=key)
    assert found.status_code == 200, found.content
    assert len(found.json()["results"]) == number


def test_members_are_found_by_their_tier(call, key, group, ada):
    factories.earn(ada, 700)
    silver = factories.live_tier(group, "Silver").tier_id
    factories.earn(factories.make_member(group.program), 10)
    found = call("GET", f"members?tier={silver}", by=key).json()["results"]
    assert [row["id"] for row in found] == [ada.pk]


def test_a_list_asks_as_much_for_many_as_for_few(call, key, program, group):
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            call("GET", "members", by=key)
        return len(asked)

    for _ in range(2):
        factories.earn(factories.make_member(program), 10)
    queries()
    few = queries()
    for _ in range(10):
        factories.earn(factories.make_member(program), 10)
    # the key, the permission, members, where they stand
    assert few == queries() == 4


def test_what_is_another_programs_does_not_exist(call, post, maya, ada):
    other = factories.make_program(maya, "Other")
    limited = make_key(maya, program=other)
    for path in ("", "/balances", "/lots", "/progress"):
        answers = [
            call("GET", f"members/{pk}{path}", by=limited) for pk in (ada.pk, 10**9)
        ]
        for answer in answers:
            refused(answer, 404, "not_found")
        there, nowhere = (
            answer.content.replace(answer.headers["X-Request-Id"].encode(), b"")
            for answer in answers
        )
        assert there == nowhere
    body = {"reason": "No."}
    refused(post(f"members/{ada.pk}/close", body, by=limited), 404, "not_found")
    wrong = post("members", ADA | {"program": ada.program_id}, by=limited)
    assert errors(wrong) == {"/program": "not_found"}


def test_a_member_has_balances_lots_and_a_way_up(call, key, group, ada):
    factories.earn(ada, 300, occurred_at=NOW - timedelta(days=30))
    factories.earn(ada, 60)
    stars = factories.definition_of(ada.program).pk
    balances = call("GET", f"members/{ada.pk}/balances", by=key).json()
    assert balances["balances"][0] == {
        "balance_definition": stars,
        "name": "Points",
        "unit": "POINTS",
        "amount": "360",
        "waiting": "0",
        "expires_next_at": None,
        "expiring": "0",
    }
    lots = call("GET", f"members/{ada.pk}/lots", by=key).json()
    assert [lot["left"] for lot in lots["lots"]] == ["300", "60"]
    progress = call("GET", f"members/{ada.pk}/progress", by=key).json()
    [way] = progress["groups"]
    assert way["next_tier"] == factories.live_tier(group, "Silver").tier_id
    assert way["steps"] == [
        {
            "measure": "WINDOW",
            "months": 12,
            "balance_definition": stars,
            "amount": "360",
            "needed": "500",
            "left": "140",
            "percent": 72,
            "is_choice": False,
        }
    ]
    wrong = call("GET", f"members/{ada.pk}/lots?balance_definition=0", by=key)
    assert wrong.status_code == 400
    unknown = call("GET", f"members/{ada.pk}/lots?balance_definition=99999", by=key)
    assert errors(unknown) == {"balance_definition": "not_found"}


def test_who_only_reads_changes_nobody(call, post, ada, maya, aude):
    reader = make_key(maya, "read")
    body = {"reason": "No."}
    refused(post(f"members/{ada.pk}/close", body, by=reader), 403, "insufficient_scope")
    refused(post(f"members/{ada.pk}/close", body, by=aude), 403, "permission_denied")
    assert call("GET", "members", by=aude).status_code == 200
