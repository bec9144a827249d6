"""Which credits are left and when they expire, with dates that a calendar shows."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.calendar import local_date
from loyalty.lots import Availability, Line, Move, differences, follow
from tests.counts import count

YEAR = Availability(12, "MONTH")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def state(lines, as_of="2030-01-01", availability=YEAR, zone="UTC"):
    return follow(lines, lambda earned: availability.expiry(earned, zone), at(as_of))


def left(found):
    return {lot.key: lot.left for lot in found.lots}


# Days


@pytest.mark.parametrize(
    ("availability", "earned", "gone"),
    [
        (Availability(1, "DAY"), "2026-03-01", "2026-03-02"),
        (Availability(30, "DAY"), "2026-01-31", "2026-03-02"),
        (Availability(2, "WEEK"), "2026-12-24", "2027-01-07"),
        # Capillary: 12 months from 15 April last through 14 April.
        (Availability(12, "MONTH"), "2024-04-15", "2025-04-15"),
        # Voucherify: 31 January plus one month is the end of 28 February.
        (Availability(1, "MONTH"), "2026-01-31", "2026-03-01"),
        (Availability(2, "MONTH"), "2026-01-31", "2026-03-31"),
        (Availability(1, "YEAR"), "2024-02-29", "2025-03-01"),
        (Availability(4, "YEAR"), "2024-02-29", "2028-02-29"),
        (Availability(1, "MONTH", "START_OF_PERIOD"), "2026-01-31", "2026-02-01"),
        (Availability(1, "MONTH", "END_OF_PERIOD"), "2026-01-31", "2026-03-01"),
        (Availability(1, "YEAR", "START_OF_PERIOD"), "2026-05-09", "2027-01-01"),
        (Availability(1, "YEAR", "END_OF_PERIOD"), "2026-05-09", "2028-01-01"),
        # 22 November 2026 is a Sunday.
        (Availability(1, "WEEK", "START_OF_PERIOD"), "2026-11-22", "2026-11-23"),
        (Availability(1, "WEEK", "END_OF_PERIOD"), "2026-11-22", "2026-11-30"),
        (Availability(3, "DAY", "START_OF_PERIOD"), "2026-11-22", "2026-11-25"),
        (Availability(3, "DAY", "END_OF_PERIOD"), "2026-11-22", "2026-11-26"),
        (Availability(day_of_year="31/12"), "2026-05-09", "2027-01-01"),
        (Availability(day_of_year="31/12"), "2026-12-31", "2027-01-01"),
        (Availability(day_of_year="30/06"), "2026-07-01", "2027-07-01"),
        (Availability(day_of_year="29/02"), "2026-01-01", "2026-03-01"),
        (Availability(day_of_year="29/02"), "2028-01-01", "2028-03-01"),
    ],
    ids=str,
)
def test_a_credit_is_gone_on_a_day_that_a_calendar_shows(availability, earned, gone):
    found = availability.expiry_day(date.fromisoformat(earned))
    assert found == date.fromisoformat(gone)


@pytest.mark.parametrize(
    ("zone", "earned", "expires"),
    [
        # Clocks go forward in Berlin on 29 March 2026: the day is 23 hours long.
        ("Europe/Berlin", "2026-03-28T23:30:00+01:00", "2026-03-28T23:00:00+00:00"),
        ("Europe/Berlin", "2026-03-29T12:00:00+02:00", "2026-03-29T22:00:00+00:00"),
        # In October there are two 02:30; both are of the same day.
        ("Europe/Berlin", "2026-10-25T02:30:00+02:00", "2026-10-25T23:00:00+00:00"),
        ("Europe/Berlin", "2026-10-25T02:30:00+01:00", "2026-10-25T23:00:00+00:00"),
        # Santiago has no midnight on 6 September 2026: the day begins at 01:00.
        ("America/Santiago", "2026-09-05T20:00:00-04:00", "2026-09-06T04:00:00+00:00"),
        # Lord Howe moves by half an hour.
        ("Australia/Lord_Howe", "2026-10-03T12:00:00+10:30", "2026-10-03T13:30:00Z"),
        ("Australia/Lord_Howe", "2026-10-04T12:00:00+11:00", "2026-10-04T13:00:00Z"),
        # Apia went from the 29th to the 31st of December 2011.
        ("Pacific/Apia", "2011-12-29T12:00:00-10:00", "2011-12-30T10:00:00+00:00"),
        ("Pacific/Kiritimati", "2025-12-31T12:00:00Z", "2026-01-01T10:00:00+00:00"),
    ],
)
def test_a_credit_of_one_day_expires_when_that_day_ends(zone, earned, expires):
    found = Availability(1, "DAY").expiry(datetime.fromisoformat(earned), zone)
    assert found == datetime.fromisoformat(expires)


def test_a_span_past_the_end_of_time_never_ends():
    assert Availability(9000, "YEAR").expiry(at("2026-01-01"), "UTC") is None
    assert Availability(4_000_000, "DAY").expiry(at("2026-01-01"), "UTC") is None


AVAILABILITIES = st.one_of(
    st.builds(
        Availability,
        st.integers(1, 60),
        st.sampled_from(["DAY", "WEEK", "MONTH", "YEAR"]),
        st.sampled_from(["EXACT", "START_OF_PERIOD", "END_OF_PERIOD"]),
    ),
    st.builds(
        lambda day: Availability(day_of_year=f"{day:%d/%m}"),
        st.dates(date(2028, 1, 1), date(2028, 12, 31)),
    ),
)


@settings(max_examples=count(300, 5000), deadline=None)
@given(
    AVAILABILITIES,
    st.sampled_from(sorted(available_timezones() - {"localtime"})),
    st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),
)
def test_a_lot_expires_at_the_very_instant_at_which_its_last_day_ends(
    availability, zone, earned
):
    earned = earned.replace(tzinfo=UTC)
    expires = availability.expiry(earned, zone)
    assert expires is not None
    assert expires > earned
    gone = availability.expiry_day(local_date(earned, zone))
    before = (expires - timedelta(microseconds=1)).astimezone(ZoneInfo(zone))
    assert before.date() < gone <= expires.astimezone(ZoneInfo(zone)).date()
    lots = follow([Line(1, 10, earned)], lambda at: expires, expires)
    assert lots.moves == [Move(1, expires, -10)]
    early = expires - timedelta(microseconds=1)
    assert follow([Line(1, 10, earned)], lambda at: expires, early).moves == []


# Lots


def test_the_oldest_lot_is_used_first_and_what_is_left_of_it_expires():
    lines = [
        Line("new", 50, at("2026-03-01")),
        Line("old", 100, at("2026-01-10")),
        Line("mug", -30, at("2026-04-01")),
    ]
    found = state(lines, "2026-12-01")
    assert left(found) == {"old": 70, "new": 50}
    assert found.expires_next_at == at("2027-01-10")
    later = state(lines, "2027-02-01")
    assert later.moves == [Move("old", at("2027-01-10"), -70)]
    assert later.balance == 50
    assert state(lines).expires_next_at is None


def test_a_redemption_at_the_instant_of_an_expiry_comes_too_late():
    lines = [Line("a", 10, at("2026-01-10")), Line("mug", -10, at("2027-01-10"))]
    found = state(lines, "2027-01-10")
    assert found.moves == [Move("a", at("2027-01-10"), -10)]
    assert found.balance == -10


def test_later_credits_fill_a_deficit_first():
    lines = [
        Line("a", 10, at("2026-01-01")),
        Line("debt", -25, at("2026-02-01")),
        Line("b", 10, at("2026-03-01")),
        Line("c", 10, at("2026-04-01")),
    ]
    assert state(lines, "2026-03-15").balance == -5
    found = state(lines, "2026-05-01")
    assert left(found) == {"a": 0, "b": 0, "c": 5}
    assert found.deficit == 0


def test_a_late_credit_takes_its_place_among_the_lots():
    """Whenever it arrives, what was used is the oldest that there was by then."""
    lines = [
        Line("b", 10, at("2026-02-01")),
        Line("mug", -10, at("2026-06-01")),
        Line("late", 10, at("2026-01-01")),
    ]
    assert left(state(lines, "2026-07-01")) == {"late": 0, "b": 10}


def test_reversing_a_credit_takes_its_own_lot_before_others():
    lines = [
        Line("a", 100, at("2026-01-01")),
        Line("b", 50, at("2026-02-01")),
        Line("r", -20, at("2026-03-01"), "b"),
    ]
    assert left(state(lines, "2026-04-01")) == {"a": 100, "b": 30}


def test_reversing_what_was_spent_takes_from_others_and_then_leaves_a_deficit():
    lines = [
        Line("a", 100, at("2026-01-01")),
        Line("mug", -90, at("2026-01-15")),
        Line("b", 50, at("2026-02-01")),
        Line("r", -100, at("2026-03-01"), "a"),
    ]
    found = state(lines, "2026-04-01")
    assert left(found) == {"a": 0, "b": 0}
    assert found.deficit == 40


def test_reversing_an_expired_credit_first_makes_its_loss_good():
    lines = [
        Line("a", 100, at("2026-01-01")),
        Line("mug", -30, at("2026-02-01")),
        Line("r", -100, at("2027-06-01"), "a"),
    ]
    found = state(lines)
    assert found.moves == [
        Move("a", at("2027-01-01"), -70),
        Move("a", at("2027-06-01"), 70),
    ]
    assert found.balance == -30


def test_reversing_a_redemption_returns_the_lots_that_it_took():
    lines = [
        Line("a", 10, at("2026-01-01")),
        Line("b", 10, at("2026-02-01")),
        Line("mug", -15, at("2026-03-01")),
        Line("r1", 5, at("2026-04-01"), "mug"),
        Line("r2", 10, at("2026-05-01"), "mug"),
    ]
    assert left(state(lines, "2026-04-15")) == {"a": 0, "b": 10}
    assert left(state(lines, "2026-06-01")) == {"a": 10, "b": 10}


def test_what_returns_to_an_expired_lot_expires_at_once():
    lines = [
        Line("a", 10, at("2026-01-01")),
        Line("mug", -10, at("2026-03-01")),
        Line("r", 10, at("2027-03-01"), "mug"),
    ]
    found = state(lines)
    assert found.moves == [Move("a", at("2027-03-01"), -10)]
    assert found.balance == 0


def test_reversing_a_redemption_that_was_never_covered_cancels_the_deficit():
    lines = [
        Line("debt", -25, at("2026-02-01")),
        Line("b", 10, at("2026-03-01")),
        Line("r", 20, at("2026-04-01"), "debt"),
    ]
    found = state(lines, "2026-05-01")
    assert (found.deficit, left(found)) == (0, {"b": 5})


def test_what_is_recorded_is_compared_instant_by_instant():
    moves = [Move("a", at("2026-01-01"), -7), Move("b", at("2026-02-01"), -1)]
    recorded = [Move("a", at("2026-01-01"), -10)]
    assert differences(moves, recorded) == [
        Move("b", at("2026-02-01"), -1),
        Move("a", at("2026-01-01"), 3),
    ]
    assert differences(moves, moves) == []


# Whatever the order of arrival


@st.composite
def histories(draw):
    """Draw distinct credits and debits, and reversals of some of them."""
    days = st.integers(0, 900)
    lines = []
    for number in range(draw(st.integers(1, 12))):
        size = draw(st.integers(1, 50))
        when = at("2024-01-01") + timedelta(days=draw(days), minutes=number)
        lines.append(Line(number, draw(st.sampled_from([size, size, -size])), when))
    for original in draw(st.lists(st.sampled_from(lines), unique=True, max_size=4)):
        part = draw(st.integers(1, abs(original.amount)))
        after = original.occurred_at + timedelta(days=draw(days), seconds=1)
        signed = -part if original.amount > 0 else part
        lines.append(Line(f"r{original.key}", signed, after, original.key))
    return lines


@settings(max_examples=count(200, 2000), deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_lots_and_expiries_are_the_same_in_any_order_of_arrival(lines, random):
    first = state(lines)
    for _ in range(5):
        random.shuffle(lines)
        assert state(lines) == first


@settings(max_examples=count(200, 2000), deadline=None)
@given(histories(), st.integers(0, 1500))
def test_lots_expiries_and_lines_always_add_up(lines, days):
    as_of = at("2024-01-01") + timedelta(days=days)
    found = follow(lines, lambda earned: YEAR.expiry(earned, "UTC"), as_of)
    posted = sum(line.amount for line in lines if line.occurred_at <= as_of)
    assert found.balance == posted + sum(move.amount for move in found.moves)
    assert not (found.deficit and found.open_lots)
    assert all(0 <= lot.left <= lot.amount for lot in found.lots)
    # Following in steps sees what following at once sees.
    earlier = [move for move in state(lines).moves if move.at <= as_of]
    assert sorted(map(repr, found.moves)) == sorted(map(repr, earlier))


@given(histories())
def test_a_year_after_the_last_line_nothing_is_left(lines):
    found = state(lines, "2035-01-01")
    assert not found.open_lots
    assert found.expires_next_at is None
