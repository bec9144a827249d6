"""Random histories through the verbs and the database, held to the naive engine."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.counts import Part, in_parts, plainly, whole
from tests.tiers.machine import BEGIN, PEOPLE, Stored
from tests.tiers.stored import World

HISTORIES = whole(30, 1000 if connection.vendor == "postgresql" else 500)


@pytest.mark.proof
@pytest.mark.django_db
@in_parts(-(-HISTORIES // PEOPLE), size=84)
def test_whatever_happens_the_rows_are_what_a_naive_reading_says(
    part: Part, maya: User
) -> None:
    with time_machine.travel(BEGIN - timedelta(days=1), tick=False):
        made = World(maya)

    class InThisWorld(Stored):
        world = made

    machine = seed(part.seed)(InThisWorld)
    steps = whole(30, 40)
    run_state_machine_as_test(
        machine, settings=plainly(part.examples, stateful_step_count=steps)
    )
