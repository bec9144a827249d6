""" "Recalculate now", as somebody orders it."""

from datetime import datetime
from typing import Any

from approvals import audit
from approvals.errors import NotAllowed
from loyalty.models import Program

from . import assignment
from .assignment import Report
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
