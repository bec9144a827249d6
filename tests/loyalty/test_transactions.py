"""The history of a balance, from requests and lines."""

from datetime import timedelta

import pytest
from django.utils import timezone

from loyalty import points, transactions
from loyalty.errors import InsufficientPoints
from loyalty.models import PointsRequest
from loyalty.transactions import State, Wanted

from .stories import SHOP


@pytest.fixture
def busy(rich, stars):
    """100 points; 40 taken, 500 refused, 30 waiting, 20 called off, 10 run out."""
    points.redeem(rich, stars, 40, reference="taken", **SHOP)
    with pytest.raises(InsufficientPoints):
        points.begin(rich, stars, -500, reference="refused", **SHOP)
    points.begin(rich, stars, 30, reference="waiting", **SHOP)
    points.begin(rich, stars, -20, reference="called off", **SHOP)
    points.cancel(PointsRequest.objects.get(reference="called off"))
    yesterday = timezone.now() - timedelta(days=1)
    hour = yesterday + timedelta(hours=1)
    points.begin(
        rich, stars, 10, reference="run out", expires_at=hour, at=yesterday, **SHOP
    )
    return rich


def read(member, definition, **wanted):
    count, found = transactions.history(
        member, definition.pk, Wanted(**wanted), as_of=timezone.now()
    )
    return count, [(t.amount, str(t.state)) for t in found]


ALL = [
    (-20, "cancelled"),
    (30, "pending"),
    (-500, "rejected"),
    (-40, "completed"),
    (100, "completed"),
    (10, "expired"),
]


def test_a_history_is_of_all_that_was_asked(
    busy, stars, money, django_assert_num_queries
):
    # The page, its lines, its requests, the rules, the count.
    with django_assert_num_queries(5):
        assert read(busy, stars) == (6, ALL)
    assert read(busy, stars, newest_first=False) == (6, ALL[::-1])
    assert read(busy, stars, offset=1, limit=2) == (6, ALL[1:3])
    assert read(busy, money) == (0, [])


@pytest.mark.parametrize("state", State)
def test_a_history_is_filtered_by_state(busy, stars, state):
    expected = [(amount, word) for amount, word in ALL if word == state]
    assert read(busy, stars, state=state) == (len(expected), expected)


@pytest.mark.parametrize("is_credit", [True, False])
def test_a_history_is_filtered_by_sign(busy, stars, is_credit):
    expected = [(amount, word) for amount, word in ALL if (amount > 0) is is_credit]
    assert read(busy, stars, is_credit=is_credit) == (len(expected), expected)


def test_what_is_asked_for_again_and_again_is_read_in_five_queries(
    busy, stars, django_assert_num_queries
):
    for number in range(20):
        points.earn(busy, stars, 1, reference=f"more-{number}", source="shop", by=None)
    with django_assert_num_queries(5):
        count, found = read(busy, stars)
    assert (count, len(found)) == (26, 26)


def test_a_transaction_is_known_by_its_request(rich, stars):
    posted = points.redeem(
        rich, stars, 40, reference="r", source="shop", by=None, meta={"order": 1}
    )
    request = PointsRequest.objects.get(uuid=posted.request)
    found = transactions.transaction(request, as_of=timezone.now())
    assert (found.uuid, found.amount, found.balance) == (posted.request, -40, 60)
    assert found.meta == {"order": 1}


def test_lines_of_one_purchase_are_told_apart(member, stars, money):
    posted = points.post_activity(
        member, purchase=1250, points=12, reference="p", source="shop", by=None
    )
    now = timezone.now()
    _, (bought,) = transactions.history(member, money.pk, Wanted(), as_of=now)
    _, (earned,) = transactions.history(member, stars.pk, Wanted(), as_of=now)
    assert {bought.uuid, earned.uuid} == {line.uuid for line in posted.lines}
    assert (bought.balance, earned.balance) == (1250, 12)
