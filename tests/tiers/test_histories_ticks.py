"""What is stored depends on what happened, not on when anybody looked."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty import points
from loyalty.models import Balance, PointsEntry
from tests.counts import count
from tests.tiers.stored import World, everything
from tests.tiers.test_histories_stored import (
    BEGIN,
    Stored,
    amounts,
    lateness,
    people,
    steps,
)
from tiers import assignment

pytestmark = [pytest.mark.proof, pytest.mark.django_db]

Call = tuple[str, dict[str, Any]]


def call(name: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    return st.tuples(st.just(name), st.fixed_dictionaries(arguments))


which = st.integers(0, 50)
calls = st.one_of(
    call("pass_time", step=steps),
    call("pass_time", step=steps),
    call("wait_for_midnight", before=st.just(timedelta(0))),
    call("earn", person=people, amount=amounts, late=lateness),
    call("buy", person=people, amount=amounts, late=lateness),
    call("adjust", person=people, amount=st.sampled_from([-100, 50])),
    call("redeem", person=people, amount=amounts),
    call("return_a_purchase", person=people, which=which),
    call("take_in_many", amount=amounts),
    call("leave_or_come_back", person=people),
    call(
        "override",
        person=people,
        tier=which,
        bound=st.sampled_from(["FLOOR", "PIN"]),
        span=steps,
    ),
    call("move", person=people, tier=which),
    call("order_evaluation", person=people),
    call(
        "change_the_program",
        zone=st.sampled_from(["America/Santiago", "UTC"]),
        months=st.sampled_from([3, 2]),
    ),
    call(
        "change_the_fussy_group",
        threshold=st.sampled_from([300, 500]),
        minimum=st.just(1),
    ),
)


@pytest.fixture
def world(maya: User) -> World:
    with time_machine.travel(BEGIN - timedelta(days=1), tick=False):
        return World(maya)


class Quiet(Stored):
    """Compares nothing on its way: this test compares two runs."""

    def is_judged(self, member: Any) -> bool:
        return False


def outcome(
    world: World, script: Sequence[Call], ticks: Sequence[bool]
) -> dict[str, Any]:
    """Do what a script says, with a tick after some of its lines and one at the end."""
    machine = type("InThisWorld", (Quiet,), {"world": world})()
    try:
        machine.begin(in_sets=False)
        for (name, arguments), tick in zip(script, ticks, strict=False):
            getattr(machine, name)(**arguments)
            if tick:
                with machine.clock():
                    assignment.recalculate(world.program, as_of=machine.now)
        with machine.clock(later=timedelta(days=1)):
            assignment.recalculate(world.program, as_of=machine.now)
        return everything(world.program)
    finally:
        machine.teardown()


def test_two_runs_with_different_tick_times_give_equal_rows(world: World) -> None:
    @settings(
        max_examples=count(10, 300),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        script=st.lists(calls, min_size=5, max_size=20),
        ticks=st.lists(st.booleans(), min_size=20, max_size=20),
    )
    def run(script: list[Call], ticks: list[bool]) -> None:
        seldom = [False] * len(ticks)
        assert outcome(world, script, ticks) == outcome(world, script, seldom)

    run()


@pytest.fixture
def three(world: World) -> Iterator[Stored]:
    machine = type("InThisWorld", (Quiet,), {"world": world})()
    machine.begin(in_sets=False)
    yield machine
    machine.teardown()


def test_the_order_in_which_things_arrive_does_not_matter(three: Stored) -> None:
    """The same purchases and returns, each with its own date, in any order."""
    world = three.world
    member = world.members[0]
    three.now += timedelta(days=100)
    days = st.integers(0, 90)

    def arrive(order: Sequence[tuple[int, int]], returned: int) -> dict[str, Any]:
        with transaction.atomic(), three.clock():
            for day, amount in order:
                points.post_activity(
                    member,
                    purchase=amount,
                    points=amount,
                    reference=f"day {day}",
                    source="tests",
                    by=None,
                    occurred_at=three.now - timedelta(days=day),
                )
            assignment.recalculate(world.program, as_of=three.now)
            at = three.now - timedelta(days=returned)
            entries = PointsEntry.objects.filter(member=member, occurred_at=at)
            for entry in entries.filter(kind="EARN").order_by("balance_definition"):
                points.reverse(entry, reference=f"{entry.pk}", source="tests", by=None)
            assert not list(world.differences(member, three.now))
            found = everything(world.program)
            found["balances"] = sorted(
                Balance.objects.filter(member=member).values_list(
                    "balance_definition", "amount"
                )
            )
            transaction.set_rollback(True)
        return found

    @settings(
        max_examples=count(10, 300),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        bought=st.dictionaries(days, amounts, min_size=2, max_size=6),
        data=st.data(),
    )
    def run(bought: dict[int, int], data: st.DataObject) -> None:
        in_order = sorted(bought.items())
        shuffled = data.draw(st.permutations(in_order))
        returned = data.draw(st.sampled_from(sorted(bought)))
        assert arrive(in_order, returned) == arrive(shuffled, returned)

    run()
