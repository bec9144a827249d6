"""The one way to write down who did what to which thing."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from .models import AuditEvent

SCHEDULER = "The scheduler"


def record(verb: str, **said: Any) -> AuditEvent:
    """Write an audit event; ``said`` is as for ``event``."""
    made = event(verb, **said)
    made.save(force_insert=True)
    return made


def event(
    verb: str,
    *,
    by: Any,
    program_id: int | None,
    kind: str,
    object_id: int,
    label: str,
    reason: str = "",
    at: datetime,
) -> AuditEvent:
    """Return an event that is still to be written; ``by`` is None for the scheduler."""
    return AuditEvent(
        verb=verb,
        actor=by,
        actor_name=by.get_username() if by else SCHEDULER,
        program_id=program_id,
        kind=kind,
        object_id=object_id,
        label=label[:200],
        reason=reason,
        created_at=at,
    )


def record_all(events: Iterable[AuditEvent]) -> None:
    """Write the events of a batch."""
    AuditEvent.objects.bulk_create(events)


#: What people read for each verb; the thing's name follows.
PAST = {
    "draft": "drafted a change of",
    "revise": "edited the draft of",
    "discard": "discarded the draft of",
    "submit": "submitted",
    "withdraw": "withdrew",
    "dissolve": "took back the submission of",
    "approve": "approved",
    "reject": "rejected",
    "publish_now": "published",
    "unschedule": "called off the scheduled change of",
    "retry": "approved anew",
    "go_live": "made live, as scheduled,",
    "fail": "could not make live",
    "activate": "activated the tiers of",
    "prepare": "prepared the tiers of",
    "pause": "paused the tiers of",
    "resume": "resumed the tiers of",
    "disable": "switched off the tiers of",
    "recalculate": "recalculated the tiers of",
    "enrol": "enrolled",
    "leave": "ended the membership of",
    "rejoin": "took back into the program",
    "share_membership": "let others share the membership of",
    "unshare_membership": "let others share no longer the membership of",
    "activate_member": "set active again",
    "deactivate_member": "set inactive",
    "close": "closed",
    "edit_member": "changed the details of",
    "erase": "erased the personal data of",
    "adjust": "adjusted the points of",
    "ask_adjustment": "asked for an adjustment of the points of",
    "approve_adjustment": "approved an adjustment of the points of",
    "reject_adjustment": "rejected an adjustment of the points of",
    "withdraw_adjustment": "withdrew an adjustment of the points of",
    "reverse": "reversed an entry of",
    "move": "moved",
    "override": "set an override for",
    "end_override": "ended the override of",
    "evaluate": "ordered an evaluation of",
    "discard_program": "put away the program",
    "add_reward": "added the reward",
    "make_key": "made the API key",
    "rotate_key": "replaced the API key",
    "revoke_key": "revoked the API key",
    "add_limit": "limited what somebody sees:",
    "change_limit": "changed what somebody sees:",
    "remove_limit": "lifted a limit:",
    "add_person": "added the person",
    "change_person": "changed the person",
    "add_role": "added the role",
    "change_role": "changed the role",
    "add_schedule": "added the schedule",
    "change_schedule": "changed the schedule",
}


def in_words(event: AuditEvent) -> str:
    """Say an event as a sentence without its end: "maya submitted Gold"."""
    did = PAST.get(event.verb) or event.verb.replace("_", " ") + ":"
    return f"{event.actor_name} {did} {event.label}"
