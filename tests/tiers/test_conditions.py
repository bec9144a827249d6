"""Conditions as people and vendors write them, read into one tree."""

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiers import conditions
from tiers.conditions import Asked, Malformed
from tiers.ladder import Condition, Measure, Needs, Test, holds

MEASURES = [Measure("LIFETIME", number) for number in range(1, 5)]
TESTS: list[Test] = [Condition(measure, 1) for measure in MEASURES]


def outcome(text: str, truths: tuple[bool, ...]) -> bool:
    """Say whether conditions hold that are true, each, as ``truths`` says."""
    amounts = dict(zip(MEASURES, map(int, truths), strict=True))
    combined = conditions.combine(text, TESTS[: len(truths)])
    return all(holds(test, amounts) for test in combined)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", lambda a, b, c, d: a and b and c and d),
        ("AND", lambda a, b, c, d: a and b and c and d),
        ("or", lambda a, b, c, d: a or b or c or d),
        ("ANY 2", lambda a, b, c, d: a + b + c + d >= 2),
        ("1 AND 2", lambda a, b, c, d: a and b),
        # Strictly from left to right, without precedence.
        ("1 OR 2 AND 3", lambda a, b, c, d: (a or b) and c),
        ("1 OR (2 AND 3)", lambda a, b, c, d: a or (b and c)),
        ("(1 && 2) || 3", lambda a, b, c, d: (a and b) or c),
        ("((1))AND(4)", lambda a, b, c, d: a and d),
    ],
)
def test_conditions_combine_as_a_text_says(text: str, meaning: Any) -> None:
    for truths in product([False, True], repeat=4):
        assert outcome(text, truths) == bool(meaning(*truths)), truths


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 AND", "missing"),
        ("AND 1", "missing"),
        ("1 2", "Between two conditions"),
        ("(1 AND 2", "not closed"),
        ("1 AND 2)", "no opening"),
        ("1 & 2", "& is not understood"),
        ("1 XOR 2", "XOR is not understood"),
        ("5", "no condition 5"),
        ("0", "no condition 0"),
        ("ANY 5", "ANY 5"),
        ("()", "missing"),
        ("１ AND 2", "not understood"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(Malformed, match=sentence.replace("(", r"\(")):
        conditions.combine(text, TESTS)


@given(st.text("1234 ANDORandor()&|xy", max_size=40), st.integers(1, 4))
def test_any_text_is_read_or_refused(text: str, count: int) -> None:
    try:
        found = conditions.combine(text, TESTS[:count])
    except Malformed:
        return
    assert all(isinstance(test, Condition | Needs) for test in found)


def test_an_expression_without_conditions_combines_nothing() -> None:
    assert conditions.combine("", []) == ()
    with pytest.raises(Malformed):
        conditions.check("1 AND 2", 0)


def test_a_tiers_conditions_are_read_in_order() -> None:
    found = conditions.read(
        [
            {"type": "PURCHASE", "value": "250.50"},
            {"type": "VISITS", "value": 3},
            {"type": "TRACKER", "trackerId": 7, "value": 5, "trackerCondition": "6"},
        ]
    )
    assert found == [
        Asked("PURCHASES", Decimal("250.50")),
        Asked("VISITS", Decimal(3)),
        Asked(7, Decimal(5), 6),
    ]


def test_a_renewals_conditions_are_those_that_are_set() -> None:
    said = {
        "purchase": "-1",
        "numVisits": 4,
        "points": "",
        "tracker": [{"trackerId": 9, "value": 1}],
    }
    assert conditions.read_renewal(said) == [
        Asked("VISITS", Decimal(4)),
        Asked(9, Decimal(1)),
    ]


@pytest.mark.parametrize(
    "items",
    [
        {},
        [1],
        [{"type": "SPEND", "value": 1}],
        [{"type": "VISITS"}],
        [{"type": "VISITS", "value": True}],
        [{"type": "VISITS", "value": "1_000"}],
        [{"type": "VISITS", "value": "１２"}],
        [{"type": "VISITS", "value": -5}],
        [{"type": "TRACKER", "value": 5}],
        [{"type": "TRACKER", "trackerId": "7", "value": 5}],
        [{"type": "TRACKER", "trackerId": 7, "value": 5, "trackerCondition": 40}],
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(items: Any) -> None:
    with pytest.raises(Malformed):
        conditions.read(items)


@pytest.mark.parametrize(
    "said", [[], {"spend": 4}, {"purchase": "lots"}, {"tracker": {"trackerId": 4}}]
)
def test_a_renewal_that_makes_no_sense_is_refused(said: Any) -> None:
    with pytest.raises(Malformed):
        conditions.read_renewal(said)
