"""Readers see a change set whole or not at all.

Change sets of three tiers are published one after the other while threads poll the
list over real connections. Every version carries its generation in its name. A third
reader, the control, asks for each tier in a statement of its own, as a loop over
tiers would: it has to see generations mixed, or the test proves nothing.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from approvals import lifecycle
from tests import factories
from tests.counts import count
from tests.tiers.api.conftest import basic
from tiers.api.capillary import entries
from tiers.models import TierGroup, TierVersion

pytestmark = pytest.mark.postgres

NAMES = ("Silver", "Gold", "Jade")
CONTROL = "control"


class TornForTheControl:
    """The list's statement; for the control, one statement a tier."""

    def __init__(self, whole: Any) -> None:
        self.whole = whole

    def run(self, *numbers: int) -> list[Any]:
        rows: list[Any] = self.whole.run(*numbers)
        if threading.current_thread().name != CONTROL:
            return rows
        torn = []
        for tier_id in sorted({row.tier_id for row in rows}):
            time.sleep(0.002)
            torn += [r for r in self.whole.run(*numbers) if r.tier_id == tier_id]
        return torn


def faults(document: Any) -> list[str]:
    """Say what is wrong with a list that should be of one instant."""
    found = []
    tiers = document["data"]["tiers"]
    live = [t["name"].split() for t in tiers if t["status"] == "LIVE"]
    open_ = [t["name"].split() for t in tiers if t["status"] != "LIVE"]
    per_tier = Counter(name for name, _ in live)
    found += [f"{per_tier[n]} live versions" for n in NAMES if per_tier[n] != 1]
    generations = {int(generation) for _, generation in live}
    if len(generations) > 1:
        found.append("generations mixed")
    if any(int(generation) - 1 not in generations for _, generation in open_):
        found.append("an open version that is not the next one")
    being_changed = {name for name, _ in open_}
    for tier in tiers:
        if (tier["origin"] == "BOTH") != (tier["name"].split()[0] in being_changed):
            found.append("origin of another instant")
    return found


class Reader:
    """Polls the list until told to stop, and keeps count of what it saw."""

    def __init__(self, program_id: int, stop: threading.Event) -> None:
        self.address = f"/v3/tiers?programId={program_id}"
        self.stop = stop
        self.polls = 0
        self.faults: Counter[str] = Counter()
        self.generations: set[str] = set()
        self.failure: BaseException | None = None

    def run(self) -> None:
        client = Client(headers={"Authorization": basic("aude")})
        try:
            while not self.stop.is_set():
                document = client.get(self.address).json()
                self.polls += 1
                self.faults.update(faults(document))
                self.generations.update(
                    t["name"].split()[1]
                    for t in document["data"]["tiers"]
                    if t["status"] == "LIVE"
                )
        except BaseException as failure:
            self.failure = failure
        finally:
            connection.close()


def publish_generation(number: int, group: TierGroup, maya: User, chen: User) -> None:
    """Raise all three tiers in one change set."""
    live = TierVersion.objects.live().filter(tier__group=group)
    drafts = [
        lifecycle.draft_change(
            version,
            by=maya,
            changes={
                "name": f"{version.name.split()[0]} {number}",
                "threshold": version.threshold + 1,
            },
        )
        for version in live.order_by("tier")
    ]
    factories.approve(lifecycle.submit(drafts, by=maya), chen)


@pytest.fixture
def cast(transactional_db: None) -> tuple[User, User, User]:
    # The roles were emptied after the test before, like all tables.
    from approvals import roles

    roles.make()
    return (
        factories.make_maker("maya"),
        factories.make_reviewer("chen"),
        factories.make_auditor("aude"),
    )


def test_readers_see_a_change_set_whole_or_not_at_all(
    cast: tuple[User, User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    maya, chen, _ = cast
    program = factories.make_program(maya)
    group = factories.make_group(
        program,
        by=maya,
        reviewer=chen,
        tiers=[(f"{name} 0", 1000 * n) for n, name in enumerate(NAMES, start=1)],
    )
    monkeypatch.setattr(entries, "VERSIONS", TornForTheControl(entries.VERSIONS))
    stop = threading.Event()
    readers = [Reader(program.pk, stop) for _ in range(3)]
    *real, control = readers
    names = ["reader", "reader", CONTROL]
    publications = count(16, 200)

    def work() -> None:
        for number in range(1, publications + 1):
            publish_generation(number, group, maya, chen)

    in_threads(readers, names, stop, work)

    for reader in readers:
        if reader.failure:
            raise reader.failure
    seen = {
        reader: f"{reader.polls} polls, {dict(reader.faults)}" for reader in readers
    }
    print(f"\n{publications} change sets:", *seen.values(), sep="\n  ")
    for reader in real:
        assert reader.polls > publications
        # It was there while things changed, not before or after.
        assert len(reader.generations) > publications // 2
        assert not reader.faults, seen[reader]
    assert control.faults["generations mixed"], f"The control is blind: {seen[control]}"


def in_threads(
    readers: list[Reader],
    names: list[str],
    stop: threading.Event,
    work: Callable[[], Any],
) -> None:
    """Do the work while the readers read; wait until they have read it to the end."""
    threads = [
        threading.Thread(target=reader.run, name=name)
        for reader, name in zip(readers, names, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        work()
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
