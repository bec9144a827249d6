"""Capillary's create, get, update, delete and submit, as whole documents."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from approvals import lifecycle
from approvals.models import AuditEvent, Contribution
from loyalty.models import ProgramLimit
from tests import factories, scenes
from tests.tiers.api import gemstone
from tests.tiers.api.conftest import assert_same
from tests.tiers.api.jade import (
    EDIT,
    JADE,
    MONDAY,
    TUESDAY,
    make,
    newest,
    slab_of,
    tracker,
    with_changes,
)
from tiers import drafting
from tiers.models import KeptAnswer, Tier, TierVersion

Status = TierVersion.Status
#: What the verbs ask, too: permissions, notices, the record of who did it.
QUERIES = {"create": 30, "update": 22, "edit": 23, "submit": 35, "reject": 27}


@scenes.kept
def ladder(maya, chen):
    return make(maya, chen)


@pytest.fixture
def created(call, ladder, maya):
    """The id of maya's draft of Jade, made on Monday."""
    with time_machine.travel(MONDAY, tick=False):
        answer = call("POST", "/v3/tiers", JADE, by=maya)
    assert answer.status_code == 201, answer.content
    return answer.json()["data"]["objectId"]


@pytest.fixture
def edited(call, ladder, maya):
    """The id of maya's edit of Silver, made on Monday."""
    with time_machine.travel(MONDAY, tick=False):
        answer = call("PUT", f"/v3/tiers/{slab_of(ladder, 'Silver')}", EDIT, by=maya)
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]["objectId"]


def code_of(answer: Any) -> tuple[int, int]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def message_of(answer: Any) -> str:
    message: str = answer.json()["errors"][0]["message"]
    return message


# Create


def test_a_new_tier_is_a_draft_on_top(call, ladder, payload, maya):
    with time_machine.travel(MONDAY, tick=False):
        answer = call("POST", "/v3/tiers", JADE, by=maya)
    assert answer.status_code == 201
    expected = payload("record_created", object=newest().object_id, maya=str(maya.pk))
    assert_same(answer.json(), expected)
    assert newest().object_id.startswith(f"{int(MONDAY.timestamp()):x}")


def test_all_that_can_be_sent_comes_back(call, ladder, payload, maya):
    expected = payload(
        "record_full", object="", maya=str(maya.pk), tracker=tracker(ladder)
    )
    # A record can be sent as it came: what is null or not ours to set is ignored.
    with time_machine.travel(MONDAY, tick=False):
        answer = call("POST", "/v3/tiers", expected["data"], by=maya)
    assert answer.status_code == 201, answer.content
    expected["data"]["objectId"] = newest().object_id
    assert_same(answer.json(), expected)


def test_the_first_tier_of_a_group_may_be_the_base(call, maya, chen):
    program = factories.make_program(maya, pk=7)
    group = factories.make_group(program, by=maya, reviewer=chen, tiers=[])
    body = {"programId": 7, "name": "Bronze", "eligibility": {"threshold": 0}}
    answer = call("POST", "/v3/tiers", body, by=maya)
    assert answer.status_code == 201
    assert "threshold" not in answer.json()["data"]["eligibility"]
    assert newest().entry == TierVersion.Entry.BASE
    assert newest().tier.group == group


@pytest.mark.parametrize(
    ("kpi", "measure", "balance"),
    [
        ("CURRENT_POINTS", "CURRENT", "POINTS"),
        ("CUMULATIVE_PURCHASES", "LIFETIME", "PURCHASES"),
        ("CUMULATIVE_POINTS", "", None),
    ],
)
def test_the_first_tier_says_what_is_compared(kpi, measure, balance, call, maya, chen):
    program = factories.make_program(maya, pk=7)
    factories.make_group(program, by=maya, reviewer=chen, tiers=[])
    body = with_changes({"eligibility": {"kpiType": kpi}})
    answer = call("POST", "/v3/tiers", body, by=maya)
    assert answer.json()["data"]["eligibility"]["kpiType"] == kpi
    made = newest()
    assert made.measure == measure
    assert (made.measured_balance and made.measured_balance.built_in) == balance


def test_a_program_without_strategies_takes_no_tiers(call, maya):
    program = factories.make_program(maya, pk=7)
    assert code_of(call("POST", "/v3/tiers", JADE, by=maya)) == (409, 999999)
    drafting.add_group(program, by=maya, name="Main")
    answer = call("POST", "/v3/tiers", JADE, by=maya)
    assert code_of(answer) == (409, 999999)
    assert "strategies" in message_of(answer)


