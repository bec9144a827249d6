"""The main job, as a manager and a reviewer do it with a browser."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import pytest
from django.contrib.auth.models import User

from approvals.models import ChangeSet, Decision
from loyalty.models import Member
from tests import factories
from tiers.models import Standing, TierGroup

pytestmark = pytest.mark.e2e


@pytest.fixture
def become(page: Any) -> Callable[[str], None]:
    """Sign in as somebody else."""

    def sign_in(name: str) -> None:
        page.context.clear_cookies()
        page.goto("/admin/login/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill("demo")
        page.keyboard.press("Enter")
        page.wait_for_url("**/admin/")

    return sign_in


@pytest.fixture
def gold_members(group: TierGroup) -> list[Member]:
    """One member with 1,100 points and one with 5,000; Gold begins at 1,000."""
    members = [factories.make_member(group.program) for _ in range(2)]
    for member, amount in zip(members, (1100, 5000), strict=True):
        factories.earn(member, amount)
    return members


def names_of(members: list[Member]) -> list[str]:
    standings = [Standing.objects.get(member=member) for member in members]
    return [s.tier.versions.live().get().name for s in standings if s.tier]


def listed_threshold(address: str, program_id: int) -> Any:
    """Ask the list API, as another system would, what Gold asks for."""
    request = Request(  # noqa: S310 - our own server
        f"{address}/v3/tiers?programId={program_id}",
        headers={"Authorization": "Basic " + b64encode(b"chen:demo").decode()},
    )
    with urlopen(request, timeout=20) as answer:  # noqa: S310
        tiers = json.load(answer)["data"]["tiers"]
    return next(
        tier["eligibility"]["threshold"]
        for tier in tiers
        if tier["name"] == "Gold" and tier["status"] == "LIVE"
    )


def draft_gold(page: Any, tier_id: int, threshold: str) -> None:
    page.goto(f"/admin/tiers/tier/{tier_id}/change/")
    page.get_by_role("button", name="Draft a change", exact=True).click()
    page.get_by_label("Threshold").fill(threshold)
    page.get_by_role("button", name="Save", exact=True).click()


def submit(page: Any, version_id: int) -> None:
    page.goto(f"/admin/tiers/tierversion/{version_id}/change/")
    page.get_by_role("link", name="Submit", exact=True).click()
    page.get_by_role("button", name="Submit", exact=True).click()
    page.get_by_text("Waiting", exact=True).first.wait_for()


def test_raising_gold_takes_a_manager_and_a_reviewer(
    page: Any,
    live_server: Any,
    become: Callable[[str], None],
    group: TierGroup,
    maya: User,
    chen: User,
    gold_members: list[Member],
) -> None:
    gold = factories.live_tier(group, "Gold").tier
    assert names_of(gold_members) == ["Gold", "Gold"]

    # The manager drafts and submits.
    become("maya")
    draft_gold(page, gold.pk, "1200")
    draft = gold.versions.open().get()
    submit(page, draft.pk)
    first = ChangeSet.objects.get(pk=gold.versions.open().get().change_set_id)

    # By no route can she approve it herself.
    answer = page.goto(f"/admin/approvals/changeset/{first.pk}/lifecycle/approve/")
    assert answer.status == 403
    assert page.get_by_role("button", name="Approve", exact=True).count() == 0

    # The reviewer finds it in the inbox, reads the difference, and says no.
    become("chen")
    page.get_by_role("link", name="Gold", exact=True).first.click()
    difference = page.get_by_role("table").first.inner_text()
    assert "1,000" in difference
    assert "1,200" in difference
    page.get_by_role("link", name="Reject", exact=True).click()
    page.get_by_label("Reason").fill("Too steep before Christmas.")
    page.get_by_role("button", name="Reject", exact=True).click()
    page.get_by_text("Rejected", exact=True).first.wait_for()
    assert listed_threshold(live_server.url, group.program_id) == 1000

    # The manager reads why, revises, and submits again.
    become("maya")
    page.get_by_role("link", name="Gold", exact=True).first.click()
    page.get_by_text("Too steep before Christmas.").first.wait_for()
    page.goto(f"/admin/tiers/tierversion/{draft.pk}/change/")
    page.get_by_label("Threshold").fill("1150")
    page.get_by_role("button", name="Save", exact=True).click()
    submit(page, draft.pk)

    # The reviewer approves; other systems and members see it at once.
    become("chen")
    page.get_by_role("link", name="Gold", exact=True).first.click()
    page.get_by_role("link", name="Approve", exact=True).click()
    page.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_text("Published", exact=True).first.wait_for()
    assert listed_threshold(live_server.url, group.program_id) == 1150
    assert names_of(gold_members) == ["Silver", "Gold"]
    kinds = Decision.objects.filter(change_set__program_id=group.program_id)
    assert list(
        kinds.order_by("decided_at", "pk").values_list("kind", "decided_by__username")
    )[-2:] == [("REJECTED", "chen"), ("APPROVED", "chen")]
