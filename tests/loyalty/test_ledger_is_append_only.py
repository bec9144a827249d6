"""No route changes or removes a line of the ledger, and whoever finds one shows."""

import random
import uuid
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import CheckConstraint

from approvals import triggers
from loyalty import points
from loyalty.models import Balance, Member, PointsEntry
from tests.counts import count
from tests.factories import LONG_AGO

from .stories import SHOP, set_rules

DAY = timedelta(days=1)
ENTRIES = PointsEntry._meta.db_table


@pytest.fixture
def chained(member, stars):
    """The member, with five lines."""
    for number in range(1, 6):
        points.earn(
            member,
            stars,
            number,
            reference=f"r{number}",
            source="shop",
            by=None,
            # What PostgreSQL and SQLite give back differently, if one is careless.
            meta={"weight": 9e15, "share": 1.5e-7, "list": [1.0, None, "é"]},
        )
    return member


def columns():
    return [field.column for field in PointsEntry._meta.concrete_fields]


@pytest.mark.parametrize("column", columns())
def test_raw_sql_cannot_change_a_line(chained, column):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f'UPDATE {ENTRIES} SET "{column}" = "{column}"')


def test_raw_sql_cannot_remove_a_line(chained):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {ENTRIES}")


def test_raw_sql_cannot_empty_the_ledger(chained):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no TRUNCATE.")
    with connection.cursor() as cursor:
        # Pending checks of foreign keys would be in its way already.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute(f"TRUNCATE {ENTRIES} CASCADE")


def test_raw_sql_cannot_replace_a_line(chained):
    names = ", ".join(f'"{column}"' for column in columns())
    values = names.replace('"amount"', "amount + 1000")
    if connection.vendor == "sqlite":
        sql = (
            f"INSERT OR REPLACE INTO {ENTRIES} ({names}) SELECT {values} FROM {ENTRIES}"
        )
    else:
        sql = (
            f"INSERT INTO {ENTRIES} ({names}) SELECT {values} FROM {ENTRIES} "
            "ON CONFLICT (id) DO UPDATE SET amount = excluded.amount"
        )
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql)


