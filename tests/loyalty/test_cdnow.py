"""The demo purchases are complete, exact, and end this week once shifted."""

from bisect import bisect_right
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

import pytest

from loyalty import cdnow


@pytest.fixture(scope="module")
def purchases() -> list[cdnow.Purchase]:
    return list(cdnow.purchases())


def test_every_purchase_of_every_customer_is_there(
    purchases: list[cdnow.Purchase],
) -> None:
    assert len(purchases) == 69_659
    assert len({purchase.customer for purchase in purchases}) == 23_570


def test_amounts_are_exact_to_the_cent(purchases: list[cdnow.Purchase]) -> None:
    assert sum(purchase.cents for purchase in purchases) == 250_031_563
    assert min(purchase.cents for purchase in purchases) == 0
    assert sum(purchase.cents == 0 for purchase in purchases) == 80


def test_the_first_and_last_purchases_of_the_file_are_read(
    purchases: list[cdnow.Purchase],
) -> None:
    # as printed in the source: "00001 19970101 1 11.77", "23570 19970326 2 42.96"
    assert purchases[0] == (1, date(1997, 1, 1), 1, 11_77)
    assert purchases[-1] == (23_570, date(1997, 3, 26), 2, 42_96)


def test_the_days_run_from_new_year_1997_to_the_last_day(
    purchases: list[cdnow.Purchase],
) -> None:
    days = {purchase.day for purchase in purchases}

    assert min(days) == date(1997, 1, 1)
    assert max(days) == cdnow.LAST_DAY == date(1998, 6, 30)


def test_purchases_come_by_customer_and_then_by_day(
    purchases: list[cdnow.Purchase],
) -> None:
    assert all(
        (one.customer, one.day) <= (other.customer, other.day)
        for one, other in pairwise(purchases)
    )


def test_a_year_of_spending_puts_a_fifth_of_the_customers_into_a_tier(
    purchases: list[cdnow.Purchase],
) -> None:
    """As of the end of the last day, with the window open at its start."""
    thresholds = [50_00, 100_00, 250_00]
    last = date(1998, 6, 30)
    twelve_months_before = date(1997, 6, 30)  # a purchase of this day has left
    totals = {purchase.customer: 0 for purchase in purchases}
    for purchase in purchases:
        if twelve_months_before < purchase.day <= last:
            totals[purchase.customer] += purchase.cents

    # the number of thresholds at or below the total: 0 is the base tier
    counts = Counter(bisect_right(thresholds, total) for total in totals.values())

    assert counts == {0: 18_717, 1: 1_970, 2: 1_891, 3: 992}


@pytest.mark.parametrize(
    ("today", "weeks"),
    [
        (date(1998, 6, 29), -1),
        (date(1998, 6, 30), 0),
        (date(1998, 7, 6), 0),
        (date(1998, 7, 7), 1),
        (date(2024, 2, 29), 1339),
    ],
)
def test_the_shift_is_a_whole_number_of_weeks(today: date, weeks: int) -> None:
    assert cdnow.shift_weeks(today) == weeks


def test_the_shifted_last_purchase_is_in_the_past_seven_days_and_never_ahead() -> None:
    for offset in range(-30, 800):
        today = date(2025, 1, 1) + timedelta(days=offset)
        last = cdnow.LAST_DAY + timedelta(weeks=cdnow.shift_weeks(today))

        assert today - timedelta(days=7) < last <= today
        assert last.weekday() == cdnow.LAST_DAY.weekday()
