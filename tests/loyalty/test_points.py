"""Posting one thing to one member."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from approvals import lifecycle
from loyalty import evaluators, members, points, programs
from loyalty.errors import (
    KEPT,
    BalanceRetired,
    InFuture,
    InsufficientPoints,
    InvalidPosting,
    LimitExceeded,
    MaximumReached,
    MemberClosed,
    NotAMember,
    PostingRefused,
    ReferenceReused,
)
from loyalty.models import Balance, Member, PointsEntry, PointsRequest
from loyalty.points.ledger import Ledger
from tests import factories
from tests.trips import trips

from .stories import SHOP, balance_of, set_rules

# What is written


def test_earning_writes_a_line_and_raises_the_balance(member, stars):
    posting = points.earn(member, stars, 250, reference="order-1", **SHOP)
    entry = posting.entries.get()
    assert (entry.kind, entry.amount, entry.sequence) == ("EARN", 250, 1)
    assert entry.occurred_at == entry.window_at == entry.recorded_at
    assert balance_of(member, stars) == posting.lines[0].balance == 250


def test_redeeming_is_a_negative_line_of_now(rich, stars):
    posting = points.redeem(rich, stars, 30, reference="mug", **SHOP)
    entry = posting.entries.get()
    assert (entry.kind, entry.amount) == ("REDEEM", -30)
    assert entry.occurred_at == entry.recorded_at
    assert balance_of(rich, stars) == 70


def test_a_balance_can_be_corrected_up_and_down(rich, stars):
    points.adjust(rich, stars, 40, reference="a", description="Goodwill.", **SHOP)
    points.adjust(rich, stars, -15, reference="b", description="Typo.", **SHOP)
    assert balance_of(rich, stars) == 125
    amounts = PointsEntry.objects.filter(member=rich).values_list("kind", "amount")
    assert list(amounts) == [("EARN", 100), ("ADJUST", 40), ("ADJUST", -15)]


def test_a_purchase_writes_all_of_its_lines(member, stars, money):
    posting = points.post_activity(
        member, purchase=1999, visits=1, points=19, reference="till-7", **SHOP
    )
    definitions = [line.definition_id for line in posting.lines]
    assert [line.amount for line in posting.lines] == [1999, 1, 19]
    assert definitions[0] == money.pk
    assert definitions[2] == stars.pk
    assert PointsRequest.objects.count() == 1


def test_a_purchase_that_costs_nothing_is_a_purchase(member, money):
    posting = points.post_activity(member, purchase=0, reference="voucher", **SHOP)
    assert posting.entries.get().amount == 0


def test_one_line_that_is_refused_holds_the_whole_purchase_back(
    member, stars, maya, chen
):
    set_rules(stars, maya, chen, credit_limit=10)
    with pytest.raises(LimitExceeded):
        points.post_activity(member, purchase=999, points=11, reference="x", **SHOP)
    assert not PointsEntry.objects.exists()
    assert not Balance.objects.exists()


def test_earnings_may_bear_an_earlier_date(member, stars):
    then = datetime(2021, 5, 4, 10, tzinfo=UTC)
    posting = points.earn(member, stars, 5, reference="old", occurred_at=then, **SHOP)
    entry = posting.entries.get()
    assert entry.occurred_at == entry.window_at == then < entry.recorded_at


def test_a_clock_a_little_ahead_counts_as_now_and_further_ahead_is_refused(
    member, stars
):
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    soon = now + timedelta(minutes=5)
    posting = points.earn(
        member, stars, 5, reference="a", occurred_at=soon, at=now, **SHOP
    )
    assert posting.entries.get().occurred_at == now
    with pytest.raises(InFuture):
        points.earn(
            member,
            stars,
            5,
            reference="b",
            occurred_at=soon + timedelta(seconds=1),
            at=now,
            **SHOP,
        )


@pytest.mark.parametrize(
    "amount", [0, -5, True, 1.0, Decimal(5), "5", None, points.MAX_AMOUNT + 1]
)
def test_what_is_not_a_whole_positive_amount_is_refused(member, stars, amount):
    with pytest.raises(InvalidPosting):
        points.earn(member, stars, amount, reference="x", **SHOP)
    with pytest.raises(InvalidPosting):
        points.redeem(member, stars, amount, reference="x", **SHOP)
    assert not PointsRequest.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"reference": ""},
        {"reference": "r" * 257},
        {"reference": "a\x00b"},
        {"source": " "},
        {"source": "s" * 65},
        {"description": "d" * 256},
        {"description": "hidden\u202e"},
        {"meta": {"amount": float("nan")}},
        {"meta": {"amount": Decimal(1)}},
        {"meta": ["list"]},
        {"occurred_at": datetime(2026, 1, 1)},
        {"occurred_at": datetime(1, 1, 1, tzinfo=UTC)},
    ],
    ids=str,
)
def test_what_cannot_be_kept_is_refused_and_not_remembered(member, stars, wrong):
    with pytest.raises(InvalidPosting):
        points.earn(member, stars, 5, **({"reference": "x", **SHOP} | wrong))
    assert not PointsRequest.objects.exists()


def test_a_balance_of_another_program_is_no_balance(member, maya):
    other = factories.make_program(maya, "Other")
    with pytest.raises(InvalidPosting):
        points.earn(member, factories.definition_of(other), 5, reference="x", **SHOP)


# Floors, ceilings, limits


def test_redeeming_stops_at_the_floor(rich, stars):
    with pytest.raises(InsufficientPoints) as refused:
        points.redeem(rich, stars, 101, reference="tv", **SHOP)
    assert refused.value.details == {"balance": 100, "amount": 101, "minimum": 0}
    assert refused.value.message == ("There are 100 Points, and 101 were asked for.")
    points.redeem(rich, stars, 100, reference="radio", **SHOP)
    assert balance_of(rich, stars) == 0


def test_a_correction_stops_at_the_floor_as_well(rich, stars):
    with pytest.raises(InsufficientPoints):
        points.adjust(rich, stars, -101, reference="x", **SHOP)


def test_a_balance_without_a_floor_may_be_corrected_below_zero(member, money):
    points.adjust(member, money, -500, reference="x", **SHOP)
    assert balance_of(member, money) == -500


def test_a_strict_ceiling_refuses_what_would_pass_it(rich, stars, maya, chen):
    set_rules(stars, maya, chen, maximum=120)
    with pytest.raises(MaximumReached):
        points.earn(rich, stars, 21, reference="x", **SHOP)
    points.earn(rich, stars, 20, reference="y", **SHOP)
    assert balance_of(rich, stars) == 120


def test_a_partial_ceiling_credits_what_fits(rich, stars, maya, chen):
    set_rules(stars, maya, chen, maximum=120, overtaking="PARTIAL")
    first = points.earn(rich, stars, 50, reference="x", **SHOP)
    assert (first.lines[0].asked, first.lines[0].amount) == (50, 20)
    second = points.earn(rich, stars, 50, reference="y", **SHOP)
    assert second.lines[0].amount == 0
    assert balance_of(rich, stars) == 120


def test_one_credit_and_one_debit_have_their_limits(rich, stars, maya, chen):
    set_rules(stars, maya, chen, credit_limit=10, debit_limit=10)
    points.earn(rich, stars, 10, reference="a", **SHOP)
    points.redeem(rich, stars, 10, reference="b", **SHOP)
    with pytest.raises(LimitExceeded):
        points.earn(rich, stars, 11, reference="c", **SHOP)
    with pytest.raises(LimitExceeded):
        points.redeem(rich, stars, 11, reference="d", **SHOP)


def test_a_balance_stays_within_what_clients_can_read(member, stars):
    points.earn(member, stars, points.MAX_AMOUNT, reference="a", **SHOP)
    with pytest.raises(MaximumReached):
        points.earn(member, stars, 1, reference="b", **SHOP)


def test_a_retired_balance_takes_nothing(member, program, maya, chen):
    draft = draft_of_a_balance(program, maya)
    with pytest.raises(BalanceRetired):
        points.earn(member, draft.balance_definition, 1, reference="a", **SHOP)
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    points.earn(member, draft.balance_definition, 1, reference="b", **SHOP)
    ending = lifecycle.draft_change(draft, by=maya, operation="RETIRE")
    factories.approve(lifecycle.submit([ending], by=maya), chen)
    with pytest.raises(BalanceRetired):
        points.earn(member, draft.balance_definition, 1, reference="c", **SHOP)


def draft_of_a_balance(program, maya):
    return programs.add_balance_definition(program, by=maya, name="Stamps")


# Who can be posted to


def test_nothing_is_posted_to_a_closed_member(rich, stars, maya):
    members.close(rich, by=maya, reason="Asked us to.")
    for verb in (points.earn, points.adjust, points.redeem):
        with pytest.raises(MemberClosed):
            verb(rich, stars, 1, reference=verb.__name__, **SHOP)


def test_who_has_left_can_only_be_corrected_downwards(rich, stars, maya):
    members.leave(rich, by=maya)
    with pytest.raises(NotAMember):
        points.earn(rich, stars, 1, reference="a", **SHOP)
    with pytest.raises(NotAMember):
        points.redeem(rich, stars, 1, reference="b", **SHOP)
    points.adjust(rich, stars, -1, reference="c", **SHOP)
    members.rejoin(rich, by=maya)
    points.earn(rich, stars, 1, reference="d", **SHOP)


# Safe to repeat


def test_the_same_posting_sent_again_has_one_effect_and_one_answer(member, stars):
    first = points.earn(member, stars, 250, reference="order-1", **SHOP)
    again = points.earn(member, stars, 250, reference="order-1", **SHOP)
    assert again == first
    assert (first.replayed, again.replayed) == (False, True)
    assert balance_of(member, stars) == 250
    assert PointsEntry.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"amount": 251},
        {"description": "Other."},
        {"meta": {"till": 2}},
        {"occurred_at": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
    ids=str,
)
def test_a_reference_stands_for_one_content(member, stars, other):
    first = points.earn(member, stars, 250, reference="order-1", **SHOP)
    asked = {"amount": 250, "reference": "order-1", **SHOP} | other
    with pytest.raises(ReferenceReused) as refused:
        points.earn(member, stars, asked.pop("amount"), **asked)
    assert refused.value.first.uuid == first.request


def test_a_reference_stands_for_one_member_and_one_kind(member, stars, program):
    points.earn(member, stars, 5, reference="r", **SHOP)
    other = factories.make_member(program)
    with pytest.raises(ReferenceReused):
        points.earn(other, stars, 5, reference="r", **SHOP)
    with pytest.raises(ReferenceReused):
        points.adjust(member, stars, 5, reference="r", **SHOP)


def test_references_of_different_systems_do_not_meet(member, stars):
    points.earn(member, stars, 5, reference="1", source="shop", by=None)
    points.earn(member, stars, 5, reference="1", source="till", by=None)
    assert balance_of(member, stars) == 10


def test_a_refusal_is_remembered_though_the_balance_has_grown_since(rich, stars):
    with pytest.raises(InsufficientPoints) as first:
        points.redeem(rich, stars, 101, reference="tv", **SHOP)
    points.earn(rich, stars, 900, reference="bonus", **SHOP)
    with pytest.raises(InsufficientPoints) as again:
        points.redeem(rich, stars, 101, reference="tv", **SHOP)
    assert again.value.message == first.value.message
    assert again.value.details == first.value.details
    assert type(again.value) is type(first.value)
    assert balance_of(rich, stars) == 1000
    points.redeem(rich, stars, 101, reference="tv, again", **SHOP)


def test_every_refusal_that_is_kept_can_be_raised_again():
    def below(kind):
        return {kind}.union(*map(below, kind.__subclasses__()))

    assert set(KEPT.values()) == below(PostingRefused) - {PostingRefused}


@pytest.mark.parametrize("code", sorted(KEPT))
def test_every_kind_of_refusal_is_remembered(
    code, rich, stars, program, maya, chen, monkeypatch
):
    """Whatever was in the way is out of it; the same reference is refused again."""
    refused = KEPT[code]("No.", left=1, kind="REVERSAL")
    with monkeypatch.context() as broken:

        def refuse(*asked, **options):
            raise refused

        broken.setattr(Ledger, "decide", refuse)
        with pytest.raises(KEPT[code]):
            points.earn(rich, stars, 5, reference="r", **SHOP)
    with pytest.raises(KEPT[code]) as again:
        points.earn(rich, stars, 5, reference="r", **SHOP)
    assert (again.value.message, again.value.details) == ("No.", refused.details)
    assert balance_of(rich, stars) == 100
    points.earn(rich, stars, 5, reference="another", **SHOP)


def test_a_posting_inside_a_transaction_of_the_caller_survives_a_twin(member, stars):
    with transaction.atomic():
        points.earn(member, stars, 5, reference="r", **SHOP)
        points.earn(member, stars, 5, reference="r", **SHOP)
    assert balance_of(member, stars) == 5


# The mark, and who judges


def test_each_posting_marks_the_member_and_has_them_judged(member, stars, judged):
    Member.objects.update(marked_at=None)
    now = timezone.now()
    points.earn(member, stars, 5, reference="r", at=now, **SHOP)
    member.refresh_from_db()
    assert member.marked_at == now
    assert judged == [
        ("prepare", member.program_id),
        ("evaluate", [member.pk]),
    ]


def test_a_refusal_and_a_replay_judge_nobody(rich, stars, judged):
    points.earn(rich, stars, 100, reference="welcome", **SHOP)
    with pytest.raises(InsufficientPoints):
        points.redeem(rich, stars, 101, reference="tv", **SHOP)
    assert not [call for call in judged if call[0] == "evaluate"]


def test_posting_without_anybody_to_judge_is_an_error(member, stars, monkeypatch):
    monkeypatch.setattr(evaluators, "_registry", {})
    with pytest.raises(ImproperlyConfigured):
        points.earn(member, stars, 5, reference="r", **SHOP)
    assert not PointsRequest.objects.exists()


def test_what_goes_wrong_while_judging_takes_the_posting_back(
    member, stars, monkeypatch
):
    def fail(*asked):
        raise RuntimeError("No tiers today.")

    evaluator = evaluators.Evaluator("fails", lambda program_id: None, fail)
    monkeypatch.setattr(evaluators, "_registry", {"fails": evaluator})
    with pytest.raises(RuntimeError):
        points.earn(member, stars, 5, reference="r", **SHOP)
    assert not PointsRequest.objects.exists()
    assert not PointsEntry.objects.exists()


@pytest.mark.parametrize("history", [10, 1000])
def test_earning_costs_the_same_after_a_long_history(
    member, stars, judged, django_assert_num_queries, history
):
    points.post_many(
        member.program,
        [
            points.Activity(member.pk, f"old-{n}", (points.Line("EARN", stars.pk, 1),))
            for n in range(history)
        ],
        source="shop",
        by=None,
    )
    # Savepoint and release (the test is in a transaction). Read in one trip: member's
    # lock, rules, intervals, balances, is the reference known; and written in one:
    # request, entry, balance, member.
    with django_assert_num_queries(trips(sqlite=11, postgresql=4)):
        points.earn(member, stars, 5, reference="new", **SHOP)
