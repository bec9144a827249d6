"""Posting some things at once: an outcome of each, with tiers and rates at once."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals import lifecycle
from loyalty import points
from loyalty.errors import InsufficientPoints, InvalidPosting, ReferenceReused
from loyalty.models import Balance, Member, PointsRequest, Program
from tests import factories
from tests.races import racers
from tiers.models import Standing, Tier, TierEvent, TierGroup

pytestmark = pytest.mark.django_db


@pytest.fixture
def members(group: TierGroup) -> list[Member]:
    return [factories.make_member(group.program) for _ in range(4)]


def activity(member: Member, amount: int, reference: str = "") -> points.Activity:
    definition = factories.definition_of(member.program)
    kind = "EARN" if amount > 0 else "REDEEM"
    return points.Activity(
        member.pk,
        reference or f"{member.pk}-{amount}",
        (points.Line(kind, definition.pk, amount),),
    )


def post(program: Program, *activities: points.Activity) -> list[Any]:
    return points.post_batch(program, activities, source="shop", by=None)


def names_of_tiers() -> dict[Any, str]:
    tiers: Any = Tier.objects.with_wording()
    return {tier.pk: tier.live_name for tier in tiers}


def tiers_of(members: list[Member]) -> list[str]:
    found = Standing.objects.filter(member__in=members).order_by("member")
    names = names_of_tiers()
    return [names[standing.tier_id] for standing in found]


def test_everybody_has_their_tier_when_the_batch_is_posted(program, members):
    amounts = (100, 500, 1000, 499)
    outcomes = post(program, *map(activity, members, amounts))
    assert [o.posting.lines[0].balance for o in outcomes] == list(amounts)
    assert tiers_of(members) == ["Bronze", "Silver", "Gold", "Bronze"]
    assert not Member.objects.marked().exists()
    assert all(points.verify(member) is None for member in members)


def test_several_activities_of_a_member_move_them_once(program, members):
    ada = members[0]
    outcomes = post(program, *(activity(ada, 500, f"r{n}") for n in range(3)))
    assert [o.posting.lines[0].balance for o in outcomes] == [500, 1000, 1500]
    assert tiers_of([ada]) == ["Gold"]
    assert TierEvent.objects.filter(member=ada).count() == 1


def test_each_activity_has_an_outcome_of_its_own(program, members):
    ada, bob, *_ = members
    stranger = points.Activity(10**9, "nobody", activity(ada, 5).lines)
    batch = [
        activity(ada, 100, "first"),
        stranger,
        activity(bob, -50, "too much"),
        activity(ada, 7, "first"),
        activity(ada, 100, "first"),
        activity(bob, 30, "last"),
    ]
    outcomes = post(program, *batch)
    kinds = [type(outcome.refusal) for outcome in outcomes]
    nothing = type(None)
    assert kinds == [
        nothing,
        InvalidPosting,
        InsufficientPoints,
        ReferenceReused,
        nothing,
        nothing,
    ]
    assert [o.activity for o in outcomes] == batch
    assert [o.posting.replayed for o in outcomes if o.posting] == [False, True, False]
    amounts = Balance.objects.filter(member__in=[ada, bob]).order_by("member")
    assert list(amounts.values_list("amount", flat=True)) == [100, 30]


def test_sent_again_a_batch_says_the_same_and_posts_nothing(program, members):
    batch = [activity(members[0], 100), activity(members[1], -50)]
    first, again = post(program, *batch), post(program, *batch)
    assert [o.posting for o in again] == [o.posting for o in first]
    assert str(again[1].refusal) == str(first[1].refusal)
    assert PointsRequest.objects.filter(source="shop").count() == 2


def test_it_asks_as_much_for_many_as_for_few(group, program):
    def queries(number: int) -> int:
        crowd = [factories.make_member(program) for _ in range(number)]
        post(program, *(activity(member, 10) for member in crowd))
        batch = [activity(member, 600) for member in crowd]
        with CaptureQueriesContext(
            connection,
        ) as asked:
            post(program, *batch)
        return len(asked)

    assert queries(3) == queries(12)


# Rates


@pytest.fixture
def dynamic(group: TierGroup, maya: User, chen: User) -> None:
    """What passes the threshold of Silver earns at the rate of Silver."""
    draft = lifecycle.draft_change(
        factories.live_tier(group, "Silver"),
        by=maya,
        changes={"upgrade_type": "DYNAMIC"},
    )
    factories.approve(lifecycle.submit([draft], by=maya), chen)


def shares(outcome: Any) -> list[tuple[Any, int]]:
    names = names_of_tiers()
    return [(names[share.tier], share.amount) for share in outcome.posting.shares]


@pytest.mark.usefixtures("dynamic")
def test_each_says_what_was_earned_at_which_rate(program, members):
    ada, bob, *_ = members
    post(program, activity(ada, 1, "before"), activity(bob, 1, "welcome"))
    batch = [
        activity(ada, 399, "a1"),
        activity(bob, 600, "b1"),
        activity(ada, 200, "a2"),
        activity(ada, 50, "a3"),
    ]
    outcomes = post(program, *batch)
    assert [shares(outcome) for outcome in outcomes] == [
        [("Bronze", 399)],
        [("Bronze", 499), ("Silver", 101)],
        [("Bronze", 100), ("Silver", 100)],
        [("Silver", 50)],
    ]
    one_by_one = [
        points.earn(
            members[2],
            factories.definition_of(program),
            amount,
            reference=f"c{amount}",
            source="shop",
            by=None,
        ).shares
        for amount in (1, 399, 200, 50)
    ]
    assert [s[2:] for s in one_by_one[2]] == [s[2:] for s in outcomes[2].posting.shares]


# At once


@pytest.mark.django_db(transaction=True)
def test_two_who_send_the_same_batch_at_once_post_it_once(group, program):
    crowd = [factories.make_member(program) for _ in range(5)]
    batch = [activity(member, 600) for member in crowd]
    backwards = list(reversed(batch))
    with racers(2) as two:
        one, other = two.race(
            lambda: post(program, *batch), lambda: post(program, *backwards)
        )
    assert [o.posting for o in one] == [o.posting for o in reversed(other)]
    replayed = {o.posting.replayed for o in one}
    assert {not r for r in replayed} == {o.posting.replayed for o in other}
    amounts = Balance.objects.filter(member__in=crowd).values_list("amount", flat=True)
    assert set(amounts) == {600}
