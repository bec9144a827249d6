"""Scheduled change sets whose time has come."""

import logging
from datetime import datetime, timedelta

from . import lifecycle
from .models import ChangeSet

logger = logging.getLogger(__name__)

#: A worker that dies is followed by another after so long.
LEASE = timedelta(minutes=5)


def go_live_due(*, as_of: datetime, dry_run: bool = False) -> dict[str, int]:
    """Publish every scheduled change set that is due; return how that went.

    Each is claimed by moving its due time forward. Running twice at once, or being
    killed anywhere, publishes each set once.
    """
    went = {"published": 0, "failed": 0}
    due = ChangeSet.objects.due(as_of).order_by("due_at", "pk")
    for change_set in due:
        if dry_run:
            went["published"] += 1
            continue
        if not claim(change_set, as_of):
            continue
        try:
            published = lifecycle.go_live(change_set, at=as_of)
        except Exception:
            # Ours to mend, and tried again after the lease; the others go on.
            logger.exception("Going live broke off", extra={"id": change_set.pk})
            went["failed"] += 1
            continue
        if published:
            went["published"] += 1
        elif ChangeSet.objects.filter(pk=change_set.pk, failed_at=as_of).exists():
            went["failed"] += 1
    return went


def claim(change_set: ChangeSet, as_of: datetime) -> bool:
    """Move the due time forward, where nobody else has; return whether we did."""
    rows = ChangeSet.objects.filter(pk=change_set.pk, due_at=change_set.due_at)
    return bool(rows.update(due_at=as_of + LEASE))
