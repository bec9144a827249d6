"""Adjusting points by hand: small ones at once, others with a second person.

Above ``POINTS_ADJUSTMENT_LIMIT`` units, or after ``POINTS_ADJUSTMENTS_A_DAY`` in 24
hours, an adjustment is only asked for: it waits as a pending request, holds nothing
back, and somebody else completes or cancels it. Who asked never decides, superusers
included; a trigger behind this module refuses to complete such a request unless the
approval by somebody else is on record.

Locks go the person who asks, then the program's groups, the member, the request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import urls
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from approvals import audit, lifecycle, notices
from approvals.errors import AlreadyDecided, NotAllowed, SelfApproval
from approvals.lifecycle.guards import name_of, when
from approvals.models import AuditEvent

from . import evaluators, points
from .errors import PostingRefused
from .models import (
    Balance,
    BalanceDefinition,
    Member,
    PointsEntry,
    PointsRequest,
    Program,
)
from .points.posting import post
from .points.requests import activity_of
from .wording import amount as amount_in_words

#: What such requests name as the system that asks.
SOURCE = "adjustment by hand"
#: For how long an adjustment waits for its second person.
PATIENCE = timedelta(days=14)
DAY = timedelta(hours=24)
POST = "loyalty.post_points"
REVIEW = "approvals.review_changes"
#: What the approval is called on record; a trigger looks for it there.
KIND = "adjustment"
APPROVED = "approve_adjustment"

Status = PointsRequest.Status


def adjust(
    member: Member,
    definition: BalanceDefinition,
    amount: int,
    *,
    reference: str,
    reason: str,
    by: Any,
    at: datetime | None = None,
) -> PointsRequest:
    """Post an adjustment, or ask for it; the request's status tells which.

    ``amount`` is in the smallest unit. The same ``reference`` again has no second
    effect.
    """
    expect_may(by, POST, member.program_id)
    reason = lifecycle.reason_given(reason, "adjusting somebody's points")
    refusal: PostingRefused | None = None
    with transaction.atomic():
        # One after the other for each person, or two at once would both be the tenth.
        get_user_model().objects.select_for_update(no_key=True).get(pk=by.pk)
        now = at or timezone.now()
        first = _request(member.program_id, reference)
        if first:
            waits = first.expires_at is not None
        else:
            waits = _needs_another(definition, amount, by=by, now=now)
        activity = points.Activity(
            member_id=member.pk,
            reference=reference,
            lines=(points.Line(PointsEntry.Kind.ADJUST, definition.pk, amount),),
            description=reason,
            waits=waits,
        )
        until = now + PATIENCE if waits else None
        try:
            post(
                member.program_id,
                activity,
                source=SOURCE,
                by=by,
                at=at,
                pending_until=until,
            )
        except PostingRefused as error:
            # Remembered under its reference, so it must not be rolled back.
            refusal = error
        else:
            request = first or _made(member.program_id, reference, by=by, at=now)
    if refusal:
        raise refusal
    return request


def approve(request: PointsRequest, *, by: Any, at: datetime | None = None) -> None:
    """Post an adjustment that somebody else asked for.

    What the rules refuse now stays pending: it may be possible a little later.
    """
    expect_may(by, REVIEW, request.program_id)
    with transaction.atomic():
        evaluators.prepare(request.program_id)
        members = Member.objects.select_for_update(no_key=True)
        members.get(pk=request.member_id or 0)
        at = at or timezone.now()
        row = _hold(request, at)
        if row.created_by_id == by.pk:
            raise SelfApproval(
                f"{name_of(by)} asked for this adjustment, so somebody else has to "
                "approve it."
            )
        _decided(row, APPROVED, "", by=by, at=at)
        points.complete(row, at=at)


def reject(
    request: PointsRequest, *, by: Any, comment: str, at: datetime | None = None
) -> None:
    """Turn down an adjustment that somebody else asked for, and say why."""
    expect_may(by, REVIEW, request.program_id)
    comment = lifecycle.reason_given(comment, "rejecting an adjustment")
    with transaction.atomic():
        at = at or timezone.now()
        row = _hold(request, at)
        if row.created_by_id == by.pk:
            raise SelfApproval(
                f"{name_of(by)} asked for this adjustment: withdraw it instead."
            )
        points.cancel(row, at=at)
        _decided(row, "reject_adjustment", comment, by=by, at=at)


def withdraw(request: PointsRequest, *, by: Any, at: datetime | None = None) -> None:
    """Take one's own adjustment back before anybody has decided."""
    if request.created_by_id != by.pk:
        raise NotAllowed("Only who asked for an adjustment can withdraw it.")
    with transaction.atomic():
        at = at or timezone.now()
        row = _hold(request, at)
        points.cancel(row, at=at)
        _decided(row, "withdraw_adjustment", "", by=by, at=at)


# Questions


def waiting_for(user: Any) -> Any:
    """The adjustments that a person may decide on now, oldest first."""
    if not user.has_perm(REVIEW):
        return PointsRequest.objects.none()
    return (
        PointsRequest.objects.filter(
            source=SOURCE,
            status=Status.PENDING,
            expires_at__gt=timezone.now(),
            program__in=Program.objects.visible_to(user),
        )
        .exclude(created_by=user)
        .order_by("pk")
    )


def events_of(request: PointsRequest) -> Any:
    return AuditEvent.objects.about(KIND, request.pk)


