"""A large program, made of the shapes of CDNOW: seeded, and loaded by ``COPY``.

Each member is drawn from a real customer: how often they bought (stretched so that
the members have 20 lines each), for how much, and with which gaps in between. Two
lines in a hundred are reversed later, and now and then half a balance is redeemed.

Rows come past the verbs. They are what the verbs would have written but for this:
the members' chains are left unsealed (no hashes), and one request stands for all of a
member's history. ``NOW`` is the instant at which the history ends.
"""

import random
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, models

from loyalty import cdnow
from loyalty.models import (
    Balance,
    Contact,
    Member,
    Membership,
    PointsEntry,
    PointsRequest,
    Program,
)
from tests import factories

SEED = 19970101
DAYS = 730
NOW = datetime(2026, 5, 20, tzinfo=UTC)
START = NOW - timedelta(days=DAYS)
ZONE = "Europe/Berlin"
TIERS = [("Bronze", None), ("Silver", 150), ("Gold", 400), ("Platinum", 1000)]
REVERSED = 0.02
REDEEMED = 0.05
#: What comes on top of the purchases, by the two shares above.
EXTRA = 1.062
SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Size:
    name: str
    members: int
    entries: int


FULL = Size("full", 1_000_000, 20_000_000)
QUICK = Size("quick", 10_000, 200_000)
SIZES = {size.name: size for size in (FULL, QUICK)}


def build(size: Size) -> None:
    """Fill an empty, migrated database."""
    program, definition = _program()
    with connection.cursor() as cursor, _unhindered(cursor):
        history = History(size)
        _people(program, size, history)
        history.write(definition)
        _copy(
            Balance,
            ("id", "member_id", "balance_definition_id", "amount", "updated_at"),
            (
                f"{member}\t{member}\t{definition}\t{amount}\t{NOW}"
                for member, amount in enumerate(history.balances[1:], start=1)
            ),
        )
        # Every member has a line: nobody's chain is empty.
        _copy_chains(cursor, history.sequences)
        for model in (Contact, Member, Membership, PointsRequest, PointsEntry, Balance):
            table = model._meta.db_table
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) "
                f"FROM {table}"
            )
    vacuum()


def vacuum(*tables: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM (ANALYZE) {', '.join(tables)}")
        cursor.execute("CHECKPOINT")


def _program() -> tuple[Program, int]:
    maya, chen = factories.make_maker(), factories.make_reviewer()
    User.objects.create_superuser("admin", password="demo")
    program = factories.make_program(
        maya, "Record Club", time_zone=ZONE, rolling_window_months=12
    )
    factories.make_group(program, by=maya, reviewer=chen, tiers=TIERS)
    return program, factories.definition_of(program).pk


class History:
    """Purchases by day, each packed into one integer: second, member, points."""

    MEMBER_BITS = 24
    POINTS_BITS = 20

    def __init__(self, size: Size) -> None:
        self.size = size
        self.random = random.Random(SEED)
        self.first = array("i", [DAYS * SECONDS]) * (size.members + 1)
        self.sequences = array("i", [0]) * (size.members + 1)
        self.balances = array("q", [0]) * (size.members + 1)
        self.days = [array("Q") for _ in range(DAYS)]
        self._draw()

    def _draw(self) -> None:
        customers, gaps = _cdnow()
        draw = self.random.random
        span = DAYS * SECONDS
        purchases = self.size.entries / EXTRA
        per_purchase = purchases / self.size.members / _mean(customers)
        owed = 0.0
        for member in range(1, self.size.members + 1):
            bought = customers[int(draw() * len(customers))]
            owed += len(bought) * per_purchase
            count = max(1, round(owed))
            owed -= count
            at = int(draw() * span)
            for _ in range(count):
                self.first[member] = min(self.first[member], at)
                points = bought[int(draw() * len(bought))]
                day, second = divmod(at, SECONDS)
                self.days[day].append(
                    (second << self.MEMBER_BITS | member) << self.POINTS_BITS | points
                )
                gap = gaps[int(draw() * len(gaps))]
                at = (at + gap * SECONDS + int(draw() * SECONDS)) % span

    def write(self, definition: int) -> None:
        columns = (
            "id",
            "uuid",
            "member_id",
            "balance_definition_id",
            "kind",
            "amount",
            "occurred_at",
            "window_at",
            "recorded_at",
            "request_id",
            "reverses_id",
            "sequence",
        )
        _copy(PointsEntry, columns, self._lines(definition))

    def _lines(self, definition: int) -> Iterator[str]:
        clock = [
            f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}+00" for s in range(SECONDS)
        ]
        draw, bits = self.random.random, self.random.getrandbits
        reversals: list[list[tuple[int, int, int, int, str]]] = [
            [] for _ in range(DAYS + 1)
        ]
        key = 0

        def line(
            member: int, kind: str, points: int, at: str, window: str, of: str
        ) -> str:
            nonlocal key
            key += 1
            self.sequences[member] += 1
            self.balances[member] += points
            return (
                f"{key}\t{bits(128):032x}\t{member}\t{definition}\t{kind}\t{points}\t"
                f"{at}\t{window}\t{at}\t{member}\t{of}\t{self.sequences[member]}"
            )

        members = (1 << self.MEMBER_BITS) - 1
        for day, bucket in enumerate(self.days):
            date = (START + timedelta(days=day)).date().isoformat()
            waiting = sorted(reversals[day], reverse=True)
            reversals[day] = []
            for packed in sorted(bucket):
                points = packed & ((1 << self.POINTS_BITS) - 1)
                packed >>= self.POINTS_BITS
                member, second = packed & members, packed >> self.MEMBER_BITS
                while waiting and waiting[-1][0] <= second:
                    when, whose, amount, of, window = waiting.pop()
                    at = f"{date} {clock[when]}"
                    yield line(whose, "REVERSAL", -amount, at, window, str(of))
                at = f"{date} {clock[second]}"
                yield line(member, "EARN", points, at, at, "\\N")
                chance = draw()
                if chance < REVERSED:
                    later = day + 1 + int(draw() * 20)
                    if later < DAYS:
                        reversals[later].append((second, member, points, key, at))
                elif chance < REVERSED + REDEEMED and self.balances[member] > 1:
                    half = self.balances[member] // 2
                    yield line(member, "REDEEM", -half, at, at, "\\N")