def test_one_new_tier_is_in_progress_at_a_time(
    call, created, payload, ladder, maya, chen
):
    onyx = with_changes({"name": "Onyx", "eligibility": {"threshold": 3000}})
    answer = call("POST", "/v3/tiers", onyx, by=maya)
    assert answer.status_code == 409
    message = (
        "The new tier Jade (ut-7-004) is in progress: a program has one at a time. "
        "Submit it, or delete it, first."
    )
    assert_same(answer.json(), payload("refusal_999999", message=message))
    call("POST", f"/v3/tiers/{created}/submit", by=maya)
    assert code_of(call("POST", "/v3/tiers", onyx, by=maya)) == (409, 999999)
    sent = {"approvalStatus": "REJECT"}
    call("POST", f"/v3/tiers/{created}/approve", sent, by=chen)
    assert call("POST", "/v3/tiers", onyx, by=maya).status_code == 201
    # The rejected one cannot be taken up again beside it.
    answer = call("PUT", f"/v3/tiers/{created}", {"name": "Jade 2"}, by=maya)
    assert code_of(answer) == (409, 999999)
    assert TierVersion.objects.get(object_id=created).status == Status.REJECTED


def test_an_edit_of_a_live_tier_keeps_nobody_from_a_new_one(call, edited, maya):
    assert call("POST", "/v3/tiers", JADE, by=maya).status_code == 201


def test_there_are_fifty_tiers_at_most(call, maya, chen):
    program = factories.make_program(maya, pk=7)
    tiers: list[Any] = [(f"Tier {n}", 10 * n) for n in range(1, 50)]
    group = factories.make_group(program, by=maya, reviewer=chen, tiers=tiers)
    answer = call("POST", "/v3/tiers", JADE, by=maya)
    assert answer.status_code == 201
    call("DELETE", f"/v3/tiers/{answer.json()['data']['objectId']}", by=maya)
    fiftieth = drafting.add_tier(group, by=maya, name="Tier 50", threshold=500)
    factories.approve(lifecycle.submit([fiftieth], by=maya), chen)
    answer = call("POST", "/v3/tiers", JADE, by=maya)
    assert code_of(answer) == (409, 999999)
    assert message_of(answer) == "A program has at most 50 tiers."


def test_a_deleted_drafts_number_is_given_again(call, created, maya):
    assert call("DELETE", f"/v3/tiers/{created}", by=maya).status_code == 204
    again = call("POST", "/v3/tiers", JADE, by=maya).json()["data"]
    assert (again["tierUniqueId"], again["serialNumber"]) == ("ut-7-004", 4)


@pytest.mark.parametrize("program_id", [8, 9, 2**53 - 1])
def test_unknown_and_foreign_programs_are_alike(program_id, call, ladder, maya, chen):
    factories.make_program(maya, "Foreign", pk=9)
    ProgramLimit.objects.create(user=maya, program=ladder.program)
    answer = call("POST", "/v3/tiers", JADE | {"programId": program_id}, by=maya)
    assert code_of(answer) == (404, 9056)
    assert message_of(answer) == f"There is no program {program_id}."


# Idempotency-Key


