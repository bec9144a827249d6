"""Dates that trip programs up; every instant written here was taken off a calendar.

Instants are UTC. Both engines have to find what is written.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.tiers import reference
from tests.tiers.histories import merged, renewed
from tiers import ladder
from tiers.ladder import (
    Condition,
    Ladder,
    Line,
    Measure,
    Renewal,
    Rung,
    Schedule,
    Span,
    Validity,
)

BASE, GOLD = 1, 2
MONTH = Measure("WINDOW", 1, 1)
YEAR = Measure("WINDOW", 1, 12)
CALENDAR_YEAR = Measure("WINDOW", 1)
LIFETIME = Measure("LIFETIME", 1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def earned(instant: datetime, amount: int = 100) -> Line:
    return Line(1, "EARN", "EARN", amount, instant, instant)


def given_back(original: Line, instant: datetime) -> Line:
    return Line(1, "REVERSAL", "EARN", -original.amount, instant, original.occurred_at)


@dataclass
class Case:
    """Somebody with these lines, in a group with Gold from 100 on, held and renewed."""

    lines: list[Line]
    gold: list[tuple[str, str | None]]
    zone: str = "UTC"
    measure: Measure = YEAR
    joined: str = "2010-06-15T12:00"
    until: str = "2029-12-31T12:00"
    validity: Validity | None = None
    renewal: Renewal = Renewal()
    up: Schedule = Schedule()
    down: Schedule = Schedule()
    renewed: list[tuple[str, str]] = field(default_factory=list)

    def rules(self) -> Ladder:
        conditions = (Condition(self.measure, 100),)
        gold = Rung(GOLD, 2, conditions, validity=self.validity, renewal=self.renewal)
        return Ladder(
            at("2010-01-01"),
            self.zone,
            1,
            self.measure,
            (Rung(BASE, 1), gold),
            self.up,
            self.down,
        )


first_autumn_night = earned(at("2026-10-25T00:30"))

CASES = {
    "a window of whole months goes back to the same day of the month": Case(
        [earned(at("2023-12-31T12:00"))], [("2023-12-31T12:00", "2024-12-31")]
    ),
    "a window of 12 months is not one of 365 days": Case(
        [earned(at("2024-01-01T12:00"))], [("2024-01-01T12:00", "2025-01-01")]
    ),
    "29 February counts until 1 March of the next year": Case(
        [earned(at("2024-02-29T12:00"))], [("2024-02-29T12:00", "2025-03-01")]
    ),
    "28 February leaves a month's window once, though 31 March looks back to it": Case(
        [earned(at("2023-02-28T12:00"))],
        [("2023-02-28T12:00", "2023-03-28")],
        measure=MONTH,
    ),
    "31 January leaves a month's window on 1 March": Case(
        [earned(at("2023-01-31T12:00"))],
        [("2023-01-31T12:00", "2023-03-01")],
        measure=MONTH,
    ),
    "months are counted from the first day, not from one another": Case(
        [earned(at("2023-01-31T12:00"))],
        [("2023-01-31T12:00", None)],
        measure=LIFETIME,
        until="2023-05-15T12:00",
        validity=Validity("SLAB_UPGRADE_CYCLIC", 1, daily=True),
        renewal=Renewal(always=True),
        renewed=[
            ("2023-02-28", "2023-03-31"),
            ("2023-03-31", "2023-04-30"),
            ("2023-04-30", "2023-05-31"),
        ],
    ),
    "a schedule of months is counted from the first day as well": Case(
        [earned(at("2023-03-30T12:00"))],
        [("2023-03-31", None)],
        joined="2022-12-31T12:00",
        measure=LIFETIME,
        up=Schedule("MEMBERSHIP_ANNIVERSARY", 1, "MONTH"),
    ),
    "a schedule that falls on 29 February falls on the 28th elsewhere": Case(
        [earned(at("2022-03-01T12:00"))],
        [("2023-02-28", "2024-02-29")],
        measure=Measure("WINDOW", 1, 23),
        up=Schedule("MEMBERSHIP_ANNIVERSARY", day=(2, 29)),
        down=Schedule("MEMBERSHIP_ANNIVERSARY", day=(2, 29)),
    ),
    "12 months before 29 February is 28 February, which renews": Case(
        [earned(at("2023-02-28T00:00")), earned(at("2022-12-01"), 1)],
        [("2023-02-28", None)],
        measure=LIFETIME,
        joined="2022-02-28T12:00",
        until="2024-03-15T12:00",
        validity=Validity("FIXED", 12, starts_on=date(2023, 2, 28), daily=True),
        renewal=Renewal(tests=(Condition(Measure("PERIOD", 1, 12), 100),)),
        renewed=[("2024-02-28", "2025-02-28")],
    ),
    "the day on which Berlin's clocks go forward has 23 hours": Case(
        [earned(at("2026-03-29T12:00"))],
        [("2026-03-29T22:00", None)],
        zone="Europe/Berlin",
        joined="2026-03-20T12:00",
        measure=LIFETIME,
        up=Schedule("MEMBERSHIP_ANNIVERSARY", 1, "DAY"),
    ),
    "the day on which Berlin's clocks go back has 25 hours": Case(
        [earned(at("2026-10-25T12:00"))],
        [("2026-10-25T23:00", None)],
        zone="Europe/Berlin",
        joined="2026-10-20T12:00",
        measure=LIFETIME,
        up=Schedule("MEMBERSHIP_ANNIVERSARY", 1, "DAY"),
    ),
    "the two times of 02:30 in an autumn night are an hour apart": Case(
        [first_autumn_night, given_back(first_autumn_night, at("2026-10-25T01:30"))],
        [("2026-10-25T00:30", "2026-10-25T01:30")],
        zone="Europe/Berlin",
    ),
    "02:30 of a spring night is an instant, whoever's clock never showed it": Case(
        [
            earned(
                datetime(
                    2026, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")
                ).astimezone(UTC)
            )
        ],
        [("2026-03-29T01:30", "2026-04-28T22:00")],
        zone="Europe/Berlin",
        measure=MONTH,
    ),
    "6 September 2026 begins at 01:00 in Santiago": Case(
        [earned(at("2026-08-06T12:00"))],
        [("2026-08-06T12:00", "2026-09-06T04:00")],
        zone="America/Santiago",
        measure=MONTH,
    ),
    "Lord Howe's clocks move by half an hour: before": Case(
        [earned(at("2026-09-04T00:00"))],
        [("2026-09-04", "2026-10-03T13:30")],
        zone="Australia/Lord_Howe",
        measure=MONTH,
    ),
    "Lord Howe's clocks move by half an hour: after": Case(
        [earned(at("2026-09-05T00:00"))],
        [("2026-09-05", "2026-10-04T13:00")],
        zone="Australia/Lord_Howe",
        measure=MONTH,
    ),
    "30 December 2011 never was in Apia: what would leave then leaves on the 31st": Case(
        [earned(at("2011-12-01T00:00"))],  # 30 November there
        [("2011-12-01", "2011-12-30T10:00")],
        zone="Pacific/Apia",
        measure=MONTH,
    ),
    "one instant is this year in London": Case(
        [earned(at("2026-01-01T00:30"))],
        [("2026-01-01T00:30", "2027-01-01")],
        measure=CALENDAR_YEAR,
    ),
    "the same instant is this year on Kiritimati, whose next one begins sooner": Case(
        [earned(at("2026-01-01T00:30"))],
        [("2026-01-01T00:30", "2026-12-31T10:00")],
        zone="Pacific/Kiritimati",
        measure=CALENDAR_YEAR,
    ),
    "the same instant is last year in New York": Case(
        [earned(at("2026-01-01T00:30"))],
        [("2026-01-01T00:30", "2026-01-01T05:00")],
        zone="America/New_York",
        measure=CALENDAR_YEAR,
    ),
    "15 April 2024 and 12 months is the end of 14 April 2025": Case(
        [earned(at("2024-04-15T12:00"))],
        [("2024-04-15T12:00", "2025-04-15")],
        measure=MONTH,
        validity=Validity("SLAB_UPGRADE", 12, daily=True),
        renewal=Renewal(tests=(Condition(Measure("PERIOD", 1), 101),)),
    ),
    "checked at the end of the month in which its last day lies": Case(
        [earned(at("2024-04-15T12:00"))],
        [("2024-04-15T12:00", "2025-05-01")],
        measure=MONTH,
        validity=Validity("SLAB_UPGRADE", 12),
        renewal=Renewal(tests=(Condition(Measure("PERIOD", 1), 101),)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_both_engines_find_what_a_calendar_says(name: str) -> None:
    case = CASES[name]
    asked = (case.lines, [Span(at(case.joined))], [case.rules()], at(case.until))
    outcome, answer = ladder.fold(*asked), reference.read(*asked)
    gold = [(at(start), at(end) if end else None) for start, end in case.gold]
    terms = [(at(when), at(end)) for when, end in case.renewed]

    assert [(s, e) for tier, s, e in merged(outcome) if tier == GOLD] == gold
    assert [(s, e) for tier, s, e in answer.held if tier == GOLD] == gold
    assert [(when, end) for _, when, end in renewed(outcome)] == terms
    assert [(when, end) for _, when, end in answer.renewed] == terms
