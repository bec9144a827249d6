""" "Recalculate now", as somebody orders it."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from approvals import audit
from approvals.errors import NotAllowed
from loyalty.models import Member, Program

from . import assignment, locks, quarantine
from .assignment import Report
from .errors import CannotBeJudged
from .models import Run

#: So long whoever asks may wait for members whom a publication moves; workers do the
#: rest.
SECONDS = 10
#: A run has room for less than the audit trail.
MOST_REASON = Run._meta.get_field("reason").max_length


def recalculate_now(program: Program, *, by: Any, reason: str, at: datetime) -> Report:
    """Bring everybody to whom something happened, or who is due, up to an instant.

    It changes no rule, and doing it twice changes nothing.
    """
    if not by.has_perm("loyalty.operate_programs"):
        raise NotAllowed(f"{by.get_username()} may not recalculate programs.")
    # It may go without a reason, since nothing is decided by it.
    reason = reason.strip()
    report = assignment.recalculate(
        program, as_of=at, by=by, reason=reason[:MOST_REASON], seconds=SECONDS
    )
    audit.record(
        "recalculate",
        by=by,
        program_id=program.pk,
        kind="program",
        object_id=program.pk,
        label=str(Program.objects.with_live().get(pk=program.pk)),
        reason=reason,
        at=at,
    )
    return report


def recalculate_member(member: Member, *, by: Any, reason: str) -> datetime:
    """Bring one member up to now, set aside or not; return which instant that is.

    Raises:
        CannotBeJudged: It breaks, and they are set aside; nothing else is written.
    """
    with transaction.atomic():
        locks.share(member.program_id)
        now = timezone.now()
        quarantine.catch_up(member.program_id, [member.pk], now)
        # Whoever is judged loses the mark; whoever is set aside has one.
        if not Member.objects.marked().filter(pk=member.pk).exists():
            audit.record(
                "recalculate",
                by=by,
                program_id=member.program_id,
                kind="member",
                object_id=member.pk,
                label=str(member),
                reason=reason,
                at=now,
            )
            return now
    raise CannotBeJudged(
        f"{member} could not be brought up to date, and keeps what they hold. Whoever "
        "looks after this installation finds under “Members set aside” what happened."
    )
