"""Amounts that people write, and shares of purchases that are returned in parts."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.amounts import NotAnAmount, taken_back, to_units
from tests.counts import count


@pytest.mark.parametrize(
    ("amount", "lower", "upper", "natural"),
    [
        ("12.50", 1250, 1250, 1250),
        ("12.345", 1234, 1235, 1235),
        ("1.005", 100, 101, 101),
        ("0.001", 0, 1, 0),
        ("-12.345", -1234, -1235, -1235),
        ("-0.00", 0, 0, 0),
        ("2.5", 250, 250, 250),
    ],
)
def test_an_amount_is_rounded_as_its_balance_says(amount, lower, upper, natural):
    assert to_units(amount, 2, "LOWER") == lower
    assert to_units(amount, 2, "UPPER") == upper
    assert to_units(Decimal(amount), 2, "NATURAL") == natural


def test_halves_are_rounded_away_from_nothing():
    assert [to_units(text, 0, "NATURAL") for text in ("2.5", "3.5", "-2.5")] == [
        3,
        4,
        -3,
    ]


@pytest.mark.parametrize(
    "text",
    ["", "1_000", "１２", "٣", "1,50", "1e3", "NaN", "sNaN", "Infinity", "+1", " 1"]
    + ["1.", ".5", "1.23457E+11", "0x10", "--1", "9" * 17],
)
def test_what_is_no_plain_number_is_refused(text):
    with pytest.raises(NotAnAmount):
        to_units(text, 2, "LOWER")


@pytest.mark.parametrize("odd", ["NaN", "Infinity"])
def test_a_decimal_that_is_no_number_is_refused(odd):
    with pytest.raises(NotAnAmount):
        to_units(Decimal(odd), 2, "LOWER")


def test_half_of_a_purchase_takes_back_what_the_other_half_does_not_earn():
    # 19.99 earned 29 points: 1.5 for each whole 1.00, rounded down.
    first = taken_back(29, whole=1999, returned=1000, rounding="LOWER")
    assert first == 15
    assert taken_back(29, whole=1999, returned=1999, rounding="LOWER") - first == 14


@settings(max_examples=count(500, 10_000))
@given(
    st.integers(0, 10**15),
    st.lists(st.integers(1, 10**9), min_size=1, max_size=12),
    st.sampled_from(["LOWER", "UPPER", "NATURAL"]),
)
def test_a_purchase_that_is_returned_in_parts_takes_back_exactly_what_it_earned(
    earned, parts, rounding
):
    whole = sum(parts)
    returned = gone = 0
    for part in parts:
        returned += part
        total = taken_back(earned, whole=whole, returned=returned, rounding=rounding)
        assert total >= gone
        gone = total
    assert gone == earned