def test_a_request_sent_again_gets_the_first_answer(call, ladder, maya, chen):
    first, second = (
        call("POST", "/v3/tiers", JADE, by=maya, Idempotency_Key="7f9c")
        for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert TierVersion.objects.filter(name="Jade").count() == 1
    # Written with other spaces and in another order, it is the same request.
    text = str(dict(reversed(JADE.items()))).replace("'", '"').encode()
    third = call("POST", "/v3/tiers", text, by=maya, Idempotency_Key="7f9c")
    assert third.content == first.content


def test_a_key_with_another_body_is_refused(call, created, payload, maya):
    call("DELETE", f"/v3/tiers/{created}", by=maya)
    call("POST", "/v3/tiers", JADE, by=maya, Idempotency_Key="7f9c")
    other = JADE | {"name": "Onyx"}
    answer = call("POST", "/v3/tiers", other, by=maya, Idempotency_Key="7f9c")
    message = (
        "This Idempotency-Key came with another body before: send a new key with each "
        "new request."
    )
    assert answer.status_code == 409
    assert_same(answer.json(), payload("refusal_999999", message=message))


def test_a_key_is_its_senders_own(call, ladder, maya):
    milo = factories.make_maker("milo")
    call("POST", "/v3/tiers", JADE, by=maya, Idempotency_Key="7f9c")
    # Milo's is another request: it finds maya's tier in progress.
    answer = call("POST", "/v3/tiers", JADE, by=milo, Idempotency_Key="7f9c")
    assert code_of(answer) == (409, 999999)


def test_a_refused_request_leaves_no_answer(call, created, maya):
    answer = call("POST", "/v3/tiers", JADE, by=maya, Idempotency_Key="7f9c")
    assert answer.status_code == 409
    assert not KeptAnswer.objects.exists()
    call("DELETE", f"/v3/tiers/{created}", by=maya)
    answer = call("POST", "/v3/tiers", JADE, by=maya, Idempotency_Key="7f9c")
    assert answer.status_code == 201


def test_an_answer_is_kept_for_a_day(call, ladder, maya):
    with time_machine.travel(MONDAY, tick=False) as clock:
        first = call("POST", "/v3/tiers", JADE, by=maya, Idempotency_Key="7f9c")
        clock.shift(timedelta(hours=23, minutes=59))
        same = call("POST", "/v3/tiers", JADE, by=maya, Idempotency_Key="7f9c")
        assert same.content == first.content
        clock.shift(timedelta(minutes=1))
        later = call("POST", "/v3/tiers", JADE, by=maya, Idempotency_Key="7f9c")
        assert code_of(later) == (409, 999999)
        call("DELETE", f"/v3/tiers/{first.json()['data']['objectId']}", by=maya)
        call("POST", "/v3/tiers", JADE, by=maya, Idempotency_Key="other")
        # Old ones do not pile up.
        assert [kept.key for kept in KeptAnswer.objects.all()] == ["other"]


@pytest.mark.parametrize("key", ["", " ", "a b", "a,b", "ä", "x" * 256, "a\tb"])
def test_a_key_that_cannot_be_kept_is_refused(key, call, ladder, maya):
    answer = call("POST", "/v3/tiers", JADE, by=maya, Idempotency_Key=key)
    assert code_of(answer) == (400, 400)
    assert not TierVersion.objects.filter(name="Jade").exists()


# Get


def test_a_draft_is_read_by_its_unique_id(call, created, payload, maya, aude):
    answer = call("GET", "/v3/tiers/ut-7-004", by=aude)
    expected = payload("one_draft", object=created, maya=str(maya.pk))
    assert_same(answer.json(), expected)


def test_a_live_tier_is_read_with_its_edit(
    call, edited, payload, ladder, maya, chen, aude
):
    silver = factories.live_tier(ladder, "Silver")
    Tier.objects.update(counted_at=factories.LONG_AGO)
    expected = payload(
        "one_edited",
        slab=silver.tier.slab_id,
        parent=silver.object_id,
        object=edited,
        maya=str(maya.pk),
        chen=str(chen.pk),
    )
    for name in (silver.tier.slab_id, "ut-7-002"):
        assert_same(call("GET", f"/v3/tiers/{name}", by=aude).json(), expected)


def test_an_imported_tier_is_read_by_the_list_only(call, maya, chen, aude):
    gemstone.make(maya, chen)
    for name in ("25221", "ut-973-003"):
        assert code_of(call("GET", f"/v3/tiers/{name}", by=aude)) == (404, 9056)
    edit = {"name": "Yellow Gold"}
    call("PUT", "/v3/tiers/25221?programId=973", edit, by=maya)
    assert code_of(call("GET", "/v3/tiers/25221", by=aude)) == (404, 9056)
    found = call("GET", "/v3/tiers/ut-973-003", by=aude).json()["data"]
    assert [tier["status"] for tier in found] == ["LIVE", "DRAFT"]


def test_what_somebody_may_not_see_is_not_there(call, created, ladder, maya, aude):
    other = factories.make_program(maya, "Other")
    for person in (maya, aude):
        ProgramLimit.objects.create(user=person, program=other)
    slab = slab_of(ladder, "Silver")
    for method, path, by in (
        ("GET", f"/v3/tiers/{slab}", aude),
        ("GET", "/v3/tiers/ut-7-004", aude),
        ("PUT", f"/v3/tiers/{slab}", maya),
        ("PUT", f"/v3/tiers/{created}", maya),
        ("DELETE", f"/v3/tiers/{created}", maya),
        ("POST", f"/v3/tiers/{created}/submit", maya),
    ):
        answer = call(method, path, {} if method == "PUT" else None, by=by)
        assert code_of(answer) == (404, 9056), (method, path)


# Update


def test_an_edit_of_a_live_tier_is_a_draft_of_its_next_version(
    call, edited, payload, ladder, maya, aude
):
    silver = factories.live_tier(ladder, "Silver")
    with time_machine.travel(MONDAY, tick=False):
        again = call("PUT", f"/v3/tiers/{silver.tier.slab_id}", EDIT, by=maya)
    expected = payload(
        "record_edited",
        object=edited,
        parent=silver.object_id,
        slab=silver.tier.slab_id,
        maya=str(maya.pk),
    )
    # The second edit found the open draft and went into it.
    assert_same(again.json(), expected)
    assert silver.threshold == 500


def test_only_what_is_sent_changes_key_by_key(call, ladder, payload, maya):
    full = payload("record_full", object="", maya="", tracker=tracker(ladder))["data"]
    made = call("POST", "/v3/tiers", full, by=maya).json()["data"]
    sent = {
        "description": "",
        "eligibility": {"threshold": 2500},
        "validity": {
            "periodValue": 12,
            "renewal": {"conditions": {"numVisits": "4", "points": "-1"}},
        },
    }
    answer = call("PUT", f"/v3/tiers/{made['objectId']}", sent, by=maya).json()["data"]
    made["description"] = None
    made["eligibility"]["threshold"] = 2500
    made["validity"]["periodValue"] = 12
    made["validity"]["endDate"] = "2027-08-31T00:00:00+00:00"
    conditions = made["validity"]["renewal"]["conditions"]
    conditions |= {"numVisits": "4", "points": "-1"}
    made["meta"]["updatedAt"] = answer["meta"]["updatedAt"]
    assert_same(answer, made)


def test_null_is_what_was_not_sent(call, created, maya):
    nothing = dict.fromkeys(["name", "color", "eligibility", "validity", "downgrade"])
    answer = call("PUT", f"/v3/tiers/{created}", nothing, by=maya).json()["data"]
    assert (answer["name"], answer["color"]) == ("Jade", "#00A86B")


def test_an_edit_of_what_is_pending_voids_its_submission(call, created, maya, chen):
    call("POST", f"/v3/tiers/{created}/submit", by=maya)
    # The same again changes nothing, and so voids nothing.
    same = call("PUT", f"/v3/tiers/{created}", {"name": "Jade"}, by=maya)
    assert same.json()["data"]["status"] == "PENDING_APPROVAL"
    answer = call("PUT", f"/v3/tiers/{created}", {"name": "Jade 2"}, by=maya)
    assert answer.json()["data"]["status"] == "DRAFT"
    queue = call("GET", "/v3/tiers/approvals?programId=7", by=chen)
    assert queue.json()["data"] == []
    assert AuditEvent.objects.filter(verb="dissolve").count() == 1


def test_an_edit_that_changes_nothing_opens_no_draft(call, ladder, maya):
    gold = slab_of(ladder, "Gold")
    answer = call("PUT", f"/v3/tiers/{gold}", {"name": "Gold"}, by=maya)
    assert answer.json()["data"]["status"] == "ACTIVE"
    assert not TierVersion.objects.open().exists()


def test_an_imported_tier_is_edited_with_its_program(call, maya, chen):
    gemstone.make(maya, chen)
    edit = {"name": "Yellow Gold"}
    answer = call("PUT", "/v3/tiers/25221", edit, by=maya)
    assert code_of(answer) == (400, 400)
    assert message_of(answer).startswith("programId: ")
    for wrong in ("974", "x"):
        answer = call("PUT", f"/v3/tiers/25221?programId={wrong}", edit, by=maya)
        assert answer.status_code in (400, 404)
    answer = call("PUT", "/v3/tiers/25221?programId=973", edit, by=maya).json()["data"]
    assert answer["parentId"] is None
    assert (answer["slabId"], answer["tierUniqueId"]) == (25221, "ut-973-003")
    assert (answer["version"], answer["status"]) == (2, "DRAFT")


def test_the_program_of_other_tiers_is_ignored(call, ladder, maya):
    path = f"/v3/tiers/{slab_of(ladder, 'Silver')}?programId=99&programId=x"
    assert call("PUT", path, EDIT, by=maya).status_code == 200


def test_a_tier_that_is_about_to_end_is_not_edited(call, ladder, maya):
    silver = factories.live_tier(ladder, "Silver")
    (ending,) = drafting.retire(silver.tier, by=maya)
    answer = call("PUT", f"/v3/tiers/{silver.tier.slab_id}", EDIT, by=maya)
    assert code_of(answer) == (409, 999999)
    # It has no record, under any id.
    for method, path in (("PUT", ""), ("DELETE", ""), ("POST", "/submit")):
        body: Any = {} if method == "PUT" else None
        answer = call(method, f"/v3/tiers/{ending.object_id}{path}", body, by=maya)
        assert code_of(answer) == (404, 9056)


@pytest.mark.parametrize("name", ["Silver", "Gold"])
def test_a_threshold_stays_between_its_neighbours(name, call, ladder, maya):
    below, above = {"Silver": (0, 1000), "Gold": (500, None)}[name]
    path = f"/v3/tiers/{slab_of(ladder, name)}"
    for threshold in (below, above):
        if threshold is not None:
            eligibility = {"eligibility": {"threshold": threshold}}
            answer = call("PUT", path, eligibility, by=maya)
            assert code_of(answer) == (400, 400)
            assert message_of(answer).startswith("eligibility.threshold: This must be")
    sent: Any = {"eligibility": {"threshold": below + 0.5}}
    assert call("PUT", path, sent, by=maya).status_code == 200


def test_the_base_tier_has_no_threshold(call, ladder, maya):
    path = f"/v3/tiers/{slab_of(ladder, 'Bronze')}"
    sent = {"name": "Copper", "eligibility": {"threshold": 0}}
    assert call("PUT", path, sent, by=maya).status_code == 200
    answer = call("PUT", path, {"eligibility": {"threshold": 10}}, by=maya)
    assert code_of(answer) == (400, 400)


# Delete


def test_a_deleted_draft_is_gone_everywhere(call, created, maya, chen, aude):
    answer = call("DELETE", f"/v3/tiers/{created}", by=maya)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Type" not in answer.headers
    for method, path, by in (
        ("DELETE", created, maya),
        ("PUT", created, maya),
        ("POST", f"{created}/submit", maya),
        ("GET", "ut-7-004", aude),
    ):
        body = {"name": "x"} if method == "PUT" else None
        answer = call(method, f"/v3/tiers/{path}", body, by=by)
        assert code_of(answer) == (404, 9056)
    sent = {"approvalStatus": "APPROVE"}
    answer = call("POST", f"/v3/tiers/{created}/approve", sent, by=chen)
    assert code_of(answer) == (404, 9056)


def test_what_is_no_draft_is_not_deleted(call, created, payload, ladder, maya, chen):
    call("POST", f"/v3/tiers/{created}/submit", by=maya)
    message = "Cannot delete Jade version 1: it is pending approval."
    answer = call("DELETE", f"/v3/tiers/{created}", by=maya)
    assert answer.status_code == 409
    assert_same(answer.json(), payload("refusal_999999", message=message))
    call("POST", f"/v3/tiers/{created}/approve", {"approvalStatus": "REJECT"}, by=chen)
    assert code_of(call("DELETE", f"/v3/tiers/{created}", by=maya)) == (409, 999999)
    live = factories.live_tier(ladder, "Gold").object_id
    assert code_of(call("DELETE", f"/v3/tiers/{live}", by=maya)) == (409, 999999)


# Which id goes where


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "{object}"),
        ("PUT", "ut-7-004"),
        ("PUT", "ut-7-002"),
        ("DELETE", "ut-7-004"),
        ("DELETE", "{slab}"),
        ("POST", "ut-7-004/submit"),
        ("POST", "{slab}/submit"),
    ],
)
def test_an_id_of_another_kind_is_not_found(method, path, call, created, ladder, maya):
    path = path.format(object=created, slab=slab_of(ladder, "Silver"))
    body = {"name": "x"} if method == "PUT" else None
    assert code_of(call(method, f"/v3/tiers/{path}", body, by=maya)) == (404, 9056)


