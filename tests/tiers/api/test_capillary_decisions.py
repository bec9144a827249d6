"""Capillary's approvals: the queue, approving and rejecting, and who may."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from approvals import lifecycle
from approvals.models import Decision
from loyalty.models import ProgramLimit
from tests import factories, scenes
from tests.tiers.api.conftest import assert_same
from tests.tiers.api.jade import EDIT, JADE, MONDAY, TUESDAY, make, slab_of
from tiers import drafting
from tiers.models import TierVersion

APPROVE = {"approvalStatus": "APPROVE"}
REJECT = {"approvalStatus": "REJECT", "comment": "Too steep for March."}
NEXT_CENTURY = datetime(2100, 1, 1, tzinfo=UTC)
QUEUE = "/v3/tiers/approvals?programId=7"


@scenes.kept
def ladder(maya, chen):
    return make(maya, chen)


@pytest.fixture
def draft(call, ladder, maya):
    """Maya's draft of Jade, made on Monday."""
    with time_machine.travel(MONDAY, tick=False):
        answer = call("POST", "/v3/tiers", JADE, by=maya)
    return TierVersion.objects.get(object_id=answer.json()["data"]["objectId"])


@pytest.fixture
def pending(call, draft, maya):
    """The same, submitted on Monday."""
    with time_machine.travel(MONDAY, tick=False):
        call("POST", f"/v3/tiers/{draft.object_id}/submit", by=maya)
    draft.refresh_from_db()
    return draft


@pytest.fixture
def decide(call):
    """Decide on a record, on Tuesday."""

    def send(version: TierVersion, body: Any, by: Any) -> Any:
        path = f"/v3/tiers/{version.object_id}/approve"
        with time_machine.travel(TUESDAY, tick=False):
            return call("POST", path, body, by=by)

    return send


def code_of(answer: Any) -> tuple[int, int]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def message_of(answer: Any) -> str:
    message: str = answer.json()["errors"][0]["message"]
    return message


def ids(answer: Any) -> list[str]:
    return [record["objectId"] for record in answer.json()["data"]]


# The queue


def test_what_is_pending_is_in_the_queue(call, pending, payload, maya, chen):
    answer = call("GET", QUEUE, by=chen)
    expected = payload("queue_pending", object=pending.object_id, maya=str(maya.pk))
    assert_same(answer.json(), expected)


def test_an_empty_queue_is_an_empty_list(call, draft, payload, maya, chen):
    assert_same(call("GET", QUEUE, by=chen).json(), payload("queue_empty"))
    other = "/v3/tiers/approvals?programId=999"
    assert_same(call("GET", other, by=chen).json(), payload("queue_empty"))
    program = factories.make_program(maya, "Other")
    ProgramLimit.objects.create(user=chen, program=program)
    assert_same(call("GET", QUEUE, by=chen).json(), payload("queue_empty"))


def test_the_queue_asks_for_a_program(call, ladder, payload, chen):
    answer = call("GET", "/v3/tiers/approvals", by=chen)
    assert answer.status_code == 500
    assert_same(answer.json(), payload("refusal_500"))
    answer = call("GET", "/v3/tiers/approvals?programId=x", by=chen)
    assert_same(answer.json(), payload("refusal_400"))


def test_retirements_are_in_no_queue(call, ladder, maya, chen):
    silver = factories.live_tier(ladder, "Silver").tier
    lifecycle.submit(drafting.retire(silver, by=maya), by=maya)
    assert ids(call("GET", QUEUE, by=chen)) == []


# Deciding


def test_an_approved_record_is_active(decide, call, pending, payload, maya, chen, aude):
    answer = decide(pending, APPROVE, chen)
    assert answer.status_code == 200
    pending.refresh_from_db()
    expected = payload(
        "record_active",
        object=pending.object_id,
        slab=pending.tier.slab_id,
        maya=str(maya.pk),
        chen=str(chen.pk),
    )
    assert_same(answer.json(), expected)
    (live,) = call("GET", f"/v3/tiers/{pending.tier.slab_id}", by=aude).json()["data"]
    assert (live["status"], live["objectId"]) == ("LIVE", pending.object_id)
    assert live["tierStartDate"] == "2026-03-03T09:30:00Z"


