"""Histories on which two engines once disagreed, shrunk, with what is right.

Each settled a question that ``docs/evaluation.md`` had left open.
"""

from dataclasses import replace
from datetime import UTC, date, datetime

from tests.tiers import reference
from tests.tiers.histories import differences, merged, renewed
from tiers import ladder
from tiers.ladder import (
    Condition,
    Ladder,
    Line,
    Measure,
    Renewal,
    Rung,
    Span,
    Validity,
)

BASE, GOLD = 10, 20
LIFETIME = Measure("LIFETIME", 1)
NEVER_RENEWED = Renewal(tests=(Condition(Measure("PERIOD", 1), 1_000_000),))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def earned(amount: int, text: str, balance: int = 1) -> Line:
    return Line(balance, "EARN", "EARN", amount, at(text), at(text))


def rules(*rungs: Rung, zone: str = "UTC", measure: Measure = LIFETIME) -> Ladder:
    return Ladder(at("2023-01-01"), zone, 1, measure, rungs)


def agreed(
    lines: list[Line], joined: str, ladders: list[Ladder], until: str
) -> ladder.Outcome:
    asked = (lines, [Span(at(joined))], ladders, at(until))
    outcome = ladder.fold(*asked)
    assert not differences(outcome, reference.read(*asked))
    return outcome


def test_a_base_tier_outlives_every_check() -> None:
    base = Rung(
        BASE,
        1,
        validity=Validity("SLAB_UPGRADE", 3, daily=True),
        renewal=NEVER_RENEWED,
        downgrade_to="SINGLE",
    )
    outcome = agreed([], "2023-01-10", [rules(base)], "2023-05-01")
    assert merged(outcome) == [(BASE, at("2023-01-10"), None)]
    assert renewed(outcome) == [(BASE, at("2023-04-10"), at("2023-07-10"))]


def test_a_term_ends_where_it_was_to_end_though_the_program_changes_its_zone() -> None:
    gold = Rung(
        GOLD,
        1,
        (Condition(LIFETIME, 100),),
        validity=Validity("SLAB_UPGRADE", 3, daily=True),
        renewal=NEVER_RENEWED,
        downgrade_to="LOWEST",
    )
    first = rules(gold, zone="Australia/Lord_Howe")
    moved = replace(first, starts_at=at("2023-04-20"), zone="America/New_York")
    lines = [earned(100, "2023-02-18T13:00")]  # 19 February, midnight there
    outcome = agreed(lines, "2023-02-01", [first, moved], "2023-06-01")
    # 19 May begins at 13:30 with the half hour of Lord Howe's winter.
    assert merged(outcome) == [(GOLD, at("2023-02-18T13:00"), at("2023-05-18T13:30"))]


def test_a_renewed_term_counts_from_the_day_of_joining_as_it_was_when_entered() -> None:
    base = Rung(
        BASE, 1, validity=Validity("FIXED_CUSTOMER_REGISTRATION", 1, daily=True)
    )
    first = rules(base, zone="America/Santiago")
    moved = replace(first, starts_at=at("2024-04-09"), zone="UTC")
    # 28 July in UTC, 27 July in Santiago
    outcome = agreed([], "2023-07-28", [first, moved], "2024-12-01")
    assert renewed(outcome) == [
        (BASE, at("2023-08-27T04:00"), at("2024-08-27T04:00")),
        (BASE, at("2024-08-27T04:00"), at("2025-08-27")),
    ]


def test_what_stops_counting_next_may_be_of_any_measure_in_use() -> None:
    year, month = Measure("WINDOW", 1, 12), Measure("WINDOW", 2, 1)
    gold = Rung(GOLD, 1, (Condition(month, 100),))
    lines = [earned(50, "2023-02-10T12:00"), earned(60, "2023-02-20T12:00", balance=2)]
    outcome = agreed(
        lines, "2023-01-10", [rules(gold, measure=year)], "2023-03-01T12:00"
    )
    assert outcome.amount == 50
    assert outcome.next_exit_at == at("2023-03-20")


def test_a_fixed_date_that_lies_ahead_is_the_end_of_the_first_term() -> None:
    """A series that begins with the date itself, unless it goes back every year."""
    validity = Validity("FIXED", 1, starts_on=date(2024, 6, 5), daily=True)
    gold = Rung(GOLD, 1, (Condition(LIFETIME, 100),), validity=validity)
    yearly = replace(gold, validity=replace(validity, every_year=True))
    lines = [earned(100, "2023-02-10T12:00")]
    for rung, end in ((gold, "2024-07-05"), (yearly, "2023-07-05")):
        outcome = agreed(lines, "2023-01-10", [rules(rung)], "2023-03-01")
        assert outcome.term_ends_at == at(end)
