"""Drafts are handed in and settled, by whoever may, on what they read."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from approvals import lifecycle
from approvals.models import ChangeSet, Decision
from approvals.transitions import TRANSITIONS
from tests import factories
from tests.tiers.api.native.conftest import (
    errors,
    expect,
    make_key,
    payload,
    refused,
    without_id,
)
from tests.tiers.api.native.test_things import tier_of, written
from tiers import drafting
from tiers.api.native.urls import router
from tiers.models import TierVersion


def named(*versions: Any, **body: Any) -> dict[str, Any]:
    """Name drafts of tiers in a body."""
    references = [
        {"kind": "tier", "id": version.pk, "revision": version.revision}
        for version in versions
    ]
    return {"versions": references, **body}


@pytest.fixture
def submitted(call, key, draft):
    """Maya's draft of Gold, handed in with a key."""
    answer = call("POST", "change-sets", named(draft, note="Raised."), by=key)
    assert answer.status_code == 201, answer.content
    return answer


# Every verb


def test_every_verb_of_a_person_has_an_endpoint():
    verbs = {
        getattr(view, action).verb
        for _prefix, view, _name in router.registry
        for action in getattr(view, "asks", {})
        if hasattr(getattr(view, action), "verb")
    }
    people = {v for v, t in TRANSITIONS.items() if t.role != "scheduler"}
    assert verbs >= people


def test_each_kind_of_thing_can_be_drafted_revised_and_discarded():
    registry: list[Any] = router.registry
    for prefix in ("programs", "balance-definitions", "tier-groups", "tiers"):
        (view,) = [view for name, view, _ in registry if name == prefix]
        verbs = {getattr(getattr(view, action), "verb", "") for action in view.asks}
        assert {"draft", "revise", "discard"} <= verbs


# The story, in whole documents


def test_a_change_is_handed_in_and_approved(call, draft, submitted, chen, maya):
    change_set = ChangeSet.objects.get(pk=submitted.json()["id"])
    item = change_set.items.get()
    values = {
        "change_set": change_set.pk,
        "program": change_set.program_id,
        "submitted": written(change_set.created_at),
        "fingerprint": change_set.fingerprint,
        "draft": draft.pk,
        "live": draft.based_on_id,
        "hash": item.content_hash,
    }
    expect(submitted, 201, "change_set_submitted", **values)
    path = f"change-sets/{change_set.pk}"
    assert submitted.headers["Location"] == f"/api/v1/{path}"
    assert call("GET", path, by=chen).json() == submitted.json()
    listed = call("GET", "change-sets?state=WAITING", by=chen).json()["results"]
    assert listed == [without(submitted.json(), "fresh_fingerprint")]
    said = {"fingerprint": change_set.fingerprint}
    other = call("POST", f"{path}/approve", {"fingerprint": "x" * 64}, by=chen)
    assert without_id(other) == payload("refusal_409_content_changed")
    assert TierVersion.objects.get(pk=draft.pk).status == "PENDING_APPROVAL"
    mine = call("POST", f"{path}/approve", said, by=maya)
    assert without_id(mine) == payload("refusal_403")
    done = call("POST", f"{path}/approve", said, by=chen)
    decision = Decision.objects.get(change_set=change_set)
    values["decided"] = written(decision.decided_at)
    expect(done, 200, "change_set_approved", **values)
    # The same person, the same decision: the same answer.
    assert call("POST", f"{path}/approve", said, by=chen).json() == done.json()
    late = call("POST", f"{path}/reject", {**said, "comment": "No."}, by=chen)
    sentence = late.json()["detail"]
    assert sentence.startswith("chen approved this change on ")
    assert without_id(late) == payload(
        "refusal_409_already_decided", decided=values["decided"], sentence=sentence
    )
    assert late.status_code == 409


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


def test_a_reviewer_may_name_the_etag_of_what_they_read(call, submitted, chen):
    path = f"change-sets/{submitted.json()['id']}"
    seen = call("GET", path, by=chen).headers["ETag"]
    refused(call("POST", f"{path}/approve", by=chen), 428, "precondition_required")
    other = call("POST", f"{path}/approve", by=chen, If_Match='"x"')
    refused(other, 412, "precondition_failed")
    # Both are held to, where both are sent.
    both = call("POST", f"{path}/approve", {"fingerprint": "x"}, by=chen, If_Match=seen)
    refused(both, 409, "content_changed")
    done = call("POST", f"{path}/approve", by=chen, If_Match=seen)
    assert (done.status_code, done.json()["state"]) == (200, "PUBLISHED")


