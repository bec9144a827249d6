"""Reversing, refunding and correcting, with amounts that can be checked by hand."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

from loyalty import members, points
from loyalty.errors import (
    AlreadyReversed,
    InvalidPosting,
    MemberClosed,
    MoreThanLeft,
    NotAMember,
    NotReversible,
    ReferenceReused,
)
from loyalty.models import PointsEntry, PointsRequest
from tests import factories

from .stories import SHOP, amounts_of, balance_of, set_rules


@pytest.fixture
def order(member, stars):
    """A line of 100 points, earned on 1 March."""
    return points.earn(
        member,
        stars,
        100,
        reference="order",
        occurred_at=datetime(2026, 3, 1, tzinfo=UTC),
        **SHOP,
    ).entries.get()


# One line


def test_a_reversal_is_a_line_of_now_in_the_window_of_its_original(order, stars):
    now = datetime(2026, 6, 1, tzinfo=UTC)
    posting = points.reverse(order, reference="return", at=now, **SHOP)
    line = posting.entries.get()
    assert (line.kind, line.amount, line.reverses) == ("REVERSAL", -100, order)
    assert (line.occurred_at, line.window_at) == (now, order.window_at)
    assert balance_of(order.member, stars) == 0
    assert points.verify(order.member) is None


def test_a_reversal_may_say_when_it_happened_but_not_before_its_original(order):
    then = datetime(2026, 4, 1, tzinfo=UTC)
    first = points.reverse(order, amount=1, reference="a", occurred_at=then, **SHOP)
    assert first.entries.get().occurred_at == then
    early = datetime(2025, 4, 1, tzinfo=UTC)
    second = points.reverse(order, amount=1, reference="b", occurred_at=early, **SHOP)
    assert second.entries.get().occurred_at == order.occurred_at


def test_parts_of_a_line_are_reversed_up_to_all_of_it(order, stars):
    points.reverse(order, amount=30, reference="r1", **SHOP)
    with pytest.raises(MoreThanLeft) as refused:
        points.reverse(order, amount=71, reference="r2", **SHOP)
    assert refused.value.details == {"amount": 71, "left": 70}
    points.reverse(order, reference="r3", **SHOP)
    assert balance_of(order.member, stars) == 0
    with pytest.raises(AlreadyReversed):
        points.reverse(order, reference="r4", **SHOP)
    with pytest.raises(AlreadyReversed):
        points.reverse(order, amount=1, reference="r5", **SHOP)


def test_reversing_is_safe_to_repeat_and_a_refusal_is_remembered(order, stars):
    first = points.reverse(order, amount=60, reference="r1", **SHOP)
    again = points.reverse(order, amount=60, reference="r1", **SHOP)
    assert again == first
    assert again.replayed
    with pytest.raises(ReferenceReused):
        points.reverse(order, amount=61, reference="r1", **SHOP)
    for _ in range(2):
        with pytest.raises(MoreThanLeft):
            points.reverse(order, amount=60, reference="r2", **SHOP)
    assert balance_of(order.member, stars) == 40


def test_a_reversal_cannot_be_reversed(order):
    reversal = points.reverse(order, reference="r", **SHOP).entries.get()
    with pytest.raises(NotReversible):
        points.reverse(reversal, reference="rr", **SHOP)


def test_what_was_redeemed_or_adjusted_is_reversed_upwards(rich, stars):
    mug = points.redeem(rich, stars, 30, reference="mug", **SHOP).entries.get()
    typo = points.adjust(rich, stars, -15, reference="typo", **SHOP).entries.get()
    points.reverse(mug, amount=10, reference="r1", **SHOP)
    points.reverse(typo, reference="r2", **SHOP)
    assert balance_of(rich, stars) == 80


def test_reversing_what_was_spent_passes_the_floor_and_flags_the_member(
    order, stars, member
):
    points.redeem(member, stars, 90, reference="tv", **SHOP)
    points.reverse(order, amount=5, reference="r1", **SHOP)
    member.refresh_from_db()
    assert member.flagged_at is None
    now = datetime(2026, 8, 1, tzinfo=UTC)
    points.reverse(order, reference="r2", at=now, **SHOP)
    member.refresh_from_db()
    assert balance_of(member, stars) == -90
    assert member.flagged_at == now


def test_a_line_of_somebody_else_is_no_line(order, program):
    other = factories.make_member(program)
    order.member = other
    with pytest.raises(InvalidPosting) as refused:
        points.reverse(order, reference="r", **SHOP)
    assert refused.value.details["missing"]
    assert not PointsRequest.objects.filter(reference="r").exists()


@pytest.mark.parametrize("amount", [0, -1, True, 1.0, "5", points.MAX_AMOUNT + 1])
def test_what_is_no_amount_reverses_nothing(order, amount):
    with pytest.raises(InvalidPosting):
        points.reverse(order, amount=amount, reference="r", **SHOP)


def test_nothing_of_a_closed_member_is_reversed(order, maya):
    members.close(order.member, by=maya, reason="Asked us to.")
    with pytest.raises(MemberClosed):
        points.reverse(order, reference="r", **SHOP)


def test_who_has_left_is_corrected_downwards_only(rich, stars, maya):
    mug = points.redeem(rich, stars, 30, reference="mug", **SHOP).entries.get()
    first = PointsEntry.objects.get(member=rich, kind="EARN")
    members.leave(rich, by=maya)
    with pytest.raises(NotAMember):
        points.reverse(mug, reference="r1", **SHOP)
    with pytest.raises(NotAMember):
        points.refund(mug, reference="r2", **SHOP)
    points.reverse(first, amount=10, reference="r3", **SHOP)
    assert balance_of(rich, stars) == 60


# A whole purchase


@pytest.fixture
def purchase(member):
    """19.99 spent in one visit, which earned 29 points."""
    posting = points.post_activity(
        member, purchase=1999, visits=1, points=29, reference="till-7", **SHOP
    )
    return PointsRequest.objects.get(uuid=posting.request)


def test_a_purchase_is_reversed_with_all_that_it_earned(purchase, member):
    posting = points.reverse_activity(purchase, reference="return", **SHOP)
    assert [line.amount for line in posting.lines] == [-1999, -1, -29]
    assert set(amounts_of(member).values()) == {0}
    with pytest.raises(AlreadyReversed):
        points.reverse_activity(purchase, reference="again", **SHOP)


def test_a_purchase_that_comes_back_in_parts_takes_back_exactly_what_it_earned(
    purchase, member
):
    first = points.reverse_activity(purchase, amount=1000, reference="r1", **SHOP)
    # What stays is what 9.99 would have earned, and the visit.
    assert [line.amount for line in first.lines] == [-1000, -15]
    second = points.reverse_activity(purchase, amount=999, reference="r2", **SHOP)
    assert [line.amount for line in second.lines] == [-999, -1, -14]
    assert set(amounts_of(member).values()) == {0}
    assert points.verify(member) is None


def test_a_part_of_a_purchase_is_at_most_what_is_left_of_it(purchase):
    points.reverse_activity(purchase, amount=1000, reference="r1", **SHOP)
    with pytest.raises(MoreThanLeft) as refused:
        points.reverse_activity(purchase, amount=1000, reference="r2", **SHOP)
    assert refused.value.details["left"] == 999


def test_what_was_reversed_line_by_line_is_not_reversed_again(purchase, member, stars):
    line = purchase.entries.get(balance_definition=stars)
    points.reverse(line, amount=20, reference="r1", **SHOP)
    points.reverse_activity(purchase, amount=1000, reference="r2", **SHOP)
    assert balance_of(member, stars) == 9
    points.reverse_activity(purchase, reference="r3", **SHOP)
    assert set(amounts_of(member).values()) == {0}


def test_the_reversal_of_a_purchase_cannot_be_reversed(purchase):
    posting = points.reverse_activity(purchase, reference="r", **SHOP)
    reversal = PointsRequest.objects.get(uuid=posting.request)
    with pytest.raises(NotReversible):
        points.reverse_activity(reversal, reference="rr", **SHOP)


def test_shares_are_rounded_as_the_balance_says(member, stars, maya, chen):
    set_rules(stars, maya, chen, credit_rounding="UPPER")
    posting = points.post_activity(
        member, purchase=1999, points=29, reference="till", **SHOP
    )
    purchase = PointsRequest.objects.get(uuid=posting.request)
    part = points.reverse_activity(purchase, amount=1000, reference="r1", **SHOP)
    assert [line.amount for line in part.lines] == [-1000, -14]


# Refunds


def test_a_refund_gives_back_what_was_redeemed_as_a_credit_of_today(rich, stars):
    mug = points.redeem(rich, stars, 30, reference="mug", **SHOP).entries.get()
    line = points.refund(mug, amount=10, reference="r1", **SHOP).entries.get()
    assert (line.kind, line.amount, line.concerns) == ("REFUND", 10, mug)
    assert line.occurred_at == line.window_at == line.recorded_at
    points.refund(mug, reference="r2", **SHOP)
    assert balance_of(rich, stars) == 100
    with pytest.raises(AlreadyReversed):
        points.refund(mug, reference="r3", **SHOP)


def test_refunds_and_reversals_together_are_at_most_the_redemption(rich, stars):
    mug = points.redeem(rich, stars, 30, reference="mug", **SHOP).entries.get()
    points.refund(mug, amount=20, reference="r1", **SHOP)
    with pytest.raises(MoreThanLeft):
        points.reverse(mug, amount=11, reference="r2", **SHOP)
    points.reverse(mug, amount=10, reference="r3", **SHOP)
    assert balance_of(rich, stars) == 100


def test_only_a_redemption_is_refunded(rich):
    earned = PointsEntry.objects.get(member=rich)
    with pytest.raises(NotReversible):
        points.refund(earned, reference="r", **SHOP)


def test_a_ceiling_does_not_hold_back_what_was_the_members(rich, stars, maya, chen):
    mug = points.redeem(rich, stars, 30, reference="mug", **SHOP).entries.get()
    set_rules(stars, maya, chen, maximum=80)
    points.refund(mug, reference="r", **SHOP)
    assert balance_of(rich, stars) == 100


# To a balance


def test_a_balance_is_corrected_to_what_it_should_be(rich, stars):
    points.adjust_to(rich, stars, 250, reference="a", **SHOP)
    assert balance_of(rich, stars) == 250
    points.adjust_to(rich, stars, 40, reference="b", **SHOP)
    assert balance_of(rich, stars) == 40
    posting = points.adjust_to(rich, stars, 40, reference="c", **SHOP)
    assert posting.lines == ()
    again = points.adjust_to(rich, stars, 250, reference="a", **SHOP)
    assert again.replayed
    assert balance_of(rich, stars) == 40
    with pytest.raises(ReferenceReused):
        points.adjust(rich, stars, 250, reference="a", **SHOP)


# What the database refuses, whoever asks


@pytest.mark.parametrize(
    "change",
    [
        {"amount": -101},
        {"amount": 1},
        {"member": "other"},
        {"balance_definition": "money"},
        {"reverses": "reversal"},
    ],
    ids=str,
)
def test_raw_rows_cannot_reverse_more_than_there_was(order, money, program, change):
    named = {
        "other": factories.make_member(program),
        "money": money,
        "reversal": points.reverse(
            order, amount=1, reference="r", **SHOP
        ).entries.get(),
    }
    values = {
        "member": order.member,
        "balance_definition": order.balance_definition,
        "kind": "REVERSAL",
        "amount": -99,
        "occurred_at": order.occurred_at,
        "window_at": order.occurred_at,
        "recorded_at": order.occurred_at,
        "request": order.request,
        "reverses": order,
        "sequence": 9,
        "hash": "",
    }
    for field, value in change.items():
        values[field] = named.get(value, value)
    with pytest.raises(DatabaseError, match="at most what was posted"):
        with transaction.atomic():
            PointsEntry.objects.create(**values)


def test_raw_rows_cannot_refund_more_than_was_redeemed(rich, stars):
    mug = points.redeem(rich, stars, 30, reference="mug", **SHOP).entries.get()
    points.refund(mug, amount=20, reference="r1", **SHOP)
    twin = PointsEntry.objects.get(kind="REFUND")
    with pytest.raises(DatabaseError, match="at most what was posted"):
        with transaction.atomic():
            PointsEntry.objects.create(
                member=rich,
                balance_definition=stars,
                kind="REFUND",
                amount=11,
                occurred_at=twin.occurred_at + timedelta(1),
                window_at=twin.window_at,
                recorded_at=twin.recorded_at,
                request=twin.request,
                concerns=mug,
                sequence=9,
                hash="",
            )
