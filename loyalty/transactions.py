"""A member's transactions: what was posted, and what waits, was refused or withdrawn.

A posted line and the request that it came from are one transaction. Requests that
posted nothing are transactions of their own. A request of several lines shows in the
history of each that was posted, and of its first where none was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import CharField, F, Q, QuerySet, Value

from .models import Member, PointsEntry, PointsRequest
from .points.expiring import calendar_of
from .points.requests import activity_of
from .points.rules import read_book

Asked = PointsRequest.Status
Kind = PointsEntry.Kind


class State(StrEnum):
    """What has become of a transaction."""

    PENDING = "pending"
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Transaction:
    """One credit or debit (negative) of a balance, in its smallest unit."""

    uuid: UUID
    member_id: int
    definition_id: int
    amount: int
    state: State
    meta: dict[str, Any]
    created_at: datetime
    #: When it was completed, rejected or cancelled, or ran out.
    settled_at: datetime | None
    occurred_at: datetime | None
    #: Until when it can be completed.
    waits_until: datetime | None
    #: Why it was rejected.
    reason: str = ""
    #: The balance after it, where it has changed that.
    balance: int | None = None
    #: When what was credited expires.
    expires_at: datetime | None = None


def transaction(request: PointsRequest, *, as_of: datetime) -> Transaction:
    """Return a request of one line as a transaction."""
    if request.status == Asked.COMPLETED:
        entries = PointsEntry.objects.filter(request=request)
        return _posted(entries.select_related("request").order_by("sequence")[0])
    return _asked(request, as_of)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which transactions of a balance, all of them unless said otherwise."""

    state: State | None = None
    is_credit: bool | None = None
    newest_first: bool = True
    offset: int = 0
    limit: int = 50


def history(
    member: Member, definition_id: int, wanted: Wanted, *, as_of: datetime
) -> tuple[int, list[Transaction]]:
    """Return how many transactions there are, and those that are wanted of them.

    Five queries, and one more where credits of the program expire.
    """
    found = _parts(member, definition_id, wanted, as_of)
    sign = "-" if wanted.newest_first else ""
    ordered = found.order_by(*(f"{sign}{name}" for name in ("at", "what", "key")))
    page = list(ordered[wanted.offset : wanted.offset + wanted.limit])
    entries = _by_key(PointsEntry, (key for _, what, key in page if what == ENTRY))
    requests = _by_key(PointsRequest, (key for _, what, key in page if what != ENTRY))
    expiry = _expiry_of(member.program_id, definition_id)
    return found.count(), [
        _posted(entries[key], expiry) if what == ENTRY else _asked(requests[key], as_of)
        for _, what, key in page
    ]


ENTRY, REQUEST = "entry", "request"


def _parts(
    member: Member, definition_id: int, wanted: Wanted, as_of: datetime
) -> QuerySet[Any, Any]:
    """Return instant, kind and key of each, from the two tables that have them."""
    entries = PointsEntry.objects.filter(
        member=member, balance_definition=definition_id
    ).annotate(at=F("request__created_at"))
    requests = PointsRequest.objects.filter(
        _is_in(wanted.state, as_of),
        member=member,
        content__lines__0__1=definition_id,
    ).annotate(at=F("created_at"))
    if wanted.is_credit is not None:
        sign = "gt" if wanted.is_credit else "lt"
        entries = entries.filter(**{f"amount__{sign}": 0})
        requests = requests.filter(**{f"content__lines__0__2__{sign}": 0})
    posted, asked = _named(entries, ENTRY), _named(requests, REQUEST)
    if wanted.state == State.COMPLETED:
        return posted
    return posted.union(asked, all=True) if wanted.state is None else asked


def _named(rows: QuerySet[Any], what: str) -> QuerySet[Any, Any]:
    # Without the order of its model: a part of a union has none.
    named = rows.annotate(
        what=Value(what, output_field=CharField()), key=F("pk")
    ).order_by()
    return named.values_list("at", "what", "key")


def _is_in(state: State | None, as_of: datetime) -> Q:
    """Say which requests that posted nothing are in a state, or in any."""
    waiting = Q(status=Asked.PENDING, expires_at__gt=as_of)
    over = Q(status=Asked.EXPIRED) | Q(status=Asked.PENDING, expires_at__lte=as_of)
    if state is None:
        return ~Q(status=Asked.COMPLETED)
    return {
        State.PENDING: waiting,
        State.EXPIRED: over,
        State.REJECTED: Q(status=Asked.REFUSED),
        State.CANCELLED: Q(status=Asked.CANCELLED),
        State.COMPLETED: Q(pk__in=()),
    }[state]


def _by_key(model: Any, keys: Iterable[int]) -> dict[int, Any]:
    rows = model.objects.filter(pk__in=list(keys))
    if model is PointsEntry:
        rows = rows.select_related("request")
    return {row.pk: row for row in rows}


def _expiry_of(program_id: int, definition_id: int) -> Any:
    calendar = calendar_of(program_id, read_book(program_id))
    return calendar.expiry_of(definition_id) if calendar else None


# One of them


def _posted(entry: PointsEntry, expiry: Any = None) -> Transaction:
    request = entry.request
    lines = request.outcome.get("lines", ())
    own = next((line for line in lines if line["uuid"] == str(entry.uuid)), None)
    lasts = expiry and entry.amount > 0 and entry.kind != Kind.REVERSAL
    return Transaction(
        # A request is known by its own id where that names one line.
        uuid=request.uuid if len(lines) == 1 else entry.uuid,
        member_id=entry.member_id,
        definition_id=entry.balance_definition_id,
        amount=entry.amount,
        state=State.COMPLETED,
        meta=entry.meta,
        created_at=request.created_at,
        settled_at=request.settled_at,
        occurred_at=entry.occurred_at,
        waits_until=None,
        balance=own and own["balance"],
        expires_at=expiry(entry.occurred_at) if lasts else None,
    )


STATES = {
    Asked.PENDING: State.PENDING,
    Asked.REFUSED: State.REJECTED,
    Asked.CANCELLED: State.CANCELLED,
    Asked.EXPIRED: State.EXPIRED,
}


def _asked(request: PointsRequest, as_of: datetime) -> Transaction:
    activity = activity_of(request)
    line = activity.lines[0]
    state, settled_at = STATES[Asked(request.status)], request.settled_at
    ends = request.expires_at
    if state == State.PENDING and ends is not None and ends <= as_of:
        # Nobody has written it down yet.
        state, settled_at = State.EXPIRED, ends
    return Transaction(
        uuid=request.uuid,
        member_id=activity.member_id,
        definition_id=line.definition_id,
        amount=line.amount,
        state=state,
        meta=activity.meta,
        created_at=request.created_at,
        settled_at=settled_at,
        occurred_at=activity.occurred_at,
        waits_until=ends,
        reason=request.outcome.get("message", ""),
    )
