"""Program 973 as in the vendor's own example of the list."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User

from approvals import lifecycle
from loyalty.models import Program
from tests import factories
from tiers import drafting
from tiers.models import Tier, TierGroup, TierVersion

COUNTED_AT = datetime(2026, 6, 11, 12, 34, 56, tzinfo=UTC)

#: slab id, name, colour, threshold, live since, customers
LADDER: tuple[tuple[int, str, str, int | None, str, int], ...] = (
    (25216, "Bronze", "#ff900f", None, "2024-12-10T12:53:56Z", 350),
    (25220, "Silver", "#C0C0C0", 5000, "2024-12-19T08:39:20Z", 13),
    (25221, "Gold", "#FFD700", 10000, "2024-12-19T08:39:53Z", 16),
    (25222, "Sapphire", "#198000", 15000, "2024-12-19T08:41:17Z", 3),
    (25248, "Ruby", "#d90000", 20000, "2025-02-11T05:13:26Z", 3),
    (25249, "Emerald", "#00d946", 25000, "2025-02-11T05:14:10Z", 1),
    (25250, "Amethyst", "#8e00d9", 30000, "2025-02-11T05:15:45Z", 8),
    (25251, "Diamond", "#b9f2ff", 50000, "2025-02-11T05:16:51Z", 15),
    (25602, "Platinum", "#E5E4E2", 80000, "2026-06-10T06:07:29Z", 0),
)
VALIDITY: dict[str, Any] = {"period_type": "SLAB_UPGRADE", "period_value": 12}
RENEWAL = VALIDITY | {
    "start_date": datetime(2026, 1, 7, tzinfo=UTC),
    "downgrade_to": "SINGLE",
}


def make(maya: User, chen: User, *, counted: bool = True) -> Program:
    """Make the nine imported tiers, live, and the draft of a tenth.

    Program, live tiers and their counts have the example's values, not the sums of
    any members.
    """
    program = factories.make_program(maya, pk=973)
    group = factories.make_group(
        program, by=maya, reviewer=chen, tiers=[], measure="CURRENT"
    )
    for number, row in enumerate(LADDER, start=1):
        add_live_tier(group, number, *row[:-1], by=maya, reviewer=chen)
    # Last, since each publication counts anew.
    for slab_id, *_, customers in LADDER:
        Tier.objects.filter(slab_id=slab_id).update(
            customer_count=customers if counted else None,
            counted_at=COUNTED_AT if counted else None,
        )
    manager = factories.make_user("manager", "Loyalty managers", pk=75237721)
    drafting.add_tier(
        group,
        by=manager,
        at=datetime(2026, 6, 11, 12, 34, 36, tzinfo=UTC),
        object_id="6a2aab5cb1f2f8016a6598bb",
        name="Super Platinum",
        description="Premium tier for top spenders",
        color="#E5E4E2",
        threshold=100000,
        **VALIDITY,
    )
    return program


def add_live_tier(
    group: TierGroup,
    number: int,
    slab_id: int,
    name: str,
    color: str,
    threshold: int | None,
    since: str,
    *,
    by: User,
    reviewer: User,
) -> None:
    at = datetime.fromisoformat(since)
    wording: dict[str, Any] = {"description": f"Tier {number}"}
    if threshold is None:
        wording["entry"] = TierVersion.Entry.BASE
    elif name == "Platinum":
        wording |= VALIDITY
        wording["description"] = "Top-tier membership for highest spenders — updated"
    else:
        wording |= RENEWAL
    draft = drafting.add_tier(
        group,
        by=by,
        source=Tier.Source.IMPORT,
        slab_id=slab_id,
        at=at,
        name=name,
        color=color,
        threshold=threshold,
        **wording,
    )
    factories.approve(lifecycle.submit([draft], by=by, at=at), reviewer, at=at)
