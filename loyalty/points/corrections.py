"""Taking back what was posted, and giving back what was spent.

A correction is a new line that names the one it is of. In sum they are at most the
original, whoever asks at the same time. A reversal counts in the window of what it
reverses; it may take a balance below its floor, since the points were never due, and
then flags the member. A reversal cannot be reversed, nor can an expiry: it follows
from the other lines.
"""

from datetime import datetime
from typing import Any

from ..models import PointsEntry, PointsRequest
from .asking import Correction, Kind
from .posting import post
from .requests import Posting


def reverse(
    entry: PointsEntry,
    *,
    amount: int | None = None,
    reference: str,
    source: str,
    by: Any,
    occurred_at: datetime | None = None,
    description: str = "",
    meta: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Posting:
    """Take back ``amount`` of a line, a positive number, or all that is left of it."""
    correction = Correction(
        Kind.REVERSAL,
        member_id=entry.member_id,
        reference=reference,
        request=entry.request.uuid,
        entry=entry.uuid,
        amount=amount,
        occurred_at=occurred_at,
        description=description,
        meta=meta or {},
    )
    return post(entry.member.program_id, correction, source=source, by=by, at=at)


def reverse_activity(
    request: PointsRequest,
    *,
    amount: int | None = None,
    reference: str,
    source: str,
    by: Any,
    occurred_at: datetime | None = None,
    description: str = "",
    meta: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Posting:
    """Take back all lines of a posting, or their shares of a part of it.

    ``amount`` is how much of the purchase was returned (of the first line, where
    nothing was bought); every other line goes back in proportion, and parts that add
    up to the purchase take back exactly what it earned.
    """
    correction = Correction(
        Kind.REVERSAL,
        member_id=request.member_id or 0,
        reference=reference,
        request=request.uuid,
        amount=amount,
        occurred_at=occurred_at,
        description=description,
        meta=meta or {},
    )
    return post(request.program_id, correction, source=source, by=by, at=at)


def refund(
    entry: PointsEntry,
    *,
    amount: int | None = None,
    reference: str,
    source: str,
    by: Any,
    description: str = "",
    meta: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Posting:
    """Give back ``amount`` of what was redeemed, or all of it, as a credit of today.

    Unlike reversing the redemption, which returns the very lots that it took, this
    opens a new lot. A ceiling does not hold it back: the points were the member's.
    """
    correction = Correction(
        Kind.REFUND,
        member_id=entry.member_id,
        reference=reference,
        request=entry.request.uuid,
        entry=entry.uuid,
        amount=amount,
        description=description,
        meta=meta or {},
    )
    return post(entry.member.program_id, correction, source=source, by=by, at=at)
