"""Two at once, over HTTP: nobody's edit is lost, and of two keys alike one acts."""

import threading
from collections import Counter
from functools import partial
from typing import Any

import pytest
from django.test import Client

from approvals import lifecycle
from approvals.models import ChangeSet
from loyalty.models import Program
from tests import factories
from tests.races import racers
from tiers.api.native import things
from tiers.models import TierVersion

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
ROUNDS = 15


def ask(method: str, path: str, key: str, body: Any, **headers: str) -> Any:
    """Send a request as a client of its own would."""
    return Client(raise_request_exception=False).generic(
        method,
        f"/api/v1/{path}",
        body,
        content_type="application/json",
        headers={"Authorization": f"Api-Key {key}"} | headers,
    )


@pytest.fixture
def side_by_side(monkeypatch):
    """Let nobody write before both have been found to name what is there."""
    both = threading.Barrier(2, timeout=60)
    real = things.expect_match

    def expect_match(request: Any, current: Any) -> None:
        real(request, current)
        both.wait()

    monkeypatch.setattr(things, "expect_match", expect_match)


def edits(draft: TierVersion, key: str) -> list[tuple[int, ...]]:
    """Let two people edit what both have read, again and again."""
    path = f"tiers/{draft.tier_id}/draft"
    outcomes = []
    with racers(2) as people:
        for number in range(ROUNDS):
            seen = ask("GET", path, key, "").headers["ETag"]
            answers = people.race(
                *[
                    lambda threshold=threshold, seen=seen: (
                        ask(
                            "PATCH",
                            path,
                            key,
                            f'{{"content": {{"threshold": "{threshold}"}}}}',
                            **{"If-Match": seen},
                        ).status_code
                    )
                    for threshold in (2000 + number, 3000 + number)
                ]
            )
            outcomes.append(tuple(sorted(answers)))
    return outcomes


def test_of_two_edits_of_what_both_read_one_wins(draft, key, side_by_side):
    outcomes = edits(draft, key)
    assert set(outcomes) == {(200, 412)}, Counter(outcomes)
    draft.refresh_from_db()
    assert draft.revision == 1 + ROUNDS


def test_control_an_edit_that_names_no_revision_is_lost(
    draft, key, side_by_side, monkeypatch
):
    """Without the revision in the verb, If-Match alone lets both through."""
    real, one_by_one = lifecycle.revise, threading.Lock()

    def careless(version: Any, **options: Any) -> None:
        options.pop("expected_revision")
        with one_by_one:
            real(version, **options)

    monkeypatch.setattr(things.lifecycle, "revise", careless)
    assert set(edits(draft, key)) == {(200, 200)}


def test_of_two_reviewers_one_decides(draft, maya, chen):
    """Approve and reject at once: one wins, and the other is told who did."""
    rene = factories.make_reviewer("rene")
    gold = TierVersion.objects.get(pk=draft.based_on_id)
    version = draft
    with racers(2) as people:
        for number in range(ROUNDS):
            change_set = lifecycle.submit([version], by=maya)
            path = f"/api/v1/change-sets/{change_set.pk}"
            said = f'{{"fingerprint": "{change_set.fingerprint}", "comment": "No."}}'
            answers = people.race(
                partial(_as, chen, f"{path}/approve", said),
                partial(_as, rene, f"{path}/reject", said),
            )
            assert sorted(answers) == [200, 409], answers
            assert ChangeSet.objects.filter(pk=change_set.pk).count() == 1
            lifecycle_state = TierVersion.objects.get(pk=version.pk).status
            if lifecycle_state == "REJECTED":
                version = TierVersion.objects.get(pk=version.pk)
                lifecycle.discard(version, by=maya)
            live = TierVersion.objects.live().get(tier=gold.tier_id)
            version = lifecycle.draft_change(
                live, by=maya, changes={"threshold": 5000 + number}
            )


def _as(person: Any, path: str, body: str) -> int:
    client = Client(raise_request_exception=False)
    client.force_login(person)
    answer = client.post(path, body, content_type="application/json")
    return answer.status_code


def test_of_two_requests_with_one_key_one_is_carried_out(key, maya):
    """Both get the same answer, byte by byte."""
    before = Program.objects.count()
    with racers(2) as people:
        for number in range(ROUNDS):
            body = f'{{"content": {{"name": "Club {number}"}}}}'
            headers = {"Idempotency-Key": f"club-{number}"}
            make = partial(ask, "POST", "programs", key, body, **headers)
            one, other = people.race(make, make)
            assert (one.status_code, other.status_code) == (201, 201)
            assert one.content == other.content
    assert Program.objects.count() == before + ROUNDS