@pytest.mark.parametrize("status", ["LIVE", "SNAPSHOT"])
def test_records_that_are_not_open_are_not_edited(
    status, call, edited, ladder, maya, chen
):
    replaced = factories.live_tier(ladder, "Silver").object_id
    call("POST", f"/v3/tiers/{edited}/submit", by=maya)
    call("POST", f"/v3/tiers/{edited}/approve", {"approvalStatus": "APPROVE"}, by=chen)
    record = edited if status == "LIVE" else replaced
    assert TierVersion.objects.get(object_id=record).status == status
    answer = call("PUT", f"/v3/tiers/{record}", {"name": "x"}, by=maya)
    assert code_of(answer) == (409, 999999)


# Submit


def test_a_submitted_draft_is_pending(call, created, payload, maya):
    with time_machine.travel(TUESDAY, tick=False):
        answer = call("POST", f"/v3/tiers/{created}/submit", by=maya)
    assert answer.status_code == 200
    expected = payload("record_pending", object=created, maya=str(maya.pk))
    assert_same(answer.json(), expected)
    again = call("POST", f"/v3/tiers/{created}/submit", b"anything", by=maya)
    message = "Cannot submit Jade version 1: it is pending approval."
    assert again.status_code == 409
    assert_same(again.json(), payload("refusal_999999", message=message))


