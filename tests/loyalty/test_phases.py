"""Postings that are announced first, and completed, cancelled or forgotten."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from loyalty import points
from loyalty.errors import (
    InsufficientPoints,
    InvalidPosting,
    NotPending,
    ReferenceReused,
)
from loyalty.models import PointsEntry, PointsRequest

from .stories import SHOP, balance_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def begin(member, definition, amount, reference="tx", **fields):
    fields.setdefault("expires_at", NOON + HOUR)
    posting = points.begin(
        member,
        definition,
        amount,
        reference=reference,
        at=fields.pop("at", NOON),
        **SHOP,
        **fields,
    )
    return PointsRequest.objects.get(uuid=posting.request)


def test_what_is_announced_is_not_in_the_ledger(rich, stars):
    request = begin(rich, stars, -30)
    assert (request.status, request.settled_at) == ("PENDING", None)
    assert balance_of(rich, stars) == 100
    assert not request.entries.exists()
    found = points.outcome(request, replayed=True)
    assert (found.status, found.lines) == ("PENDING", ())


def test_completing_posts_it_once(rich, stars, judged):
    request = begin(rich, stars, -30, description="A mug.", meta={"till": 2})
    posting = points.complete(request, at=NOON + HOUR / 2)
    entry = posting.entries.get()
    assert (entry.kind, entry.amount, entry.description) == ("REDEEM", -30, "A mug.")
    assert entry.occurred_at == NOON + HOUR / 2
    assert entry.meta == {"till": 2}
    assert posting.status == "COMPLETED"
    again = points.complete(request)
    assert again == posting
    assert again.replayed
    assert balance_of(rich, stars) == 70
    assert ("evaluate", [rich.pk]) in judged
    assert points.verify(rich) is None


def test_a_credit_may_say_when_it_happened(member, stars):
    then = datetime(2026, 1, 5, tzinfo=UTC)
    request = begin(member, stars, 25, occurred_at=then)
    entry = points.complete(request, at=NOON + HOUR / 2).entries.get()
    assert (entry.kind, entry.amount, entry.occurred_at) == ("EARN", 25, then)


def test_beginning_again_tells_how_it_went(rich, stars):
    request = begin(rich, stars, -30)
    assert begin(rich, stars, -30) == request
    points.complete(request, at=NOON)
    posting = points.begin(rich, stars, -30, reference="tx", **SHOP)
    assert (posting.status, posting.replayed) == ("COMPLETED", True)
    with pytest.raises(ReferenceReused):
        begin(rich, stars, -31)
    with pytest.raises(ReferenceReused):
        points.redeem(rich, stars, 30, reference="tx", **SHOP)


def test_what_could_not_be_completed_is_refused_when_it_begins(rich, stars):
    for _ in range(2):
        with pytest.raises(InsufficientPoints):
            begin(rich, stars, -101)
        points.earn(rich, stars, 500, reference="bonus", **SHOP)
    assert PointsRequest.objects.get(reference="tx").status == "REFUSED"


def test_what_is_spent_in_between_is_not_there_when_it_is_completed(rich, stars):
    request = begin(rich, stars, -80)
    points.redeem(rich, stars, 50, reference="mug", **SHOP)
    with pytest.raises(InsufficientPoints):
        points.complete(request, at=NOON)
    request.refresh_from_db()
    assert request.status == "PENDING"
    points.earn(rich, stars, 50, reference="bonus", **SHOP)
    points.complete(request, at=NOON)
    assert balance_of(rich, stars) == 20


def test_cancelling_ends_it(rich, stars):
    request = begin(rich, stars, -30)
    assert points.cancel(request, at=NOON).status == "CANCELLED"
    assert points.cancel(request, at=NOON).replayed
    with pytest.raises(NotPending) as refused:
        points.complete(request, at=NOON)
    assert refused.value.details == {"status": "CANCELLED"}
    assert balance_of(rich, stars) == 100


def test_what_is_completed_cannot_be_cancelled(rich, stars):
    request = begin(rich, stars, -30)
    points.complete(request, at=NOON)
    with pytest.raises(NotPending):
        points.cancel(request, at=NOON)


@pytest.mark.parametrize("act", [points.complete, points.cancel])
def test_after_its_time_it_has_run_out(rich, stars, act):
    request = begin(rich, stars, -30)
    with pytest.raises(NotPending) as refused:
        act(request, at=NOON + HOUR)
    assert refused.value.details == {"status": "EXPIRED"}
    request.refresh_from_db()
    assert (request.status, request.settled_at) == ("EXPIRED", NOON + HOUR)


def test_whoever_forgets_it_finds_it_run_out(rich, stars):
    old = begin(rich, stars, -30, "old")
    new = begin(rich, stars, -30, "new", expires_at=NOON + 3 * HOUR)
    assert points.expire_pending(NOON + HOUR) == 1
    assert points.expire_pending(NOON + HOUR) == 0
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.status, new.status) == ("EXPIRED", "PENDING")
    assert points.outcome(old, replayed=True).status == "EXPIRED"


@pytest.mark.parametrize("amount", [0, True, 1.5, None])
def test_nothing_is_announced_without_an_amount(rich, stars, amount):
    with pytest.raises(InvalidPosting):
        begin(rich, stars, amount)


def test_nothing_is_announced_until_an_instant_that_has_passed(rich, stars):
    with pytest.raises(InvalidPosting):
        begin(rich, stars, 5, expires_at=NOON)


@pytest.mark.parametrize(
    "change",
    [
        "status = 'REFUSED'",
        "status = 'PENDING'",
        "reference = 'other'",
        "content = '{}', status = 'COMPLETED'",
        "expires_at = NULL, status = 'EXPIRED', settled_at = created_at",
    ],
)
def test_raw_sql_settles_a_pending_request_and_changes_nothing_else(
    rich, stars, change
):
    begin(rich, stars, -30)
    refuse(f"UPDATE TABLE SET {change} WHERE status = 'PENDING'")


@pytest.mark.parametrize(
    "change", ["status = 'CANCELLED'", "outcome = '{}'", "settled_at = created_at"]
)
def test_raw_sql_cannot_settle_a_request_twice(rich, stars, change):
    refuse(f"UPDATE TABLE SET {change}")
    refuse("DELETE FROM TABLE")


def refuse(sql):
    with pytest.raises(DatabaseError, match="does not change|are kept"):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.replace("TABLE", PointsRequest._meta.db_table))


def test_nothing_of_it_is_written_if_judging_fails(rich, stars, monkeypatch):
    from loyalty import evaluators

    request = begin(rich, stars, -30)

    def fail(*asked):
        raise RuntimeError("No tiers today.")

    evaluator = evaluators.Evaluator("fails", lambda program_id: None, fail)
    monkeypatch.setattr(evaluators, "_registry", {"fails": evaluator})
    with pytest.raises(RuntimeError):
        points.complete(request, at=NOON)
    request.refresh_from_db()
    assert request.status == "PENDING"
    assert PointsEntry.objects.count() == 1
