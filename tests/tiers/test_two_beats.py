"""Many at once: beats, workers, ticks and writers, and the rows of one after the other."""

import random
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from loyalty import members, points
from loyalty.models import Member, PointsEntry
from tests.counts import count
from tests.races import racers
from tests.tiers.stored import World, everything
from tests.tiers.test_kills import everybody_earns, expect_right, marked
from tests.tiers.workers import BEAT, WORKER, plant, wait_until
from tiers import assignment, judging, locks, quarantine
from tiers.models import MemberSetAside, Standing, TierAssignment

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.proof,
    pytest.mark.django_db(transaction=True),
]

PEOPLE = 80
ROUNDS = count(2, 20)


@pytest.fixture
def world(maya: User) -> World:
    world = World(maya, at=timezone.now() - timedelta(days=9))
    people = [members.Person(external_id=f"b-{n}") for n in range(PEOPLE)]
    world.members = list(members.enrol_many(world.program, people, by=maya))
    assignment.recalculate(world.program, as_of=timezone.now())
    return world


def test_two_beats_and_three_workers_leave_the_rows_of_one(world: World) -> None:
    chance = random.Random(5)
    with plant() as works:
        for _ in range(3):
            works.start(WORKER)
        for _ in range(2):
            works.start(BEAT)
        for number in range(ROUNDS):
            everybody_earns(world, chance, f"round {number}")
            for member in chance.sample(world.members, 10):
                points.earn(
                    member,
                    world.points,
                    50,
                    reference=f"at once {number}-{member.pk}",
                    source="tests",
                    by=None,
                )
        wait_until(lambda: marked(world) == 0)
        time.sleep(1)  # Everybody ticks on, and nothing more may come of it.
    expect_right(world)
    superseded = TierAssignment.objects.filter(superseded_at__isnull=False)
    twice = superseded.values_list(
        "member", "group", "valid_from", "tier", "valid_until"
    )
    # What holds now was not written a second time.
    assert not set(twice) & set(
        TierAssignment.objects.known_now().values_list(
            "member", "group", "valid_from", "tier", "valid_until"
        )
    )


# Ticks at once


def all_at_once(world: World, number: int, name: str) -> list[Any]:
    """Tick in so many threads at once, for one and the same instant."""
    everybody_earns(world, random.Random(7), name)
    as_of = timezone.now()
    with racers(number) as people:
        return people.race(
            *[lambda: assignment.recalculate(world.program, as_of=as_of)] * number
        )


def test_ticks_at_once_leave_the_rows_of_one(world: World) -> None:
    for number in range(ROUNDS):
        outcomes = all_at_once(world, 4, f"ticks {number}")
        assert not [o for o in outcomes if isinstance(o, Exception)]
        assert not MemberSetAside.objects.exists()
        expect_right(world, sample=20)
        before = everything(world.program)
        assignment.recalculate(world.program, as_of=timezone.now())
        assert everything(world.program) == before


def test_without_locks_and_leases_ticks_at_once_would_do_harm(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **options: self)
    monkeypatch.setattr(assignment, "_renew", lambda *arguments: None)
    monkeypatch.setattr(locks, "share", _just_read(locks.share))
    monkeypatch.setattr(locks, "hold", lambda *arguments: None)
    # What the database refuses would be tried again, member by member, and succeed.
    monkeypatch.setattr(quarantine, "catch_up", judging.catch_up)

    def harmed(number: int) -> bool:
        outcomes = all_at_once(world, 4, f"broken {number}")
        if [o for o in outcomes if isinstance(o, Exception)]:
            return True
        return bool(list(world.miscounts()))

    assert any(harmed(number) for number in range(10))


def _just_read(share: Any) -> Any:
    return lambda program_id: list(judging.groups_of(program_id))


# A writer across a tick


@pytest.fixture
def slow_writer(world: World) -> Iterator[tuple[threading.Event, threading.Thread]]:
    """Somebody who has posted to a member, and has not committed yet."""
    posted, done = threading.Event(), threading.Event()

    def write() -> None:
        try:
            with transaction.atomic():
                line = points.Line("EARN", world.points.pk, 300)
                points.post_many(
                    world.program,
                    [points.Activity(world.members[0].pk, "slow", (line,))],
                    source="tests",
                    by=None,
                )
                posted.set()
                done.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    assert posted.wait(30)
    yield done, thread
    done.set()
    thread.join(30)


def test_what_commits_across_a_tick_is_in_the_next_one(
    world: World, slow_writer: tuple[threading.Event, threading.Thread]
) -> None:
    done, writer = slow_writer
    fast = world.members[1]
    posting: dict[str, Any] = {"source": "tests", "by": None}
    points.earn(fast, world.points, 300, reference="fast", **posting)
    watermark = PointsEntry.objects.aggregate(Max("pk"))["pk__max"]

    def tick() -> None:
        try:
            assignment.recalculate(world.program, as_of=timezone.now())
        finally:
            connection.close()

    across = threading.Thread(target=tick)
    across.start()
    time.sleep(0.3)
    done.set()
    writer.join(30)
    across.join(30)

    # The control: whoever goes on behind the last number never sees the slow one.
    slow = PointsEntry.objects.get(request__reference="slow")
    assert slow.pk < watermark
    assignment.recalculate(world.program, as_of=timezone.now())
    assert not Member.objects.filter(program=world.program).marked().exists()
    judged_at = Standing.objects.filter(member=world.members[0])[0].evaluated_at
    assert not list(world.differences(world.members[:1], judged_at))
