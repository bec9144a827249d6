"""Many at once, on PostgreSQL with real threads; each proof has its broken control.

The control is the same code with the one safeguard taken away. If it passed, the
test would prove nothing, so then the test fails.
"""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum

from loyalty import points
from loyalty.errors import InsufficientPoints
from loyalty.models import Balance, PointsEntry, PointsRequest
from loyalty.points import accounts, requests
from loyalty.points.ledger import Ledger
from tests import factories
from tests.counts import count
from tests.races import UNLOCKED

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.proof,
    pytest.mark.django_db(transaction=True),
]
SHOP: dict[str, Any] = {"source": "shop", "by": None}


def at_once(*calls):
    """Run all calls in threads that start together; return results or exceptions."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        try:
            barrier.wait(10)
            return call()
        except Exception as problem:
            return problem
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def round_of_redeems(program, stars, number):
    """Six people spend one balance of 100, 60 each; return who got what, what is left."""
    member = factories.make_member(program)
    points.earn(member, stars, 100, reference=f"earn-{number}", **SHOP)
    results = at_once(
        *(
            lambda n=n: points.redeem(
                member, stars, 60, reference=f"redeem-{number}-{n}", **SHOP
            )
            for n in range(6)
        )
    )
    left = PointsEntry.objects.filter(member=member).aggregate(left=Sum("amount"))
    return member, results, left["left"]


def test_six_who_redeem_at_once_never_overdraw(program, stars):
    for number in range(count(10, 60)):
        member, results, left = round_of_redeems(program, stars, number)
        won = [r for r in results if isinstance(r, points.Posting)]
        refused = [r for r in results if isinstance(r, InsufficientPoints)]
        assert (len(won), len(refused), left) == (1, 5, 40)
        assert Balance.objects.get(member=member).amount == 40
        assert points.verify(member) is None


def test_without_the_lock_they_do(program, stars, monkeypatch):
    together = threading.Barrier(6)

    look = Ledger.look

    def look_together(self, at):
        look(self, at)
        together.wait(10)

    problems = 0
    for number in range(count(3, 10)):
        member = factories.make_member(program)
        points.earn(member, stars, 100, reference=f"earn-{number}", **SHOP)
        with monkeypatch.context() as broken:
            broken.setattr(accounts, "HELD", UNLOCKED)
            broken.setattr(Ledger, "look", look_together)
            # The second safeguard: two lines cannot be a member's second one.
            drop_line_numbers()
            results = at_once(
                *(
                    lambda n=n, m=member, i=number: points.redeem(
                        m, stars, 60, reference=f"redeem-{i}-{n}", **SHOP
                    )
                    for n in range(6)
                )
            )
        won = sum(isinstance(result, points.Posting) for result in results)
        problems += won > 1
    assert problems, "The control kept its balance: this test proves nothing."


def drop_line_numbers():
    with connection.cursor() as cursor:
        cursor.execute(
            f"ALTER TABLE {PointsEntry._meta.db_table} "
            "DROP CONSTRAINT IF EXISTS entries_of_a_member_are_in_order"
        )


@pytest.fixture(autouse=True)
def _line_numbers_are_unique_again(transactional_db):
    yield
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_constraint "
            "WHERE conname = 'entries_of_a_member_are_in_order'"
        )
        if cursor.fetchone():
            return
    constraint = next(
        c
        for c in PointsEntry._meta.constraints
        if c.name == "entries_of_a_member_are_in_order"
    )
    from approvals import triggers

    triggers.uninstall(connection)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {PointsEntry._meta.db_table} CASCADE")
    triggers.install(connection)
    with connection.schema_editor() as editor:
        editor.add_constraint(PointsEntry, constraint)


def four_twins(member, stars, reference):
    return at_once(
        *[lambda: points.earn(member, stars, 10, reference=reference, **SHOP)] * 4
    )


def test_one_reference_from_four_threads_has_one_effect_and_one_answer(program, stars):
    member = factories.make_member(program)
    rounds = count(20, 300)
    replays = 0
    for number in range(rounds):
        results = four_twins(member, stars, f"order-{number}")
        assert len({repr_of(result) for result in results}) == 1
        replays += sum(result.replayed for result in results)
    assert replays == 3 * rounds
    assert PointsEntry.objects.filter(member=member).count() == rounds
    assert PointsRequest.objects.count() == rounds
    assert Balance.objects.get(member=member).amount == 10 * rounds
    assert points.verify(member) is None


def repr_of(posting):
    assert isinstance(posting, points.Posting), posting
    kept = PointsRequest.objects.get(uuid=posting.request)
    lines = [
        [str(line.uuid), line.definition_id, line.kind, line.amount, line.balance]
        for line in posting.lines
    ]
    return json.dumps([str(posting.request), lines, kept.outcome], sort_keys=True)


def test_one_refusal_from_four_threads_is_the_same_for_all(program, stars):
    member = factories.make_member(program)
    for number in range(count(10, 100)):
        results = at_once(
            *[
                lambda n=number: points.redeem(
                    member, stars, 10, reference=f"tv-{n}", **SHOP
                )
            ]
            * 4
        )
        assert {type(result) for result in results} == {InsufficientPoints}
        assert len({(r.message, str(r.details)) for r in results}) == 1
    assert set(PointsRequest.objects.values_list("status", flat=True)) == {"REFUSED"}


def test_without_the_constraint_twins_have_more_than_one_effect(
    program, stars, monkeypatch
):
    """Looking first is not enough: who looks sees what was posted as it was named."""
    member = factories.make_member(program)
    writing = requests.writing

    def forget(program_id, written, **fields):
        # A source of its own for each request is a constraint that never bites.
        written[0].source += f"-{written[0].uuid}"
        return writing(program_id, written, **fields)

    monkeypatch.setattr(requests, "writing", forget)
    results = four_twins(member, stars, "order")
    assert len({result.request for result in results}) > 1, "This test proves nothing."


def test_batches_with_the_same_references_post_each_once(program, stars):
    crowd = [factories.make_member(program) for _ in range(20)]
    for number in range(count(5, 30)):
        batch = [
            points.Activity(
                member.pk, f"{number}-{member.pk}", (points.Line("EARN", stars.pk, 1),)
            )
            for member in crowd
        ]
        reports = at_once(
            lambda b=batch: points.post_many(program, b, **SHOP),
            lambda b=batch: points.post_many(program, b[::-1], **SHOP),
            lambda b=batch: points.post_many(program, b[5:], **SHOP, chunk=3),
        )
        assert not [r for r in reports if not isinstance(r, points.Report)], reports
        assert sum(report.posted for report in reports) == 20
        assert sum(report.replayed for report in reports) == 35
    for member in crowd:
        assert points.verify(member) is None
    total = Balance.objects.aggregate(total=Sum("amount"))["total"]
    assert total == PointsEntry.objects.aggregate(total=Sum("amount"))["total"]
