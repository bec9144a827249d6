"""Every change of a version's status, and the only code that makes one live.

A change set is settled once: each verb that settles it first locks its row and
looks again, so that of two people one wins and the other is told who did what,
when. Rows of versions move by compare-and-swap. Locks are taken in one order
everywhere: change set, program, tier groups, members.

What a person holds is what they read: verbs on versions refuse when the row has
been edited since, and verbs on change sets name the fingerprint that was read.

``drafting``, ``deciding`` and ``publishing`` hold the verbs, ``questions`` what
doors ask, ``guards`` the refusals and ``steps`` what verbs share. A trigger stands
behind ``publishing.publish``: the database refuses a LIVE version without a
matching decision, whoever writes it (see ``triggers``).
"""

from .deciding import (
    approve,
    fresh_fingerprint,
    reject,
    retry,
    submit,
    unschedule,
    withdraw,
)
from .drafting import discard, draft_change, open_draft, revise, roll_back
from .guards import reason_given
from .publishing import go_live, publish_now
from .questions import contributors, is_offered, may, verbs_for, versions_of
from .steps import validate

__all__ = [
    "approve",
    "contributors",
    "discard",
    "draft_change",
    "fresh_fingerprint",
    "go_live",
    "is_offered",
    "may",
    "open_draft",
    "publish_now",
    "reason_given",
    "reject",
    "retry",
    "revise",
    "roll_back",
    "submit",
    "unschedule",
    "validate",
    "verbs_for",
    "versions_of",
    "withdraw",
]
