"""Lakeside Store: a small program that Wix's voice reads and writes.

It asks for no approval, words its base tier in the program's settings, and looks at
what was earned in the last twelve months.
"""

import random
import uuid
from datetime import datetime, timedelta

from approvals import lifecycle
from loyalty import programs
from loyalty.models import Program, ProgramVersion

from .. import drafting
from ..models import Tier
from ..models.groups import Measure
from . import steps
from .people import Cast

PROGRAM = 4
SEED = 4
UUID = uuid.UUID("22222222-2222-4222-8222-222222222222")
LEVELS = (
    ("Silver", 500, "#adb5bd", "A free coffee on your birthday."),
    ("Gold", 1500, "#e9c46a", "Free delivery, and the coffee."),
    ("Lakeside", 4000, "#2a9d8f", "First look at every new season."),
)
BALANCES = (0, 90, 150, 310, 480, 500, 620, 700, 880, 1010, 1200, 1490)
MORE = (1500, 1750, 2200, 2900, 3990, 4000, 5200, 6100, 45, 0, 730, 1600)


def make(cast: Cast, *, now: datetime) -> str:
    opened_at = now - timedelta(days=600)
    program = programs.create_program(
        by=cast.manager,
        pk=PROGRAM,
        uuid_=UUID,
        source=Program.Source.WIX,
        name="Lakeside Store",
        description="Boats, boots and books by the lake.",
        approval_required=False,
        tier_name_rule=ProgramVersion.NameRule.EXACT,
        rolling_window_months=12,
        base_tier_name="Welcome",
        base_tier_description="Everybody begins here.",
        at=opened_at,
    )
    group = drafting.add_group(
        program,
        by=cast.manager,
        source=Program.Source.WIX,
        at=opened_at,
        name="Tiers",
        measure=Measure.WINDOW,
    )
    tiers = [
        steps.draft_tier(
            group.group,
            name,
            threshold,
            by=cast.manager,
            at=opened_at,
            source=Tier.Source.API,
            color=color,
            description=description,
        )
        for name, threshold, color, description in LEVELS
    ]
    lifecycle.publish_now([group, *tiers], by=cast.manager, at=opened_at)
    steps.activate(program, cast, at=opened_at)
    wanted = [*BALANCES, *MORE]
    chance = random.Random(SEED)  # noqa: S311
    steps.fill(
        program,
        cast,
        wanted,
        chance,
        seed=SEED,
        domain="lakeside.example.org",
        external="LS",
        start=opened_at,
        end=now - timedelta(hours=1),
    )
    return f"{len(wanted)} members, {len(LEVELS)} tiers"
