"""What is stored depends on what happened, not on when anybody looked."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from loyalty import points
from loyalty.models import Balance, PointsEntry
from tests.counts import Part, count, in_parts, plainly, whole
from tests.tiers.stored import World, everything
from tests.tiers.test_histories_stored import (
    BEGIN,
    PEOPLE,
    Call,
    Stored,
    amounts,
    call,
    changes_of_rules,
    lateness,
    people,
    steps,
)
from tiers import assignment

pytestmark = [pytest.mark.proof, pytest.mark.django_db]

HISTORIES = whole(15, 1000 if connection.vendor == "postgresql" else 500)
which = st.integers(0, 50)
calls = st.one_of(
    call("pass_time", step=steps),
    call("pass_time", step=steps),
    call("wait_for_midnight", before=st.just(timedelta(0))),
    call("earn", person=people, amount=amounts, late=lateness),
    call("buy", person=people, amount=amounts, late=lateness),
    call("adjust", person=people, amount=st.sampled_from([-100, 50])),
    call("redeem", person=people, amount=amounts),
    call("reverse", person=people, which=which, part=st.sampled_from([None, 50])),
    call("return_a_purchase", person=people, which=which),
    call("refund", person=people, which=which),
    call("replay", person=people, amount=amounts),
    call("take_in_many", amount=amounts),
    call("expire"),
    call("join"),
    call("leave_or_come_back", person=people),
    call("rest_or_wake", person=people),
    call(
        "override",
        person=people,
        tier=which,
        bound=st.sampled_from(["FLOOR", "PIN"]),
        span=steps,
    ),
    call("move", person=people, tier=which),
    call("end_override", person=people),
    call("order_evaluation", person=people),
    call("pause_or_resume"),
    changes_of_rules,
)


@pytest.fixture
def world(maya: User) -> World:
    with time_machine.travel(BEGIN - timedelta(days=1), tick=False):
        return World(maya)


class Quiet(Stored):
    """Compares nothing on its way: this test compares two runs."""

    def is_judged(self, member: Any) -> bool:
        return False

    def tick_and_compare(self) -> None:
        assignment.recalculate(self.world.program, as_of=self.now)


def outcome(
    world: World, script: Sequence[Call], ticks: Sequence[bool], *, in_sets: bool
) -> dict[str, Any]:
    """Do what a script says, with a tick after some of its lines and one at the end."""
    machine = type("InThisWorld", (Quiet,), {"world": world})()
    try:
        machine.begin(in_sets=in_sets)
        for (name, arguments), ticks_now in zip(script, ticks, strict=False):
            if name != "join" or len(world.members) < PEOPLE:
                getattr(machine, name)(**arguments)
            if ticks_now:
                machine.tick()
        while len(world.members) < PEOPLE:
            machine.join()
        machine.now += timedelta(days=1)
        machine.tick()
        return everything(world.program)
    finally:
        machine.undo()


@in_parts(-(-HISTORIES // PEOPLE), size=84)
def test_two_runs_with_different_tick_times_give_equal_rows(
    part: Part, world: World
) -> None:
    def check(script: list[Call], ticks: list[bool], in_sets: bool) -> None:
        others = [not ticks_now for ticks_now in ticks]
        one = outcome(world, script, ticks, in_sets=in_sets)
        assert one == outcome(world, script, others, in_sets=False)

    part.run(
        check,
        script=st.lists(calls, min_size=10, max_size=30),
        ticks=st.lists(st.booleans(), min_size=30, max_size=30),
        in_sets=st.booleans(),
    )


@pytest.fixture
def three(world: World) -> Iterator[Stored]:
    machine = type("InThisWorld", (Quiet,), {"world": world})()
    machine.begin(in_sets=False)
    yield machine
    machine.undo()


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
            assert not list(world.differences([member], three.now))
            found = everything(world.program)
            found["balances"] = sorted(
                Balance.objects.filter(member=member).values_list(
                    "balance_definition", "amount"
                )
            )
            transaction.set_rollback(True)
        return found

    @plainly(count(10, 300))
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
