"""The only writers of the points ledger.

Every posting names a **source** (the system that asks) and a **reference** of its
own there. The same posting under the same reference has one effect, however often
and from however many places it is sent; see ``requests``. Amounts are integers in
the smallest unit of their balance definition.

Nothing is posted without a lock on the member's row. In that transaction the lines,
the cached balances, the hash chain and the member's mark are written, and whoever
judges members looks at this one (``loyalty.evaluators``). ``post_many`` leaves that
to the next tick, which finds the marks.
"""

from .asking import MAX_AMOUNT, Activity, Line
from .bulk import Problem, Report, post_many
from .requests import Posted, Posting
from .verbs import adjust, earn, post_activity, redeem
from .verification import verify

__all__ = [
    "MAX_AMOUNT",
    "Activity",
    "Line",
    "Posted",
    "Posting",
    "Problem",
    "Report",
    "adjust",
    "earn",
    "post_activity",
    "post_many",
    "redeem",
    "verify",
]
