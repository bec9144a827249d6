"""Programs and rewards over HTTP, in whole documents."""

import pytest

from approvals.models import AuditEvent
from loyalty import members
from loyalty.models import Program, ProgramLimit, ProgramVersion
from tests import factories
from tests.tiers.api.brevo.conftest import (
    CLUB,
    NOBODYS,
    expect,
    make_key,
    refused,
    violations,
)
from tests.tiers.api.brevo.test_tiers import OFFERS

PROGRAMS = "/loyalty/config/programs"
ONE = f"{PROGRAMS}/{CLUB}"
BOOKS = {"name": "Book Circle", "description": "For readers.", "meta": {"owner": "Ada"}}
REWARDS = OFFERS.replace("offers", "rewards")

pytestmark = pytest.mark.usefixtures("club")


def names(response):
    assert response.status_code == 200, response.content
    return [item["name"] for item in response.json()["items"]]


# Reading


def test_programs(call):
    expect(call("GET", PROGRAMS), 200, "programs")
    expect(call("GET", f"{PROGRAMS}/"), 200, "programs")
    expect(call("GET", ONE), 200, "program")


def test_a_list_is_sorted_and_cut(call, frozen):
    for name in ("Alpha", "Omega"):
        assert call("POST", PROGRAMS, {"name": name}).status_code == 200
    club = "Corner Shop Club"
    for query, expected in {
        "": ["Omega", "Alpha", club],
        "?sort=asc": [club, "Alpha", "Omega"],
        "?sort_field=name&sort=asc": ["Alpha", club, "Omega"],
        "?sort_field=name": ["Omega", club, "Alpha"],
        "?limit=1": ["Omega"],
        "?limit=1&offset=1": ["Alpha"],
        "?offset=9": [],
        "?limit=2&something=else": ["Omega", "Alpha"],
    }.items():
        assert names(call("GET", f"{PROGRAMS}{query}")) == expected, query
    frozen.shift(60)
    call("PATCH", ONE, {"description": "Newer."})
    listed = call("GET", f"{PROGRAMS}?sort_field=updated_at&limit=1")
    assert names(listed) == [club]


def test_a_list_costs_the_same_for_one_program_as_for_many(
    call, maya, django_assert_num_queries
):
    # the key with its owner, the permission, the programs
    call("GET", PROGRAMS)
    with django_assert_num_queries(3):
        call("GET", PROGRAMS)
    for number in range(5):
        factories.make_program(maya, name=f"Program {number}")
    with django_assert_num_queries(3):
        assert len(call("GET", PROGRAMS).json()["items"]) == 6


@pytest.mark.parametrize("field", ["nonsense", "createdAt", ""])
def test_a_field_to_sort_by_that_is_none_is_a_bad_request(call, field):
    expect(call("GET", f"{PROGRAMS}?sort_field={field}"), 400, "refusal_400_sort")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("limit=9999", "limit"),
        ("offset=-1", "offset"),
        ("sort=up", "sort"),
    ],
)
def test_other_parameters_that_break_a_rule(call, query, field):
    assert set(violations(call("GET", f"{PROGRAMS}?{query}"))) == {field}


# Writing


def test_a_program_is_made_without_reviewers(call, frozen):
    made = call("POST", PROGRAMS, BOOKS | {"documentId": "ignored", "state": "active"})
    pid = made.json()["id"]
    expect(made, 200, "program_created", id=pid)
    expect(call("GET", f"{PROGRAMS}/{pid}"), 200, "program_created", id=pid)
    version = ProgramVersion.objects.live().get(program__uuid=pid)
    assert (version.approval_required, version.time_zone) == (False, "UTC")
    assert version.tier_name_rule == ProgramVersion.NameRule.NONE
    assert version.program.source == Program.Source.BREVO


def test_a_program_is_changed_at_once(call, frozen):
    sent = {"name": "Village Shop Club"}
    expect(call("PUT", ONE, sent), 200, "program_updated")
    expect(call("GET", ONE), 200, "program_updated")
    patched = call("PATCH", ONE, {"description": "Points for every purchase."}).json()
    assert patched["name"] == "Village Shop Club"
    assert patched["description"] == "Points for every purchase."
    versions = ProgramVersion.objects.filter(program__uuid=CLUB)
    count = versions.count()
    call("PATCH", ONE, {"description": "Points for every purchase.", "name": None})
    assert versions.count() == count


def test_names_of_programs_are_their_own(call, maya):
    taken = {"name": " Corner Shop Club "}
    expect(call("POST", PROGRAMS, taken), 409, "refusal_409_program")
    made = call("POST", PROGRAMS, BOOKS).json()
    for method in ("PUT", "PATCH"):
        answer = call(method, f"{PROGRAMS}/{made['id']}", taken)
        expect(answer, 409, "refusal_409_program")
        expect(
            call(method, ONE, taken | {"description": "Points for every purchase."}),
            200,
            "program",
        )
    # Nobody learns of the names of programs that do not exist for them.
    other = factories.make_program(maya, approval_required=False, name="Other")
    limited = make_key(maya, program=other)
    answer = call("PATCH", f"{PROGRAMS}/{other.uuid}", taken, token=limited)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "name"),
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a" * 129}, "name"),
        ({"name": 5}, "name"),
        ({"name": "A", "description": "a" * 257}, "description"),
        ({"name": "A", "meta": []}, "meta"),
        ({"name": "A", "meta": {"deep": [[[[[[[[1]]]]]]]]}}, "meta"),
    ],
)
def test_what_breaks_a_rule(call, sent, field):
    for method, address in (("POST", PROGRAMS), ("PUT", ONE)):
        answer = call(method, address, sent)
        if field == "meta" and isinstance(sent["meta"], dict):
            refused(answer, 422, "bad_request")
        else:
            assert set(violations(answer)) == {field}
    expect(call("GET", PROGRAMS), 200, "programs")


