"""Cases that a loyalty manager can check by hand, in the words of the forms.

Each says which rules there are, what happened and what follows. Days are local days
of the program; "Silver 2024-04-15" is: Silver from that day's first instant on, or
from the instant of that day at which something happened. What happens on a day
happens at noon.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

POINTS, PURCHASES, VISITS, MILES = 1, 2, 3, 4
TIERS = ["Bronze", "Silver", "Gold", "VIP"]
JOINED = "2023-01-15"
BRONZE: dict[str, Any] = {"name": "Bronze", "entry": "BASE"}
SILVER: dict[str, Any] = {"name": "Silver", "threshold": 500}
GOLD: dict[str, Any] = {"name": "Gold", "threshold": 1000}
LADDER = (BRONZE, SILVER, GOLD)
YEAR = {"period_type": "SLAB_UPGRADE", "period_value": 12, "daily_enabled": True}


@dataclass
class Case:
    """What a program says, what happened, and who a member then was, until when."""

    title: str
    happened: Sequence[tuple[Any, ...]]
    held: str
    tiers: Sequence[dict[str, Any]] = LADDER
    group: dict[str, Any] = field(default_factory=dict)
    program: dict[str, Any] = field(default_factory=dict)
    as_of: str = "2026-12-31"


WINDOWS = [
    Case(
        "Earned in a rolling year: a day's points count until that day a year on.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2025-03-10",
    ),
    Case(
        "A shorter window in the group wins over the program's.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2024-09-10",
        group={"window_months": 6},
    ),
    Case(
        "A tier's own window wins over its group's.",
        [("2024-03-10", "points", 1000)],
        "Bronze 2023-01-15, Gold 2024-03-10, Silver 2024-06-10, Bronze 2024-09-10",
        tiers=(BRONZE, SILVER, {**GOLD, "window_months": 3}),
        group={"window_months": 6},
    ),
    Case(
        "The program's rolling window, 24 months.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2026-03-10",
        program={"rolling_window_months": 24},
    ),
    Case(
        "31 August plus six months is not there: it counts to the end of February.",
        [("2024-08-31", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-08-31, Bronze 2025-03-01",
        group={"window_months": 6},
    ),
    Case(
        "A calendar year begins anew on 1 January.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2025-01-01",
        group={"window_kind": "CALENDAR_YEAR"},
    ),
    Case(
        "Midnight is the program's: in Kiritimati the new year comes 14 hours early.",
        [("2024-12-31T23:00:00", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-12-31, Bronze 2025-01-01",
        group={"window_kind": "CALENDAR_YEAR"},
        program={"time_zone": "Pacific/Kiritimati"},
    ),
    Case(
        "A life-time forgets nothing, and redeeming takes nothing away.",
        [("2024-03-10", "points", 500), ("2024-04-01", "redeem", 400)],
        "Bronze 2023-01-15, Silver 2024-03-10",
        group={"measure": "LIFETIME"},
    ),
    Case(
        "The balance as it stands sinks when points are redeemed.",
        [("2024-03-10", "points", 500), ("2024-04-01", "redeem", 1)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2024-04-01",
        group={"measure": "CURRENT"},
    ),
    Case(
        "Money instead of points: 500.00 is reached exactly, 499.99 is not enough.",
        [("2024-03-10", "spend", 49_999), ("2024-03-11", "spend", 1)],
        "Bronze 2023-01-15, Silver 2024-03-11, Bronze 2025-03-10",
        group={"measured_balance_id": PURCHASES},
    ),
    Case(
        "A tier may measure another balance than its group.",
        [("2024-03-10", "visits", 10)],
        "Bronze 2023-01-15, Gold 2024-03-10, Bronze 2025-03-10",
        tiers=(
            BRONZE,
            SILVER,
            {"name": "Gold", "threshold": 10, "measured_balance_id": VISITS},
        ),
    ),
    Case(
        "A tier may measure a life-time in a group of rolling windows.",
        [("2024-03-10", "points", 1000)],
        "Bronze 2023-01-15, Gold 2024-03-10",
        tiers=(BRONZE, SILVER, {**GOLD, "measure": "LIFETIME"}),
    ),
    Case(
        "Adjusted points count like earned ones, down as well as up.",
        [("2024-03-10", "points", 400), ("2024-03-11", "adjust", 100)]
        + [("2024-03-12", "adjust", -1)],
        "Bronze 2023-01-15, Silver 2024-03-11, Bronze 2024-03-12",
    ),
    Case(
        "A return takes back what was earned on the day of its purchase.",
        [("2024-03-10", "points", 500), ("2024-06-01", "return", 0)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2024-06-01",
    ),
    Case(
        "Half a return: 400 of 900 go back, 500 are left, and a year on all is past.",
        [("2024-03-10", "points", 900), ("2024-06-01", "return", 0, 400)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2025-03-10",
    ),
    Case(
        "A late purchase counts from the day on which it was made.",
        [("2024-05-01", "points", 300), ("2024-03-10", "points", 200)],
        "Bronze 2023-01-15, Silver 2024-05-01, Bronze 2025-03-10",
    ),
]

CONDITIONS = [
    Case(
        "Points and visits: both are needed.",
        [("2024-03-10", "points", 500), ("2024-04-10", "visits", 3)],
        "Bronze 2023-01-15, Silver 2024-04-10, Bronze 2025-03-10",
        tiers=(BRONZE, {**SILVER, "conditions": [{"type": "VISITS", "value": 3}]}),
    ),
    Case(
        "Points or visits: one will do.",
        [("2024-04-10", "visits", 3)],
        "Bronze 2023-01-15, Silver 2024-04-10, Bronze 2025-04-10",
        tiers=(
            BRONZE,
            {
                **SILVER,
                "conditions": [{"type": "VISITS", "value": 3}],
                "expression_relation": "OR",
            },
        ),
    ),
    Case(
        "Any two of three: points, visits, money.",
        [("2024-04-10", "visits", 3), ("2024-05-10", "spend", 10_000)],
        "Bronze 2023-01-15, Silver 2024-05-10, Bronze 2025-04-10",
        tiers=(
            BRONZE,
            {
                **SILVER,
                "conditions": [
                    {"type": "VISITS", "value": 3},
                    {"type": "PURCHASE", "value": "100.00"},
                ],
                "expression_relation": "ANY 2",
            },
        ),
    ),
    Case(
        "A tracker with a window of its own: 5 miles within three months.",
        [("2024-03-10", "points", 500), ("2024-03-10", "miles", 5)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2024-06-10",
        tiers=(
            BRONZE,
            {
                **SILVER,
                "conditions": [
                    {
                        "type": "TRACKER",
                        "trackerId": MILES,
                        "value": 5,
                        "trackerCondition": 3,
                    }
                ],
            },
        ),
    ),
    Case(
        "Least amounts of several balances: all of them (Brevo).",
        [("2024-03-10", "points", 50), ("2024-04-10", "visits", 2)]
        + [("2024-05-10", "redeem", 1)],
        "Bronze 2023-01-15, Silver 2024-04-10, Bronze 2024-05-10",
        tiers=(
            BRONZE,
            {
                "name": "Silver",
                "access_conditions": [
                    {"balance_definition": POINTS, "minimum": 50},
                    {"balance_definition": VISITS, "minimum": 2},
                ],
            },
        ),
    ),
    Case(
        "A tier that is given by hand is not reached, and not lost.",
        [("2024-03-10", "points", 400), ("2024-04-10", "move", "VIP")]
        + [("2024-05-10", "points", 9000)],
        "Bronze 2023-01-15, VIP 2024-04-10",
        tiers=(*LADDER, {"name": "VIP", "entry": "MANUAL"}),
    ),
    Case(
        "The group's order, not the threshold, says which tier is higher.",
        [("2024-03-10", "visits", 10), ("2024-04-10", "points", 500)],
        "Bronze 2023-01-15, Gold 2024-03-10, Silver 2024-04-10, Bronze 2025-04-10",
        tiers=(
            BRONZE,
            {"name": "Gold", "threshold": 10, "measured_balance_id": VISITS},
            SILVER,
        ),
    ),
]

YEARLY: dict[str, Any] = {"downgrade_strategy": "MEMBERSHIP_ANNIVERSARY"}
STRATEGIES = [
    Case(
        "Up at once, down on the anniversary of joining, 15 January.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2026-01-15",
        group=YEARLY,
    ),
    Case(
        "Down on the anniversary of entering the tier.",
        [("2024-03-10", "points", 300), ("2024-05-20", "points", 200)],
        "Bronze 2023-01-15, Silver 2024-05-20, Bronze 2025-05-20",
        group={"downgrade_strategy": "TIER_ANNIVERSARY"},
    ),
    Case(
        "Up only on the anniversary of joining.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2025-01-15, Bronze 2025-03-10",
        group={"upgrade_strategy": "MEMBERSHIP_ANNIVERSARY"},
    ),
    Case(
        "Down looked at every three months from joining: 15 April after 10 March.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2025-04-15",
        group={**YEARLY, "downgrade_every": 3, "downgrade_unit": "MONTH"},
    ),
    Case(
        "... at the start of that month: 1 April.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2025-04-01",
        group={
            **YEARLY,
            "downgrade_every": 3,
            "downgrade_unit": "MONTH",
            "downgrade_modifier": "START_OF_PERIOD",
        },
    ),
    Case(
        "... at the end of that month: with the first of May.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2025-05-01",
        group={
            **YEARLY,
            "downgrade_every": 3,
            "downgrade_unit": "MONTH",
            "downgrade_modifier": "END_OF_PERIOD",
        },
    ),
    Case(
        "Down every year on 1 July, whenever somebody joined.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2025-07-01",
        group={**YEARLY, "downgrade_date": "01/07"},
    ),
    Case(
        "29 February is 28 February in other years.",
        [("2024-01-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-01-10, Bronze 2025-02-28",
        group={**YEARLY, "downgrade_date": "29/02"},
    ),
    Case(
        "Up every two weeks from joining; 10 March is followed by 24 March.",
        [("2024-03-11", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-24, Bronze 2025-03-11",
        group={
            "upgrade_strategy": "MEMBERSHIP_ANNIVERSARY",
            "upgrade_every": 2,
            "upgrade_unit": "WEEK",
        },
    ),
    Case(
        "... moved to the Monday of that week.",
        [("2024-03-11", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-18, Bronze 2025-03-11",
        group={
            "upgrade_strategy": "MEMBERSHIP_ANNIVERSARY",
            "upgrade_every": 2,
            "upgrade_unit": "WEEK",
            "upgrade_modifier": "START_OF_PERIOD",
        },
    ),
    Case(
        "Up on 1 June only.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-06-01, Bronze 2025-03-10",
        group={"upgrade_strategy": "TIER_ANNIVERSARY", "upgrade_date": "01/06"},
    ),
]


def silver(**wording: Any) -> tuple[dict[str, Any], ...]:
    return (BRONZE, {**SILVER, **wording}, GOLD)


FIXED = {"period_type": "FIXED", "period_value": 12, "daily_enabled": True}
OCTOBER = {**FIXED, "start_date": datetime(2022, 10, 25, tzinfo=UTC)}
#: Nobody is renewed, and everybody falls to the base tier.
TO_BASE: dict[str, Any] = {
    "renewal_conditions": {"points": 9999},
    "downgrade_to": "LOWEST",
}
TERMS = [
    Case(
        "Twelve months from entering the tier, whatever the window says.",
        [("2024-04-15", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-04-15, Bronze 2025-04-15",
        tiers=silver(**YEAR, **{"renewal_conditions": {"points": 501}}),
        group={"window_months": 3},
    ),
    Case(
        "Checked at the end of the month, unless every day is said.",
        [("2024-04-15", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-04-15, Bronze 2025-05-01",
        tiers=silver(
            period_type="SLAB_UPGRADE",
            period_value=12,
            renewal_conditions={"points": 501},
        ),
    ),
    Case(
        "Nothing set renews always (Capillary, July 2026).",
        [("2024-04-15", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-04-15",
        tiers=silver(**YEAR),
    ),
    Case(
        "Always renewed, whatever the conditions.",
        [("2024-04-15", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-04-15",
        tiers=silver(**YEAR, **TO_BASE, always=True),
    ),
    Case(
        "Renewed once by 100 points within the term, and not a second time.",
        [("2024-04-15", "points", 500), ("2025-02-01", "points", 1)],
        "Bronze 2023-01-15, Silver 2024-04-15, Bronze 2026-04-15",
        tiers=silver(**YEAR, renewal_conditions={"points": 100}),
    ),
    Case(
        "Upgraded again in October, the next check is in October (Capillary).",
        [("2024-04-15", "points", 500), ("2024-10-25", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-04-15, Gold 2024-10-25, Silver 2025-10-25",
        tiers=(
            BRONZE,
            {**SILVER, **YEAR},
            {
                **GOLD,
                **YEAR,
                "renewal_conditions": {"points": 5000},
                "downgrade_to": "SINGLE",
            },
        ),
    ),
    Case(
        "A fixed date: entered in March, valid to 24 October.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2024-10-25",
        tiers=silver(**OCTOBER, **TO_BASE),
    ),
    Case(
        "Entered 20 October, minimum 6 months: valid to 2024, not 2023 (Capillary).",
        [("2023-10-20", "points", 500)],
        "Bronze 2023-01-15, Silver 2023-10-20, Bronze 2024-10-25",
        tiers=silver(**OCTOBER, **TO_BASE, minimum_duration=6),
    ),
    Case(
        "A fixed date that is years ahead holds until then.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2026-06-01",
        tiers=silver(
            **FIXED,
            start_date=datetime(2025, 6, 1, tzinfo=UTC),
            **TO_BASE,
        ),
    ),
    Case(
        "... unless it is the same day every year.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2024-06-01",
        tiers=silver(
            **FIXED,
            start_date=datetime(2025, 6, 1, tzinfo=UTC),
            is_fixed_type_without_year=True,
            **TO_BASE,
        ),
    ),
    Case(
        "From registration, 15 January, yearly.",
        [("2024-03-10", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2025-01-15",
        tiers=silver(
            period_type="FIXED_CUSTOMER_REGISTRATION",
            period_value=12,
            daily_enabled=True,
            **TO_BASE,
        ),
    ),
    Case(
        "Renewed at the month's end, a term begins on that day: 1 June to 1 October.",
        [("2024-01-15", "points", 500), ("2024-09-20", "points", 10)],
        "Bronze 2023-01-15, Silver 2024-01-15, Bronze 2025-02-01",
        tiers=silver(
            period_type="SLAB_UPGRADE",
            period_value=4,
            renewal_conditions={"points": 10},
            downgrade_to="LOWEST",
        ),
    ),
    Case(
        "In cycles it began on 15 May and ends on 15 September: the 20th is too late.",
        [("2024-01-15", "points", 500), ("2024-09-20", "points", 10)],
        "Bronze 2023-01-15, Silver 2024-01-15, Bronze 2024-10-01",
        tiers=silver(
            period_type="SLAB_UPGRADE_CYCLIC",
            period_value=4,
            renewal_conditions={"points": 10},
            downgrade_to="LOWEST",
        ),
        as_of="2024-12-31",
    ),
]

RENEWALS = [
    Case(
        "What counts is the calendar year before: 2024 has 100 points, 2025 has none.",
        [("2024-04-15", "points", 500)],
        "Bronze 2023-01-15, Silver 2024-04-15, Bronze 2026-04-15",
        tiers=silver(
            **YEAR,
            renewal_window_type="LAST_CALENDAR_YEAR",
            renewal_conditions={"points": 100},
        ),
    ),
    Case(
        "A custom period: from 12 to 6 months before the end.",
        [("2024-04-15", "points", 500), ("2025-01-10", "points", 400)],
        "Bronze 2023-01-15, Silver 2024-04-15, Bronze 2026-04-15",
        tiers=silver(
            **YEAR,
            renewal_window_type="CUSTOM_PERIOD",
            computation_window_start_value=12,
            computation_window_end_value=6,
            renewal_conditions={"points": 500},
        ),
    ),
    Case(
        "... in which the 400 of January came too late.",
        [("2024-04-15", "points", 500), ("2025-01-10", "points", 400)],
        "Bronze 2023-01-15, Silver 2024-04-15, Bronze 2025-04-15",
        tiers=silver(
            **YEAR,
            renewal_window_type="CUSTOM_PERIOD",
            computation_window_start_value=12,
            computation_window_end_value=6,
            renewal_conditions={"points": 900},
        ),
    ),
    Case(
        "... from 6 to 0 months: the 400 of January are what is there.",
        [("2024-04-15", "points", 500), ("2025-01-10", "points", 400)],
        "Bronze 2023-01-15, Silver 2024-04-15, Bronze 2025-04-15",
        tiers=silver(
            **YEAR,
            renewal_window_type="CUSTOM_PERIOD",
            computation_window_start_value=6,
            computation_window_end_value=0,
            renewal_conditions={"points": 500},
        ),
    ),
    Case(
        "Visits or money renew: three visits are enough.",
        [("2024-04-15", "points", 500), ("2024-08-01", "visits", 3)],
        "Bronze 2023-01-15, Silver 2024-04-15, Bronze 2026-04-15",
        tiers=silver(
            **YEAR,
            renewal_conditions={"purchase": 1000, "numVisits": 3},
            expression_relation_aira="1 OR 2",
        ),
    ),
    Case(
        "The older expression wins over the newer one: both are needed.",
        [("2024-04-15", "points", 500), ("2024-08-01", "visits", 3)],
        "Bronze 2023-01-15, Silver 2024-04-15, Bronze 2025-04-15",
        tiers=silver(
            **YEAR,
            renewal_conditions={"purchase": 1000, "numVisits": 3},
            expression_relation_aira="1 OR 2",
            renewal_expression_relation="1 AND 2",
        ),
    ),
    Case(
        "Redeemed points renew: what was earned counts.",
        [("2024-04-15", "points", 500), ("2024-09-01", "redeem", 500)],
        "Bronze 2023-01-15, Silver 2024-04-15, Bronze 2026-04-15",
        tiers=silver(**YEAR, renewal_conditions={"points": 500}),
    ),
]

FALLS: dict[str, Any] = {**YEAR, "renewal_conditions": {"points": 9999}}
DESTINATIONS = [
    Case(
        "To the tier that is qualified for: 600 are left of 1,600.",
        [("2023-06-01", "points", 1000), ("2024-04-15", "points", 600)],
        "Bronze 2023-01-15, Gold 2023-06-01, Silver 2024-06-01, Bronze 2025-04-15",
        tiers=(BRONZE, SILVER, {**GOLD, **FALLS, "downgrade_to": "THRESHOLD"}),
    ),
    Case(
        "One tier down, though nothing at all is left.",
        [("2023-06-01", "points", 1000)],
        "Bronze 2023-01-15, Gold 2023-06-01, Silver 2024-06-01",
        tiers=(BRONZE, SILVER, {**GOLD, **FALLS, "downgrade_to": "SINGLE"}),
        as_of="2024-06-01",
    ),
    Case(
        "To the base tier, though 600 would be enough for Silver until they leave.",
        [("2023-06-01", "points", 1000), ("2024-04-15", "points", 600)],
        "Bronze 2023-01-15, Gold 2023-06-01, Bronze 2024-06-01",
        tiers=(BRONZE, SILVER, {**GOLD, **FALLS, "downgrade_to": "LOWEST"}),
        as_of="2024-06-01",
    ),
    Case(
        "Never down.",
        [("2023-06-01", "points", 500)],
        "Bronze 2023-01-15, Silver 2023-06-01",
        tiers=silver(should_downgrade=False),
    ),
    Case(
        "One tier at a time as points leave, too.",
        [("2023-06-01", "points", 1000), ("2023-08-01", "points", 1)],
        "Bronze 2023-01-15, Gold 2023-06-01, Silver 2024-06-01, Bronze 2024-08-01",
        tiers=(BRONZE, SILVER, {**GOLD, "downgrade_to": "SINGLE"}),
    ),
    Case(
        "Not before 18 months in the tier are over.",
        [("2023-06-01", "points", 500)],
        "Bronze 2023-01-15, Silver 2023-06-01, Bronze 2024-12-01",
        tiers=silver(minimum_duration=18),
    ),
    Case(
        "The purchase that upgraded is returned: so is the tier, in spite of its term.",
        [("2024-04-15", "points", 500), ("2024-05-01", "return", 0)],
        "Bronze 2023-01-15, Silver 2024-04-15, Bronze 2024-05-01",
        tiers=silver(**YEAR, reevaluate_on_return=True),
    ),
    Case(
        "... or not, where that is not said.",
        [("2024-04-15", "points", 500), ("2024-05-01", "return", 0)],
        "Bronze 2023-01-15, Silver 2024-04-15",
        tiers=silver(**YEAR),
    ),
]

BY_HAND = [
    Case(
        "A move stands until the next purchase is looked at.",
        [("2024-03-10", "points", 500), ("2024-04-10", "move", "Gold")]
        + [("2024-05-10", "points", 10)],
        "Bronze 2023-01-15, Silver 2024-03-10, Gold 2024-04-10, Silver 2024-05-10, "
        "Bronze 2025-03-10",
    ),
    Case(
        "A move restarts the tier's anniversary.",
        [("2024-03-10", "points", 500), ("2024-04-10", "move", "Gold")],
        "Bronze 2023-01-15, Silver 2024-03-10, Gold 2024-04-10, Bronze 2025-04-10",
        group={"downgrade_strategy": "TIER_ANNIVERSARY"},
    ),
    Case(
        "At least Silver until the summer is over.",
        [
            ("2024-06-01", "FLOOR", "Silver", "2024-09-01"),
            ("2024-07-01", "points", 1000),
        ],
        "Bronze 2023-01-15, Silver 2024-06-01, Gold 2024-07-01, Bronze 2025-07-01",
    ),
    Case(
        "At most Silver, whatever is earned, until somebody says otherwise.",
        [("2024-06-01", "CEILING", "Silver"), ("2024-07-01", "points", 1000)],
        "Bronze 2023-01-15, Silver 2024-07-01, Bronze 2025-07-01",
    ),
    Case(
        "Exactly Gold for three months; then what was earned meanwhile counts.",
        [("2024-06-01", "PIN", "Gold", "2024-09-01"), ("2024-07-01", "points", 500)],
        "Bronze 2023-01-15, Gold 2024-06-01, Silver 2024-09-01, Bronze 2025-07-01",
    ),
    Case(
        "An ordered evaluation does not wait for the anniversary.",
        [("2024-03-10", "points", 500), ("2024-04-10", "evaluate")],
        "Bronze 2023-01-15, Silver 2024-04-10, Bronze 2025-03-10",
        group={"upgrade_strategy": "MEMBERSHIP_ANNIVERSARY"},
    ),
    Case(
        "Leaving ends the tier; coming back, what still counts places anew.",
        [
            ("2024-03-10", "points", 500),
            ("2024-04-10", "leave"),
            ("2024-06-10", "join"),
        ],
        "Bronze 2023-01-15, Silver 2024-03-10, none 2024-04-10, Silver 2024-06-10, "
        "Bronze 2025-03-10",
    ),
    Case(
        "Joining again restarts the anniversary of joining.",
        [
            ("2024-03-10", "points", 500),
            ("2024-04-10", "leave"),
            ("2024-06-10", "join"),
        ],
        "Bronze 2023-01-15, Silver 2024-03-10, none 2024-04-10, Silver 2024-06-10, "
        "Bronze 2025-06-10",
        group=YEARLY,
    ),
]

CHANGES = [
    Case(
        "A threshold is raised: who is below it moves when the change goes live.",
        [
            ("2024-03-10", "points", 500),
            ("2024-06-01", "rules", {"tiers": (BRONZE, {**SILVER, "threshold": 600})}),
        ],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2024-06-01",
    ),
    Case(
        "... but waits for the anniversary where down is not at once.",
        [
            ("2024-03-10", "points", 500),
            ("2024-06-01", "rules", {"tiers": (BRONZE, {**SILVER, "threshold": 600})}),
        ],
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2025-01-15",
        group=YEARLY,
    ),
    Case(
        "A retired tier's holders are placed anew, whatever the strategy.",
        [
            ("2024-03-10", "points", 1000),
            ("2024-06-01", "rules", {"tiers": (BRONZE, SILVER)}),
        ],
        "Bronze 2023-01-15, Gold 2024-03-10, Silver 2024-06-01, Bronze 2026-01-15",
        group=YEARLY,
    ),
    Case(
        "A running term keeps the wording under which it began.",
        [
            ("2024-04-15", "points", 500),
            (
                "2024-06-01",
                "rules",
                {"tiers": silver(**{**FALLS, "period_value": 24})},
            ),
        ],
        "Bronze 2023-01-15, Silver 2024-04-15, Bronze 2025-04-15",
        tiers=silver(**FALLS),
    ),
    Case(
        "Measured anew: from points to money, from that day on.",
        [
            ("2024-03-10", "points", 500),
            ("2024-04-10", "spend", 100_000),
            ("2024-06-01", "rules", {"group": {"measured_balance_id": PURCHASES}}),
        ],
        "Bronze 2023-01-15, Silver 2024-03-10, Gold 2024-06-01, Bronze 2025-04-10",
    ),
    Case(
        "Another zone: the window ends with that zone's day.",
        [
            ("2024-03-10T23:30:00", "points", 500),
            ("2024-06-01", "rules", {"program": {"time_zone": "Asia/Tokyo"}}),
        ],
        # 23:30 in London is 08:30 of 11 March in Tokyo; told in London's days.
        "Bronze 2023-01-15, Silver 2024-03-10, Bronze 2025-03-10",
        program={"time_zone": "Europe/London"},
    ),
]

CASES = [
    *WINDOWS,
    *CONDITIONS,
    *STRATEGIES,
    *TERMS,
    *RENEWALS,
    *DESTINATIONS,
    *BY_HAND,
    *CHANGES,
]
