"""What expires, as the ledger records it."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from approvals import lifecycle, schedule, triggers
from loyalty import points
from loyalty.errors import InsufficientPoints
from loyalty.models import Balance, Member, PointsEntry
from tests import factories
from tests.counts import count
from tests.trips import trips

from .stories import SHOP, balance_of, set_rules

JANUARY = datetime(2024, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
_numbers = itertools.count(1)


@pytest.fixture
def fading(stars, maya, chen):
    """The program's points, which last for 12 months."""
    set_rules(
        stars,
        maya,
        chen,
        since=datetime(2020, 2, 1, tzinfo=UTC),
        availability_value=12,
        availability_unit="MONTH",
    )
    return stars


def earn(member, definition, amount, when, *, at=None):
    return points.earn(
        member,
        definition,
        amount,
        reference=f"e{next(_numbers)}",
        occurred_at=when,
        at=at or when,
        **SHOP,
    ).entries.get()


def settle(member, at):
    with transaction.atomic():
        return points.settle([member.pk], at)


def lines_of(member):
    lines = PointsEntry.objects.filter(member=member).order_by("sequence")
    return [(line.kind, line.amount) for line in lines]


def test_a_lot_expires_once_and_at_its_own_instant(member, fading):
    entry = earn(member, fading, 100, JANUARY)
    member.refresh_from_db()
    gone = datetime(2025, 1, 10, tzinfo=UTC)
    assert member.expires_next_at == gone
    assert settle(member, gone - timedelta(microseconds=1)) == 0
    assert settle(member, gone + 5 * DAY) == 1
    line = PointsEntry.objects.get(kind="EXPIRE")
    assert (line.amount, line.occurred_at, line.concerns) == (-100, gone, entry)
    assert line.recorded_at == gone + 5 * DAY
    assert balance_of(member, fading) == 0
    assert settle(member, gone + 6 * DAY) == 0
    member.refresh_from_db()
    assert member.expires_next_at is None
    assert member.marked_at == gone + 5 * DAY
    assert points.verify(member) is None


def test_settling_as_of_an_earlier_instant_undoes_nothing(member, fading):
    earn(member, fading, 100, JANUARY)
    settle(member, JANUARY + 500 * DAY)
    assert settle(member, JANUARY + 300 * DAY) == 0
    earn(member, fading, 50, JANUARY + DAY, at=JANUARY + 300 * DAY)
    assert balance_of(member, fading) == 50
    assert settle(member, JANUARY + 500 * DAY) == 1
    assert balance_of(member, fading) == 0


def test_what_has_expired_cannot_be_redeemed(member, fading):
    earn(member, fading, 100, JANUARY)
    earn(member, fading, 50, JANUARY + 100 * DAY)
    gone = datetime(2025, 1, 10, tzinfo=UTC)
    with pytest.raises(InsufficientPoints) as refused:
        points.redeem(member, fading, 60, reference="tv", at=gone, **SHOP)
    assert refused.value.details["balance"] == 50
    # The refusal is remembered, and so is what expired.
    assert lines_of(member)[-1] == ("EXPIRE", -100)
    points.redeem(member, fading, 50, reference="mug", at=gone, **SHOP)
    assert balance_of(member, fading) == 0


def test_the_oldest_is_used_first(member, fading):
    earn(member, fading, 100, JANUARY)
    earn(member, fading, 50, JANUARY + 100 * DAY)
    points.redeem(member, fading, 70, reference="m", at=JANUARY + 200 * DAY, **SHOP)
    settle(member, datetime(2025, 2, 1, tzinfo=UTC))
    assert lines_of(member)[-1] == ("EXPIRE", -30)
    assert balance_of(member, fading) == 50


def test_a_late_credit_that_has_expired_already_expires_as_it_is_posted(member, fading):
    earn(member, fading, 100, JANUARY, at=JANUARY + 800 * DAY)
    assert lines_of(member) == [("EARN", 100), ("EXPIRE", -100)]
    line = PointsEntry.objects.get(kind="EXPIRE")
    assert line.occurred_at == datetime(2025, 1, 10, tzinfo=UTC)


def test_a_late_line_that_shows_that_less_expired_corrects_the_expiry(member, fading):
    now = JANUARY + 500 * DAY
    earn(member, fading, 100, JANUARY)
    earn(member, fading, 50, now - DAY)
    settle(member, now)
    points.adjust(
        member,
        fading,
        -40,
        reference="typo",
        occurred_at=JANUARY + DAY,
        at=now,
        **SHOP,
    )
    # The 40 were not there to expire; what is left now is the same.
    assert lines_of(member)[-2:] == [("ADJUST", -40), ("REVERSAL", 40)]
    assert balance_of(member, fading) == 50
    reversal = PointsEntry.objects.get(kind="REVERSAL")
    assert reversal.reverses
    assert reversal.occurred_at == reversal.reverses.occurred_at


