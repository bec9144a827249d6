"""The answer to a posted purchase says how much of it is at which tier's rate."""

import pytest
from django.contrib.auth.models import User

from approvals import lifecycle
from loyalty import points
from loyalty.evaluators import Share
from loyalty.models import Member, PointsRequest, Program
from tests import factories
from tiers.models import Standing, Tier, TierGroup

pytestmark = pytest.mark.django_db


@pytest.fixture
def spenders(program: Program, maya: User, chen: User) -> TierGroup:
    """Silver for everybody, Gold from 15,000.00 spent in a life-time."""
    return factories.make_group(
        program,
        by=maya,
        reviewer=chen,
        tiers=[("Silver", None), ("Gold", 15_000)],
        measure="LIFETIME",
        measured_balance=factories.definition_of(program, "PURCHASES"),
    )


@pytest.fixture
def member(spenders: TierGroup) -> Member:
    """A customer who has spent 14,000.00."""
    member = factories.make_member(spenders.program)
    buy(member, 1_400_000, "before")
    return member


def buy(member: Member, cents: int, reference: str) -> points.Posting:
    return points.post_activity(
        member, purchase=cents, reference=reference, source="tests", by=None
    )


def upgrade_type(group: TierGroup, kind: str, maya: User, chen: User) -> None:
    gold = factories.live_tier(group, "Gold")
    draft = lifecycle.draft_change(gold, by=maya, changes={"upgrade_type": kind})
    factories.approve(lifecycle.submit([draft], by=maya), chen)


def shares_of(posting: points.Posting) -> list[tuple[str | None, int]]:
    names = {tier.pk: tier.versions.live().get().name for tier in Tier.objects.all()}
    return [
        (names[share.tier] if share.tier else None, share.amount)
        for share in posting.shares
    ]


@pytest.mark.parametrize(
    ("kind", "shares"),
    [
        ("LAZY", []),
        ("EAGER", [("Gold", 200_000)]),
        ("DYNAMIC", [("Silver", 100_000), ("Gold", 100_000)]),
    ],
)
def test_the_purchase_that_upgrades_earns_at_the_rates_that_the_tier_says(
    spenders: TierGroup,
    member: Member,
    maya: User,
    chen: User,
    kind: str,
    shares: list[tuple[str, int]],
) -> None:
    upgrade_type(spenders, kind, maya, chen)
    posting = buy(member, 200_000, "r1")
    assert shares_of(posting) == shares
    gold = factories.live_tier(spenders, "Gold")
    assert Standing.objects.get(member=member).tier_id == gold.tier_id


def test_a_replay_says_the_same_though_the_member_has_moved_since(
    spenders: TierGroup, member: Member, maya: User, chen: User
) -> None:
    upgrade_type(spenders, "DYNAMIC", maya, chen)
    first = buy(member, 200_000, "r1")
    again = buy(member, 200_000, "r1")
    assert again.replayed
    assert again.shares == first.shares
    assert all(isinstance(share, Share) for share in again.shares)


def test_a_purchase_that_does_not_upgrade_is_all_at_the_present_rate(
    spenders: TierGroup, member: Member, maya: User, chen: User
) -> None:
    upgrade_type(spenders, "DYNAMIC", maya, chen)
    assert shares_of(buy(member, 99_999, "r1")) == [("Silver", 99_999)]


def test_what_is_announced_splits_when_it_is_completed(
    spenders: TierGroup, member: Member, maya: User, chen: User
) -> None:
    upgrade_type(spenders, "DYNAMIC", maya, chen)
    purchases = factories.definition_of(member.program, "PURCHASES")
    pending = points.begin(
        member, purchases, 200_000, reference="later", source="tests", by=None
    )
    assert pending.shares == ()
    posting = points.complete(PointsRequest.objects.get(uuid=pending.request))
    assert shares_of(posting) == [("Silver", 100_000), ("Gold", 100_000)]
