"""Days begin and end where the clocks of their zone say."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.calendar import first_instant, local_date


@pytest.mark.parametrize(
    ("zone", "first", "begins"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00+00:00"),
        # Santiago springs forward at midnight: the day begins at 01:00.
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00:00+00:00"),
        # Apia skipped 30 December 2011: what begins is the 31st.
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00+00:00"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00+00:00"),
        ("Pacific/Kiritimati", "2026-01-01", "2025-12-31T10:00:00+00:00"),
    ],
)
def test_a_day_begins_where_the_clocks_of_its_zone_say(
    zone: str, first: str, begins: str
) -> None:
    found = first_instant(date.fromisoformat(first), zone)
    assert found == datetime.fromisoformat(begins)


@given(
    st.sampled_from(
        ["America/Santiago", "Africa/Cairo", "Asia/Beirut", "Australia/Lord_Howe"]
    ),
    st.dates(date(2000, 1, 1), date(2030, 12, 31)),
)
def test_the_instant_before_a_day_begins_is_of_an_earlier_day(
    zone: str, first: date
) -> None:
    begins = first_instant(first, zone)
    assert local_date(begins, zone) >= first
    assert local_date(begins - timedelta(microseconds=1), zone) < first