def test_the_orm_cannot_change_a_line_either(chained):
    entry = PointsEntry.objects.get(sequence=1)
    for attempt in (
        lambda: PointsEntry.objects.update(amount=1),
        lambda: PointsEntry.objects.all().delete(),
        lambda: PointsEntry.objects.bulk_update([entry], ["amount"]),
        entry.save,
        entry.delete,
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            attempt()


def test_a_balance_cannot_be_removed(chained):
    with pytest.raises(DatabaseError, match="kept"), transaction.atomic():
        Balance.objects.all().delete()


def test_a_chain_that_nobody_touched_holds(chained):
    assert points.verify(chained) is None
    assert Member.objects.get(pk=chained.pk).chain_length == 5


# What the owner of the database can do, the chain shows.


def broken(member):
    found = points.verify(member)
    assert found is not None, "The chain holds."
    return found


@pytest.fixture
def unguarded(chained):
    triggers.uninstall(connection)
    yield chained
    triggers.install(connection)


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 99},
        {"kind": "ADJUST"},
        {"description": "Nothing to see."},
        {"meta": {"weight": 1}},
        {"hash": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_line_shows(unguarded, change):
    PointsEntry.objects.filter(member=unguarded, sequence=3).update(**change)
    assert broken(unguarded).sequence == 3


def test_a_changed_instant_shows(unguarded):
    line = PointsEntry.objects.get(member=unguarded, sequence=2)
    for field in ("occurred_at", "window_at", "recorded_at"):
        was = getattr(line, field)
        rows = PointsEntry.objects.filter(pk=line.pk)
        rows.update(**{field: was.replace(year=2001)})
        assert broken(unguarded).sequence == 2
        rows.update(**{field: was})
    assert points.verify(unguarded) is None


@pytest.mark.parametrize("sequence", [1, 3, 5])
def test_a_missing_line_shows(unguarded, sequence):
    PointsEntry.objects.filter(member=unguarded, sequence=sequence).delete()
    assert broken(unguarded).sequence == sequence


def test_a_line_given_to_somebody_else_shows(unguarded, program, stars):
    from tests import factories

    other = factories.make_member(program)
    PointsEntry.objects.filter(member=unguarded, sequence=1).update(member=other)
    Member.objects.filter(pk=other.pk).update(
        chain_length=1, chain_head=PointsEntry.objects.get(member=other).hash
    )
    assert broken(unguarded).sequence == 1
    assert broken(other).sequence == 1


def test_a_rewritten_tail_shows_in_the_head(unguarded):
    """Who computes the hashes anew has to change the member's row as well."""
    Member.objects.filter(pk=unguarded.pk).update(chain_head="")
    found = broken(unguarded)
    assert found.sequence == 5
    assert "ended on" in found.reason


# Flips of single bits, anywhere in lines of every kind


@pytest.fixture
def varied(member, stars, maya, chen):
    """The member, with lines of every kind."""
    rules = {"availability_value": 12, "availability_unit": "MONTH"}
    set_rules(stars, maya, chen, since=LONG_AGO + DAY, **rules)
    then = LONG_AGO + 400 * DAY
    earned = points.earn(
        member, stars, 90, reference="a", at=then, meta={"till": 7}, **SHOP
    )
    points.adjust(member, stars, 10, reference="b", at=then, **SHOP)
    mug = points.redeem(member, stars, 30, reference="c", at=then, **SHOP)
    points.refund(mug.entries.get(), amount=5, reference="d", at=then, **SHOP)
    later = then + 500 * DAY
    points.reverse(earned.entries.get(), amount=20, reference="e", at=later, **SHOP)
    kinds = PointsEntry.objects.filter(member=member).values_list("kind", flat=True)
    assert set(kinds) == set(PointsEntry.Kind.values)
    return member


#: What a flip can strike; the rest is keys of the database.
STRUCK = ["uuid", "kind", "amount", "occurred_at", "window_at", "recorded_at"]
STRUCK += ["description", "meta", "hash"]


def test_every_flip_of_a_bit_is_found_where_it_is(varied):
    dice = random.Random(2026)
    lines = list(PointsEntry.objects.filter(member=varied).order_by("sequence"))
    triggers.uninstall(connection)
    with without_checks():
        for _ in range(count(40, 200)):
            line, field = dice.choice(lines), dice.choice(STRUCK)
            rows = PointsEntry.objects.filter(pk=line.pk)
            with transaction.atomic():
                rows.update(**{field: flipped(getattr(line, field), dice)})
                assert broken(varied).sequence == line.sequence, field
                transaction.set_rollback(True)
    triggers.install(connection)
    assert points.verify(varied) is None


def flipped(value, dice):
    """Return a value of the same type with a single bit the other way round."""
    if isinstance(value, int):
        return value ^ (1 << dice.randrange(40))
    if isinstance(value, datetime):
        return value + dice.choice([1, -1]) * timedelta(
            microseconds=1 << dice.randrange(40)
        )
    if isinstance(value, uuid.UUID):
        return uuid.UUID(int=value.int ^ (1 << dice.randrange(128)))
    if isinstance(value, dict):
        return {**value, "more": dice.randrange(9)}
    place = dice.randrange(len(value)) if value else 0
    struck = chr(ord(value[place]) ^ 1) if value else "x"
    return value[:place] + struck + value[place + 1 :]


@contextmanager
def without_checks():
    """Let a line say what its table would refuse: a flip on the disk asks nobody."""
    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            # The test's own roll-back brings them again.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for check in PointsEntry._meta.constraints:
                if isinstance(check, CheckConstraint):
                    cursor.execute(
                        f"ALTER TABLE {ENTRIES} DROP CONSTRAINT IF EXISTS {check.name}"
                    )
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA ignore_check_constraints = OFF")


def test_a_refund_that_is_moved_to_another_redemption_shows(varied):
    """What a line concerns, and what it reverses, is part of its hash."""
    triggers.uninstall(connection)
    other = PointsEntry.objects.get(member=varied, kind="ADJUST")
    for kind, field in (
        ("REFUND", "concerns"),
        ("EXPIRE", "concerns"),
        ("REVERSAL", "reverses"),
    ):
        line = PointsEntry.objects.filter(member=varied, kind=kind)[0]
        was = getattr(line, f"{field}_id")
        rows = PointsEntry.objects.filter(pk=line.pk)
        rows.update(**{field: other})
        if was != other.pk:
            assert broken(varied).sequence == line.sequence
        rows.update(**{field: was})
    triggers.install(connection)
    assert points.verify(varied) is None
