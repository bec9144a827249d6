"""Gemstone Rewards: nine live tiers, a draft of a tenth, 409 members.

The tiers are those of a program that ran elsewhere and was imported: their slab ids
and the dates of their publication came along.
"""

import random
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from loyalty import programs

from .. import drafting
from ..models import Tier
from ..models.groups import Measure
from . import steps
from .people import Cast

PROGRAM = 973
SEED = 973
NOBODY_REACHED = {"purchase": "-1", "numVisits": "-1", "points": "-1", "tracker": []}


class Level(NamedTuple):
    slab_id: int
    name: str
    threshold: int | None
    color: str
    published_at: datetime
    members: int
    description: str


def _level(
    slab_id: int,
    name: str,
    threshold: int | None,
    color: str,
    published_at: str,
    members: int,
    description: str,
) -> Level:
    instant = datetime.fromisoformat(published_at).astimezone(UTC)
    return Level(slab_id, name, threshold, color, instant, members, description)


LEVELS = (
    _level(25216, "Bronze", None, "#ff900f", "2024-12-10T12:53:56Z", 350, "Tier 1"),
    _level(25220, "Silver", 5000, "#C0C0C0", "2024-12-19T08:39:20Z", 13, "Tier 2"),
    _level(25221, "Gold", 10000, "#FFD700", "2024-12-19T08:39:53Z", 16, "Tier 3"),
    _level(25222, "Sapphire", 15000, "#198000", "2024-12-19T08:41:17Z", 3, "Tier 4"),
    _level(25248, "Ruby", 20000, "#d90000", "2025-02-11T05:13:26Z", 3, "Tier 5"),
    _level(25249, "Emerald", 25000, "#00d946", "2025-02-11T05:14:10Z", 1, "Tier 6"),
    _level(25250, "Amethyst", 30000, "#8e00d9", "2025-02-11T05:15:45Z", 8, "Tier 7"),
    _level(25251, "Diamond", 50000, "#b9f2ff", "2025-02-11T05:16:51Z", 15, "Tier 8"),
    _level(
        25602,
        "Platinum",
        80000,
        "#E5E4E2",
        "2026-06-10T06:07:29Z",
        0,
        "Top-tier membership for highest spenders — updated",
    ),
)
DRAFTED_AT = datetime(2026, 6, 11, 12, 34, 36, tzinfo=UTC)

#: How a tier ends, for all but the lowest.
VALIDITY: dict[str, Any] = {
    "period_type": "SLAB_UPGRADE",
    "period_value": 12,
    "is_fixed_type_without_year": False,
    "minimum_duration": 0,
    "reevaluate_on_return": False,
    "daily_enabled": False,
}
#: What the tiers that were set up first say besides.
RENEWAL: dict[str, Any] = {
    "start_date": datetime(2026, 1, 7, tzinfo=UTC),
    "downgrade_to": "SINGLE",
    "should_downgrade": True,
    "always": False,
    "renewal_order_string": [],
    "renewal_conditions": NOBODY_REACHED,
}


def make(cast: Cast, *, now: datetime) -> str:
    opened_at = LEVELS[0].published_at
    program = programs.create_program(
        by=cast.manager,
        pk=PROGRAM,
        name="Gemstone Rewards",
        description="Ten points for every euro, in shops and online.",
        at=opened_at,
    )
    group = drafting.add_group(
        program,
        by=cast.manager,
        source="IMPORT",
        at=opened_at,
        name="Gemstones",
        measure=Measure.CURRENT,
    )
    for level in LEVELS:
        # On a machine whose clock is behind, what is to come has just been.
        at = min(level.published_at, now)
        draft = steps.draft_tier(
            group.group,
            level.name,
            level.threshold,
            by=cast.manager,
            at=at,
            source=Tier.Source.IMPORT,
            slab_id=level.slab_id,
            description=level.description,
            color=level.color,
            **_validity(level),
        )
        drafts = [group, draft] if level is LEVELS[0] else [draft]
        steps.publish(drafts, cast, at=at)
    steps.draft_tier(
        group.group,
        "Super Platinum",
        100000,
        by=cast.manager,
        at=min(DRAFTED_AT, now),
        description="Premium tier for top spenders",
        color="#E5E4E2",
        period_type="SLAB_UPGRADE",
        period_value=12,
    )
    steps.activate(program, cast, at=opened_at)
    chance = random.Random(SEED)  # noqa: S311
    wanted = balances(chance)
    chance.shuffle(wanted)
    steps.fill(
        program,
        cast,
        wanted,
        chance,
        seed=SEED,
        domain="example.org",
        external="G",
        start=opened_at,
        end=now - timedelta(hours=1),
        thresholds=[level.threshold for level in LEVELS if level.threshold],
    )
    return f"{len(wanted)} members, {len(LEVELS)} tiers and a draft of one more"


def _validity(level: Level) -> dict[str, Any]:
    if level.threshold is None:
        return {}
    return VALIDITY if level.name == "Platinum" else VALIDITY | RENEWAL


def balances(chance: random.Random) -> list[int]:
    """Return everybody's points: as many in each tier as there are to be.

    Most stand nearer to the threshold behind them than to the one ahead; the first
    of a tier has reached it exactly.
    """
    found = []
    for level, above in zip(LEVELS, LEVELS[1:], strict=False):
        low, high = level.threshold or 0, above.threshold or 0
        for number in range(level.members):
            spread = int((high - low) * chance.random() ** 2)
            found.append(low + (spread if number else 0))
    return found
