"""Workers that are killed, brokers that forget: the next tick leaves nobody wrong."""

import random
import signal
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.contrib.auth.models import User
from django.utils import timezone

from loyalty import members, points
from loyalty.models import Member
from tests.counts import whole
from tests.tiers.stored import World
from tests.tiers.workers import CHUNK, WORKER, Plant, plant, wait_until
from tiers import assignment, verification
from tiers.models import Recalculation

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.proof,
    pytest.mark.django_db(transaction=True),
]

PEOPLE = 80
KILLS = whole(3, 40)


@pytest.fixture
def world(maya: User) -> World:
    world = World(maya, at=timezone.now() - timedelta(days=9))
    people = [members.Person(external_id=f"k-{n}") for n in range(PEOPLE)]
    world.members = list(members.enrol_many(world.program, people, by=maya))
    assignment.recalculate(world.program, as_of=timezone.now())
    return world


@pytest.fixture
def works() -> Iterator[Plant]:
    with plant() as found:
        yield found


def everybody_earns(world: World, chance: random.Random, name: str) -> None:
    """Take in a line for each member, judging nobody; and make a tick due."""
    report = points.post_many(
        world.program,
        [
            points.Activity(
                member.pk,
                f"{name}-{member.pk}",
                (points.Line("EARN", world.points.pk, chance.choice([50, 100, 200])),),
            )
            for member in world.members
        ],
        source="tests",
        by=None,
    )
    assert report.posted == PEOPLE
    make_due(world)


def make_due(world: World) -> None:
    """As when the lease of a dead worker is over."""
    rows = Recalculation.objects.filter(program=world.program)
    rows.update(due_at=timezone.now())


def marked(world: World) -> int:
    found: int = Member.objects.filter(program=world.program).marked().count()
    return found


def expect_right(world: World, sample: int = PEOPLE) -> None:
    now = timezone.now()
    assignment.recalculate(world.program, as_of=now)
    assert marked(world) == 0
    assert not list(verification.problems(world.program))
    some = random.Random(sample).sample(world.members, sample)
    assert not list(world.differences(some, now))
    assert not list(world.miscounts())


def test_a_worker_killed_in_the_middle_of_a_tick_leaves_nobody_wrong(
    world: World, works: Plant
) -> None:
    chance = random.Random(40)
    in_the_middle = 0
    for number in range(KILLS):
        everybody_earns(world, chance, f"kill {number}")
        worker = works.start(WORKER)
        works.ask_for_a_tick()
        left = chance.randrange(CHUNK, PEOPLE)
        wait_until(lambda left=left: marked(world) <= left)  # type: ignore[misc]
        time.sleep(chance.random() * 0.02)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        in_the_middle += 0 < marked(world) < PEOPLE
        expect_right(world, sample=whole(10, 20))
    # Some came too late; most have to hit.
    assert in_the_middle > KILLS / 2
    expect_right(world)


def test_a_broker_that_forgets_everything_loses_nothing(
    world: World, works: Plant
) -> None:
    everybody_earns(world, random.Random(1), "before")
    works.start(WORKER)
    for _ in range(5):
        works.ask_for_a_tick()
    wait_until(lambda: marked(world) < PEOPLE)
    redis.from_url(works.redis_url).flushall()
    everybody_earns(world, random.Random(2), "after")

    # What beat sends next finds all that is to be done.
    def asked_again() -> bool:
        works.ask_for_a_tick()
        time.sleep(0.3)
        make_due(world)
        return marked(world) == 0

    wait_until(asked_again)
    expect_right(world)
