"""Points over our own voice: posted, announced, taken back; one by one and in batches."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty import adjustments
from loyalty.models import Balance, Member, PointsEntry, PointsRequest
from tests import factories, scenes
from tests.tiers.api.native.conftest import (
    Call,
    errors,
    expect,
    make_key,
    refused,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@scenes.kept
def ada(group: Any) -> Member:
    return factories.make_member(group.program, name="Ada", external_id="10815")


@pytest.fixture(autouse=True)
def frozen(ada: Member) -> Any:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def post(call: Call, key: str) -> Call:
    def send(path: str, body: Any = None, by: Any = key, **headers: str) -> Any:
        return call("POST", path, body, by=by, **headers)

    return send


def entry(member: Member, /, **changes: Any) -> dict[str, Any]:
    return {
        "member": member.pk,
        "kind": "EARN",
        "amount": "700",
        "reference": "order-1",
    } | changes


def amount_of(member: Member) -> int:
    found = Balance.objects.filter(member=member).values_list("amount", flat=True)
    return found.first() or 0


def test_what_is_posted_is_answered_with_the_tier_held_now(post, ada, group):
    response = post("entries", entry(ada, description="Boots", meta={"shop": 3}))
    line = PointsEntry.objects.get(member=ada)
    silver = factories.live_tier(group, "Silver").tier_id
    expect(
        response,
        201,
        "posted",
        posting=str(line.request.uuid),
        member=ada.pk,
        entry=str(line.uuid),
        balance=line.balance_definition_id,
        group=group.pk,
        silver=silver,
    )
    assert response.headers["Location"] == f"/api/v1/postings/{line.request.uuid}"
    assert (line.description, line.meta) == ("Boots", {"shop": 3})


def test_a_reference_is_posted_once_for_ever(post, ada):
    first = post("entries", entry(ada)).json()
    again = post("entries", entry(ada))
    assert again.json() == first | {"replayed": True}
    refused(post("entries", entry(ada, amount="1")), 409, "reference_reused")
    assert amount_of(ada) == 700


def test_without_a_reference_the_key_of_the_request_is_it(post, ada):
    body = entry(ada)
    del body["reference"]
    assert errors(post("entries", body)) == {"/reference": "required"}
    first = post("entries", body, Idempotency_Key="k1")
    assert first.status_code == 201, first.content
    again = post("entries", body, Idempotency_Key="k1")
    assert again.json() == first.json() | {"replayed": True}
    other = post("entries", body | {"amount": "1"}, Idempotency_Key="k1")
    refused(other, 422, "idempotency_key_reused")
    refused(
        post("entries", body, Idempotency_Key="k 1"), 400, "idempotency_key_invalid"
    )
    assert amount_of(ada) == 700


def test_a_refusal_is_kept_under_its_reference(post, ada):
    redeem = entry(ada, kind="REDEEM", amount="50")
    said = refused(post("entries", redeem), 409, "insufficient_points")
    post("entries", entry(ada, reference="order-2"))
    again = refused(post("entries", redeem), 409, "insufficient_points")
    assert again["detail"] == said["detail"]
    assert amount_of(ada) == 700


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"amount": 5}, {"/amount": "invalid_decimal"}),
        ({"amount": "1e3"}, {"/amount": "invalid_decimal"}),
        ({"amount": "0.5"}, {"/amount": "too_many_decimals"}),
        ({"amount": "0.00001"}, {"/amount": "too_many_decimals"}),
        ({"amount": "0"}, {"/amount": "out_of_range"}),
        ({"amount": "-5"}, {"/amount": "out_of_range"}),
        ({"kind": "EXPIRE"}, {"/kind": "invalid_choice"}),
        ({"kind": "earn"}, {"/kind": "invalid_choice"}),
        ({"member": "1"}, {"/member": "invalid_integer"}),
        ({"member": True}, {"/member": "invalid_integer"}),
        ({"member": 10**12}, {"/member": "not_found"}),
        ({"balance_definition": 10**12}, {"/balance_definition": "not_found"}),
        ({"occurred_at": "2026-01-01T00:00:00"}, {"/occurred_at": "offset_required"}),
        ({"occurred_at": 5}, {"/occurred_at": "invalid_instant"}),
        ({"reference": ""}, {"/reference": "blank"}),
        ({"reference": "x" * 257}, {"/reference": "max_length"}),
        ({"reference": "a\u202eb"}, {"/reference": "invalid_text"}),
        ({"source": "wix"}, {"/source": "invalid_choice"}),
        ({"source": adjustments.SOURCE}, {"/source": "invalid_choice"}),
        ({"meta": []}, {"/meta": "not_an_object"}),
        ({"balance": 3}, {"/balance": "unknown_field"}),
    ],
)
def test_bad_input_posts_nothing(post, call, key, ada, changes, wrong):
    assert errors(post("entries", entry(ada, **changes))) == wrong
    assert not PointsRequest.objects.exists()
    # Nobody's list breaks of it.
    assert call("GET", f"entries?member={ada.pk}", by=key).json()["results"] == []


def test_what_has_not_happened_yet_is_not_posted(post, ada):
    body = entry(ada, occurred_at="2026-03-01T10:30:00Z")
    refused(post("entries", body), 400, "in_future")


def test_people_do_not_post_past_the_second_person(post, ada, maya):
    refused(post("entries", entry(ada), by=maya), 403, "key_required")
    assert amount_of(ada) == 0


def test_a_line_is_taken_back_in_parts_and_given_back(post, call, key, ada):
    post("entries", entry(ada))
    [line] = PointsEntry.objects.filter(member=ada)
    first = post(f"entries/{line.pk}/reverse", {"amount": "200", "reference": "r1"})
    assert first.json()["lines"][0]["amount"] == "-200"
    too_much = {"amount": "501", "reference": "r2"}
    refused(post(f"entries/{line.pk}/reverse", too_much), 409, "more_than_left")
    refused(
        post(f"entries/{line.pk}/refund", {"reference": "r3"}), 409, "not_reversible"
    )
    redeem = entry(ada, kind="REDEEM", amount="100", reference="reward")
    spent = post("entries", redeem).json()["lines"][0]
    spent_line = PointsEntry.objects.get(uuid=UUID(spent["entry"]))
    back = post(f"entries/{spent_line.pk}/refund", {"reference": "r4"})
    assert (back.json()["lines"][0]["kind"], amount_of(ada)) == ("REFUND", 500)
    listed = call("GET", f"entries?member={ada.pk}&ordering=-id", by=key).json()
    kinds = [row["kind"] for row in listed["results"]]
    assert kinds == ["REFUND", "REDEEM", "REVERSAL", "EARN"]
    refused(post("entries/999999/reverse", {"reference": "r5"}), 404, "not_found")


# Announced first


def test_what_is_announced_is_posted_when_it_is_completed(post, call, key, ada):
    post("entries", entry(ada))
    held = post("postings", entry(ada, kind="REDEEM", amount="100", reference="v1"))
    document = held.json()
    assert (document["status"], document["lines"]) == ("PENDING", [])
    assert amount_of(ada) == 700
    path = f"postings/{document['posting']}"
    shown = call("GET", path, by=key).json()
    assert shown["announced"][0]["amount"] == "-100"
    done = post(f"{path}/complete")
    assert (done.status_code, done.json()["status"]) == (200, "COMPLETED")
    assert post(f"{path}/complete").json() == done.json() | {"replayed": True}
    refused(post(f"{path}/cancel"), 409, "not_pending")
    assert amount_of(ada) == 600
    whole = call("GET", path, by=key).json()
    assert (whole["lines"][0]["balance"], whole["announced"]) == ("600", [])


def test_what_is_announced_can_be_cancelled(post, ada):
    held = post("postings", entry(ada)).json()
    path = f"postings/{held['posting']}"
    assert post(f"{path}/cancel").json()["status"] == "CANCELLED"
    refused(post(f"{path}/complete"), 409, "not_pending")
    assert amount_of(ada) == 0


def test_an_adjustment_by_hand_is_not_completed_past_its_reviewer(post, ada, maya):
    waiting = adjustments.adjust(
        ada,
        factories.definition_of(ada.program),
        10**9,
        reference="big",
        reason="A mistake.",
        by=maya,
    )
    assert waiting.status == "PENDING"
    for verb in ("complete", "cancel"):
        path = f"postings/{waiting.uuid}/{verb}"
        refused(post(path), 409, "invalid_transition")


# Activities

PURCHASE = {
    "external_id": "10815",
    "reference": "order-9",
    "purchase": "49.90",
    "visits": 1,
    "points": "500",
    "occurred_at": "2026-02-28T12:00:00+01:00",
}


def test_a_purchase_posts_all_that_it_earns(post, call, key, ada, group):
    body = PURCHASE | {"program": ada.program_id}
    response = post("activities", body)
    assert response.status_code == 201, response.content
    document = response.json()
    amounts = [line["amount"] for line in document["lines"]]
    assert amounts == ["49.90", "1", "500"]
    assert document["tiers"][0]["tier_name"] == "Silver"
    [line] = PointsEntry.objects.filter(member=ada, amount=500)
    assert line.occurred_at == datetime(2026, 2, 28, 11, tzinfo=UTC)
    part = post(
        f"postings/{document['posting']}/reverse",
        {
            "amount": "24.95",
            "reference": "return-1",
        },
    )
    returned = [line["amount"] for line in part.json()["lines"]]
    assert returned == ["-24.95", "-250"]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"external_id": "nobody"}, {"/external_id": "not_found"}),
        ({"member": 1}, {"/member": "required"}),
        ({"visits": 0}, {"/visits": "out_of_range"}),
        ({"purchase": "1.999"}, {"/purchase": "too_many_decimals"}),
        ({"program": 10**9}, {"/program": "not_found"}),
        (
            {"amounts": [{"balance_definition": 10**9, "amount": "1"}]},
            {"/amounts/0/balance_definition": "not_found"},
        ),
    ],
)
def test_an_activity_is_read_strictly(post, ada, changes, wrong):
    body = PURCHASE | {"program": ada.program_id} | changes
    assert errors(post("activities", body)) == wrong
    assert not PointsRequest.objects.exists()


def test_an_activity_earns_something(post, ada):
    body = {"program": ada.program_id, "external_id": "10815", "reference": "r"}
    assert errors(post("activities", body)) == {"/points": "required"}


# Batches


def test_each_of_a_batch_has_an_outcome_of_its_own(post, ada, group):
    bob = factories.make_member(ada.program, external_id="2")
    sent = {
        "program": ada.program_id,
        "activities": [
            {"external_id": "10815", "reference": "a", "points": "500"},
            {"external_id": "nobody", "reference": "b", "points": "5"},
            {"member": bob.pk, "reference": "c", "points": "0.5"},
            {"member": bob.pk, "reference": "d", "points": "1000"},
            {"member": bob.pk, "reference": "a", "points": "1"},
            {"member": bob.pk, "points": "1"},
            "what",
        ],
    }
    response = post("activities/batch", sent)
    assert response.status_code == 200, response.content
    results = response.json()["results"]
    said = [
        (r["outcome"], r["reference"], r["problem"] and r["problem"]["code"])
        for r in results
    ]
    assert said == [
        ("POSTED", "a", None),
        ("REFUSED", "b", "invalid_request"),
        ("REFUSED", "c", "invalid_request"),
        ("POSTED", "d", None),
        ("REFUSED", "a", "reference_reused"),
        ("REFUSED", None, "invalid_request"),
        ("REFUSED", None, "invalid_request"),
    ]
    tiers = [r["posted"]["tiers"][0]["tier_name"] for r in results if r["posted"]]
    assert tiers == ["Silver", "Gold"]
    pointers = [
        e["pointer"] for r in results for e in (r["problem"] or {}).get("errors", [])
    ]
    assert pointers == ["/external_id", "/points", "/reference", ""]
    again = post("activities/batch", sent).json()["results"]
    assert [r["posted"] and r["posted"]["replayed"] for r in again][::3] == [
        True,
        True,
        None,
    ]


def test_a_batch_with_a_key_is_answered_the_same(post, ada):
    row = {"external_id": "10815", "reference": "a", "points": "500"}
    sent = {"program": ada.program_id, "activities": [row]}
    first = post("activities/batch", sent, Idempotency_Key="k")
    assert post("activities/batch", sent, Idempotency_Key="k").content == first.content
    other = {"program": ada.program_id, "activities": [row | {"points": "1"}]}
    refused(
        post("activities/batch", other, Idempotency_Key="k"),
        422,
        "idempotency_key_reused",
    )
    assert amount_of(ada) == 500


@pytest.mark.parametrize("rows", [[], [{}] * 501, "none", {}])
def test_a_batch_has_1_to_500_rows(post, ada, rows):
    sent = {"program": ada.program_id, "activities": rows}
    [code] = errors(post("activities/batch", sent)).values()
    assert code in ("batch_size", "not_a_list")


def test_a_batch_asks_as_much_for_many_as_for_few(post, group, program):
    def queries(number: int) -> int:
        crowd = [factories.make_member(program) for _ in range(number)]
        rows = [{"member": m.pk, "points": "10"} for m in crowd]
        for turn in ("first", "second"):
            sent = [row | {"reference": f"{turn}-{row['member']}"} for row in rows]
            with CaptureQueriesContext(connection) as asked:
                body = {"program": program.pk, "activities": sent}
                assert post("activities/batch", body).status_code == 200
        return len(asked)

    assert queries(3) == queries(30)


# Lists


def test_a_key_of_another_program_sees_nothing_and_posts_nothing(
    call, post, key, ada, maya
):
    post("entries", entry(ada))
    [line] = PointsEntry.objects.all()
    other = factories.make_program(maya, "Other")
    limited = make_key(maya, program=other)
    assert call("GET", "entries", by=limited).json()["results"] == []
    there, nowhere = (
        call("GET", f"entries/{pk}", by=limited) for pk in (line.pk, 10**9)
    )
    for response in (there, nowhere):
        refused(response, 404, "not_found")
    strip = lambda r: r.content.replace(r.headers["X-Request-Id"].encode(), b"")  # noqa: E731
    assert strip(there) == strip(nowhere)
    wrong = errors(post("entries", entry(ada, reference="x"), by=limited))
    assert wrong == {"/member": "not_found"}
    path = f"postings/{line.request.uuid}"
    assert call("GET", path, by=limited).status_code == 404


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("kind=EARN", 2),
        ("kind=REDEEM", 0),
        ("reference=order-1", 1),
        ("source=api", 2),
        ("occurred_from=2026-03-01T00:00:00Z", 2),
        ("occurred_until=2026-03-01T00:00:00Z", 0),
        ("recorded_until=2030-03-01T00:00:00Z&ordering=-recorded_at&limit=1", 1),
    ],
)
def test_lines_are_filtered(call, post, key, ada, query, number):
    for name in ("order-1", "order-2"):
        post("entries", entry(ada, reference=name))
    found = call("GET", f"entries?{query}", by=key)
    assert found.status_code == 200, found.content
    assert len(found.json()["results"]) == number


@pytest.mark.parametrize("path", ["entries", "postings"])
def test_lists_ask_as_much_for_many_as_for_few(call, post, key, program, group, path):
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            call("GET", path, by=key)
        return len(asked)

    def more(number: int) -> None:
        for _ in range(number):
            factories.earn(factories.make_member(program), 10)

    more(2)
    queries()
    few = queries()
    more(10)
    assert few == queries()


def test_who_may_not_post_is_told_so(post, call, ada, aude, maya):
    reader = make_key(maya, "read")
    refused(post("entries", entry(ada), by=reader), 403, "insufficient_scope")
    refused(post("entries", entry(ada), by=aude), 403, "permission_denied")
    assert call("GET", "entries", by=reader).status_code == 200
    assert call("GET", "entries", by=None).status_code == 401
