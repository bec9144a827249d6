"""Corner Shop Club: a small program that Brevo's voice reads and writes.

It asks for no approval, and its tiers follow the balance as it stands.
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

PROGRAM = 2
SEED = 2
UUID = uuid.UUID("11111111-1111-4111-8111-111111111111")
LEVELS = (
    ("Regular", 250, "#8ecae6"),
    ("Friend", 750, "#219ebc"),
    ("Family", 2000, "#023047"),
)
BALANCES = (0, 40, 120, 180, 240, 250, 300, 330, 415, 520, 610, 740, 750, 900, 1150)
MORE = (1300, 1480, 1700, 1990, 2000, 2450, 3100, 60, 85, 210, 20, 0, 560, 4200)


def make(cast: Cast, *, now: datetime) -> str:
    opened_at = now - timedelta(days=400)
    program = programs.create_program(
        by=cast.manager,
        pk=PROGRAM,
        uuid_=UUID,
        source=Program.Source.BREVO,
        name="Corner Shop Club",
        description="Points for everything but stamps and newspapers.",
        approval_required=False,
        tier_name_rule=ProgramVersion.NameRule.NONE,
        at=opened_at,
    )
    group = drafting.add_group(
        program,
        by=cast.manager,
        source=Program.Source.BREVO,
        at=opened_at,
        name="Customers",
        measure=Measure.CURRENT,
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
        )
        for name, threshold, color in LEVELS
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
        domain="corner.example.org",
        external="CS",
        start=opened_at,
        end=now - timedelta(hours=1),
    )
    return f"{len(wanted)} members, {len(LEVELS)} tiers"
