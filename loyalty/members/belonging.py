"""Whether somebody belongs to a program: leaving, coming back, resting, closing."""

from datetime import datetime
from typing import Any

from django.db import transaction

from approvals import lifecycle
from approvals.errors import InvalidTransition

from ..errors import AlreadyMember
from ..models import HouseholdMember, Member, Membership
from .steps import changed, hold, present

Status = Member.Status


def leave(
    member: Member, *, by: Any, reason: str = "", at: datetime | None = None
) -> None:
    """End a membership; what was earned stays in the ledger."""
    with transaction.atomic():
        at = hold(member, at)
        if not present(member).filter(started_at__lt=at).update(ended_at=at):
            raise InvalidTransition(f"{member} does not belong to the program.")
        _dissolve_household(member)
        changed(member, "leave", by=by, reason=reason, at=at)


def rejoin(
    member: Member, *, by: Any, reason: str = "", at: datetime | None = None
) -> None:
    """Begin a new membership of somebody who has left."""
    with transaction.atomic():
        at = hold(member, at)
        if present(member).exists():
            raise AlreadyMember(
                f"{member} belongs to the program.", member_id=member.pk
            )
        if member.status == Status.CLOSED:
            raise InvalidTransition(f"{member} is closed.")
        Membership.objects.create(member=member, started_at=at)
        changed(member, "rejoin", by=by, reason=reason, at=at)


def deactivate(
    member: Member, *, by: Any, reason: str, at: datetime | None = None
) -> None:
    """Leave a member out of the counts; they go on earning and holding tiers."""
    _switch(member, Status.ACTIVE, Status.INACTIVE, by=by, reason=reason, at=at)


def activate(
    member: Member, *, by: Any, reason: str, at: datetime | None = None
) -> None:
    """Count a member again."""
    _switch(member, Status.INACTIVE, Status.ACTIVE, by=by, reason=reason, at=at)


def _switch(
    member: Member,
    source: Member.Status,
    target: Member.Status,
    *,
    by: Any,
    reason: str,
    at: datetime | None,
) -> None:
    verb = "activate_member" if target == Status.ACTIVE else "deactivate_member"
    reason = lifecycle.reason_given(reason, f"making a member {target.label.lower()}")
    with transaction.atomic():
        at = hold(member, at)
        if member.status != source:
            now = member.get_status_display().lower()
            raise InvalidTransition(f"{member} is {now} already.")
        Member.objects.filter(pk=member.pk).update(status=target)
        changed(member, verb, by=by, reason=reason, at=at)
        member.status = target


def close(member: Member, *, by: Any, reason: str, at: datetime | None = None) -> None:
    """Close an account for good: nothing can be posted to it any more."""
    reason = lifecycle.reason_given(reason, "closing an account")
    with transaction.atomic():
        at = hold(member, at)
        if member.status == Status.CLOSED:
            raise InvalidTransition(f"{member} is closed already.")
        Member.objects.filter(pk=member.pk).update(status=Status.CLOSED)
        present(member).filter(started_at__lt=at).update(ended_at=at)
        _dissolve_household(member)
        changed(member, "close", by=by, reason=reason, at=at)
        member.status = Status.CLOSED


def _dissolve_household(member: Member) -> None:
    """Let those go who shared the membership: they may share another's."""
    HouseholdMember.objects.filter(owner=member).delete()
