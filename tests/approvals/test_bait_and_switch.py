"""What a reviewer read is what goes live, whatever others do while they read.

Hypothesis puts edits, submissions and withdrawals in any order between reading and
deciding. Whenever a reviewer's decision goes through, what is live is what was on the
reviewer's page, word for word.
"""

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from approvals import fingerprint, lifecycle, triggers
from approvals.errors import ContentChanged, Refused
from approvals.lifecycle import guards
from approvals.models import ChangeSet, Decision, Version
from tests import factories, scenes
from tests.counts import count
from tiers.models import TierVersion

from .conftest import Stage
from .stories import fresh

Status = Version.Status

pytestmark = pytest.mark.proof

INTERLEAVINGS = settings(
    max_examples=count(40, 1000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

#: What makers do while a reviewer reads: what, and a threshold where one is needed.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["revise", "withdraw", "submit", "read", "revise another"]),
        st.integers(1001, 1004),
    ),
    max_size=6,
)


class Reading:
    """A change that is being made, and what a reviewer has on the page."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.gold = stage.draft("tier")
        self.group = stage.draft("tier group")
        stage.submitted(self.gold, self.group)
        self.read()

    def read(self) -> None:
        """Open the page of what waits now, if anything does."""
        held = ChangeSet.objects.undecided().order_by("-pk").first()
        if held is not None:
            self.page = held
            self.contents = [
                fingerprint.content_of(version)
                for version in lifecycle.versions_of(held)
            ]

    def do(self, what: str, threshold: int) -> None:
        olga = self.stage.olga
        changes = {"threshold": threshold}
        acts: dict[str, Callable[[], object]] = {
            "revise": lambda: lifecycle.revise(self.gold, by=olga, changes=changes),
            "revise another": lambda: lifecycle.revise(
                self.group, by=olga, changes={"name": f"Ladder {threshold}"}
            ),
            "withdraw": lambda: (
                lifecycle.withdraw(fresh(self.gold).change_set, by=olga)
                if fresh(self.gold).change_set
                else None
            ),
            "submit": lambda: self.stage.submitted(fresh(self.gold), fresh(self.group)),
            "read": self.read,
        }
        with suppress(Refused):
            acts[what]()

    def decide(self) -> bool:
        """Press "Approve" on the page as it was opened."""
        try:
            lifecycle.approve(
                ChangeSet.objects.get(pk=self.page.pk),
                by=self.stage.rhea,
                fingerprint=self.page.fingerprint,
            )
        except Refused:
            return False
        return True

    def live_as_read(self) -> bool:
        live = [fresh(v) for v in lifecycle.versions_of(self.page)]
        assert {version.status for version in live} == {Status.LIVE}
        return [fingerprint.content_of(version) for version in live] == self.contents


@scenes.kept
def opened(stage: Stage) -> Reading:
    """What every interleaving starts from."""
    return Reading(stage)


@INTERLEAVINGS
@given(steps=STEPS, looks_again=st.booleans())
def test_what_was_read_is_what_goes_live(
    opened: Reading,
    tally: dict[str, int],
    steps: list[tuple[str, int]],
    looks_again: bool,
) -> None:
    with transaction.atomic():
        reading = copy.deepcopy(opened)
        for what, threshold in steps:
            reading.do(what, threshold)
        if looks_again:
            reading.do("submit", 0)
            reading.read()
        before = live_thresholds()
        if reading.decide():
            tally["approved"] += 1
            assert reading.live_as_read()
        else:
            tally["refused"] += 1
            assert live_thresholds() == before
        transaction.set_rollback(True)


def live_thresholds() -> list[Any]:
    return list(TierVersion.objects.live().order_by("pk").values_list("threshold"))


@pytest.fixture
def tally() -> Any:
    """Count how it ended; both ways have to happen for the proof to mean much."""
    counted = {"approved": 0, "refused": 0}
    yield counted
    print(f" {counted}")
    assert min(counted.values()) > 9


#: Ways to change what a pending version says without the lifecycle.
BAITS: dict[str, dict[str, Any]] = {
    "content": {"threshold": 1},
    "operation": {"operation": "RETIRE"},
    "hash": {"content_hash": "0" * 64},
}


@pytest.mark.forges
@pytest.mark.parametrize("bait", BAITS)
def test_a_swap_past_the_lifecycle_is_noticed(stage: Stage, bait: str) -> None:
    """Somebody who can switch triggers off puts another row under the same page."""
    version, held = stage.bring("tier", Status.PENDING_APPROVAL)
    with transaction.atomic():
        triggers.uninstall(connection)
        TierVersion.objects.filter(pk=version.pk).update(**BAITS[bait])
        triggers.install(connection)
        with pytest.raises(ContentChanged, match="not what was submitted any more"):
            factories.approve(held, stage.rhea)
        assert not Decision.objects.filter(change_set=held).exists()
        transaction.set_rollback(True)
    factories.approve(held, stage.rhea)


@pytest.mark.forges
def test_what_is_scheduled_and_swapped_fails_to_go_live(stage: Stage) -> None:
    version, held = stage.bring("tier", Status.SCHEDULED)
    triggers.uninstall(connection)
    TierVersion.objects.filter(pk=version.pk).update(threshold=1)
    triggers.install(connection)
    assert held.go_live_at is not None
    assert not lifecycle.go_live(held, at=held.go_live_at)
    held.refresh_from_db()
    assert "not what was submitted" in held.failure
    assert fresh(version).status == Status.PUBLISH_FAILED


@pytest.mark.forges
def test_without_the_check_of_the_fingerprint_the_bait_works(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: approve whatever waits now, as most approval code does."""
    monkeypatch.setattr(guards, "as_read", lambda actual, seen: None)
    reading = Reading(stage)
    reading.do("revise", 1004)
    reading.do("submit", 0)
    waiting = ChangeSet.objects.undecided().get()
    lifecycle.approve(waiting, by=stage.rhea, fingerprint=reading.page.fingerprint)
    assert fresh(reading.gold).status == Status.LIVE
    live = [fingerprint.content_of(v) for v in lifecycle.versions_of(waiting)]
    assert live != reading.contents
