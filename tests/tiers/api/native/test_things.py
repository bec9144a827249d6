"""Programs, groups, tiers and balances: read, drafted, retired, rolled back."""

from typing import Any

import pytest
from django.utils import timezone

from approvals import lifecycle
from approvals.models import ChangeSet, ChangeSetItem
from loyalty.models import BalanceDefinition, Program
from tests import factories
from tests.tiers.api.native.conftest import errors, expect, make_key, refused
from tiers import drafting
from tiers.models import Tier, TierGroup, TierVersion


def written(instant: Any) -> str:
    text: str = instant.isoformat()
    return text.replace("+00:00", "Z")


def tier_of(group: Any, name: str) -> int:
    return factories.live_tier(group, name).tier_id


# Whole documents


def test_a_program_is_shown_whole(call, key, program):
    live = program.versions.live().get()
    answer = call("GET", "programs", by=key)
    shown = answer.json()["results"][0]
    expect(
        answer,
        200,
        "programs",
        program=program.pk,
        uuid=str(program.uuid),
        changed=shown["changed_at"],
        version=live.pk,
        object_id=live.object_id,
        change_set=live.change_set_id,
    )
    assert call("GET", f"programs/{program.pk}", by=key).json() == shown


def test_a_group_is_shown_whole(call, key, group):
    live = group.versions.live().get()
    expect(
        call("GET", f"tier-groups/{group.pk}", by=key),
        200,
        "tier_group",
        group=group.pk,
        program=group.program_id,
        uuid=str(group.uuid),
        version=live.pk,
        object_id=live.object_id,
        change_set=live.change_set_id,
    )


def test_a_balance_definition_is_shown_whole(call, key, program):
    balance = program.balance_definitions.get(built_in="PURCHASES")
    live = balance.versions.live().get()
    expect(
        call("GET", f"balance-definitions/{balance.pk}", by=key),
        200,
        "balance_definition",
        balance=balance.pk,
        program=program.pk,
        uuid=str(balance.uuid),
        version=live.pk,
        object_id=live.object_id,
        change_set=live.change_set_id,
    )


def test_a_tier_is_shown_with_what_is_live_and_what_is_drafted(call, key, draft):
    tier = Tier.objects.get(pk=draft.tier_id)
    values = {
        "tier": tier.pk,
        "draft": draft.pk,
        "draft_object_id": draft.object_id,
        "live": draft.based_on_id,
        "made": written(draft.created_at),
    }
    expect(
        call("GET", f"tiers/{tier.pk}", by=key),
        200,
        "tier",
        **values,
        group=tier.group_id,
        program=tier.program_id,
        uuid=str(tier.uuid),
        unique_id=tier.unique_id,
        slab_id=tier.slab_id,
        counted=written(tier.counted_at),
        live_object_id=draft.based_on.object_id,
        change_set=draft.based_on.change_set_id,
    )
    expect(call("GET", f"tiers/{tier.pk}/draft", by=key), 200, "tier_draft", **values)
    one = call("GET", f"tiers/{tier.pk}/versions/2", by=key)
    expect(one, 200, "tier_draft", **values)


def test_a_version_is_compared_with_what_is_live_or_with_another(call, key, draft):
    path = f"tiers/{draft.tier_id}/versions"
    expect(call("GET", f"{path}/2/difference", by=key), 200, "difference")
    back = call("GET", f"{path}/1/difference?to=2", by=key).json()
    assert (back["before"], back["after"]) == (2, 1)
    (line,) = back["changes"]
    assert (line["before"], line["after"]) == ("1200", "1000")
    same = call("GET", f"{path}/1/difference", by=key).json()
    assert same["changes"] == []
    refused(call("GET", f"{path}/1/difference?to=9", by=key), 404, "not_found")
    wrong = call("GET", f"{path}/1/difference?to=x", by=key)
    assert errors(wrong) == {"to": "invalid_integer"}
    new = call("GET", f"tiers/{draft.tier_id}/versions?ordering=-number", by=key)
    assert [v["number"] for v in new.json()["results"]] == [2, 1]


