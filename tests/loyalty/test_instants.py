"""Instants come back from PostgreSQL as Django would read them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import DataError, connection, transaction

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]


def read(text: str) -> Any:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [text])
        return cursor.fetchone()[0]


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+00:00",
        "1969-12-31T23:59:59.999999+00:00",
        "2026-03-29T02:30:00.5+02:00",
        "9999-12-31T23:59:59.999999+00:00",
    ],
)
def test_an_instant_is_read_in_utc(text: str) -> None:
    found = read(text)
    assert found == datetime.fromisoformat(text)
    assert found.tzinfo is UTC


def test_in_a_session_of_another_zone_it_is_the_same_instant() -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL TimeZone = 'Asia/Kathmandu'")
        found = read("2026-03-29T02:30:00Z")
    there = timezone(timedelta(hours=5, minutes=45))
    assert found == datetime(2026, 3, 29, 8, 15, tzinfo=there)
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["infinity", "0044-03-15 BC", "12024-01-01"])
def test_what_is_no_instant_here_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        read(text)
