"""Reversing a line of the ledger by hand, with a reason that stays on record."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from approvals import lifecycle

from . import points
from .adjustments import POST, What, expect_may, on_record
from .errors import PostingRefused
from .models import BalanceDefinition, PointsEntry

SOURCE = "reversal by hand"


def reverse(
    entry: PointsEntry,
    *,
    amount: int | None = None,
    reference: str,
    reason: str,
    by: Any,
    at: datetime | None = None,
) -> points.Posting:
    """Take back ``amount`` of a line, in the smallest unit, or all that is left.

    The same ``reference`` again has no second effect.
    """
    expect_may(by, POST, entry.member.program_id)
    reason = lifecycle.reason_given(reason, "reversing an entry")
    refusal: PostingRefused | None = None
    with transaction.atomic():
        try:
            posting = points.reverse(
                entry,
                amount=amount,
                reference=reference,
                source=SOURCE,
                by=by,
                description=reason,
                at=at,
            )
        except PostingRefused as error:
            # Remembered under its reference, so it must not be rolled back.
            refusal = error
        else:
            if not posting.replayed:
                _on_record(entry, posting.lines[0].amount, reason, by=by, at=at)
    if refusal:
        raise refusal
    return posting


def _on_record(
    entry: PointsEntry, amount: int, reason: str, *, by: Any, at: datetime | None
) -> None:
    definitions = BalanceDefinition.objects.with_live()
    what = What(definitions.get(pk=entry.balance_definition_id), amount, reason)
    on_record(
        "reverse",
        entry.member,
        kind="member",
        object_id=entry.member_id,
        said=f"{what}: {reason}",
        by=by,
        at=at or timezone.now(),
    )
