"""The worked cases come out as they say, and so do the vendors' own examples."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loyalty.models import BalanceDefinition, ProgramVersion
from tests.tiers.worked_cases import (
    BRONZE,
    CASES,
    JOINED,
    MILES,
    POINTS,
    PURCHASES,
    SILVER,
    TIERS,
    VISITS,
    YEAR,
    Case,
    silver,
)
from tiers import ladder, rules
from tiers.ladder import Acts, Line, Move, Override, Span
from tiers.models import TierGroupVersion, TierVersion

DEFINITIONS = [
    BalanceDefinition(pk=POINTS, built_in="POINTS", scale=0),
    BalanceDefinition(pk=PURCHASES, built_in="PURCHASES", scale=2),
    BalanceDefinition(pk=VISITS, built_in="VISITS", scale=0),
    BalanceDefinition(pk=MILES, scale=0),
]


def noon(day: str, zone: str) -> datetime:
    """Return noon of a local day, or the instant itself where one is given."""
    local = datetime.fromisoformat(day)
    if len(day) == len("2024-04-15"):
        local = local.replace(hour=12)
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def ladder_of(
    tiers: Iterable[dict[str, Any]],
    group: dict[str, Any],
    program: dict[str, Any],
    starts_at: datetime = datetime(2020, 1, 1, tzinfo=UTC),
) -> ladder.Ladder:
    versions = []
    for tier in tiers:
        wording = {"entry": "MEASURED", **tier}
        if "threshold" in wording:
            wording["threshold"] = Decimal(wording["threshold"])
        version = TierVersion(pk=100 + TIERS.index(tier["name"]), **wording)
        version.tier_id = TIERS.index(tier["name"])
        versions.append(version)
    order = [version.tier_id for version in versions]
    return rules.ladder_of(
        TierGroupVersion(pk=1, name="Main", **{"tier_order": order, **group}),
        versions,
        ProgramVersion(pk=1, name="Shop", **program),
        DEFINITIONS,
        starts_at,
    )


def line(at: datetime, kind: str, amount: int, balance: int, posting: int) -> Line:
    return Line(balance, kind, kind, amount, at, at, posting)


def fold(case: Case) -> tuple[ladder.Outcome, str]:
    zone = case.program.get("time_zone", "UTC")
    lines: list[Line] = []
    moves, overrides, evaluations = [], [], []
    ladders = [ladder_of(case.tiers, case.group, case.program)]
    spans = [Span(noon(JOINED, zone))]
    balances = {"points": POINTS, "spend": PURCHASES, "visits": VISITS, "miles": MILES}
    for number, (day, what, *rest) in enumerate(case.happened):
        at = noon(day, zone)
        if what in balances:
            lines.append(line(at, "EARN", rest[0], balances[what], number))
        elif what == "adjust":
            lines.append(line(at, "ADJUST", rest[0], POINTS, number))
        elif what == "redeem":
            lines.append(line(at, "REDEEM", -rest[0], POINTS, number))
        elif what == "return":
            first = lines[rest[0]]
            amount = -(rest[1] if len(rest) > 1 else first.amount)
            lines.append(
                Line(
                    *(first.balance, "REVERSAL", first.weighs_as, amount, at),
                    window_at=first.window_at,
                    posting=number,
                    returns=first.posting,
                )
            )
        elif what == "move":
            moves.append(Move(at, TIERS.index(rest[0])))
        elif what in {"FLOOR", "CEILING", "PIN"}:
            until = noon(rest[1], zone) if len(rest) > 1 else None
            overrides.append(Override(what, TIERS.index(rest[0]), Span(at, until)))
        elif what == "evaluate":
            evaluations.append(at)
        elif what == "leave":
            spans[-1] = Span(spans[-1].start, at)
        elif what == "join":
            spans.append(Span(at))
        elif what == "rules":
            changed = {"tiers": case.tiers, "group": case.group, **rest[0]}
            program = {**case.program, **changed.get("program", {})}
            ladders.append(ladder_of(changed["tiers"], changed["group"], program, at))
        else:
            raise AssertionError(f"What is {what}?")
    acts = Acts(tuple(moves), tuple(overrides), tuple(evaluations))
    outcome = ladder.fold(lines, spans, ladders, noon(case.as_of, zone), acts)
    return outcome, zone


def told(outcome: ladder.Outcome, zone: str) -> str:
    parts = []
    last: datetime | None = None
    for held in outcome.held:
        if last is not None and last < held.start:
            parts.append(f"none {local(last, zone)}")
        parts.append(f"{TIERS[held.tier]} {local(held.start, zone)}")
        last = held.end
    if outcome.held and last is not None:
        parts.append(f"none {local(last, zone)}")
    return ", ".join(parts)


def local(instant: datetime, zone: str) -> str:
    return instant.astimezone(ZoneInfo(zone)).date().isoformat()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_worked_case_comes_out_as_it_says(case: Case) -> None:
    outcome, zone = fold(case)
    assert told(outcome, zone) == case.held


def test_a_tier_of_twelve_months_expires_one_second_before_the_day_comes_round() -> (
    None
):
    """Capillary's: from 15 April 2024, 12 months, to 14 April 2025, 23:59:59."""
    case = Case(
        "", [("2024-04-15", "points", 500)], "", silver(**YEAR), as_of="2024-05-01"
    )
    outcome, _ = fold(case)
    assert outcome.term_ends_at is not None
    expires = outcome.term_ends_at - timedelta(seconds=1)
    assert expires == datetime(2025, 4, 14, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("upgrade_type", "points"),
    [("LAZY", [400]), ("EAGER", [600]), ("DYNAMIC", [200, 300])],
)
def test_the_purchase_that_upgrades_splits_as_capillary_says(
    upgrade_type: str, points: list[int]
) -> None:
    """Gold earns 20 %, Diamond 30 % from 15,000; a customer at 14,000 buys for 2,000."""
    rates = {TIERS.index("Gold"): 20, TIERS.index("VIP"): 30}
    tiers = (
        {"name": "Gold", "entry": "BASE"},
        {"name": "VIP", "threshold": 15_000, "upgrade_type": upgrade_type},
    )
    group = {"measure": "LIFETIME", "measured_balance_id": PURCHASES}
    compiled = ladder_of(tiers, group, {})
    shares = ladder.shares(compiled, TIERS.index("Gold"), 14_000_00, 2_000_00)
    assert [
        share.amount // 100 * rates[share.tier] // 100
        for share in shares
        if share.tier is not None
    ] == points


