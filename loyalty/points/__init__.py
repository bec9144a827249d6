"""The only writers of the points ledger.

Every posting names a **source** (the system that asks) and a **reference** of its
own there. The same posting under the same reference has one effect, however often
and from however many places it is sent; see ``requests``. Amounts are integers in
the smallest unit of their balance definition; ``to_units`` makes them.

Nothing is posted without a lock on the member's row. In that transaction the lines,
the cached balances, the hash chain and the member's mark are written, and whoever
judges members looks at this one (``loyalty.evaluators``). ``post_many`` leaves that
to the next tick, which finds the marks.

What has expired is recorded before anything is taken from a member, and by
``settle``; see ``expiring``. A day that has ended is sealed; see ``sealing``.
"""

from .asking import MAX_AMOUNT, Activity, Correction, Line
from .batch import Outcome, post_batch
from .bulk import Problem, Report, post_many
from .corrections import refund, reverse, reverse_activity
from .phases import begin, cancel, complete, expire_pending
from .posting import expire, follow_terms, post, settle
from .requests import Posted, Posting, outcome
from .rules import Rules, balance_named, rules_of, to_units
from .sealing import seal, seal_due, verify_seals
from .verbs import adjust, adjust_to, earn, post_activity, redeem
from .verification import verify, verify_expiries

__all__ = [
    "MAX_AMOUNT",
    "Activity",
    "Correction",
    "Line",
    "Outcome",
    "Posted",
    "Posting",
    "Problem",
    "Report",
    "Rules",
    "adjust",
    "adjust_to",
    "balance_named",
    "begin",
    "cancel",
    "complete",
    "earn",
    "expire",
    "expire_pending",
    "follow_terms",
    "outcome",
    "post",
    "post_activity",
    "post_batch",
    "post_many",
    "redeem",
    "refund",
    "reverse",
    "reverse_activity",
    "rules_of",
    "seal",
    "seal_due",
    "settle",
    "to_units",
    "verify",
    "verify_expiries",
    "verify_seals",
]
