"""Steps that the verbs on members share."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone

from approvals import audit, kinds
from approvals.errors import NotAllowed
from approvals.lifecycle.guards import readable

from .. import evaluators
from ..models import Contact, Member, Membership


def address(email: str) -> str:
    """Addresses differ by more than letter case, to everybody but a mail server."""
    return email.strip().lower()


def hold(member: Member, at: datetime | None) -> datetime:
    """Take the locks in their order; return the instant at which that was done."""
    evaluators.prepare(member.program_id)
    held = Member.objects.select_for_update(no_key=True).get(pk=member.pk)
    member.status = held.status
    return at or timezone.now()


def hold_contact(pk: int) -> Contact:
    """Lock a person's row; whoever enrols them, edits or erases them waits."""
    return Contact.objects.select_for_update(no_key=True).get(pk=pk)


def expect_all_seen(held: Iterable[Member], *, by: Any, act: str) -> None:
    """Refuse who is limited to programs that are not all of the person's."""
    visible = kinds.programs().visible_to(by)
    if visible is not None and any(m.program_id not in visible for m in held):
        raise NotAllowed(
            "This person is a member of a program that you do not see. Ask somebody "
            f"who sees all programs to {act}."
        )


def present(member: Member) -> Any:
    return Membership.objects.filter(member=member, ended_at__isnull=True)


def changed(member: Member, verb: str, *, by: Any, reason: str, at: datetime) -> None:
    """Mark a member, put on record what was done, and have them judged."""
    member.marked_at = at
    member.save(update_fields=["marked_at"])
    on_record(member, verb, by=by, reason=reason, at=at)
    evaluators.evaluate(member.program_id, [member.pk], at)


def on_record(member: Member, verb: str, *, by: Any, reason: str, at: datetime) -> None:
    audit.record(
        verb,
        by=by,
        program_id=member.program_id,
        kind="member",
        object_id=member.pk,
        label=str(member),
        reason=readable(reason),
        at=at,
    )