def test_an_approved_edit_takes_the_place_of_what_was_live(
    call, decide, ladder, maya, chen, aude
):
    slab = slab_of(ladder, "Silver")
    edit = call("PUT", f"/v3/tiers/{slab}", EDIT, by=maya).json()["data"]
    call("POST", f"/v3/tiers/{edit['objectId']}/submit", by=maya)
    version = TierVersion.objects.get(object_id=edit["objectId"])
    record = decide(version, APPROVE, chen).json()["data"]
    assert record["version"] == 2
    assert record["parentId"] == edit["parentId"]
    (live,) = call("GET", f"/v3/tiers/{slab}", by=aude).json()["data"]
    assert live["objectId"] == edit["objectId"]
    # The first publication, not this one.
    assert live["tierStartDate"] == "2020-01-01T00:00:00Z"


def test_a_rejected_record_says_why(decide, call, pending, payload, maya, chen, aude):
    answer = decide(pending, REJECT, chen)
    assert answer.status_code == 200
    expected = payload(
        "record_rejected",
        object=pending.object_id,
        maya=str(maya.pk),
        chen=str(chen.pk),
    )
    assert_same(answer.json(), expected)
    (entry,) = call("GET", "/v3/tiers/ut-7-004", by=aude).json()["data"]
    assert entry["rejectionComment"] == "Too steep for March."
    edit = {"eligibility": {"threshold": 1500}}
    edited = call("PUT", f"/v3/tiers/{pending.object_id}", edit, by=maya)
    assert edited.json()["data"]["status"] == "DRAFT"
    answer = call("POST", f"/v3/tiers/{pending.object_id}/submit", by=maya)
    assert answer.json()["data"]["status"] == "PENDING_APPROVAL"


@pytest.mark.parametrize("comment", [None, "", "   ", "\n"])
def test_a_rejection_without_a_comment_says_so(comment, decide, pending, chen):
    answer = decide(pending, REJECT | {"comment": comment}, chen)
    assert answer.json()["data"]["meta"]["rejectionComment"] == "No reason given."


def test_a_comment_may_be_long(decide, pending, chen):
    comment = "Why? " * 10_000
    answer = decide(pending, REJECT | {"comment": comment}, chen)
    assert answer.json()["data"]["meta"]["rejectionComment"] == comment.strip()


def test_what_goes_live_later_reads_as_pending(
    call, decide, draft, payload, maya, chen
):
    lifecycle.submit([draft], by=maya, at=MONDAY, go_live_at=NEXT_CENTURY)
    answer = decide(draft, APPROVE, chen)
    expected = payload(
        "record_scheduled", object=draft.object_id, maya=str(maya.pk), chen=str(chen.pk)
    )
    assert_same(answer.json(), expected)
    # There is nothing left to decide.
    assert ids(call("GET", QUEUE, by=chen)) == []
    assert code_of(decide(draft, APPROVE, chen)) == (409, 999999)


@pytest.mark.parametrize("body", [APPROVE, REJECT])
def test_a_second_decision_is_told_of_the_first(body, decide, pending, payload, chen):
    decide(pending, APPROVE, chen)
    answer = decide(pending, body, factories.make_reviewer("cleo"))
    assert answer.status_code == 409
    message = "chen approved this change on 03 March 2026 at 09:30."
    assert_same(answer.json(), payload("refusal_999999", message=message))
    assert Decision.objects.filter(change_set=pending.change_set).count() == 1


@pytest.mark.parametrize("body", [APPROVE, REJECT])
def test_a_draft_is_not_decided_on(body, decide, draft, chen):
    answer = decide(draft, body, chen)
    assert code_of(answer) == (409, 999999)
    assert message_of(answer) == "Cannot decide on Jade version 1: it is draft."