def test_a_rejection_says_why(call, submitted, draft, chen):
    path = f"change-sets/{submitted.json()['id']}/reject"
    said = {"fingerprint": submitted.json()["fingerprint"]}
    assert errors(call("POST", path, said, by=chen)) == {"/comment": "required"}
    for comment in ("", "  ", "\n"):
        answer = call("POST", path, {**said, "comment": comment}, by=chen)
        refused(answer, 400, "reason_required")
    hidden = call("POST", path, {**said, "comment": "\u202eNo."}, by=chen)
    assert errors(hidden) == {"/comment": "invalid_text"}
    done = call("POST", path, {**said, "comment": "Too high."}, by=chen).json()
    assert (done["state"], done["decision"]["comment"]) == ("REJECTED", "Too high.")
    shown = call("GET", f"tiers/{draft.tier_id}/draft", by=chen).json()
    assert (shown["status"], shown["rejection_comment"]) == ("REJECTED", "Too high.")


def test_nobody_approves_what_their_key_drafted(call, chen, group, maya):
    """Chen may do both: what a key of theirs handed in is theirs."""
    chen.groups.set([*chen.groups.all(), *maya.groups.all()])
    key = make_key(chen)
    silver = tier_of(group, "Silver")
    drafted = call("POST", f"tiers/{silver}/draft", {"note": "x"}, by=key).json()
    body = {"versions": [{"kind": "tier", "id": drafted["id"], "revision": 1}]}
    change_set = call("POST", "change-sets", body, by=key).json()
    said = {"fingerprint": change_set["fingerprint"]}
    path = f"change-sets/{change_set['id']}/approve"
    refused(call("POST", path, said, by=chen), 403, "self_approval")


def test_an_edit_takes_a_submission_back(call, key, submitted, draft, chen):
    path = f"tiers/{draft.tier_id}/draft"
    seen = call("GET", path, by=key).headers["ETag"]
    edit = {"content": {"threshold": "1250"}}
    edited = call("PATCH", path, edit, by=key, If_Match=seen).json()
    assert (edited["status"], edited["change_set"]) == ("DRAFT", None)
    address = f"change-sets/{submitted.json()['id']}"
    said = {"fingerprint": submitted.json()["fingerprint"]}
    late = call("POST", f"{address}/approve", said, by=chen)
    refused(late, 409, "already_decided")
    assert call("GET", address, by=chen).json()["state"] == "TAKEN_BACK"


def test_a_submission_is_withdrawn_by_whoever_worked_on_it(
    call, key, submitted, draft, aude, maya
):
    path = f"change-sets/{submitted.json()['id']}/withdraw"
    stranger = factories.make_maker("mona")
    refused(call("POST", path, by=stranger), 403, "not_allowed")
    odd = call("POST", path, {"why": "x"}, by=key)
    assert errors(odd) == {"/why": "unknown_field"}
    done = call("POST", path, by=key)
    assert (done.status_code, done.json()["state"]) == (200, "TAKEN_BACK")
    assert call("POST", path, by=key).json() == done.json()
    assert TierVersion.objects.get(pk=draft.pk).status == "DRAFT"


# What is handed in


def test_what_is_handed_in_is_what_was_read(call, key, draft, maya):
    lifecycle.revise(draft, by=maya, changes={"threshold": 1300})
    body = {"versions": [{"kind": "tier", "id": draft.pk, "revision": 1}]}
    problem = refused(call("POST", "change-sets", body, by=key), 409, "stale_edit")
    assert problem["details"]["changed_by"] == "maya"
    assert problem["details"]["revision"] == 2
    body["versions"][0]["revision"] = 2
    assert call("POST", "change-sets", body, by=key).status_code == 201


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([], {"/versions": "empty"}),
        ({}, {"/versions": "not_a_list"}),
        ([5], {"/versions/0": "invalid"}),
        ([{"kind": "tier", "id": 1}], {"/versions/0/revision": "required"}),
        (
            [{"kind": "tiers", "id": 1, "revision": 1}],
            {"/versions/0/kind": "invalid_choice"},
        ),
        (
            [{"kind": "tier", "id": "1", "revision": True}],
            {
                "/versions/0/id": "invalid_integer",
                "/versions/0/revision": "invalid_integer",
            },
        ),
        (
            [{"kind": "tier", "id": 99_999, "revision": 1}] * 201,
            {"/versions": "max_length"},
        ),
        (
            [{"kind": "tier", "id": 99_999, "revision": 1}],
            {"/versions/0/id": "not_found"},
        ),
    ],
)
def test_drafts_that_cannot_be_handed_in_are_named(
    versions, expected, call, key, draft
):
    answer = call("POST", "change-sets", {"versions": versions}, by=key)
    assert errors(answer) == expected
    assert not ChangeSet.objects.filter(decision=None).exists()