def test_reversing_an_expired_credit_restores_it_first_and_flags_nobody(member, fading):
    entry = earn(member, fading, 100, JANUARY)
    now = JANUARY + 500 * DAY
    points.reverse(entry, reference="return", at=now, **SHOP)
    assert lines_of(member) == [
        ("EARN", 100),
        ("EXPIRE", -100),
        ("REVERSAL", 100),
        ("REVERSAL", -100),
    ]
    member.refresh_from_db()
    assert balance_of(member, fading) == 0
    assert member.flagged_at is None


def test_reversing_a_redemption_gives_back_what_has_not_expired_since(member, fading):
    earn(member, fading, 100, JANUARY)
    earn(member, fading, 50, JANUARY + 100 * DAY)
    mug = points.redeem(
        member, fading, 120, reference="m", at=JANUARY + 200 * DAY, **SHOP
    )
    now = datetime(2025, 2, 1, tzinfo=UTC)
    points.reverse(mug.entries.get(), reference="r", at=now, **SHOP)
    assert balance_of(member, fading) == 50
    other = factories.make_member(member.program)
    earn(other, fading, 100, JANUARY)
    mug = points.redeem(other, fading, 100, reference="m2", at=JANUARY + DAY, **SHOP)
    points.refund(mug.entries.get(), reference="r2", at=now, **SHOP)
    other.refresh_from_db()
    assert balance_of(other, fading) == 100
    assert other.expires_next_at == datetime(2026, 2, 1, tzinfo=UTC)


def test_an_expiry_cannot_be_reversed_by_hand(member, fading):
    from loyalty.errors import NotReversible

    earn(member, fading, 100, JANUARY, at=JANUARY + 800 * DAY)
    with pytest.raises(NotReversible):
        points.reverse(PointsEntry.objects.get(kind="EXPIRE"), reference="r", **SHOP)


def test_a_credit_keeps_the_term_under_which_it_was_earned(member, fading, maya, chen):
    earn(member, fading, 100, JANUARY)
    set_rules(
        fading,
        maya,
        chen,
        since=JANUARY + DAY,
        availability_value=1,
        availability_unit="DAY",
    )
    earn(member, fading, 10, JANUARY + 2 * DAY)
    assert settle(member, JANUARY + 10 * DAY) == 1
    assert balance_of(member, fading) == 100
    set_rules(
        fading,
        maya,
        chen,
        since=JANUARY + 20 * DAY,
        availability_value=None,
        availability_unit="",
    )
    earn(member, fading, 5, JANUARY + 21 * DAY)
    settle(member, JANUARY + 900 * DAY)
    assert balance_of(member, fading) == 5


def test_a_term_that_is_published_late_holds_for_what_came_in_between(
    member, stars, maya, chen
):
    live = stars.versions.live().get()
    changes = {"availability_value": 12, "availability_unit": "MONTH"}
    draft = lifecycle.draft_change(live, by=maya, changes=changes)
    change_set = lifecycle.submit(
        [draft], by=maya, at=JANUARY, go_live_at=JANUARY + DAY
    )
    factories.approve(change_set, chen, at=JANUARY)
    earn(member, stars, 10, JANUARY)
    earn(member, stars, 20, JANUARY + 2 * DAY)
    schedule.go_live_due(as_of=JANUARY + 3 * DAY)
    # By today both would be gone; what came before the term lasts.
    gone = PointsEntry.objects.get(member=member, kind="EXPIRE")
    assert (gone.amount, gone.occurred_at) == (-20, datetime(2025, 1, 12, tzinfo=UTC))
    assert balance_of(member, stars) == 10


def test_what_has_expired_is_verified_from_scratch(member, fading):
    earn(member, fading, 100, JANUARY)
    earn(member, fading, 50, JANUARY + 100 * DAY)
    settle(member, JANUARY + 380 * DAY)
    ids = [member.pk]
    assert list(points.verify_expiries(member.program_id, ids)) == []
    Member.objects.update(expires_next_at=None)
    found = list(points.verify_expiries(member.program_id, ids))
    assert len(found) == 1
    assert "is off by -50" in found[0]
    triggers.uninstall(connection)
    PointsEntry.objects.filter(kind="EXPIRE").update(amount=-99)
    triggers.install(connection)
    assert len(list(points.verify_expiries(member.program_id, ids))) == 2


def test_balances_expire_each_by_its_own_rules(member, fading, money):
    points.post_activity(
        member, purchase=999, points=9, reference="till", at=JANUARY, **SHOP
    )
    settle(member, JANUARY + 900 * DAY)
    assert balance_of(member, fading) == 0
    assert balance_of(member, money) == 999