def test_siebels_late_purchase_keeps_the_tier_it_would_have_kept() -> None:
    """60,000 are needed, 55,000 were known; 10,000 arrive late, dated in time."""
    renewal = {"renewal_conditions": {"points": 60_000}}
    tiers = (BRONZE, {**SILVER, "threshold": 60_000, **YEAR, **renewal})
    happened = [("2022-12-31", "points", 60_000), ("2023-06-02", "points", 55_000)]
    before = told(*fold(Case("", happened, "", tiers)))
    assert before == "Silver 2023-01-15, Bronze 2024-01-15"
    late = [*happened, ("2023-12-20", "points", 10_000)]
    after = told(*fold(Case("", late, "", tiers)))
    assert after == "Silver 2023-01-15, Bronze 2025-01-15"


# Every field that is said to rule decides at least one case above

#: What a tier or group says that does not judge anybody.
WORDING = {
    *("name", "description", "color", "icon", "image_ref", "meta"),
    *("reward_refs", "upgrade_channels"),
}
#: Kept for the systems that wrote it, and listed in the README as such.
STORED_ONLY = {"end_date", "original_expression", "renewal_order_string"}
#: Decides how a purchase splits, not who holds what; see above.
DECIDES_SHARES = {"upgrade_type"}


def without(case: Case, name: str) -> Iterable[Case]:
    """Yield the case as it would be had nobody filled that field in."""
    if name in case.group:
        yield replace(case, group={k: v for k, v in case.group.items() if k != name})
    if any(name in tier for tier in case.tiers):
        tiers = [{k: v for k, v in t.items() if k != name} for t in case.tiers]
        yield replace(case, tiers=tiers)


@pytest.mark.parametrize(
    "name",
    sorted(
        {*TierVersion.CONTENT, *TierGroupVersion.CONTENT}
        - {*WORDING, *STORED_ONLY, *DECIDES_SHARES, "tier_order"}
    ),
)
def test_every_rule_decides_a_case(name: str) -> None:
    field_ = f"{name}_id" if name == "measured_balance" else name
    for case in CASES:
        for other in without(case, field_):
            if told(*fold(other)) != case.held:
                return
    pytest.fail(f"No worked case comes out differently without {name}.")


def test_the_readme_lists_what_is_stored_only() -> None:
    readme = Path("README.md").read_text()
    assert all(f"`{name}`" in readme for name in STORED_ONLY)
