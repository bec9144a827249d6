"""The rules themselves, with dates and amounts that can be checked by hand."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.calendar import add_months, leaving_day
from tiers import ladder
from tiers.ladder import Condition, Ladder, Line, Measure, Rung, Span

POINTS = 1
WINDOW = Measure("WINDOW", POINTS, 12)
BRONZE, SILVER, GOLD = 10, 20, 30
START = datetime(2023, 1, 1, tzinfo=UTC)


def a_ladder(
    *,
    measure: Measure = WINDOW,
    zone: str = "UTC",
    starts_at: datetime = START,
    silver: int = 500,
    gold: int = 1000,
    base: bool = True,
) -> Ladder:
    bottom = (Rung(BRONZE, 1),) if base else ()
    return Ladder(
        starts_at=starts_at,
        zone=zone,
        group_version=1,
        measure=measure,
        rungs=(
            *bottom,
            Rung(SILVER, 2, (Condition(measure, silver),)),
            Rung(GOLD, 3, (Condition(measure, gold),)),
        ),
    )


def a_line(amount: int, at: datetime, kind: str = "EARN", **fields: object) -> Line:
    values = {
        "balance": POINTS,
        "kind": kind,
        "weighs_as": kind,
        "amount": amount,
        "occurred_at": at,
        "window_at": at,
    }
    return Line(**{**values, **fields})  # type: ignore[arg-type]


def day(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def held(outcome: ladder.Outcome) -> list[tuple[int, datetime, datetime | None]]:
    return [(h.tier, h.start, h.end) for h in outcome.held]


MEMBER = [Span(START)]


# Windows


@pytest.mark.parametrize(
    ("earned", "months", "leaves"),
    [
        ("2024-04-15", 12, "2025-04-15"),
        ("2024-01-31", 1, "2024-03-01"),  # no 31 February: the 1st of March
        ("2024-01-29", 1, "2024-02-29"),
        ("2024-02-29", 12, "2025-03-01"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2024-08-31", 6, "2025-03-01"),
        ("2024-12-31", None, "2025-01-01"),
        ("2024-01-01", None, "2025-01-01"),
    ],
)
def test_a_line_leaves_its_window_on_a_day_that_a_calendar_shows(
    earned: str, months: int | None, leaves: str
) -> None:
    found = leaving_day(date.fromisoformat(earned), months)
    assert found == date.fromisoformat(leaves)


@given(
    st.dates(date(1999, 1, 1), date(2060, 12, 31)),
    st.integers(1, 36),
    st.integers(-3, 3),
)
def test_a_line_counts_on_exactly_the_days_of_the_definition(
    earned: date, months: int, offset: int
) -> None:
    leaves = leaving_day(earned, months)
    shown = leaves + timedelta(days=offset)
    clamped = add_months(shown, -months)
    assert (clamped < earned) == (shown < leaves)


# What counts


def test_redeeming_leaves_qualifying_points_alone() -> None:
    lines = [
        a_line(1000, day("2024-01-10")),
        a_line(-900, day("2024-02-10"), "REDEEM"),
    ]
    outcome = ladder.fold(lines, MEMBER, [a_ladder()], day("2024-03-01"))
    assert outcome.amount == 1000
    assert outcome.current is not None
    assert outcome.current.tier == GOLD


def test_points_older_than_the_window_do_not_count_however_high_the_balance() -> None:
    lines = [a_line(50_000, day("2023-01-10"))]
    outcome = ladder.fold(lines, MEMBER, [a_ladder()], day("2024-03-01"))
    assert outcome.amount == 0
    assert outcome.current is not None
    assert outcome.current.tier == BRONZE


def test_redeeming_lowers_the_balance_as_it_stands() -> None:
    rules = a_ladder(measure=Measure("CURRENT", POINTS))
    lines = [
        a_line(1000, day("2023-01-10")),
        a_line(-900, day("2024-02-10"), "REDEEM"),
    ]
    outcome = ladder.fold(lines, MEMBER, [rules], day("2024-03-01"))
    assert outcome.amount == 100
    assert held(outcome) == [
        (BRONZE, START, day("2023-01-10")),
        (GOLD, day("2023-01-10"), day("2024-02-10")),
        (BRONZE, day("2024-02-10"), None),
    ]


def test_a_life_time_keeps_what_was_earned() -> None:
    rules = a_ladder(measure=Measure("LIFETIME", POINTS))
    lines = [
        a_line(600, day("2023-01-10")),
        a_line(-600, day("2023-02-10"), "REDEEM"),
        a_line(-50, day("2023-03-10"), "ADJUST"),
    ]
    outcome = ladder.fold(lines, MEMBER, [rules], day("2030-01-01"))
    assert outcome.amount == 550


def test_a_reversal_takes_its_original_back_for_as_long_as_that_would_count() -> None:
    original = day("2024-01-10")
    reversal = a_line(
        -700, day("2024-06-01"), "REVERSAL", weighs_as="EARN", window_at=original
    )
    lines = [a_line(700, original), reversal]
    outcome = ladder.fold(lines, MEMBER, [a_ladder()], day("2025-06-01"))
    assert held(outcome) == [
        (BRONZE, START, original),
        (SILVER, original, day("2024-06-01")),
        (BRONZE, day("2024-06-01"), None),
    ]
    assert outcome.amount == 0


def test_a_reversal_after_its_original_has_left_takes_nothing() -> None:
    original = day("2023-01-10")
    lines = [
        a_line(700, original),
        a_line(600, day("2024-01-20")),
        a_line(
            -700, day("2024-02-01"), "REVERSAL", weighs_as="EARN", window_at=original
        ),
    ]
    outcome = ladder.fold(lines, MEMBER, [a_ladder()], day("2024-03-01"))
    assert outcome.amount == 600


def test_a_reversed_redemption_gives_no_qualifying_points() -> None:
    lines = [
        a_line(-100, day("2024-01-10"), "REDEEM"),
        a_line(100, day("2024-01-11"), "REVERSAL", weighs_as="REDEEM"),
    ]
    outcome = ladder.fold(lines, MEMBER, [a_ladder()], day("2024-03-01"))
    assert outcome.amount == 0


# Thresholds and bounds


@pytest.mark.parametrize(
    ("amount", "tier"), [(499, BRONZE), (500, SILVER), (999, SILVER), (1000, GOLD)]
)
def test_reaching_the_threshold_exactly_is_enough(amount: int, tier: int) -> None:
    lines = [a_line(amount, day("2024-01-10"))]
    outcome = ladder.fold(lines, MEMBER, [a_ladder()], day("2024-01-10"))
    assert outcome.current is not None
    assert outcome.current.tier == tier


def test_bounds_are_instants_at_which_something_happened() -> None:
    lines = [a_line(1000, day("2024-01-10T15:30:00", "Europe/Berlin"))]
    rules = a_ladder(zone="Europe/Berlin")
    outcome = ladder.fold(lines, MEMBER, [rules], day("2025-07-01T12:34:56"))
    assert held(outcome) == [
        (BRONZE, START, day("2024-01-10T15:30:00", "Europe/Berlin")),
        (
            GOLD,
            day("2024-01-10T15:30:00", "Europe/Berlin"),
            day("2025-01-10T00:00:00", "Europe/Berlin"),
        ),
        (BRONZE, day("2025-01-10T00:00:00", "Europe/Berlin"), None),
    ]


def test_one_ends_as_another_begins_without_a_moment_in_between() -> None:
    """Lines that leave and arrive at one instant are judged once, together."""
    lines = [
        a_line(1000, day("2024-01-10T08:00:00")),
        a_line(1000, day("2025-01-10T00:00:00")),
    ]
    outcome = ladder.fold(lines, MEMBER, [a_ladder()], day("2025-02-01"))
    assert [h.tier for h in outcome.held] == [BRONZE, GOLD]


def test_without_a_base_tier_a_member_holds_none_until_the_first_threshold() -> None:
    lines = [a_line(500, day("2024-01-10"))]
    rules = a_ladder(base=False)
    outcome = ladder.fold(lines, MEMBER, [rules], day("2025-02-01"))
    assert held(outcome) == [(SILVER, day("2024-01-10"), day("2025-01-10"))]
    assert outcome.current is None


def test_a_tier_given_by_hand_is_never_reached() -> None:
    rules = Ladder(START, "UTC", 1, WINDOW, (Rung(BRONZE, 1), Rung(GOLD, 2, (), False)))
    outcome = ladder.fold([], MEMBER, [rules], day("2024-01-01"))
    assert outcome.current is not None
    assert outcome.current.tier == BRONZE


def test_all_conditions_over_several_balances_must_hold() -> None:
    visits = Measure("CURRENT", 2)
    rules = Ladder(
        START,
        "UTC",
        1,
        WINDOW,
        (
            Rung(BRONZE, 1),
            Rung(GOLD, 2, (Condition(WINDOW, 500), Condition(visits, 3))),
        ),
    )
    lines = [
        a_line(500, day("2024-01-10")),
        a_line(2, day("2024-01-11"), balance=2),
        a_line(1, day("2024-01-12"), balance=2),
    ]
    outcome = ladder.fold(lines, MEMBER, [rules], day("2024-02-01"))
    assert held(outcome)[-1] == (GOLD, day("2024-01-12"), None)


# What is coming


def test_a_standing_knows_when_it_is_due_and_when_the_tier_is_lost() -> None:
    lines = [
        a_line(300, day("2024-01-10")),
        a_line(900, day("2024-03-10")),
        a_line(200, day("2024-06-10")),
    ]
    outcome = ladder.fold(lines, MEMBER, [a_ladder()], day("2024-07-01"))
    assert outcome.amount == 1400
    assert outcome.due_at == outcome.next_exit_at == day("2025-01-10")
    assert outcome.drops_at == day("2025-03-10")


def test_nothing_is_due_for_a_member_who_earned_nothing() -> None:
    outcome = ladder.fold([], MEMBER, [a_ladder()], day("2024-07-01"))
    assert outcome.due_at is None
    assert outcome.drops_at is None


# Rules and memberships over time


def test_new_rules_hold_from_their_own_instant_on() -> None:
    later = a_ladder(starts_at=day("2024-06-01"), gold=2000)
    lines = [a_line(1000, day("2024-01-10"))]
    outcome = ladder.fold(lines, MEMBER, [a_ladder(), later], day("2024-07-01"))
    assert held(outcome) == [
        (BRONZE, START, day("2024-01-10")),
        (GOLD, day("2024-01-10"), day("2024-06-01")),
        (SILVER, day("2024-06-01"), None),
    ]
    assert outcome.held[-1].reason == "RULES_CHANGED"


def test_leaving_ends_the_tier_and_rejoining_places_afresh() -> None:
    spans = [Span(START, day("2024-03-01")), Span(day("2024-05-01"))]
    lines = [a_line(1000, day("2024-01-10"))]
    outcome = ladder.fold(lines, spans, [a_ladder()], day("2024-07-01"))
    assert held(outcome)[1:] == [
        (GOLD, day("2024-01-10"), day("2024-03-01")),
        (GOLD, day("2024-05-01"), None),
    ]
    assert outcome.held[-1].reason == "PLACED"


def test_nothing_falls_due_while_a_member_is_away() -> None:
    spans = [Span(START, day("2024-03-01"))]
    lines = [a_line(1000, day("2024-01-10"))]
    outcome = ladder.fold(lines, spans, [a_ladder()], day("2024-07-01"))
    assert outcome.current is None
    assert outcome.due_at is None


# Two engines that have to agree


def naive_tier(
    lines: list[Line], gold: int, silver: int, months: int, zone: str, at: datetime
) -> int:
    """Judge one instant from raw lines, with date arithmetic of its own."""
    today = at.astimezone(ZoneInfo(zone)).date()
    total = 0
    for line in lines:
        if line.kind == "REDEEM" or line.occurred_at > at:
            continue
        earned = line.window_at.astimezone(ZoneInfo(zone)).date()
        year, month, last = today.year, today.month - months, 0
        while month < 1:
            year, month = year - 1, month + 12
        for last in (31, 30, 29, 28):
            try:
                date(year, month, last)
                break
            except ValueError:
                continue
        if (year, month, min(today.day, last)) < (
            earned.year,
            earned.month,
            earned.day,
        ):
            total += line.amount
    return GOLD if total >= gold else SILVER if total >= silver else BRONZE


instants = st.datetimes(
    datetime(2023, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)
)


@given(
    entries=st.lists(
        st.tuples(
            instants,
            st.integers(-400, 900),
            st.sampled_from(["EARN", "ADJUST", "REDEEM"]),
        ),
        max_size=12,
    ),
    months=st.integers(1, 36),
    zone=st.sampled_from(["UTC", "America/Santiago", "Pacific/Kiritimati"]),
    as_of=instants,
    probes=st.lists(instants, max_size=5),
)
def test_the_fold_agrees_with_a_naive_reading_at_every_instant(
    entries: list[tuple[datetime, int, str]],
    months: int,
    zone: str,
    as_of: datetime,
    probes: list[datetime],
) -> None:
    lines = [a_line(amount, at, kind) for at, amount, kind in entries]
    measure = Measure("WINDOW", POINTS, months)
    rules = a_ladder(measure=measure, zone=zone)
    outcome = ladder.fold(lines, MEMBER, [rules], as_of)
    for at in {as_of, *(probe for probe in probes if probe <= as_of)}:
        spans = [h for h in outcome.held if Span(h.start, h.end).covers(at)]
        assert len(spans) == 1
        assert spans[0].tier == naive_tier(lines, 1000, 500, months, zone, at)


@given(
    entries=st.lists(st.tuples(instants, st.integers(1, 900)), max_size=12),
    early=instants,
    late=instants,
)
def test_folding_to_a_later_instant_keeps_what_was_held_before(
    entries: list[tuple[datetime, int]], early: datetime, late: datetime
) -> None:
    early, late = sorted((early, late))
    lines = [a_line(amount, at) for at, amount in entries]
    before = ladder.fold(lines, MEMBER, [a_ladder()], early)
    after = ladder.fold(lines, MEMBER, [a_ladder()], late)
    ended = [h for h in before.held if h.end is not None]
    assert after.held[: len(ended)] == ended
    if before.due_at is None or before.due_at > late:
        assert after.held == before.held
