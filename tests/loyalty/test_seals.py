"""Days of the ledger that are sealed, and what shows when they are rewritten."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from approvals import triggers
from loyalty import chain, points
from loyalty.models import LedgerSeal, Member, PointsEntry
from loyalty.points.verification import _links
from tests import factories

from .stories import SHOP

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def week(member, stars, program):
    """Lines on Monday, Tuesday and Friday, of two members, sealed on Saturday."""
    other = factories.make_member(program)
    for number, (who, when) in enumerate(
        [
            (member, MONDAY),
            (member, MONDAY),
            (other, MONDAY + DAY),
            (member, MONDAY + 4 * DAY),
        ]
    ):
        points.earn(who, stars, 10, reference=f"r{number}", at=when, **SHOP)
    assert points.seal_due(program, at=MONDAY + 5 * DAY) == 3
    return program


def test_each_day_with_lines_is_sealed_once_it_has_ended(week):
    seals = LedgerSeal.objects.filter(program=week).order_by("day")
    assert [(seal.day, seal.members) for seal in seals] == [
        (date(2026, 3, 2), 1),
        (date(2026, 3, 3), 1),
        (date(2026, 3, 6), 1),
    ]
    assert list(points.verify_seals(week)) == []
    assert points.seal_due(week, at=MONDAY + 9 * DAY) == 0
    again = points.seal(week, date(2026, 3, 2), at=MONDAY + 9 * DAY)
    assert again == seals[0]


def test_a_day_is_not_sealed_before_all_of_it_is_written(member, stars, program):
    points.earn(member, stars, 10, reference="r", at=MONDAY, **SHOP)
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    day = date(2026, 3, 2)
    assert points.seal(program, day, at=midnight + timedelta(minutes=59)) is None
    assert points.seal(program, day, at=midnight + timedelta(hours=1))


def test_days_are_those_of_the_programs_zone(maya, stars):
    program = factories.make_program(maya, "Far east", time_zone="Pacific/Kiritimati")
    member = factories.make_member(program)
    definition = factories.definition_of(program)
    points.earn(member, definition, 1, reference="r", at=MONDAY, **SHOP)
    points.seal_due(program, at=MONDAY + 2 * DAY)
    seal = LedgerSeal.objects.get(program=program)
    assert seal.day == date(2026, 3, 3)
    assert seal.ends_at == datetime(2026, 3, 3, 10, tzinfo=UTC)


def test_nothing_is_recorded_on_a_sealed_day(week, member, stars):
    sealed_until = LedgerSeal.objects.latest("day").ends_at
    posting = points.earn(member, stars, 1, reference="late", at=MONDAY, **SHOP)
    entry = posting.entries.get()
    assert entry.recorded_at == sealed_until
    assert entry.occurred_at == MONDAY
    assert list(points.verify_seals(week)) == []


def test_a_seal_costs_the_same_however_many_lines_it_covers(
    member, stars, program, django_assert_num_queries
):
    for number in range(20):
        points.earn(member, stars, 1, reference=f"r{number}", at=MONDAY, **SHOP)
    # Zone, last seal, lines; savepoint, look, savepoint, insert, release twice.
    with django_assert_num_queries(9):
        points.seal(program, date(2026, 3, 2), at=MONDAY + DAY)


def test_whoever_rewrites_a_whole_chain_breaks_its_seals(week, member):
    """All hashes of the member are right again; the seals are what shows it."""
    triggers.uninstall(connection)
    PointsEntry.objects.filter(member=member, sequence=1).update(amount=999)
    head = ""
    for link, _ in list(_links(member)):
        head = chain.hash_of(link, head)
        rows = PointsEntry.objects.filter(member=member, sequence=link.sequence)
        rows.update(hash=head)
    Member.objects.filter(pk=member.pk).update(chain_head=head)
    triggers.install(connection)
    assert points.verify(member) is None
    assert list(points.verify_seals(week)) == [
        "The seal of 2026-03-02 is not what the ledger of that day says.",
        "The seal of 2026-03-06 is not what the ledger of that day says.",
    ]


def test_a_forged_seal_shows_in_the_next_one_as_well(week):
    triggers.uninstall(connection)
    LedgerSeal.objects.filter(day=date(2026, 3, 2)).update(hash="0" * 64)
    triggers.install(connection)
    assert len(list(points.verify_seals(week))) == 2


@pytest.mark.parametrize(
    "sql", ["UPDATE {} SET hash = 'x'", "UPDATE {} SET members = 5", "DELETE FROM {}"]
)
def test_raw_sql_cannot_change_a_seal(week, sql):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql.format(LedgerSeal._meta.db_table))