def test_each_draft_is_named_once(call, key, draft):
    answer = call("POST", "change-sets", named(draft, draft), by=key)
    assert errors(answer) == {
        "/versions/0/id": "repeated",
        "/versions/1/id": "repeated",
    }


def test_what_is_no_draft_is_not_handed_in(call, key, group):
    gold = factories.live_tier(group, "Gold")
    answer = call("POST", "change-sets", named(gold), by=key)
    refused(answer, 409, "invalid_transition")


def test_what_would_break_a_rule_is_refused_with_every_problem(call, key, group, maya):
    same = drafting.add_tier(group, by=maya, name="GOLD", threshold=1000)
    answer = call("POST", "change-sets", named(same), by=key)
    problem = refused(answer, 400, "unsound")
    assert len(problem["details"]["problems"]) == 2
    assert TierVersion.objects.get(pk=same.pk).status == "DRAFT"


def test_versions_of_several_programs_do_not_go_together(call, key, draft, maya, chen):
    other = factories.make_program(maya, "Elsewhere")
    group = factories.make_group(other, by=maya, reviewer=chen)
    theirs = drafting.add_tier(group, by=maya, name="Jade", threshold=5000)
    answer = call("POST", "change-sets", named(draft, theirs), by=key)
    refused(answer, 400, "mixed_programs")


# Later


def test_a_change_waits_for_its_time_and_can_be_called_off(call, key, draft, chen):
    past = timezone.now() - timedelta(hours=1)
    answer = call("POST", "change-sets", named(draft, go_live_at=written(past)), by=key)
    refused(answer, 400, "go_live_in_past")
    later = written(timezone.now() + timedelta(days=1))
    made = call("POST", "change-sets", named(draft, go_live_at=later), by=key).json()
    assert made["go_live_at"] == later
    path = f"change-sets/{made['id']}"
    said = {"fingerprint": made["fingerprint"]}
    waiting = call("POST", f"{path}/approve", said, by=chen).json()
    assert waiting["state"] == "SCHEDULED"
    listed = call("GET", "change-sets?state=SCHEDULED", by=chen).json()["results"]
    assert [each["id"] for each in listed] == [made["id"]]
    empty = call("POST", f"{path}/unschedule", {"comment": " "}, by=key)
    refused(empty, 400, "reason_required")
    off = call("POST", f"{path}/unschedule", {"comment": "Postponed."}, by=key).json()
    assert (off["state"], off["void_reason"]) == ("CALLED_OFF", "Postponed.")
    again = call("GET", "change-sets?state=CALLED_OFF", by=chen).json()["results"]
    assert [each["id"] for each in again] == [made["id"]]


def test_what_could_not_go_live_is_approved_anew(call, key, draft, group, maya, chen):
    later = timezone.now() + timedelta(days=1)
    body = named(draft, go_live_at=written(later))
    made = call("POST", "change-sets", body, by=key).json()
    path = f"change-sets/{made['id']}"
    said = {"fingerprint": made["fingerprint"]}
    call("POST", f"{path}/approve", said, by=chen)
    _overtake(draft, maya)
    with time_machine.travel(later + timedelta(minutes=1), tick=True):
        assert not lifecycle.go_live(
            ChangeSet.objects.get(pk=made["id"]), at=timezone.now()
        )
        failed = call("GET", path, by=chen)
        assert failed.json()["state"] == "PUBLISH_FAILED"
        assert failed.json()["failure"].endswith(".")
        fresh = failed.json()["fresh_fingerprint"]
        assert fresh not in (None, made["fingerprint"])
        refused(call("POST", f"{path}/retry", said, by=chen), 409, "content_changed")
        done = call("POST", f"{path}/retry", {"fingerprint": fresh}, by=chen)
        assert done.status_code == 200, done.content
        assert done.json()["state"] == "PUBLISHED"
        assert done.json()["id"] != made["id"]
        # By its ETag it is too late, and says so.
        late = call("POST", f"{path}/retry", by=chen, If_Match=failed.headers["ETag"])
        refused(late, 412, "precondition_failed")