def _cdnow() -> tuple[list[list[int]], list[int]]:
    """Return each customer's amounts in whole dollars, and the gaps in days."""
    customers: dict[int, list[int]] = {}
    gaps = []
    last = None
    for purchase in cdnow.purchases():
        customers.setdefault(purchase.customer, []).append(purchase.cents // 100)
        if last and last.customer == purchase.customer:
            gaps.append((purchase.day - last.day).days)
        last = purchase
    return list(customers.values()), gaps


def _mean(customers: Sequence[Sequence[int]]) -> float:
    return sum(map(len, customers)) / len(customers)


def _people(program: Program, size: Size, history: History) -> None:
    ids = range(1, size.members + 1)
    joined = [str(START + timedelta(seconds=first)) for first in history.first]
    uuids = random.Random(SEED + 1)
    _copy(
        Contact,
        ("id", "uuid", "external_id", "email", "created_at"),
        (
            f"{i}\t{uuids.getrandbits(128):032x}\tC-{i}\tc{i}@example.org\t{joined[i]}"
            for i in ids
        ),
    )
    _copy(
        Member,
        ("id", "uuid", "program_id", "contact_id", "subscription_id", "created_at"),
        (
            f"{i}\t{uuids.getrandbits(128):032x}\t{program.pk}\t{i}\tS-{i}\t{joined[i]}"
            for i in ids
        ),
    )
    _copy(
        Membership,
        ("id", "member_id", "started_at"),
        (f"{i}\t{i}\t{joined[i]}" for i in ids),
    )
    _copy(
        PointsRequest,
        ("id", "uuid", "program_id", "source", "reference", "fingerprint", "status")
        + ("member_id", "created_at", "settled_at"),
        (
            f"{i}\t{uuids.getrandbits(128):032x}\t{program.pk}\tbenchmark\thistory-{i}\t"
            f"{i:064x}\tCOMPLETED\t{i}\t{NOW}\t{NOW}"
            for i in ids
        ),
    )


def _copy_chains(cursor: Any, lengths: Sequence[int]) -> None:
    # Updating a million rows would leave a million dead ones: they are moved instead.
    table = Member._meta.db_table
    cursor.execute("CREATE TEMP TABLE chains (id bigint, length integer)")
    with cursor.copy("COPY chains FROM STDIN") as copy:
        for start in range(1, len(lengths), 10_000):
            part = range(start, min(start + 10_000, len(lengths)))
            copy.write("".join(f"{i}\t{lengths[i]}\n" for i in part))
    cursor.execute(
        f"UPDATE {table} m SET chain_length = c.length FROM chains c WHERE c.id = m.id"
    )
    cursor.execute(f"VACUUM FULL {table}")


def _copy(
    model: type[models.Model], columns: Sequence[str], rows: Iterable[str]
) -> None:
    """Load rows of tab-separated text; fields not named get their default."""
    others = {
        str(field.column): field.get_db_prep_save(field.get_default(), connection)
        for field in model._meta.concrete_fields
        if field.column not in columns and not field.null
    }
    tail = "".join(f"\t{_text(value)}" for value in others.values()) + "\n"
    names = ", ".join((*columns, *others))
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {model._meta.db_table} ({names}) FROM STDIN") as copy:
            part: list[str] = []
            for row in rows:
                part.append(row)
                if len(part) == 5_000:
                    copy.write(tail.join([*part, ""]))
                    part.clear()
            if part:
                copy.write(tail.join([*part, ""]))


def _text(value: Any) -> str:
    if hasattr(value, "obj"):  # JSON, wrapped for the driver
        return str(value.obj).replace("'", '"')
    return str(value)


@contextmanager
def _unhindered(cursor: Any) -> Iterator[None]:
    """Load without triggers, and build indexes when the rows are there."""
    tables = [
        model._meta.db_table
        for model in (Contact, Member, Membership, PointsRequest, PointsEntry, Balance)
    ]
    cursor.execute("SET session_replication_role = replica")
    cursor.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) "
        "FROM pg_constraint WHERE contype = 'u' AND conrelid::regclass::text = ANY(%s)",
        [tables],
    )
    constraints = cursor.fetchall()
    for table, name, _ in constraints:
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes i WHERE tablename = ANY(%s) AND "
        "NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)",
        [tables],
    )
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    cursor.execute("SET maintenance_work_mem = '1GB'")
    for table, name, definition in constraints:
        cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
    for _, definition in indexes:
        cursor.execute(definition)
    cursor.execute("RESET maintenance_work_mem")
    cursor.execute("RESET session_replication_role")