def test_where_changes_are_approved_a_program_is_changed_in_the_admin(call, program):
    address = f"{PROGRAMS}/{program.uuid}"
    for method in ("PUT", "PATCH"):
        answer = call(method, address, {"name": "Renamed"})
        assert "admin" in refused(answer, 422, "approval_required")["message"]
    refused(call("DELETE", address), 422, "approval_required")
    assert call("GET", address).json()["name"] == "Gemstone Rewards"


# Who may


def test_a_key_of_one_program_makes_none(call, club, maya):
    limited = make_key(maya, program=club)
    refused(call("POST", PROGRAMS, BOOKS, token=limited), 403, "permission_denied")
    ProgramLimit.objects.create(user=maya, program=club)
    refused(call("POST", PROGRAMS, BOOKS), 403, "permission_denied")
    assert Program.objects.count() == 1


@pytest.mark.parametrize("scopes", [["read"], ["drafts"], ["read", "points"]])
def test_programs_are_made_and_changed_by_keys_that_publish(call, maya, scopes):
    token = make_key(maya, *scopes)
    for method, address in (
        ("POST", PROGRAMS),
        ("PUT", ONE),
        ("PATCH", ONE),
        ("DELETE", ONE),
    ):
        answer = call(method, address, BOOKS, token=token)
        refused(answer, 403, "permission_denied")
    expect(call("GET", PROGRAMS), 200, "programs")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "POST"])
def test_a_program_that_is_none(call, maya, method):
    for pid in (NOBODYS, "x"):
        address = f"{PROGRAMS}/{pid}" + ("/publish" if method == "POST" else "")
        answer = call(method, address, BOOKS)
        if pid == NOBODYS:
            expect(answer, 404, "refusal_404_program")
        else:
            expect(answer, 422, "refusal_path")
        expect(call(method, address, BOOKS, token="x"), 401, "refusal_401")


# Deleting


def test_a_program_that_was_deleted_exists_for_nobody(call, club, maya):
    deleted = call("DELETE", ONE)
    assert (deleted.status_code, deleted.content) == (204, b"")
    expect(call("GET", ONE), 404, "refusal_404_program")
    expect(call("DELETE", ONE), 404, "refusal_404_program")
    expect(call("GET", PROGRAMS), 200, "none")
    assert not Program.objects.visible_to(maya).exists()
    club.refresh_from_db()
    assert (club.tiers_status, bool(club.discarded_at)) == ("DISABLED", True)
    assert AuditEvent.objects.filter(verb="discard_program", object_id=club.pk).exists()
    # Its name is free again.
    assert call("POST", PROGRAMS, {"name": "Corner Shop Club"}).status_code == 200


def test_a_program_that_people_take_part_in_is_not_deleted(call, club, maya):
    member = factories.make_member(club)
    answer = refused(call("DELETE", ONE), 422, "unprocessable_entity")
    assert answer["message"].startswith("1 person takes part")
    expect(call("GET", ONE), 200, "program")
    members.leave(member, by=maya, reason="She asked us to.")
    assert call("DELETE", ONE).status_code == 204


# Rewards


def test_rewards(call, frozen):
    sent = {"name": "Free coffee", "publicName": "A coffee on us", "x": 1}
    made = call("POST", OFFERS, sent)
    rid = made.json()["id"]
    expect(made, 200, "reward_created", id=rid)
    expect(call("GET", f"{REWARDS}/{rid}?version=draft"), 200, "reward_created", id=rid)
    call("POST", OFFERS, {"name": "Cake"})
    listed = call("GET", f"{OFFERS}?limit=1&offset=1").json()
    assert [reward["name"] for reward in listed["items"]] == ["Cake"]
    assert listed["totalCount"] == 2
    expect(call("GET", f"{REWARDS}/{NOBODYS}"), 404, "refusal_404_reward")
    expect(call("POST", OFFERS, {}), 422, "refusal_missing")


def test_rewards_cost_the_same_for_one_as_for_many(
    call, club, maya, django_assert_num_queries
):
    # the key with its owner, the permission, the program, the rewards, their number
    call("POST", OFFERS, {"name": "Coffee"})
    call("GET", OFFERS)
    with django_assert_num_queries(5):
        call("GET", OFFERS)
    for _ in range(5):
        call("POST", OFFERS, {"name": "Cake"})
    with django_assert_num_queries(5):
        assert call("GET", OFFERS).json()["totalCount"] == 6