def test_a_run_over_all_members_takes_them_in_chunks(
    program, fading, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr("loyalty.points.posting.CHUNK", 2)
    crowd = [factories.make_member(program) for _ in range(5)]
    for member in crowd[:4]:
        earn(member, fading, 10, JANUARY)
    now = JANUARY + 400 * DAY
    assert points.expire(program.pk, as_of=now, dry_run=True) == 4
    assert PointsEntry.objects.filter(kind="EXPIRE").count() == 0
    # Per chunk: whose, savepoint, program; in one trip lock, rules, intervals and
    # balances; zones, lines; on PostgreSQL which keys requests will have; in one trip
    # requests, entries, balances and members; release. And a last look.
    with django_assert_num_queries(2 * trips(sqlite=14, postgresql=9) + 1):
        assert points.expire(program.pk, as_of=now) == 4
    assert points.expire(program.pk, as_of=now) == 0
    assert sum(balance_of(member, fading) for member in crowd) == 0


def test_a_posting_costs_two_queries_more_where_points_expire(
    member, fading, judged, django_assert_num_queries
):
    earn(member, fading, 10, JANUARY)
    # As everywhere, and the zones of the program and the member's lines.
    with django_assert_num_queries(trips(sqlite=13, postgresql=6)):
        points.earn(member, fading, 5, reference="new", at=JANUARY + DAY, **SHOP)


def test_a_batch_settles_what_it_posts(program, fading):
    crowd = [factories.make_member(program) for _ in range(3)]
    late = [
        points.Activity(
            member.pk,
            f"{member.pk}-{number}",
            (points.Line("EARN", fading.pk, 10),),
            JANUARY + number * 200 * DAY,
        )
        for member in crowd
        for number in range(3)
    ]
    spend = points.Activity(
        crowd[0].pk, "spend", (points.Line("REDEEM", fading.pk, -15),)
    )
    report = points.post_many(program, [*late, spend], at=JANUARY + 420 * DAY, **SHOP)
    assert (report.posted, report.problems) == (10, [])
    assert [balance_of(member, fading) for member in crowd] == [5, 20, 20]
    members = Member.objects.filter(pk__in=[m.pk for m in crowd])
    # The first one spent the lot of July, and part of the next.
    assert [member.expires_next_at for member in members] == [
        datetime(2026, 2, 13, tzinfo=UTC),
        datetime(2025, 7, 28, tzinfo=UTC),
        datetime(2025, 7, 28, tzinfo=UTC),
    ]
    assert not any(points.verify(member) for member in members)


# Whatever the order of arrival


def dump(member, definition):
    """Return when how much of the member's points came and went, and what is left."""
    lines = PointsEntry.objects.filter(member=member).values("occurred_at")
    days = lines.annotate(total=Sum("amount")).exclude(total=0).order_by("occurred_at")
    member.refresh_from_db()
    return (
        [(row["occurred_at"], row["total"]) for row in days],
        balance_of(member, definition),
        member.expires_next_at,
    )


@pytest.fixture
def fading_money(money, maya, chen):
    set_rules(
        money,
        maya,
        chen,
        since=datetime(2020, 2, 1, tzinfo=UTC),
        availability_value=12,
        availability_unit="MONTH",
    )
    return money


@st.composite
def activities(draw):
    """Draw dated credits and, now and then, a dated correction downwards."""
    days = draw(st.lists(st.integers(0, 800), min_size=2, max_size=7, unique=True))
    size = st.integers(1, 30)
    return [
        (JANUARY + day * DAY, draw(size) * draw(st.sampled_from([2, 2, -1])))
        for day in days
    ]


@settings(
    max_examples=count(12, 500),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=activities(), random=st.randoms(use_true_random=False))
def test_any_order_of_arrival_ends_in_the_same_ledger(
    program, fading_money, drawn, random
):
    """Purchases may be corrected below zero, so nothing here is ever refused."""
    dumps = []
    for _ in range(3):
        member = factories.make_member(program)
        now = JANUARY + 900 * DAY
        for when, amount in drawn:
            points.adjust(
                member,
                fading_money,
                amount,
                reference=f"a{next(_numbers)}",
                occurred_at=when,
                at=now,
                **SHOP,
            )
            now += timedelta(minutes=1)
        settle(member, now)
        dumps.append(dump(member, fading_money))
        random.shuffle(drawn)
    assert dumps[0] == dumps[1] == dumps[2]


def test_balances_are_the_sums_of_their_lines_after_all_this(member, fading):
    for number in range(6):
        earn(member, fading, 10, JANUARY + number * 70 * DAY, at=JANUARY + 500 * DAY)
    total = PointsEntry.objects.filter(member=member).aggregate(s=Sum("amount"))["s"]
    assert Balance.objects.get(member=member).amount == total
