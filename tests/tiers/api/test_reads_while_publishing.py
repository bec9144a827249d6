"""Whoever reads the list while a change set goes live sees all of it or none of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from approvals import lifecycle
from tests import factories
from tests.counts import count
from tiers.models import TierGroup, TierVersion

from .conftest import basic

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.proof,
    pytest.mark.django_db(transaction=True),
]

#: What one answer showed as live: name and description of each tier.
Seen = list[tuple[str, str]]


@contextmanager
def readers(number: int, read: Callable[[], Seen]) -> Iterator[list[Seen]]:
    """Let people read over and over, until the block is through."""
    seen: list[Seen] = []
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.is_set():
                seen.append(read())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def is_whole(seen: Seen) -> bool:
    """Tell whether all three tiers are there once, and of one change set."""
    names = sorted(name for name, _ in seen)
    generations = {description for _, description in seen}
    return names == ["Bronze", "Gold", "Silver"] and len(generations) == 1


def test_a_reader_never_sees_none_two_or_a_mixture(
    group: TierGroup, maya: User, chen: User, aude: User, record_property: Any
) -> None:
    header = {"Authorization": basic(aude.username)}
    query = {"programId": group.program_id}

    def read() -> Seen:
        answer = Client().get("/v3/tiers", query, headers=header)
        assert answer.status_code == 200
        tiers = answer.json()["data"]["tiers"]
        return [
            (t["name"], t.get("description", ""))
            for t in tiers
            if t["status"] == "LIVE"
        ]

    def drafts(generation: int) -> list[TierVersion]:
        live = TierVersion.objects.live().filter(tier__group=group)
        changes = {"description": f"Generation {generation}"}
        return [lifecycle.draft_change(v, by=maya, changes=changes) for v in live]

    with readers(2, read) as seen:
        for generation in range(count(10, 200)):
            held = lifecycle.submit(drafts(generation), by=maya)
            factories.approve(held, chen)
    assert len(seen) > count(10, 200)
    assert len({answer[0][1] for answer in seen}) > count(5, 60)
    assert [answer for answer in seen if not is_whole(answer)] == []

    # The control: three change sets, one after the other.
    with readers(2, read) as torn:
        for generation in range(count(10, 30)):
            for draft in drafts(generation):
                factories.approve(lifecycle.submit([draft], by=maya), chen)
    faults = sum(not is_whole(answer) for answer in torn)
    record_property("reads", len(seen))
    record_property("control faults", faults)
    print(f" {len(seen)} reads whole; the control was torn in {faults} of {len(torn)}")
    assert faults > 0
