"""Program 7 with Bronze, Silver and Gold live, and what somebody sends for a fourth."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User

from loyalty.models import BalanceDefinition
from tests import factories
from tiers.models import TierGroup, TierVersion

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
TUESDAY = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)

JADE: dict[str, Any] = {
    "programId": 7,
    "name": "Jade",
    "description": "For our best customers",
    "color": "#00A86B",
    "eligibility": {
        "kpiType": "CUMULATIVE_POINTS",
        "threshold": 2000,
        "upgradeType": "LAZY",
    },
    "validity": {
        "periodType": "SLAB_UPGRADE",
        "periodValue": 12,
        "unit": "NUM_MONTHS",
    },
}
EDIT: dict[str, Any] = {"eligibility": {"threshold": 612.5, "upgradeType": "EAGER"}}


def make(maya: User, chen: User) -> TierGroup:
    program = factories.make_program(maya, pk=7)
    return factories.make_group(program, by=maya, reviewer=chen)


def tracker(group: TierGroup) -> int:
    """Return the id of a balance of the program, as clients name a tracker."""
    visits = BalanceDefinition.objects.get(program=group.program_id, built_in="VISITS")
    return int(visits.pk)


def slab_of(group: TierGroup, name: str) -> int:
    number = factories.live_tier(group, name).tier.slab_id
    assert number is not None
    return number


def with_changes(
    changes: dict[str, Any], body: dict[str, Any] = JADE
) -> dict[str, Any]:
    """Return a body with changes laid over it, object by object."""
    merged = dict(body)
    for name, value in changes.items():
        inner = merged.get(name)
        if isinstance(value, dict) and isinstance(inner, dict):
            merged[name] = with_changes(value, inner)
        else:
            merged[name] = value
    return merged


def newest() -> TierVersion:
    version: TierVersion = TierVersion.objects.order_by("-pk")[0]
    return version
