"""How far it is to the next tier, by hand-made ladders."""

from datetime import UTC, datetime

import pytest

from tiers.ladder import Condition, Ladder, Line, Measure, Needs, Rung
from tiers.progress import progress

POINTS = Measure("WINDOW", 1, 12)
MONEY = Measure("LIFETIME", 2)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BASE, SILVER, GOLD, GIFT, BLACK = 1, 2, 3, 4, 5


def at_least(minimum, measure=POINTS):
    return (Condition(measure, minimum),)


LADDER = Ladder(
    starts_at=datetime(2020, 1, 1, tzinfo=UTC),
    zone="UTC",
    group_version=1,
    measure=POINTS,
    rungs=(
        Rung(BASE, 1),
        Rung(SILVER, 2, at_least(500)),
        Rung(GIFT, 4, automatic=False),
        Rung(GOLD, 3, at_least(2000)),
        Rung(
            BLACK,
            5,
            (
                *at_least(5000),
                Needs(1, (*at_least(100, MONEY), *at_least(9000))),
            ),
        ),
    ),
)


def earned(amount, balance=1, year=2026):
    at = datetime(year, 1, 2, tzinfo=UTC)
    return Line(balance, "EARN", "EARN", amount, at, at)


@pytest.mark.parametrize(
    ("tier", "amount", "following", "left", "percent"),
    [
        (None, 0, SILVER, 500, 0),
        (BASE, 499, SILVER, 1, 99),
        (SILVER, 1250, GOLD, 750, 62),
        (GIFT, 1250, GOLD, 750, 62),
        (SILVER, 2000, GOLD, 0, 100),
        (SILVER, -10, GOLD, 2010, 0),
    ],
)
def test_the_way_to_the_next_tier_that_points_lead_to(
    tier, amount, following, left, percent
):
    lines = [earned(amount), earned(9999, year=2024)]
    found = progress(LADDER, lines, tier, NOW)
    assert found is not None
    assert found.tier == following
    (step,) = found.steps
    assert (step.left, step.percent) == (left, percent)
    assert found.is_reached == (left == 0)


def test_every_condition_has_its_own_way():
    found = progress(LADDER, [earned(4000), earned(30, balance=2)], GOLD, NOW)
    assert found is not None
    assert found.tier == BLACK
    assert [(s.amount, s.needed, s.is_choice) for s in found.steps] == [
        (4000, 5000, False),
        (30, 100, True),
        (4000, 9000, True),
    ]
    assert not found.is_reached


def test_any_one_of_several_is_enough():
    found = progress(LADDER, [earned(5000), earned(100, balance=2)], GOLD, NOW)
    assert found is not None
    assert found.is_reached


def test_above_the_top_there_is_nothing():
    assert progress(LADDER, [], BLACK, NOW) is None
