"""Reasons to refuse. Each message is a sentence for the person at the door."""

from typing import Any


class Refused(Exception):
    """The act cannot be done; nothing was changed.

    ``code`` is stable, for machines; ``details`` holds what a door may want to
    show besides the sentence (ids, names, instants).
    """

    code = "refused"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidTransition(Refused):
    """The version or change set is not in a state from which the verb starts."""

    code = "invalid_transition"


class AlreadyDecided(Refused):
    """Somebody else settled the change set first."""

    code = "already_decided"


class ContentChanged(Refused):
    """What would be decided on is not what the person read."""

    code = "content_changed"


class SelfApproval(Refused):
    """The person had a hand in the change."""

    code = "self_approval"


class NotAllowed(Refused):
    """The person lacks the permission that the verb asks for."""

    code = "not_allowed"


class ApprovalRequired(Refused):
    """The program's changes go through a reviewer."""

    code = "approval_required"


class ReasonRequired(Refused):
    """The verb asks for a reason and got none."""

    code = "reason_required"


class DraftExists(Refused):
    """The thing already has an open version."""

    code = "draft_exists"


class StaleEdit(Refused):
    """Somebody else changed the version since the page was opened."""

    code = "stale_edit"


class BaseMoved(Refused):
    """The live version is no longer the one that the change was based on."""

    code = "base_moved"


class Unsound(Refused):
    """What would be live breaks a rule of the program or group.

    ``details["problems"]`` lists every problem as a sentence.
    """

    code = "unsound"


class MixedPrograms(Refused):
    """Versions of several programs cannot be decided on together."""

    code = "mixed_programs"


class NothingChosen(Refused):
    """A verb on several versions was given none."""

    code = "nothing_chosen"


class InvalidText(Refused):
    """A note or a reason holds characters that nobody can see."""

    code = "invalid_text"


class GoLiveInPast(Refused):
    """The instant that a change was to go live at has passed."""

    code = "go_live_in_past"
