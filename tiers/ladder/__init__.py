"""What a tier is at an instant: pure functions over plain data.

Nothing here knows of Django, of a database or of the clock. The engine, and
whatever explains or previews it, call these same functions; the rules in words are
in ``docs/evaluation.md``.

* ``words``: what is asked, what happened, what follows.
* ``amounts``: every line is a weight on a half-open interval, its contribution; the
  measured amount at an instant is the sum of the weights that cover it.
* ``schedules`` and ``terms``: when members are looked at, and for how long a tier
  is valid.
* ``folding``: **fold** lays a member's lines over the ladders that were in force one
  after the other, and returns from when to when the member stood on which rung.
* ``sharing``: how the purchase that upgrades splits between the rates of two tiers.
"""

from .amounts import contribution, holds, measured, satisfied, target
from .folding import fold
from .memoryless import bounds, is_memoryless
from .sharing import Share, shares
from .words import (
    NOTHING,
    QUALIFYING,
    Acts,
    Condition,
    Held,
    Ladder,
    Line,
    Measure,
    Move,
    Needs,
    Outcome,
    Override,
    Renewal,
    Renewed,
    Rung,
    Schedule,
    Span,
    Test,
    Validity,
    conditions_in,
)

__all__ = [
    "NOTHING",
    "QUALIFYING",
    "Acts",
    "Condition",
    "Held",
    "Ladder",
    "Line",
    "Measure",
    "Move",
    "Needs",
    "Outcome",
    "Override",
    "Renewal",
    "Renewed",
    "Rung",
    "Schedule",
    "Share",
    "Span",
    "Test",
    "Validity",
    "bounds",
    "conditions_in",
    "contribution",
    "fold",
    "holds",
    "is_memoryless",
    "measured",
    "satisfied",
    "shares",
    "target",
]