def test_the_ladder_is_looked_at_again_on_submitting(call, created, ladder, maya, chen):
    gold = factories.live_tier(ladder, "Gold")
    edit = lifecycle.draft_change(gold, by=maya, changes={"threshold": 2000})
    factories.approve(lifecycle.submit([edit], by=maya), chen)
    answer = call("POST", f"/v3/tiers/{created}/submit", by=maya)
    assert code_of(answer) == (400, 400)
    assert "above 2000, the threshold of Gold" in message_of(answer)


# Who may, and at what cost


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v3/tiers", JADE),
        ("PUT", "/v3/tiers/{}", {"name": "x"}),
        ("DELETE", "/v3/tiers/{}", None),
        ("POST", "/v3/tiers/{}/submit", None),
    ],
)
def test_only_makers_write(method, path, body, call, created, payload, chen, aude):
    for by in (chen, aude):
        answer = call(method, path.format(created), body, by=by)
        assert answer.status_code == 403
        assert_same(answer.json(), payload("refusal_4000"))


def test_every_editor_is_remembered(call, created, maya):
    milo = factories.make_maker("milo")
    call("PUT", f"/v3/tiers/{created}", {"name": "Jade 2"}, by=milo)
    hands = Contribution.objects.filter(version_id=newest().pk)
    assert set(hands.values_list("user__username", "role")) == {
        ("maya", "AUTHOR"),
        ("milo", "EDITOR"),
    }


