"""Which tiers exist, and who holds them.

A **tier group** holds the **tiers** that compete for a member; a program may have
several. A **standing** is a member's current state in a group, an **assignment**
says from when to when a member held a tier, and why.
"""

from .acts import ManualMove, OrderedEvaluation, Override
from .assignments import Recalculation, Standing, TierAssignment
from .groups import TierGroup, TierGroupVersion
from .tiers import Tier, TierVersion

__all__ = [
    "ManualMove",
    "OrderedEvaluation",
    "Override",
    "Recalculation",
    "Standing",
    "Tier",
    "TierAssignment",
    "TierGroup",
    "TierGroupVersion",
    "TierVersion",
]
