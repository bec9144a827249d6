"""What is stored depends on what happened, not on the order in which it arrived."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from loyalty import points
from loyalty.models import Balance, PointsEntry
from tests.counts import count, plainly
from tests.tiers.machine import BEGIN, Stored, amounts
from tests.tiers.stored import World, everything
from tiers import assignment

pytestmark = [pytest.mark.proof, pytest.mark.django_db]


@pytest.fixture
def world(maya: User) -> World:
    with time_machine.travel(BEGIN - timedelta(days=1), tick=False):
        return World(maya)


@pytest.fixture
def three(world: World) -> Iterator[Stored]:
    machine = type("InThisWorld", (Stored,), {"world": world})()
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
