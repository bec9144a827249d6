"""The one way to write down who did what to which thing."""

from datetime import datetime
from typing import Any

from .models import AuditEvent

SCHEDULER = "The scheduler"


def record(
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
    """Write an audit event; ``by`` is a user, or None for the scheduler."""
    return AuditEvent.objects.create(
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
