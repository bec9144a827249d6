"""Postings in two phases: begin, then complete or cancel, or let time run out.

A pending request is not in the ledger and holds nothing back: whether there is
enough is asked when it begins, to say no early, and again when it is completed. Its
status moves once, by compare-and-swap; a trigger stands behind that.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from ..errors import InvalidPosting, NotPending
from ..models import BalanceDefinition, Member, PointsRequest
from . import requests
from .asking import Activity, Kind, Line, check_amount
from .posting import finish, locked, post, split
from .requests import Posting

Status = PointsRequest.Status
CHUNK = 1000
#: How long a request waits if its caller does not say.
PATIENCE = timedelta(hours=24)


def begin(
    member: Member,
    definition: BalanceDefinition,
    amount: int,
    *,
    reference: str,
    source: str,
    by: Any,
    expires_at: datetime | None = None,
    occurred_at: datetime | None = None,
    description: str = "",
    meta: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Posting:
    """Announce a credit (positive) or a redemption (negative); nothing is posted yet.

    Refused, and remembered so, if it could not be completed as things are now.
    """
    now = at or timezone.now()
    expires_at = expires_at or now + PATIENCE
    if expires_at <= now:
        raise InvalidPosting("That instant has passed.", field="expires_at")
    check_amount(abs(amount) if type(amount) is int else amount, least=1)
    activity = Activity(
        member_id=member.pk,
        reference=reference,
        lines=(Line(Kind.EARN if amount > 0 else Kind.REDEEM, definition.pk, amount),),
        occurred_at=occurred_at,
        description=description,
        meta=meta or {},
        waits=True,
    )
    return post(
        member.program_id,
        activity,
        source=source,
        by=by,
        at=at,
        pending_until=expires_at,
    )


def complete(request: PointsRequest, *, at: datetime | None = None) -> Posting:
    """Post what a pending request announced; a second time, return what came of it.

    A refusal leaves it pending: the member may have enough a little later.
    """
    with transaction.atomic():
        held = locked(request.program_id, request.member_id or 0, at=at)
        at = held.at
        # After the member, as everywhere; whoever settles it meanwhile is seen.
        row = PointsRequest.objects.select_for_update(no_key=True).get(pk=request.pk)
        if row.status == Status.PENDING and _ends(row) > at:
            posted = held.ledger.enter(requests.activity_of(row), row, at=at)
            requests.complete(row, posted)
            split(held.ledger, [row], at=at)
            _settle(row, Status.COMPLETED, at=at)
            finish(held)
            return requests.outcome(row, replayed=False)
        if row.status == Status.PENDING:
            _settle(row, Status.EXPIRED, at=at)
    request.status = row.status
    if row.status != Status.COMPLETED:
        raise _too_late(row)
    return requests.outcome(row, replayed=True)


def cancel(request: PointsRequest, *, at: datetime | None = None) -> Posting:
    """Withdraw a pending request; a second time, nothing more happens."""
    at = at or timezone.now()
    with transaction.atomic():
        row = PointsRequest.objects.select_for_update(no_key=True).get(pk=request.pk)
        first = row.status == Status.PENDING
        if first:
            ended = _ends(row) <= at
            _settle(row, Status.EXPIRED if ended else Status.CANCELLED, at=at)
    request.status = row.status
    if row.status != Status.CANCELLED:
        raise _too_late(row)
    return requests.outcome(row, replayed=not first)


def expire_pending(
    at: datetime, *, program_id: int | None = None, dry_run: bool = False
) -> int:
    """End the requests whose time has run out, in chunks; return how many."""
    waiting = PointsRequest.objects.filter(status=Status.PENDING, expires_at__lte=at)
    if program_id is not None:
        waiting = waiting.filter(program=program_id)
    if dry_run:
        return waiting.count()
    ended = 0
    while ids := list(waiting.order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        rows = PointsRequest.objects.filter(pk__in=ids, status=Status.PENDING)
        ended += rows.update(status=Status.EXPIRED, settled_at=at)
    return ended


def _settle(row: PointsRequest, status: str, *, at: datetime) -> None:
    row.status, row.settled_at = status, at
    settled = PointsRequest.objects.filter(pk=row.pk, status=Status.PENDING).update(
        status=status, outcome=row.outcome, settled_at=at
    )
    if not settled:
        raise _too_late(row)


def _ends(row: PointsRequest) -> datetime:
    assert row.expires_at is not None
    return row.expires_at


def _too_late(row: PointsRequest) -> NotPending:
    return NotPending(
        f"The request {row.reference} is {row.get_status_display().lower()}.",
        status=row.status,
    )