def test_what_breaks_a_rule_is_named_with_its_place(call, key, group):
    body = {"group": group.pk, "content": {"threshold": 5, "foo": 1}}
    expect(call("POST", "tiers", body, by=key), 400, "refusal_400")


# What a read costs


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        # the key with its owner, their permission, the page, its versions
        ("programs", 4),
        ("tier-groups", 4),
        ("tiers", 4),
        ("balance-definitions", 4),
        # the key with its owner, their permission, the page, its items, whose hands
        ("change-sets", 5),
        # the key with its owner, their permission, the tier, the page
        ("tiers/{tier}/versions", 4),
    ],
)
def test_a_list_costs_the_same_for_ten_and_for_a_thousand(
    path, queries, call, key, draft, maya, django_assert_num_queries
):
    address = f"{path.format(tier=draft.tier_id)}?limit=200"
    call("GET", address, by=key)
    with django_assert_num_queries(queries):
        few = call("GET", address, by=key).json()
    crowd(path, draft, by=maya)
    with django_assert_num_queries(queries):
        many = call("GET", address, by=key).json()
    assert len(few["results"]) <= 10 < len(many["results"]) == 200
    assert many["next"]


def crowd(path: str, draft: TierVersion, *, by: Any, count: int = 1000) -> None:
    """Put many more of what a list shows beside what there is."""
    at = timezone.now()
    kept = {"created_at": at, "updated_at": at, "created_by": by, "updated_by": by}
    tier, program = draft.tier, draft.tier.program
    numbers = range(100, 100 + count)
    if path == "change-sets":
        sets = ChangeSet.objects.bulk_create(
            ChangeSet(program_id=program.pk, created_at=at, created_by=by)
            for _ in numbers
        )
        ChangeSetItem.objects.bulk_create(
            ChangeSetItem(
                change_set=change_set,
                kind="tier",
                version_id=draft.pk,
                operation="SET",
                label="Gold",
                content={},
                schema=1,
            )
            for change_set in sets
        )
        return
    if path.endswith("versions"):
        TierVersion.objects.filter(pk=draft.pk).update(status="DELETED")
        for number in numbers[:200]:
            version = TierVersion.objects.create(tier=tier, number=number, **kept)
            TierVersion.objects.filter(pk=version.pk).update(status="DELETED")
        return
    thing = {
        "programs": lambda number: Program(created_at=at),
        "tier-groups": lambda number: TierGroup(program=program, created_at=at),
        "balance-definitions": lambda number: BalanceDefinition(
            program=program, created_at=at
        ),
        "tiers": lambda number: Tier(
            group=tier.group, program=program, number=number, created_at=at
        ),
    }[path]
    things: Any = [thing(number) for number in numbers]
    things = type(things[0]).objects.bulk_create(things)
    versions: Any = type(things[0]).versions.rel.related_model
    versions.objects.bulk_create(
        versions(**{versions.THING: each, "number": 1, "name": "Another", **kept})
        for each in things
    )


# Filters


@pytest.fixture
def found(call, key):
    """Ask for tiers, and return their names."""

    def ask(query: str, by: Any = key) -> list[str]:
        answer = call("GET", f"tiers?{query}", by=by)
        assert answer.status_code == 200, answer.content
        return [
            (tier["live"] or tier["draft"])["content"]["name"]
            for tier in answer.json()["results"]
        ]

    return ask


