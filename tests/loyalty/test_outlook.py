"""What waits, and what expires next."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from approvals import lifecycle
from approvals.models import ChangeSet
from loyalty import outlook, points
from tests import factories


@pytest.fixture
def expiring(program, stars, maya, chen):
    """Points of the program expire after three months."""
    draft = lifecycle.draft_change(
        stars.versions.live().get(),
        by=maya,
        changes={"availability_value": 3, "availability_unit": "MONTH"},
        at=factories.LONG_AGO + timedelta(days=1),
    )
    lifecycle.submit([draft], by=maya, at=factories.LONG_AGO + timedelta(days=1))
    factories.approve(
        ChangeSet.objects.latest("pk"), chen, at=factories.LONG_AGO + timedelta(days=2)
    )
    return stars


def test_the_next_lot_that_expires_is_told(expiring, member, django_assert_num_queries):
    for day, amount in ((1, 100), (1, 20), (5, 50)):
        at = datetime(2026, 3, day, 12, tzinfo=UTC)
        factories.earn(member, amount, occurred_at=at)
    as_of = datetime(2026, 4, 1, tzinfo=UTC)
    # Rules, zones, and the member's lines.
    with django_assert_num_queries(3):
        found = outlook.expiries(member, as_of=as_of)
    assert found == {expiring.pk: outlook.Expiry(datetime(2026, 6, 1, tzinfo=UTC), 120)}


def test_where_nothing_expires_nothing_is_read(
    member, stars, django_assert_num_queries
):
    factories.earn(member, 100)
    with django_assert_num_queries(1):
        assert outlook.expiries(member, as_of=timezone.now()) == {}


def test_what_waits_is_summed_until_its_time_is_over(rich, stars):
    for number, amount in enumerate((500, -20)):
        points.begin(
            rich, stars, amount, reference=f"b{number}", source="shop", by=None
        )
    now = timezone.now()
    assert outlook.waiting(rich, as_of=now) == {stars.pk: 480}
    assert outlook.waiting(rich, as_of=now + timedelta(days=2)) == {}


def test_what_has_expired_is_gone_before_anybody_records_it(
    expiring, member, django_assert_num_queries
):
    for day, amount in ((1, 100), (5, 50)):
        at = datetime(2026, 3, day, 12, tzinfo=UTC)
        factories.earn(member, amount, occurred_at=at)
    member.refresh_from_db()
    member.expires_next_at = datetime(2026, 6, 1, tzinfo=UTC)
    before = datetime(2026, 5, 31, tzinfo=UTC)
    with django_assert_num_queries(1):
        outlook.balances(member, as_of=before)
    after = datetime(2026, 6, 2, tzinfo=UTC)
    # The balances; rules, zones, and the member's lines.
    with django_assert_num_queries(4):
        assert outlook.balances(member, as_of=after) == {expiring.pk: 50}
    found = outlook.open_lots(member, expiring.pk, as_of=after)
    assert [(lot.left, lot.expires_at) for lot in found] == [
        (50, datetime(2026, 6, 5, tzinfo=UTC))
    ]


def test_lots_of_what_never_expires_add_up_to_the_balance(rich, stars):
    points.redeem(rich, stars, 30, reference="r", source="shop", by=None)
    now = timezone.now()
    found = outlook.open_lots(rich, stars.pk, as_of=now)
    assert sum(lot.left for lot in found) == outlook.balances(rich, as_of=now)[stars.pk]
    assert outlook.open_lots(rich, 0, as_of=now) == []