def _overtake(draft: TierVersion, by: Any) -> None:
    """Let what the draft is based on be replaced by what passed it."""
    live = TierVersion.objects.live().get(tier=draft.tier_id)
    program = live.tier.program
    off = lifecycle.draft_change(
        program.versions.live().get(), by=by, changes={"approval_required": False}
    )
    factories.approve(lifecycle.submit([off], by=by), factories.make_reviewer("rene"))
    direct = lifecycle.draft_change(
        live, by=by, changes={"threshold": 1100}, direct=True
    )
    lifecycle.publish_now([direct], by=by)


# Without a reviewer


def test_drafts_are_published_at_once_where_nobody_has_to_approve(call, maya, chen):
    program = factories.make_program(maya, "Corner Shop", approval_required=False)
    group = factories.make_group(program, by=maya, reviewer=chen)
    jade = drafting.add_tier(group, by=maya, name="Jade", threshold=5000)
    drafts_only = make_key(maya, "read", "drafts")
    path = "change-sets/publish-now"
    refused(call("POST", path, named(jade), by=drafts_only), 403, "insufficient_scope")
    key = make_key(maya)
    done = call("POST", path, named(jade), by=key, Idempotency_Key="jade")
    assert done.status_code == 201, done.content
    assert done.json()["state"] == "PUBLISHED"
    assert done.json()["decision"]["kind"] == "WAIVED"
    assert call("POST", path, named(jade), by=key, Idempotency_Key="jade").json() == (
        done.json()
    )
    refused(call("POST", path, named(jade), by=key), 409, "invalid_transition")


def test_where_approval_is_on_nothing_is_published_at_once(call, key, draft):
    answer = call("POST", "change-sets/publish-now", named(draft), by=key)
    refused(answer, 409, "approval_required")
    assert TierVersion.objects.get(pk=draft.pk).status == "DRAFT"


# Lists


def test_a_reviewer_finds_what_waits_for_them(call, submitted, key, chen, maya):
    def ids(query: str, by: Any) -> list[int]:
        answer = call("GET", f"change-sets?{query}", by=by)
        assert answer.status_code == 200, answer.content
        return [each["id"] for each in answer.json()["results"]]

    pk, program = submitted.json()["id"], submitted.json()["program"]
    assert ids("decidable=true", chen) == [pk]
    assert ids("decidable=true", maya) == []
    assert pk in ids("decidable=false", maya)
    assert ids("state=WAITING&created_by=maya", chen) == [pk]
    assert ids("created_by=chen", chen) == []
    assert ids(f"program={program}&search=Gold&state=WAITING", chen) == [pk]
    assert ids("search=raised", chen) == [pk]
    assert ids("search=nonesuch", chen) == []
    assert ids("state=PUBLISHED&ordering=id", chen) == sorted(
        ids("state=PUBLISHED", chen)
    )
    # Found once, however many of its items hold the word.
    assert len(ids("search=r", chen)) == len(set(ids("search=r", chen)))


def test_the_states_in_lists_are_those_of_their_documents(
    call, key, submitted, draft, chen, maya
):
    said = {"comment": "No.", "fingerprint": submitted.json()["fingerprint"]}
    call("POST", f"change-sets/{submitted.json()['id']}/reject", said, by=chen)
    seen = {}
    for change_set in ChangeSet.objects.all():
        shown = call("GET", f"change-sets/{change_set.pk}", by=chen).json()
        seen[change_set.pk] = shown["state"]
    for state in set(seen.values()):
        listed = call("GET", f"change-sets?state={state}", by=chen).json()["results"]
        expected = {pk for pk, of in seen.items() if of == state}
        assert {each["id"] for each in listed} == expected