def test_tiers_are_narrowed_by_what_they_say(found, group, draft, program, maya):
    lifetime = drafting.add_tier(
        group, by=maya, name="Ruby", threshold=700, measure="LIFETIME"
    )
    assert found("") == ["Bronze", "Silver", "Gold", "Ruby"]
    assert found(f"program={program.pk}&group={group.pk}") == found("")
    assert found("program=999") == found("group=999") == []
    assert found("status=LIVE") == ["Bronze", "Silver", "Gold"]
    assert found("status=DRAFT") == ["Gold", "Ruby"]
    assert found("entry=BASE") == ["Bronze"]
    assert found("threshold_min=501") == ["Gold", "Ruby"]
    assert found("threshold_max=700") == ["Silver", "Ruby"]
    # Of one and the same version: the draft asks for 1,200, what is live for 1,000.
    assert found("threshold_min=1100&status=LIVE") == []
    assert found("threshold_min=1100&status=DRAFT") == ["Gold"]
    assert found("threshold_min=1000&threshold_max=1000") == ["Gold"]
    assert found("measure=LIFETIME") == ["Ruby"]
    assert found("measure=WINDOW") == ["Bronze", "Silver", "Gold"]
    assert found("search=il") == ["Silver"]
    assert found("search=GOLD") == ["Gold"]
    assert found("search=go+ld") == ["Gold"]
    assert found("search=%25") == []
    lifecycle.discard(lifetime, by=maya)
    assert found("") == ["Bronze", "Silver", "Gold"]


def test_a_measure_is_the_groups_where_the_tier_has_none(found, program, maya, chen):
    group = factories.make_group(program, by=maya, reviewer=chen, measure="CURRENT")
    assert found(f"measure=CURRENT&group={group.pk}") == ["Bronze", "Silver", "Gold"]
    assert found("measure=WINDOW") == []


def test_systems_follow_what_has_changed(found, call, key, group, draft, maya):
    then = written(draft.created_at).replace("+", "%2B")
    assert found(f"changed_since={then}") == ["Gold"]
    shown = call("GET", f"tiers/{draft.tier_id}", by=key).json()
    assert shown["changed_at"] == written(draft.created_at)
    assert found("ordering=-changed_at")[0] == "Gold"
    lifecycle.submit([draft], by=maya)
    later = call("GET", f"tiers/{draft.tier_id}", by=key).json()["changed_at"]
    assert later > shown["changed_at"]


def test_what_has_ended_can_be_asked_for(found, group, maya, chen):
    drafts = drafting.retire(Tier.objects.get(pk=tier_of(group, "Gold")), by=maya)
    change_set = lifecycle.submit(drafts, by=maya)
    assert found("status=RETIRED&ordering=id") == []
    factories.approve(change_set, chen)
    assert found("status=LIVE") == ["Bronze", "Silver"]


def test_programs_groups_and_balances_are_narrowed(call, key, program, group):
    def count(path: str) -> int:
        return len(call("GET", path, by=key).json()["results"])

    assert count("programs?tiers_status=ACTIVE&status=LIVE") == 1
    assert count("programs?tiers_status=PAUSED") == 0
    assert count(f"programs?program={program.pk}&search=gemstone") == 1
    assert count("tier-groups?measure=WINDOW&status=LIVE") == 1
    assert count("tier-groups?measure=CURRENT") == 0
    assert count(f"balance-definitions?program={program.pk}&unit=EUR") == 1
    assert count("balance-definitions?built_in=VISITS&status=LIVE") == 1


# Drafts


def test_a_tier_is_drafted_edited_and_put_away(call, key, group):
    body = {
        "group": group.pk,
        "content": {"name": "Jade", "threshold": "1500.50", "color": "#00A86B"},
        "note": "For the autumn.",
    }
    made = call("POST", "tiers", body, by=key)
    assert made.status_code == 201
    tier = made.json()
    assert made.headers["Location"] == f"/api/v1/tiers/{tier['id']}"
    again = call("GET", made.headers["Location"], by=key)
    assert again.json() == tier
    assert again.headers["ETag"] == made.headers["ETag"]
    assert (tier["live"], tier["slab_id"], tier["source"]) == (None, None, "API")
    assert tier["draft"]["note"] == "For the autumn."
    assert tier["draft"]["content"]["threshold"] == "1500.5"
    path = f"tiers/{tier['id']}/draft"
    edit = {"content": {"icon": {"url": "https://example.org/jade.svg"}}}
    edited = call("PATCH", path, edit, by=key, If_Match="*").json()
    assert edited["revision"] == 2
    assert edited["note"] == "For the autumn."
    expected = {**tier["draft"]["content"], **edit["content"]}
    assert edited["content"] == expected
    refused(call("POST", path, {}, by=key), 409, "draft_exists")
    assert call("DELETE", path, by=key, If_Match="*").status_code == 204
    # It was never live, so nothing of it is left.
    refused(call("GET", f"tiers/{tier['id']}", by=key), 404, "not_found")


