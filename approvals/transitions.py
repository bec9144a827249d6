"""The life of a version, as one table.

Buttons, permissions, triggers and tests read it; ``lifecycle`` carries it out.
"""

from dataclasses import dataclass
from typing import Final, Literal

from .models import Version

Status = Version.Status
Role = Literal["maker", "reviewer", "either", "scheduler"]


@dataclass(frozen=True)
class Transition:
    """From which statuses a verb starts, where it may end, and whose it is."""

    label: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    role: Role
    comment_required: bool = False
    #: What the confirmation page says will happen.
    promise: str = ""


TRANSITIONS: Final[dict[str, Transition]] = {
    "submit": Transition(
        "Submit",
        (Status.DRAFT,),
        (Status.PENDING_APPROVAL,),
        "maker",
        promise="A reviewer is asked to decide. Nothing changes for members yet.",
    ),
    "withdraw": Transition(
        "Withdraw",
        (Status.PENDING_APPROVAL,),
        (Status.DRAFT,),
        "maker",
        promise="The submission is taken back and becomes a draft again.",
    ),
    "revise": Transition(
        "Edit",
        (
            Status.DRAFT,
            Status.PENDING_APPROVAL,
            Status.REJECTED,
            Status.PUBLISH_FAILED,
        ),
        (Status.DRAFT,),
        "maker",
    ),
    "approve": Transition(
        "Approve",
        (Status.PENDING_APPROVAL,),
        (Status.LIVE, Status.SCHEDULED),
        "reviewer",
        promise="The change goes live, at once or at the instant that was asked for.",
    ),
    "reject": Transition(
        "Reject",
        (Status.PENDING_APPROVAL,),
        (Status.REJECTED,),
        "reviewer",
        comment_required=True,
        promise="The change goes back to its maker with your reason.",
    ),
    "publish_now": Transition(
        "Publish now",
        (Status.DRAFT,),
        (Status.LIVE,),
        "maker",
        promise="The change goes live at once: this program asks for no approval.",
    ),
    "go_live": Transition(
        "Go live",
        (Status.SCHEDULED,),
        (Status.LIVE, Status.PUBLISH_FAILED),
        "scheduler",
    ),
    "unschedule": Transition(
        "Unschedule",
        (Status.SCHEDULED,),
        (Status.DRAFT,),
        "either",
        comment_required=True,
        promise="The approved change does not go live; it becomes a draft again.",
    ),
    "retry": Transition(
        "Try again",
        (Status.PUBLISH_FAILED,),
        (Status.LIVE,),
        "reviewer",
        promise="The change is approved anew, on what is live today, and goes live.",
    ),
    "replace": Transition("Replace", (Status.LIVE,), (Status.SNAPSHOT,), "scheduler"),
    "discard": Transition(
        "Discard",
        (Status.DRAFT, Status.REJECTED, Status.PUBLISH_FAILED),
        (Status.DELETED,),
        "maker",
        promise="The draft is put away. What is live stays as it is.",
    ),
}

#: Every change of status that may ever happen; the triggers refuse all others.
ALLOWED_MOVES: Final[frozenset[tuple[str, str]]] = frozenset(
    (source, target)
    for transition in TRANSITIONS.values()
    for source in transition.sources
    for target in transition.targets
    if source != target
)
