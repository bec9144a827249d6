"""How the purchase that upgrades splits between the rates of two tiers.

After Capillary's ``upgradeType``. A customer at 14,000 buys for 2,000, and the tier
begins at 15,000:

* ``LAZY``: all 2,000 at the old tier's rate, then the upgrade;
* ``EAGER``: the upgrade first, all 2,000 at the new rate;
* ``DYNAMIC``: 1,000 at the old rate, 1,000 at the new one.
"""

from typing import NamedTuple

from .words import Condition, Ladder


class Share(NamedTuple):
    """So much of a purchase at the rate of a tier; None is the rate of no tier."""

    tier: int | None
    amount: int


def shares(ladder: Ladder, tier: int | None, before: int, amount: int) -> list[Share]:
    """Split a purchase of ``amount`` by somebody who holds ``tier``.

    ``before`` is what the group measured until then, in the unit of ``amount``.
    """
    steps = _steps_reached(ladder, tier, before, before + amount)
    if amount <= 0 or not steps:
        return [Share(tier, amount)]
    _, reached = steps[-1]
    upgrade_type = next(r.upgrade_type for r in ladder.rungs if r.tier == reached)
    if upgrade_type == "LAZY":
        return [Share(tier, amount)]
    if upgrade_type == "EAGER":
        return [Share(reached, amount)]
    found = []
    spent, rate = before, tier
    for minimum, higher in [*steps, (before + amount, None)]:
        if minimum > spent:
            found.append(Share(rate, minimum - spent))
            spent = minimum
        rate = higher
    return found


def _steps_reached(
    ladder: Ladder, tier: int | None, before: int, after: int
) -> list[tuple[int, int]]:
    """Return the thresholds above the present tier that a purchase reaches."""
    if not ladder.up.is_real_time:
        return []
    found = []
    for rung in ladder.rungs[ladder.rank(tier) + 1 :]:
        condition = rung.conditions[0] if len(rung.conditions) == 1 else None
        if (
            rung.automatic
            and isinstance(condition, Condition)
            and condition.measure == ladder.measure
            and condition.minimum <= after
        ):
            found.append((max(condition.minimum, before), rung.tier))
    return found
