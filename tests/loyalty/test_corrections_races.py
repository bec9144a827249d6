"""Corrections and pending requests that come twice at once, on PostgreSQL.

Each proof has its control: with the one safeguard taken away it must fail.
"""

import pytest
from django.db import connection, transaction
from django.db.models import Sum

from approvals import triggers
from loyalty import points
from loyalty.errors import AlreadyReversed, NotPending, PostingRefused
from loyalty.models import Balance, Member, PointsEntry, PointsRequest
from loyalty.points import accounts, phases
from loyalty.points.ledger import Ledger
from tests import factories
from tests.counts import count
from tests.races import UNLOCKED, racers

from .stories import SHOP, balance_of, set_rules

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.proof,
    pytest.mark.django_db(transaction=True),
]


def race(people, *acts):
    return people.race(*acts)


def earned(program, stars, number, amount=100):
    member = factories.make_member(program)
    posting = points.earn(member, stars, amount, reference=f"e{number}", **SHOP)
    return member, posting.entries.get()


def test_of_two_reversals_at_once_one_succeeds_and_one_is_refused(program, stars):
    pairs = count(15, 500)
    done = refused = 0
    with racers(2) as people:
        for number in range(pairs):
            member, entry = earned(program, stars, number)
            outcomes = race(
                people,
                lambda e=entry, n=number: points.reverse(e, reference=f"a{n}", **SHOP),
                lambda e=entry, n=number: points.reverse(e, reference=f"b{n}", **SHOP),
            )
            done += sum(isinstance(o, points.Posting) for o in outcomes)
            refused += sum(isinstance(o, AlreadyReversed) for o in outcomes)
            assert balance_of(member, stars) == 0, outcomes
    assert (done, refused) == (pairs, pairs)
    assert PointsEntry.objects.aggregate(s=Sum("amount"))["s"] == 0
    last = Member.objects.latest("pk")
    assert points.verify(last) is None


def test_parts_that_are_reversed_at_once_are_at_most_the_original(program, stars):
    with racers(4) as people:
        for number in range(count(10, 200)):
            member, entry = earned(program, stars, number)
            race(
                people,
                *(
                    lambda e=entry, n=number, p=part: points.reverse(
                        e, amount=40, reference=f"r{n}-{p}", **SHOP
                    )
                    for part in range(4)
                ),
            )
            # Two parts of 40 fit into 100, and a third does not.
            assert balance_of(member, stars) == 20


def test_without_lock_and_trigger_an_entry_is_reversed_twice(
    program, stars, monkeypatch
):
    """The control: both safeguards away, and two reversals of one line succeed."""

    number_lines_apart(monkeypatch)
    monkeypatch.setattr(accounts, "HELD", UNLOCKED)
    triggers.uninstall(connection)
    twice = 0
    try:
        with racers(2) as people:
            for number in range(count(10, 50)):
                _, entry = earned(program, stars, number)
                outcomes = race(
                    people,
                    lambda e=entry, n=number: points.reverse(
                        e, reference=f"a{n}", **SHOP
                    ),
                    lambda e=entry, n=number: points.reverse(
                        e, reference=f"b{n}", **SHOP
                    ),
                )
                twice += all(isinstance(o, points.Posting) for o in outcomes)
    finally:
        triggers.install(connection)
    assert twice, "The control reversed each line once: this test proves nothing."


def number_lines_apart(monkeypatch):
    """Take the numbers of lines, which are a safeguard too, out of the way."""
    look = Ledger.look

    def look_apart(self, at):
        look(self, at)
        for account in self.accounts.values():
            account.member.chain_length += PointsEntry.objects.count() * 7
            account.member.chain_length += id(self) % 100_000

    monkeypatch.setattr(Ledger, "look", look_apart)


def test_a_request_that_is_completed_and_cancelled_at_once_does_one(program, stars):
    ends = {"COMPLETED": 0, "CANCELLED": 0}
    with racers(3) as people:
        for number in range(count(20, 300)):
            member, _ = earned(program, stars, number)
            posting = points.begin(member, stars, -30, reference=f"t{number}", **SHOP)
            request = PointsRequest.objects.get(uuid=posting.request)
            outcomes = race(
                people,
                lambda r=request: points.complete(r),
                lambda r=request: points.cancel(r),
                lambda r=request: points.complete(r),
            )
            request.refresh_from_db()
            ends[request.status] += 1
            completed = request.status == "COMPLETED"
            assert balance_of(member, stars) == (70 if completed else 100)
            others = [o for o in outcomes if not isinstance(o, points.Posting)]
            assert {type(o) for o in others} == {NotPending}, outcomes
            assert len(others) == (1 if completed else 2)
    assert sum(ends.values()) == count(20, 300)


def test_without_looking_again_a_request_is_completed_twice(
    program, stars, monkeypatch
):
    """The control: who does not swap the status posts a second time."""
    triggers.uninstall(connection)
    monkeypatch.setattr(phases, "_settle", lambda row, status, *, at: None)
    try:
        member, _ = earned(program, stars, 1)
        posting = points.begin(member, stars, -30, reference="t", **SHOP)
        request = PointsRequest.objects.get(uuid=posting.request)
        with racers(2) as people:
            race(
                people,
                lambda: points.complete(request),
                lambda: points.complete(request),
            )
    finally:
        triggers.install(connection)
    assert balance_of(member, stars) == 40, "This test proves nothing."


def test_settling_at_once_records_each_expiry_once(program, stars, maya, chen):
    since = factories.LONG_AGO.replace(month=2)
    rules = {"availability_value": 1, "availability_unit": "DAY"}
    set_rules(stars, maya, chen, since=since, **rules)
    then = factories.LONG_AGO.replace(year=2024)
    now = then.replace(year=2025)
    crowd = [factories.make_member(program) for _ in range(20)]

    def settle():
        with transaction.atomic():
            return points.settle([member.pk for member in crowd], now)

    with racers(3) as people:
        for number in range(count(3, 40)):
            for member in crowd:
                points.earn(
                    member,
                    stars,
                    10,
                    reference=f"{number}-{member.pk}",
                    at=then,
                    **SHOP,
                )
            outcomes = race(
                people, settle, settle, lambda: points.expire(program.pk, as_of=now)
            )
            assert sum(outcomes) == 20, outcomes
    assert Balance.objects.aggregate(s=Sum("amount"))["s"] == 0
    for member in crowd:
        assert points.verify(member) is None


def test_redeeming_what_expires_at_that_instant_never_succeeds(
    program, stars, maya, chen
):
    since = factories.LONG_AGO.replace(month=2)
    rules = {"availability_value": 1, "availability_unit": "DAY"}
    set_rules(stars, maya, chen, since=since, **rules)
    then = factories.LONG_AGO.replace(year=2024)
    gone = then.replace(day=2)
    with racers(2) as people:
        for number in range(count(10, 100)):
            member = factories.make_member(program)
            points.earn(member, stars, 10, reference=f"e{number}", at=then, **SHOP)
            settled, redeemed = race(
                people,
                lambda: points.expire(program.pk, as_of=gone),
                lambda m=member, n=number: points.redeem(
                    m, stars, 10, reference=f"r{n}", at=gone, **SHOP
                ),
            )
            assert isinstance(redeemed, PostingRefused), redeemed
            assert balance_of(member, stars) == 0, settled