def test_a_change_starts_out_equal_to_what_is_live(call, key, group):
    silver = tier_of(group, "Silver")
    live = call("GET", f"tiers/{silver}", by=key).json()["live"]
    body = {"content": {"threshold": "600"}, "note": "Inflation."}
    made = call("POST", f"tiers/{silver}/draft", body, by=key)
    assert made.status_code == 201
    assert made.headers["Location"] == f"/api/v1/tiers/{silver}/draft"
    drafted = made.json()
    assert drafted["content"] == {**live["content"], "threshold": "600"}
    assert (drafted["based_on"], drafted["note"]) == (live["id"], "Inflation.")
    assert (
        call("GET", f"tiers/{silver}/draft", by=key).headers["ETag"]
        == (made.headers["ETag"])
    )


@pytest.mark.parametrize("kind", ["programs", "tier-groups", "balance-definitions"])
def test_every_kind_is_drafted_alike(kind, call, key, group, program):
    pk = {
        "programs": program.pk,
        "tier-groups": group.pk,
        "balance-definitions": program.balance_definitions.get(built_in="POINTS").pk,
    }[kind]
    body = {"content": {"name": "Renamed"}}
    made = call("POST", f"{kind}/{pk}/draft", body, by=key)
    assert made.status_code == 201, made.content
    assert made.json()["content"]["name"] == "Renamed"
    shown = call("GET", f"{kind}/{pk}", by=key).json()
    assert shown["draft"] == made.json()
    etag = made.headers["ETag"]
    named = {"content": {"name": "Renamed again"}}
    edited = call("PATCH", f"{kind}/{pk}/draft", named, by=key, If_Match=etag)
    assert edited.json()["revision"] == 2
    gone = call("DELETE", f"{kind}/{pk}/draft", by=key, If_Match="*")
    assert gone.status_code == 204
    assert call("GET", f"{kind}/{pk}", by=key).json()["draft"] is None


def test_groups_and_balances_are_begun(call, key, program, group):
    body = {"program": program.pk, "content": {"name": "Second", "window_months": 6}}
    made = call("POST", "tier-groups", body, by=key)
    assert made.status_code == 201, made.content
    assert (made.json()["is_default"], made.json()["source"]) == (False, "NATIVE")
    body = {
        "program": program.pk,
        "scale": 2,
        "content": {"name": "Stars", "unit": "STARS", "maximum": 9_007_199_254_740_991},
    }
    stars = call("POST", "balance-definitions", body, by=key)
    assert stars.status_code == 201, stars.content
    assert stars.json()["draft"]["content"]["maximum"] == 9_007_199_254_740_991
    pk = stars.json()["id"]
    path = f"tier-groups/{made.json()['id']}/draft"
    measured = {"content": {"measured_balance": pk}}
    edited = call("PATCH", path, measured, by=key, If_Match="*").json()
    assert edited["content"]["measured_balance"] == pk
    largest = {**body, "content": {**body["content"], "maximum": 2**53}}
    answer = call("POST", "balance-definitions", largest, by=key)
    assert errors(answer) == {"/content/maximum": "out_of_range"}


def test_a_tier_and_a_group_are_retired_by_drafts(call, key, group):
    gold = tier_of(group, "Gold")
    ended = call("POST", f"tiers/{gold}/retire", by=key)
    assert ended.status_code == 201
    (named,) = ended.json()["drafts"]
    assert (named["kind"], named["label"], named["revision"]) == ("tier", "Gold", 1)
    draft = call("GET", f"tiers/{gold}/draft", by=key).json()
    assert (draft["id"], draft["operation"]) == (named["id"], "RETIRE")
    # All or nothing: one of the group's tiers has an open version.
    whole = call("POST", f"tier-groups/{group.pk}/retire", by=key)
    refused(whole, 409, "draft_exists")
    refused(call("GET", f"tier-groups/{group.pk}/draft", by=key), 404, "not_found")
    call("DELETE", f"tiers/{gold}/draft", by=key, If_Match="*")
    whole = call("POST", f"tier-groups/{group.pk}/retire", by=key).json()
    assert [d["kind"] for d in whole["drafts"]] == [
        "tier_group",
        "tier",
        "tier",
        "tier",
    ]