def test_what_waits_with_others_is_decided_on_with_them(
    call, decide, draft, payload, ladder, maya, chen
):
    gold = factories.live_tier(ladder, "Gold")
    other = lifecycle.draft_change(gold, by=maya, changes={"threshold": 1200})
    change_set = lifecycle.submit([draft, other], by=maya)
    message = (
        f"Jade waits in Change set {change_set.pk} together with Gold: they are "
        "decided on as one, in the admin."
    )
    for body in (APPROVE, REJECT):
        answer = decide(draft, body, chen)
        assert answer.status_code == 409
        assert_same(answer.json(), payload("refusal_999999", message=message))
    # Both can be seen to wait.
    waiting = set(ids(call("GET", QUEUE, by=chen)))
    assert waiting == {draft.object_id, other.object_id}


def test_a_failed_publication_is_approved_anew(decide, call, ladder, draft, maya, chen):
    due = datetime(2026, 3, 5, tzinfo=UTC)
    change_set = lifecycle.submit([draft], by=maya, at=MONDAY, go_live_at=due)
    factories.approve(change_set, chen, at=TUESDAY)
    rival = drafting.add_tier(ladder, by=maya, name="Onyx", threshold=2000)
    factories.approve(lifecycle.submit([rival], by=maya), chen)
    assert not lifecycle.go_live(change_set, at=due)
    # Nothing has changed: it fails again, and stays as it is.
    assert code_of(decide(draft, APPROVE, chen)) == (400, 400)
    assert code_of(decide(draft, REJECT, chen)) == (409, 999999)
    edit = lifecycle.draft_change(
        factories.live_tier(ladder, "Onyx"), by=maya, changes={"threshold": 3000}
    )
    factories.approve(lifecycle.submit([edit], by=maya), chen)
    assert decide(draft, APPROVE, chen).json()["data"]["status"] == "ACTIVE"


# Who may


def test_a_manager_may_not_review(decide, call, pending, payload, maya, aude):
    for by in (maya, aude):
        for answer in (decide(pending, APPROVE, by), call("GET", QUEUE, by=by)):
            assert answer.status_code == 403
            assert_same(answer.json(), payload("refusal_4000"))


def test_nobody_approves_what_they_worked_on(call, decide, draft, maya):
    both = factories.make_user("both", "Loyalty managers", "Reviewers")
    call("PUT", f"/v3/tiers/{draft.object_id}", {"name": "Jade 2"}, by=both)
    call("POST", f"/v3/tiers/{draft.object_id}/submit", by=maya)
    answer = decide(draft, APPROVE, both)
    assert code_of(answer) == (403, 4000)
    assert message_of(answer) == (
        "both worked on this change, so somebody else has to approve it."
    )
    boss = factories.make_user("boss", is_superuser=True)
    assert decide(draft, APPROVE, boss).status_code == 200


def test_a_superuser_does_not_approve_their_own_either(call, decide, ladder):
    boss = factories.make_user("boss", is_superuser=True)
    made = call("POST", "/v3/tiers", JADE, by=boss).json()["data"]
    call("POST", f"/v3/tiers/{made['objectId']}/submit", by=boss)
    version = TierVersion.objects.get(object_id=made["objectId"])
    assert code_of(decide(version, APPROVE, boss)) == (403, 4000)


def test_a_reviewer_of_other_programs_finds_nothing(decide, pending, maya, chen):
    ProgramLimit.objects.create(
        user=chen, program=factories.make_program(maya, "Other")
    )
    assert code_of(decide(pending, APPROVE, chen)) == (404, 9056)


@pytest.mark.parametrize("name", ["ut-7-004", "{slab}", "f" * 24])
def test_other_ids_are_not_found(name, call, pending, ladder, chen):
    name = name.format(slab=slab_of(ladder, "Silver"))
    answer = call("POST", f"/v3/tiers/{name}/approve", APPROVE, by=chen)
    assert code_of(answer) == (404, 9056)