@pytest.mark.parametrize("tiers", [3, 30])
def test_what_each_call_costs_does_not_grow_with_the_tiers(
    tiers, call, maya, chen, django_assert_num_queries
):
    program = factories.make_program(maya, pk=7)
    names: list[Any] = [(f"Tier {n}", 10 * n) for n in range(1, tiers + 1)]
    group = factories.make_group(program, by=maya, reviewer=chen, tiers=names)
    slab = slab_of(group, "Tier 1")
    for by in (maya, chen):
        call("GET", f"/v3/tiers/{slab}", by=by)
    # The account, the permission, the tier's program, its entries.
    with django_assert_num_queries(4):
        call("GET", f"/v3/tiers/{slab}", by=maya)
    with django_assert_num_queries(3):
        call("GET", "/v3/tiers/approvals?programId=7", by=chen)
    with django_assert_num_queries(QUERIES["create"]):
        made = call("POST", "/v3/tiers", JADE, by=maya).json()["data"]["objectId"]
    with django_assert_num_queries(QUERIES["update"]):
        call("PUT", f"/v3/tiers/{made}", {"name": "Jade 2"}, by=maya)
    with django_assert_num_queries(QUERIES["edit"]):
        call("PUT", f"/v3/tiers/{slab}", {"name": "Tin"}, by=maya)
    with django_assert_num_queries(QUERIES["submit"]):
        call("POST", f"/v3/tiers/{made}/submit", by=maya)
    path, sent = f"/v3/tiers/{made}/approve", {"approvalStatus": "REJECT"}
    with django_assert_num_queries(QUERIES["reject"]):
        answer = call("POST", path, sent, by=chen)
    assert answer.status_code == 200
