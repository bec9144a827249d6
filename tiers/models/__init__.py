"""Which tiers exist, and who holds them.

A **tier group** holds the **tiers** that compete for a member; a program may have
several. A **standing** is a member's current state in a group, an **assignment**
says from when to when a member held a tier, and why. **Runs** keep both up to date;
**events** are what members are to be told.
"""

from .acts import ManualMove, OrderedEvaluation, Override
from .answers import KeptAnswer
from .assignments import Standing, TierAssignment
from .counting import CountChange, TierSnapshot
from .events import TierEvent
from .groups import TierGroup, TierGroupVersion
from .runs import MemberSetAside, Recalculation, Run, RunPiece
from .tiers import Tier, TierVersion

__all__ = [
    "CountChange",
    "KeptAnswer",
    "ManualMove",
    "MemberSetAside",
    "OrderedEvaluation",
    "Override",
    "Recalculation",
    "Run",
    "RunPiece",
    "Standing",
    "Tier",
    "TierAssignment",
    "TierEvent",
    "TierGroup",
    "TierGroupVersion",
    "TierSnapshot",
    "TierVersion",
]