@dataclass(frozen=True, slots=True)
class What:
    """What an adjustment comes to, posted or not."""

    definition: BalanceDefinition
    amount: int
    reason: str

    def __str__(self) -> str:
        words = self.words(self.amount)
        return f"+{words}" if self.amount > 0 else words

    def words(self, units: int) -> str:
        """Say an amount of the balance as people do."""
        live: Any = self.definition
        return amount_in_words(units, live.scale, live.live_unit or "")


def what_of(request: PointsRequest) -> What:
    return whats_of([request])[request.pk]


def whats_of(requests: Sequence[PointsRequest]) -> dict[int, What]:
    """Say what adjustments come to, by request, in two queries for all of them."""
    said: dict[int, tuple[int, int, str]] = {}
    for request in requests:
        if request.content:
            activity = activity_of(request)
            line = activity.lines[0]
            said[request.pk] = line.definition_id, line.amount, activity.description
    posted = [request.pk for request in requests if not request.content]
    entries = PointsEntry.objects.filter(request__in=posted)
    for pk, definition, amount, reason in entries.values_list(
        "request_id", "balance_definition_id", "amount", "description"
    ):
        said[pk] = definition, amount, reason
    definitions = BalanceDefinition.objects.with_live().in_bulk(
        {definition for definition, _, _ in said.values()}
    )
    return {
        pk: What(definitions[definition], amount, reason)
        for pk, (definition, amount, reason) in said.items()
    }


def balance_of(request: PointsRequest, what: What) -> int:
    """What the member has now of what an adjustment is about."""
    balance = Balance.objects.filter(
        member=request.member_id, balance_definition=what.definition
    )
    return balance.values_list("amount", flat=True).first() or 0


def _needs_another(
    definition: BalanceDefinition, amount: int, *, by: Any, now: datetime
) -> bool:
    """Tell whether a second person has to look."""
    if abs(amount) > settings.POINTS_ADJUSTMENT_LIMIT * 10**definition.scale:
        return True
    alone = PointsRequest.objects.filter(
        created_by=by,
        source=SOURCE,
        status=Status.COMPLETED,
        expires_at__isnull=True,
        created_at__gt=now - DAY,
    )
    return bool(alone.count() >= settings.POINTS_ADJUSTMENTS_A_DAY)


# Steps


def _request(program_id: int, reference: str) -> PointsRequest | None:
    return PointsRequest.objects.filter(
        program=program_id, source=SOURCE, reference=reference
    ).first()


def _hold(request: PointsRequest, at: datetime) -> PointsRequest:
    """Lock an adjustment that nobody has decided on; of two people, one is told."""
    row = PointsRequest.objects.select_for_update(no_key=True).get(
        pk=request.pk, source=SOURCE
    )
    if row.status != Status.PENDING:
        last = events_of(row).first()
        who = f"{audit.in_words(last)} on {when(last.created_at)}." if last else ""
        raise AlreadyDecided(
            f"This adjustment is {row.get_status_display().lower()} already. {who}"
        )
    if row.expires_at and row.expires_at <= at:
        raise AlreadyDecided(
            f"This adjustment waited until {when(row.expires_at)}; ask for it anew."
        )
    return row


def expect_may(by: Any, permission: str, program_id: int) -> None:
    visible = Program.objects.visible_to(by).filter(pk=program_id)
    if not by.has_perm(permission) or not visible.exists():
        raise NotAllowed(f"{name_of(by)} may not do this in this program.")


def _made(program_id: int, reference: str, *, by: Any, at: datetime) -> PointsRequest:
    """Put on record what was just posted or asked for, and ask for a decision."""
    request = _request(program_id, reference)
    assert request is not None
    what = what_of(request)
    waits = request.status == Status.PENDING
    on_record(
        "ask_adjustment" if waits else "adjust",
        request.member,
        kind=KIND,
        object_id=request.pk,
        said=f"{what}: {what.reason}",
        by=by,
        at=at,
    )
    if waits:
        notices.tell(
            notices.reviewers(program_id, besides=[by.pk]),
            subject=f"{name_of(by)} asks for your approval: {what} for "
            f"{request.member}",
            body=what.reason,
            path=path_of(request),
            at=at,
        )
    return request


def _decided(
    row: PointsRequest, verb: str, comment: str, *, by: Any, at: datetime
) -> None:
    words = str(what_of(row))
    on_record(
        verb,
        row.member,
        kind=KIND,
        object_id=row.pk,
        said=f"{words}: {comment}" if comment else f"{words}.",
        by=by,
        at=at,
    )
    if row.created_by_id != by.pk:
        done = "approved" if verb == APPROVED else "rejected"
        notices.tell(
            [row.created_by],
            subject=f"{name_of(by)} {done} your adjustment: {words} for {row.member}",
            body=comment,
            path=path_of(row),
            at=at,
        )


def on_record(
    verb: str,
    member: Any,
    *,
    kind: str,
    object_id: int,
    said: str,
    by: Any,
    at: datetime,
) -> None:
    audit.record(
        verb,
        by=by,
        program_id=member.program_id,
        kind=kind,
        object_id=object_id,
        label=str(member),
        reason=said,
        at=at,
    )


def path_of(request: PointsRequest) -> str:
    return urls.reverse("admin:loyalty_pointsrequest_change", args=[request.pk])
