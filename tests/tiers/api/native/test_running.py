"""Tiers of members over our own voice: held, changed, counted, given by hand, judged."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals.models import AuditEvent
from loyalty import members, programs
from loyalty.models import Member
from loyalty.models.programs import ProgramLimit
from tests import factories, scenes
from tests.tiers.api.native.conftest import Call, errors, expect, make_key, refused
from tiers import acts, assignment
from tiers.models import (
    ManualMove,
    Override,
    Run,
    Standing,
    TierAssignment,
    TierSnapshot,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@scenes.kept
def ada(group: Any) -> Member:
    return factories.make_member(group.program, name="Ada")


@pytest.fixture(autouse=True)
def frozen(group: Any) -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def post(call: Call, key: str) -> Call:
    def send(path: str, body: Any = None, by: Any = key, **headers: str) -> Any:
        return call("POST", path, body, by=by, **headers)

    return send


@pytest.fixture
def get(call: Call, key: str) -> Any:
    def read(path: str, by: Any = key) -> Any:
        response = call("GET", path, by=by)
        assert response.status_code == 200, response.content
        return response.json()

    return read


def tier(group: Any, name: str) -> int:
    found: int = factories.live_tier(group, name).tier_id
    return found


# Standings


def test_where_members_stand_is_listed(call, key, group, ada):
    factories.earn(ada, 700)
    silver = tier(group, "Silver")
    expect(
        call("GET", f"standings?member={ada.pk}", by=key),
        200,
        "standings",
        id=Standing.objects.get(member=ada).pk,
        member=ada.pk,
        program=ada.program_id,
        group=group.pk,
        silver=silver,
    )


def test_while_tiers_are_paused_everybody_reads_as_base(get, group, ada, maya):
    factories.earn(ada, 700)
    programs.switch_tiers(group.program, "pause", by=maya, reason="A mistake.")
    [row] = get(f"standings?tier={tier(group, 'Silver')}")["results"]
    assert row["tier"] == tier(group, "Silver")
    assert row["shown_tier"] == tier(group, "Bronze")


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("drops_until=2028-01-01T00:00:00Z", 1),
        ("drops_from=2028-01-01T00:00:00Z", 0),
        ("without_tier=true", 0),
        ("without_tier=false", 2),
        ("since_from=2026-03-01T00:00:00Z", 1),
        ("group=99999", 0),
        ("program=99999", 0),
    ],
)
def test_standings_are_filtered(get, group, ada, query, number):
    factories.earn(ada, 700)
    factories.earn(factories.make_member(group.program), 1)
    assert len(get(f"standings?{query}")["results"]) == number


# History


def test_history_is_as_known_now_or_as_known_then(get, frozen, group, ada):
    factories.earn(ada, 600)
    frozen.shift(10 * DAY)
    # A late line: Silver since a week before the first one.
    factories.earn(ada, 500, occurred_at=NOW - 7 * DAY)
    silver = tier(group, "Silver")
    now = get(f"assignments?member={ada.pk}&tier={silver}")["results"]
    then = get(
        f"assignments?member={ada.pk}&tier={silver}&known_at=2026-03-02T00:00:00Z"
    )["results"]
    assert [row["valid_from"] for row in now] == ["2026-02-22T09:30:00Z"]
    assert [row["valid_from"] for row in then] == ["2026-03-01T09:30:00Z"]
    assert then[0]["superseded_at"] == "2026-03-11T09:30:00Z"
    ever = get(f"assignments?member={ada.pk}&known=ever")["results"]
    assert len(ever) == TierAssignment.objects.filter(member=ada).count()
    held = get(f"assignments?member={ada.pk}&valid_at=2026-02-25T00:00:00Z")["results"]
    assert [row["tier_name"] for row in held] == ["Silver"]
    assert held[0]["amount"] == 500


# The feed


def test_changes_are_read_once_and_in_order(call, key, get, group, ada):
    factories.earn(ada, 700)
    first = expect(
        call("GET", "tier-changes", by=key),
        200,
        "tier_changes",
        position=1,
        member=ada.pk,
        group=group.pk,
        silver=tier(group, "Silver"),
    )
    assert get(f"tier-changes?after={first['after']}")["results"] == []
    bob = factories.make_member(group.program)
    factories.earn(bob, 1000)
    factories.earn(ada, 700)
    second = get(f"tier-changes?after={first['after']}&limit=1")
    assert ([r["member"] for r in second["results"]], second["goes_on"]) == (
        [bob.pk],
        True,
    )
    third = get(f"tier-changes?after={second['after']}&limit=1&kind=UPGRADED")
    assert ([r["member"] for r in third["results"]], third["goes_on"]) == (
        [ada.pk],
        False,
    )
    assert third["after"] == 3


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("after=-1", {"after": "out_of_range"}),
        ("after=01", {"after": "invalid_integer"}),
        ("after=99999999999999999999", {"after": "invalid_integer"}),
        ("limit=0", {"limit": "invalid_limit"}),
        ("limit=1001", {"limit": "invalid_limit"}),
        ("kind=GONE", {"kind": "invalid_choice"}),
        ("cursor=x", {"cursor": "unknown_filter"}),
        ("after=1&after=2", {"after": "repeated_parameter"}),
    ],
)
def test_who_polls_is_read_strictly(call, key, query, wrong):
    assert errors(call("GET", f"tier-changes?{query}", by=key)) == wrong


def test_another_programs_changes_are_not_read(get, group, ada, maya):
    factories.earn(ada, 700)
    other = factories.make_program(maya, "Other")
    limited = make_key(maya, program=other)
    for path in ("tier-changes", "standings", "assignments", "moves", "runs"):
        assert get(path, by=limited)["results"] == []


# Counts


def test_counts_are_read_by_day_and_now(get, frozen, group, ada):
    factories.earn(ada, 700)
    assignment.tick(as_of=NOW)
    frozen.shift(DAY)
    assignment.tick(as_of=NOW + DAY)
    silver = tier(group, "Silver")
    days = get(f"tier-counts?tier={silver}&ordering=-day")["results"]
    assert [(row["day"], row["customers"]) for row in days] == [
        ("2026-03-02", 1),
        ("2026-03-01", 0),
    ]
    assert get("tier-counts?day_from=2026-03-02")["results"] != []
    assert get("tier-counts?day_until=2026-03-01")["results"] == []
    now = get(f"tier-counts/now?program={ada.program_id}")["results"]
    assert [(row["name"], row["customers"]) for row in now] == [
        ("Bronze", 0),
        ("Silver", 1),
        ("Gold", 0),
    ]
    assert TierSnapshot.objects.exists()


def test_counts_now_are_of_a_program(call, key, get):
    assert errors(call("GET", "tier-counts/now", by=key)) == {"program": "required"}
    wrong = call("GET", "tier-counts/now?program=x", by=key)
    assert errors(wrong) == {"program": "invalid_integer"}
    assert get("tier-counts/now?program=99999")["results"] == []


# By hand


def test_a_member_is_moved(post, get, group, ada):
    gold = tier(group, "Gold")
    body = {"member": ada.pk, "tier": gold, "reason": "A guest of honour."}
    response = post("moves", body)
    assert response.status_code == 201, response.content
    assert response.headers["Location"] == f"/api/v1/moves/{response.json()['id']}"
    assert Standing.objects.get(member=ada).tier_id == gold
    refused(post("moves", body), 409, "already_in_tier")
    [row] = get(f"moves?member={ada.pk}")["results"]
    assert (row, row["made_by"]) == (response.json(), row["made_by"])
    assert get(f"moves/{row['id']}") == row


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"tier": 10**9}, {"/tier": "not_found"}),
        ({"member": 10**9}, {"/member": "not_found"}),
        ({"tier": None}, {"/tier": "null"}),
        ({"reason": ""}, {"/reason": "blank"}),
        ({"reason": "x" * 256}, {"/reason": "max_length"}),
        ({"why": "?"}, {"/why": "unknown_field"}),
    ],
)
def test_acts_are_read_strictly(post, get, group, ada, changes, wrong):
    body = {"member": ada.pk, "tier": tier(group, "Gold"), "reason": "Why not."}
    assert errors(post("moves", body | changes)) == wrong
    assert not ManualMove.objects.exists()
    assert get("moves")["results"] == []


def test_an_override_is_set_and_ended(post, get, frozen, group, ada):
    body = {
        "member": ada.pk,
        "tier": tier(group, "Gold"),
        "bound": "FLOOR",
        "until": "2027-03-01T00:00:00Z",
        "reason": "From a competitor.",
    }
    past = body | {"until": "2026-01-01T00:00:00Z"}
    refused(post("overrides", past), 400, "end_in_past")
    made = post("overrides", body, Idempotency_Key="k")
    assert post("overrides", body, Idempotency_Key="k").content == made.content
    assert Override.objects.count() == 1
    refused(post("overrides", body), 409, "override_in_force")
    assert len(get("overrides?in_force_at=2026-06-01T00:00:00Z")["results"]) == 1
    frozen.shift(DAY)
    path = f"overrides/{made.json()['id']}"
    ended = post(f"{path}/end", {"reason": "Over."}).json()
    assert (ended["ended_at"], ended["end_reason"]) == ("2026-03-02T09:30:00Z", "Over.")
    refused(post(f"{path}/end", {"reason": "Over."}), 409, "override_over")
    assert Standing.objects.get(member=ada).tier_id == tier(group, "Bronze")


def test_an_evaluation_is_ordered_of_one_or_of_everybody(post, get, group, ada):
    one = {"group": group.pk, "member": ada.pk, "reason": "A complaint."}
    assert post("evaluations", one).json()["member"] == ada.pk
    everybody = post("evaluations", {"group": group.pk, "reason": "A mistake."})
    assert (everybody.status_code, everybody.json()["member"]) == (201, None)
    assert len(get("evaluations")["results"]) == 2
    wrong = post("evaluations", one | {"group": 10**9})
    assert errors(wrong) == {"/group": "not_found"}


def test_only_who_may_move_members_does(post, group, ada, aude, maya):
    body = {"member": ada.pk, "tier": tier(group, "Gold"), "reason": "Why not."}
    refused(post("moves", body, by=aude), 403, "permission_denied")
    reader = make_key(maya, "read", "drafts", "publish")
    refused(post("moves", body, by=reader), 403, "insufficient_scope")


# Runs and the record


def test_recalculating_now_is_put_on_record(post, get, group, ada, program, aude):
    members_marked = Member.objects.marked().count()
    assert members_marked
    body = {"program": program.pk, "reason": "Before the campaign."}
    response = post("runs", body)
    assert response.status_code == 200, response.content
    assert response.json()["is_complete"] is True
    assert response.json()["members"] == members_marked
    assert not Member.objects.marked().exists()
    [run] = get(f"runs?program={program.pk}&kind=RECALCULATE")["results"]
    assert (run["state"], run["percent"], run["members"]) == (
        "FINISHED",
        100,
        members_marked,
    )
    assert get(f"runs/{run['id']}") == run
    assert get("runs?state=RUNNING")["results"] == []
    [event] = get("audit-events?verb=recalculate", by=aude)["results"]
    assert event["reason"] == "Before the campaign."
    assert event["sentence"].endswith("Gemstone Rewards.")
    assert Run.objects.filter(kind="RECALCULATE").count() == 1


def test_a_run_needs_the_right_to_operate(post, program, aude, maya):
    body = {"program": program.pk, "reason": "Why not."}
    refused(post("runs", body, by=aude), 403, "permission_denied")
    poster = make_key(maya, "read", "points")
    refused(post("runs", body, by=poster), 403, "insufficient_scope")
    assert errors(post("runs", {"program": program.pk})) == {"/reason": "required"}


def test_the_record_of_who_did_what_is_for_people(call, key, program):
    refused(call("GET", "audit-events", by=key), 403, "insufficient_scope")


def test_the_record_of_other_programs_is_not_shown(get, program, ada, maya, aude):
    other = factories.make_program(maya, "Other")
    members.leave(ada, by=maya)
    AuditEvent.objects.create(
        actor=None,
        actor_name="The scheduler",
        verb="add_person",
        kind="person",
        object_id=1,
        label="Somebody",
        created_at=NOW,
    )
    everything = get("audit-events?ordering=-id", by=aude)["results"]
    assert {row["program"] for row in everything} == {program.pk, other.pk, None}
    left = get(f"audit-events?kind=member&object_id={ada.pk}", by=aude)["results"]
    assert [row["verb"] for row in left] == ["leave"]
    ProgramLimit.objects.create(user=aude, program=other)
    limited = get("audit-events", by=aude)["results"]
    assert {row["program"] for row in limited} == {other.pk}


LISTS = {
    # the key, the permission, the page
    "standings": 3,
    "assignments": 3,
    "moves": 3,
    "overrides": 3,
    "evaluations": 3,
    "tier-counts": 3,
    "runs": 3,
    "audit-events": 3,
    # and what is new
    "tier-changes": 4,
}


@pytest.mark.parametrize("path", LISTS)
def test_lists_ask_as_much_for_many_as_for_few(get, key, group, aude, maya, path):
    # What is on record is for people; their password is looked at in one query too.
    by = aude if path == "audit-events" else key

    def more(number: int) -> None:
        for _ in range(number):
            member = factories.make_member(group.program)
            factories.earn(member, 700)
            gold = factories.live_tier(group, "Gold").tier
            acts.move(member, gold, by=maya, reason="Why not.")
            acts.override(member, gold, bound="PIN", by=maya, reason="Why not.")
            acts.order_evaluation(member, group, by=maya, reason="Why not.")
        assignment.recalculate(group.program, as_of=NOW, by=maya)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            get(path, by=by)
        return len(asked)

    more(1)
    get(path, by=by)
    few = queries()
    more(6)
    get(path, by=by)
    assert few == queries() == LISTS[path]