def test_an_earlier_version_is_drafted_again(call, key, draft, maya, chen):
    path = f"tiers/{draft.tier_id}"
    early = call("POST", f"{path}/roll-back", {"version": 1}, by=key)
    refused(early, 409, "invalid_transition")
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    refused(call("POST", f"{path}/roll-back", {"version": 9}, by=key), 404, "not_found")
    back = call("POST", f"{path}/roll-back", {"version": 1}, by=key)
    assert back.status_code == 201, back.content
    drafted = back.json()
    assert (drafted["number"], drafted["content"]["threshold"]) == (3, "1000")
    assert drafted["note"] == "Back to version 1."


# Programs


def test_a_program_is_made_by_whoever_may_publish(call, key, maya, program):
    body = {"content": {"name": "New Club", "approval_required": False}}
    made = call("POST", "programs", body, by=key, Idempotency_Key="club")
    assert made.status_code == 201, made.content
    club = made.json()
    assert (club["source"], club["tiers_status"]) == ("NATIVE", "DISABLED")
    assert club["live"]["content"]["approval_required"] is False
    assert call("POST", "programs", body, by=key, Idempotency_Key="club").json() == club
    assert Program.objects.count() == 2
    limited = make_key(maya, program=program)
    refused(call("POST", "programs", body, by=limited), 403, "program_limited")
    maya.program_limits.create(program=program)
    refused(call("POST", "programs", body, by=maya), 403, "program_limited")
    assert Program.objects.count() == 2


def test_tiers_of_a_program_are_switched(call, key, program, maya):
    path = f"programs/{program.pk}/switch"
    body = {"verb": "pause", "reason": "Stocktaking."}
    done = call("POST", path, body, by=key)
    assert (done.status_code, done.json()["tiers_status"]) == (200, "PAUSED")
    refused(call("POST", path, body, by=key), 409, "invalid_transition")
    for reason, code in (("", "blank"), (" ", "blank"), (None, "null")):
        answer = call("POST", path, {**body, "reason": reason}, by=key)
        assert errors(answer) == {"/reason": code}
    answer = call("POST", path, {"verb": "delete", "reason": "x"}, by=key)
    assert errors(answer) == {"/verb": "invalid_choice"}
    assert call("POST", path, {**body, "verb": "resume"}, by=maya).status_code == 200


# Keys that do not draft


def test_a_key_that_does_not_draft_sees_what_is_or_was_live(
    call, key, maya, draft, group, found
):
    till = make_key(maya, "read", "points")
    drafting.add_tier(group, by=maya, name="Secret", threshold=9000)
    assert "Secret" in found("")
    assert found("", by=till) == ["Bronze", "Silver", "Gold"]
    assert found("status=DRAFT", by=till) == []
    assert found("search=secret", by=till) == []
    assert found("threshold_min=1100", by=till) == []
    shown = call("GET", f"tiers/{draft.tier_id}", by=till).json()
    assert shown["draft"] is None
    assert shown["changed_at"] == "2020-01-01T00:00:00Z"
    secret = TierVersion.objects.get(name="Secret").tier_id
    for path in (
        f"tiers/{secret}",
        f"tiers/{secret}/versions",
        f"tiers/{secret}/versions/1",
        f"tiers/{draft.tier_id}/versions/2",
        f"tiers/{draft.tier_id}/versions/2/difference",
    ):
        refused(call("GET", path, by=till), 404, "not_found")
    versions = call("GET", f"tiers/{draft.tier_id}/versions", by=till).json()["results"]
    assert [v["number"] for v in versions] == [1]
    draft_address = f"tiers/{draft.tier_id}/draft"
    refused(call("GET", draft_address, by=till), 403, "insufficient_scope")
