"""API keys at Capillary's endpoints: what each scope opens, and what stays shut."""

import json
from typing import Any

import pytest
from django.test import Client

from approvals.models import Contribution
from loyalty.models.keys import Scope
from tests import factories, scenes
from tests.tiers.api.jade import EDIT, JADE, make, newest, slab_of
from tiers.models import TierVersion

Status = TierVersion.Status


@scenes.kept
def ladder(maya, chen):
    return make(maya, chen)


@pytest.fixture
def edited(ladder, maya, call):
    """The id of maya's edit of Silver."""
    call("PUT", f"/v3/tiers/{slab_of(ladder, 'Silver')}", EDIT, by=maya)
    return newest().object_id


def ask(secret: str, method: str, path: str, body: Any = None) -> Any:
    client = Client(raise_request_exception=False)
    return client.generic(
        method,
        path,
        "" if body is None else json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Api-Key {secret}"},
    )


def code_of(answer: Any) -> tuple[int, int]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def test_a_key_drafts_edits_submits_and_deletes_in_its_owners_name(ladder, maya):
    key, secret = factories.make_key(maya, Scope.READ, Scope.DRAFTS)
    made = ask(secret, "POST", "/v3/tiers", JADE)
    assert made.status_code == 201
    record = made.json()["data"]
    assert record["meta"]["createdBy"] == str(maya.pk)
    path = f"/v3/tiers/{record['objectId']}"
    edit = {"name": "Jadeite"}
    assert ask(secret, "PUT", path, edit).json()["data"]["name"] == "Jadeite"
    assert ask(secret, "POST", f"{path}/submit").status_code == 200
    assert ask(secret, "PUT", path, {"name": "Jade"}).status_code == 200
    assert ask(secret, "DELETE", path).status_code == 204
    version = newest()
    assert version.status == Status.DELETED
    assert set(Contribution.objects.values_list("user_id", flat=True)) == {maya.pk}


@pytest.mark.parametrize("scopes", [[Scope.READ], [Scope.READ, Scope.POINTS]])
def test_without_the_scope_nothing_is_written(scopes, ladder, edited, maya):
    _, secret = factories.make_key(maya, *scopes)
    before = list(TierVersion.objects.order_by("pk").values())
    slab = slab_of(ladder, "Gold")
    for method, path, body in [
        ("POST", "/v3/tiers", JADE),
        ("PUT", f"/v3/tiers/{edited}", EDIT),
        ("PUT", f"/v3/tiers/{slab}", EDIT),
        ("DELETE", f"/v3/tiers/{edited}", None),
        ("POST", f"/v3/tiers/{edited}/submit", None),
        ("POST", f"/v3/tiers/{edited}/approve", {"approvalStatus": "APPROVE"}),
        ("GET", "/v3/tiers/approvals?programId=7", None),
    ]:
        assert code_of(ask(secret, method, path, body)) == (403, 4000), path
    assert list(TierVersion.objects.order_by("pk").values()) == before


def test_no_key_decides_whoever_owns_it(ladder, edited, call, maya):
    call("POST", f"/v3/tiers/{edited}/submit", by=maya)
    sue = factories.make_user("sue", is_superuser=True)
    _, secret = factories.make_key(sue)
    for decision in ("APPROVE", "REJECT"):
        answer = ask(
            secret,
            "POST",
            f"/v3/tiers/{edited}/approve",
            {"approvalStatus": decision, "comment": "From a key."},
        )
        assert code_of(answer) == (403, 4000)
    assert newest().status == Status.PENDING_APPROVAL


def test_drafts_exist_for_keys_that_make_them_only(ladder, edited, call, maya):
    call("POST", "/v3/tiers", JADE, by=maya)
    everything = call("GET", "/v3/tiers?programId=7", by=maya).json()
    _, drafting = factories.make_key(maya, Scope.READ, Scope.DRAFTS)
    _, publishing = factories.make_key(maya, Scope.READ, Scope.PUBLISH)
    _, reading = factories.make_key(maya, Scope.READ, Scope.POINTS)
    path = "/v3/tiers?programId=7"
    for secret in (drafting, publishing):
        assert ask(secret, "GET", path).json() == everything
    seen = ask(reading, "GET", path).json()["data"]["tiers"]
    assert {tier["status"] for tier in seen} == {"LIVE"}
    # Nor can it be told from a live tier that somebody is at work on it.
    assert {tier["origin"] for tier in seen} == {"LEGACY_SQL_ONLY"}
    live = [t for t in everything["data"]["tiers"] if t["status"] == "LIVE"]
    assert [t["slabId"] for t in seen] == [t["slabId"] for t in live]


def test_a_draft_reads_to_a_reading_key_like_what_there_is_not(ladder, call, maya):
    unique_id = call("POST", "/v3/tiers", JADE, by=maya).json()["data"]["tierUniqueId"]
    _, reading = factories.make_key(maya, Scope.READ)
    hidden = ask(reading, "GET", f"/v3/tiers/{unique_id}")
    unknown = ask(reading, "GET", f"/v3/tiers/{unique_id[:-3]}424")
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.content.replace(unique_id.encode(), b"") == (
        unknown.content.replace(f"{unique_id[:-3]}424".encode(), b"")
    )


def test_another_programs_records_do_not_exist_for_a_key(ladder, edited, maya):
    other = factories.make_program(maya, "Other")
    _, secret = factories.make_key(maya, program=other)
    before = list(TierVersion.objects.order_by("pk").values())
    slab = slab_of(ladder, "Gold")
    for method, path, body in [
        ("PUT", "/v3/tiers/{}", EDIT),
        ("DELETE", "/v3/tiers/{}", None),
        ("POST", "/v3/tiers/{}/submit", None),
        ("GET", "/v3/tiers/{}", None),
    ]:
        for there, nowhere in ((edited, "0" * 24), (str(slab), "424242")):
            hidden = ask(secret, method, path.format(there), body)
            unknown = ask(secret, method, path.format(nowhere), body)
            assert hidden.status_code == unknown.status_code == 404, (method, path)
            assert hidden.content.replace(there.encode(), b"") == (
                unknown.content.replace(nowhere.encode(), b"")
            )
    hidden = ask(secret, "POST", "/v3/tiers", JADE)
    unknown = ask(secret, "POST", "/v3/tiers", JADE | {"programId": 424242})
    assert hidden.status_code == unknown.status_code
    assert hidden.content.replace(b"program 7", b"program 424242") == unknown.content
    assert list(TierVersion.objects.order_by("pk").values()) == before
