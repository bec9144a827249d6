"""Posting many things at once."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from loyalty import points
from loyalty.models import Balance, Member, PointsEntry, PointsRequest
from loyalty.points import requests
from tests import factories
from tests.trips import trips


def earned(member, definition, amount, reference, **fields):
    line = points.Line("EARN", definition.pk, amount)
    return points.Activity(member.pk, reference, (line,), **fields)


@pytest.fixture
def crowd(program):
    return [factories.make_member(program) for _ in range(5)]


def balances(crowd):
    rows = Balance.objects.filter(member__in=crowd).order_by("member")
    return list(rows.values_list("amount", flat=True))


def test_a_batch_posts_to_many_members_in_the_order_given(program, crowd, stars):
    batch = [
        earned(member, stars, amount, f"{member.pk}-{amount}")
        for amount in (10, 20)
        for member in crowd
    ]
    report = points.post_many(program, batch, source="import", by=None)
    assert str(report) == "10 posted, 0 known already, 0 not posted"
    assert balances(crowd) == [30] * 5
    for member in crowd:
        assert points.verify(member) is None
        lines = PointsEntry.objects.filter(member=member)
        assert [entry.amount for entry in lines] == [10, 20]


def test_a_batch_sent_again_posts_nothing(program, crowd, stars):
    batch = [earned(member, stars, 10, f"r{member.pk}") for member in crowd]
    points.post_many(program, batch, source="import", by=None)
    report = points.post_many(program, batch, source="import", by=None)
    assert (report.posted, report.replayed) == (0, 5)
    assert balances(crowd) == [10] * 5


def test_a_batch_and_single_postings_share_their_references(program, crowd, stars):
    points.earn(crowd[0], stars, 10, reference="r", source="shop", by=None)
    report = points.post_many(
        program, [earned(crowd[0], stars, 10, "r")], source="shop", by=None
    )
    assert report.replayed == 1


def test_a_batch_and_single_postings_write_the_same(program, crowd, stars):
    at = timezone.now()
    then = at - timedelta(days=3)
    points.earn(
        crowd[0], stars, 7, reference="a", source="x", by=None, occurred_at=then, at=at
    )
    batch = [earned(crowd[1], stars, 7, "b", occurred_at=then)]
    points.post_many(program, batch, source="x", by=None, at=at)
    same = ("kind", "amount", "occurred_at", "window_at", "recorded_at", "sequence")
    one, other = (
        PointsEntry.objects.filter(member=member).values(*same).get()
        for member in crowd[:2]
    )
    assert one == other


def test_what_cannot_be_posted_is_reported_and_holds_nothing_up(
    program, crowd, stars, maya
):
    ada, bob, *_ = crowd
    stranger = factories.make_member(factories.make_program(maya, "Other"))
    now = timezone.now()
    redeemed = points.Line("REDEEM", stars.pk, -50)
    batch = [
        earned(ada, stars, 10, "fine"),
        earned(ada, stars, 10, "fine"),
        earned(ada, stars, 11, "fine"),
        points.Activity(ada.pk, "too much", (redeemed,)),
        earned(bob, stars, -1, "negative"),
        earned(bob, stars, 0, "nothing"),
        earned(bob, stars, 1, "later", occurred_at=now + timedelta(hours=1)),
        earned(stranger, stars, 1, "stranger"),
        points.Activity(bob.pk, "reversal", (points.Line("REVERSAL", stars.pk, 1),)),
        earned(bob, stars, 1, ""),
        earned(bob, stars, 5, "fine too"),
    ]
    report = points.post_many(program, batch, source="import", by=None, at=now)
    assert (report.posted, report.replayed) == (2, 1)
    assert [(problem.reference, problem.code) for problem in report.problems] == [
        ("fine", "reference_reused"),
        ("too much", "insufficient_points"),
        ("negative", "invalid_posting"),
        ("nothing", "invalid_posting"),
        ("later", "in_future"),
        ("stranger", "invalid_posting"),
        ("reversal", "invalid_posting"),
        ("", "invalid_posting"),
    ]
    assert balances(crowd) == [10, 5]
    # Refusals are remembered, mistakes are not.
    assert set(PointsRequest.objects.values_list("reference", "status")) == {
        ("fine", "COMPLETED"),
        ("too much", "REFUSED"),
        ("fine too", "COMPLETED"),
    }


def test_a_batch_marks_members_and_leaves_judging_to_the_tick(
    program, crowd, stars, judged
):
    Member.objects.update(marked_at=None)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    points.post_many(
        program, [earned(crowd[0], stars, 1, "r")], source="x", by=None, at=at
    )
    assert not judged
    marked = Member.objects.marked()
    assert list(marked.values_list("pk", "marked_at")) == [(crowd[0].pk, at)]


def test_a_batch_touches_nothing_else_of_its_members(program, crowd, stars):
    before = {m.pk: m for m in Member.objects.all()}
    batch = [earned(member, stars, 1, f"r{member.pk}") for member in crowd]
    points.post_many(program, batch, source="x", by=None)
    written = {"chain_length", "chain_head", "marked_at"}
    for member in Member.objects.all():
        for field in Member._meta.concrete_fields:
            if field.name not in written:
                was = getattr(before[member.pk], field.attname)
                assert getattr(member, field.attname) == was


@pytest.mark.parametrize("times", [1, 20])
def test_a_batch_that_finds_another_one_faster_looks_again(
    program, crowd, stars, monkeypatch, times
):
    batch = [
        earned(member, stars, 10, f"r{member.pk}-{number}")
        for number in range(times)
        for member in crowd
    ]
    points.post_many(program, batch[:2], source="import", by=None)
    known = requests.known
    blind = iter([True])

    def late(*asked):
        # The first look is too early to see the other batch.
        return {} if next(blind, False) else known(*asked)

    monkeypatch.setattr(requests, "known", late)
    report = points.post_many(program, batch, source="import", by=None)
    assert (report.posted, report.replayed) == (5 * times - 2, 2)
    assert balances(crowd) == [10 * times] * 5


def test_a_batch_that_never_gets_through_says_so(program, crowd, stars, monkeypatch):
    batch = [earned(crowd[0], stars, 10, "r")]
    points.post_many(program, batch, source="import", by=None)
    monkeypatch.setattr(requests, "known", lambda *asked: {})
    with pytest.raises(IntegrityError):
        points.post_many(program, batch, source="import", by=None)


@pytest.mark.parametrize("size", [60, 600])
def test_a_chunk_costs_the_same_however_many_it_posts(
    program, crowd, stars, django_assert_num_queries, size
):
    batch = [
        earned(crowd[number % 5], stars, 1, f"r{number}") for number in range(size)
    ]
    # Savepoint and release. In one trip: members' lock, rules, intervals, balances.
    # Known references. Requests, entries, balances, members; PostgreSQL says first
    # which keys the requests will have, copies two and takes the others in one trip.
    with django_assert_num_queries(trips(sqlite=11, postgresql=8)):
        points.post_many(program, batch, source="import", by=None)
