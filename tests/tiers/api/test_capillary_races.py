"""Two at once: creates with one key, creates without, edits, and decisions.

Real threads on real connections, through the views. A control of each takes away what
the voice rests on there, and has to go wrong, or the test proves nothing.
"""

import json
import time
from collections import Counter
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from approvals.models import Decision
from tests import factories
from tests.counts import count
from tests.races import racers
from tests.tiers.api.conftest import basic
from tests.tiers.api.jade import JADE, make, slab_of
from tiers.api import idempotency
from tiers.api.capillary import ladder as limits
from tiers.api.capillary import writing
from tiers.models import KeptAnswer, Tier, TierVersion

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

RACES = count(10, 100)


def send(method: str, path: str, body: Any, by: User, **headers: str) -> Any:
    """Send a request from a client of one's own; return status and document."""
    client = Client(raise_request_exception=False)
    answer = client.generic(
        method,
        path,
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": basic(by.username)}
        | {name.replace("_", "-"): value for name, value in headers.items()},
    )
    return answer.status_code, answer.json() if answer.content else None


def statuses(outcomes: list[Any]) -> Counter[int]:
    return Counter(outcome[0] for outcome in outcomes)


def clear(by: User) -> None:
    """Delete whatever was drafted."""
    for version in TierVersion.objects.open():
        send("DELETE", f"/v3/tiers/{version.object_id}", None, by)


def test_two_creates_with_one_key_make_one_tier(maya, chen):
    make(maya, chen)
    with racers(2) as two:
        for race in range(RACES):
            outcomes = two.race(
                *[
                    lambda race=race: send(
                        "POST", "/v3/tiers", JADE, maya, Idempotency_Key=f"race-{race}"
                    )
                ]
                * 2
            )
            assert statuses(outcomes) == {201: 2}
            assert outcomes[0] == outcomes[1]
            assert TierVersion.objects.open().count() == 1
            clear(maya)
    assert KeptAnswer.objects.count() == RACES


def test_without_the_row_of_the_key_the_second_is_refused(maya, chen, monkeypatch):
    """The control: an answer that is looked up, and not waited for."""

    def forgetful(answer: Any, **options: Any) -> Any:
        kept = KeptAnswer.objects.filter(key=options["key"]).first()
        return kept.answer if kept else answer()

    monkeypatch.setattr(idempotency, "once", forgetful)
    make(maya, chen)
    with racers(2) as two:
        outcomes = two.race(
            *[lambda: send("POST", "/v3/tiers", JADE, maya, Idempotency_Key="same")] * 2
        )
    assert statuses(outcomes) == {201: 1, 409: 1}


def test_two_creates_at_once_make_one_new_tier(maya, chen):
    make(maya, chen)
    with racers(2) as two:
        for _ in range(RACES):
            outcomes = two.race(*[lambda: send("POST", "/v3/tiers", JADE, maya)] * 2)
            assert statuses(outcomes) == {201: 1, 409: 1}
            clear(maya)


def test_without_the_programs_lock_there_are_two(maya, chen, monkeypatch):
    """The control: the limit is looked at, and the program is not locked."""
    monkeypatch.setattr(writing, "hold", lambda program_id: None)
    real = limits.Ladder.expect_room

    def slowly(self: Any) -> None:
        real(self)
        time.sleep(0.05)

    monkeypatch.setattr(limits.Ladder, "expect_room", slowly)
    make(maya, chen)
    with racers(2) as two:
        seen = 0
        for _ in range(RACES):
            outcomes = two.race(*[lambda: send("POST", "/v3/tiers", JADE, maya)] * 2)
            seen += statuses(outcomes) != {201: 1, 409: 1}
            clear(maya)
    assert seen, "Both looked, and neither found the other: the test would not see it."


def test_two_edits_of_a_live_tier_go_into_one_draft(maya, chen):
    group = make(maya, chen)
    path = f"/v3/tiers/{slab_of(group, 'Silver')}"
    with racers(2) as two:
        for _ in range(RACES):
            outcomes = two.race(
                lambda: send("PUT", path, {"name": "Sterling"}, maya),
                lambda: send("PUT", path, {"description": "Shiny"}, maya),
            )
            assert statuses(outcomes) == {200: 2}
            draft = TierVersion.objects.open().get()
            assert (draft.name, draft.description) == ("Sterling", "Shiny")
            clear(maya)


def submitted(by: User, number: int) -> TierVersion:
    body = JADE | {
        "name": f"Jade {number}",
        "eligibility": {"threshold": 2000 + number},
    }
    _, made = send("POST", "/v3/tiers", body, by)
    send("POST", f"/v3/tiers/{made['data']['objectId']}/submit", None, by)
    return TierVersion.objects.get(object_id=made["data"]["objectId"])


@pytest.mark.parametrize("second", ["APPROVE", "REJECT"])
def test_of_two_decisions_one_stands_and_the_other_hears_of_it(second, maya, chen):
    make(maya, chen)
    cleo = factories.make_reviewer("cleo")
    with racers(2) as two:
        for race in range(min(RACES, 30)):
            version = submitted(maya, race)
            path = f"/v3/tiers/{version.object_id}/approve"
            outcomes = two.race(
                lambda: send("POST", path, {"approvalStatus": "APPROVE"}, chen),  # noqa: B023
                lambda: send("POST", path, {"approvalStatus": second}, cleo),  # noqa: B023
            )
            assert statuses(outcomes) == {200: 1, 409: 1}
            version.refresh_from_db()
            decision = Decision.objects.get(change_set=version.change_set)
            loser = next(document for status, document in outcomes if status == 409)
            (error,) = loser["errors"]
            assert error["code"] == 999999
            assert error["message"].startswith(f"{decision.decided_by} ")


def test_an_edit_and_an_approval_never_both_succeed_unseen(maya, chen):
    """What is live is what the reviewer decided on: all of the edit, or none."""
    make(maya, chen)
    with racers(2) as two:
        for race in range(min(RACES, 30)):
            version = submitted(maya, race)
            path = f"/v3/tiers/{version.object_id}"
            edit, decision = two.race(
                lambda: send("PUT", path, {"name": "Bait"}, maya),  # noqa: B023
                lambda: send(
                    "POST",
                    f"{path}/approve",  # noqa: B023
                    {"approvalStatus": "APPROVE"},
                    chen,
                ),
            )
            assert sorted((edit[0], decision[0])) == [200, 409]
            version.refresh_from_db()
            if decision[0] == 200:
                assert (version.status, version.name) == ("LIVE", f"Jade {race}")
            else:
                assert (version.status, version.name) == ("DRAFT", "Bait")
                clear(maya)
    assert not Tier.objects.filter(versions__status="LIVE", versions__name="Bait")
