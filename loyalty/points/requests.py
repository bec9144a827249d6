"""Postings that are safe to repeat, for ever.

A ``PointsRequest`` is written with its outcome, in the transaction of the lines. Who
comes with a reference that is known gets the first outcome again, a refusal in the
same words, if the content is the same, and ``ReferenceReused`` otherwise. The unique
constraint decides between two that come at once: the second one's work is rolled
back, and it reads the first one's outcome.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from .. import rows
from ..errors import KEPT, PostingRefused, ReferenceReused
from ..models import PointsEntry, PointsRequest
from .asking import Activity

Status = PointsRequest.Status


@dataclass(frozen=True, slots=True)
class Posted:
    """One line as it was written; ``amount`` may be less than was ``asked`` for."""

    uuid: UUID
    definition_id: int
    kind: str
    asked: int
    amount: int
    balance: int


@dataclass(frozen=True, slots=True)
class Posting:
    """What came of a request: the same each time that it is sent."""

    request: UUID
    member_id: int
    lines: tuple[Posted, ...]
    #: Whether this call wrote nothing, the request having been made before.
    replayed: bool = field(default=False, compare=False)

    @property
    def entries(self) -> Any:
        """The ledger lines, in the order in which they were written."""
        entries = PointsEntry.objects.filter(request__uuid=self.request)
        return entries.order_by("sequence")


@dataclass(slots=True)
class Request:
    """A request that is to be written, with its outcome."""

    uuid: UUID
    reference: str
    fingerprint: str
    member_id: int
    status: str = Status.COMPLETED
    outcome: dict[str, Any] = field(default_factory=dict)


def find(program_id: int, source: str, reference: str) -> PointsRequest | None:
    return PointsRequest.objects.filter(
        program=program_id, source=source, reference=reference
    ).first()


def new(activity: Activity) -> Request:
    """Return a request whose outcome is still to be filled in."""
    return Request(
        uuid=uuid4(),
        reference=activity.reference,
        fingerprint=activity.fingerprint(),
        member_id=activity.member_id,
    )


def complete(request: Request, lines: list[Posted]) -> None:
    request.outcome = {
        "lines": [
            {
                "uuid": str(line.uuid),
                "definition": line.definition_id,
                "kind": line.kind,
                "asked": line.asked,
                "amount": line.amount,
                "balance": line.balance,
            }
            for line in lines
        ]
    }


def refuse(request: Request, refusal: PostingRefused) -> None:
    request.status = Status.REFUSED
    request.outcome = {
        "code": refusal.code,
        "message": refusal.message,
        "details": refusal.details,
    }


def outcome(request: PointsRequest | Request, *, replayed: bool) -> Posting:
    """Return what came of a request, or raise the refusal that did."""
    kept = request.outcome
    if request.status == Status.REFUSED:
        # PostgreSQL keeps keys in an order of its own.
        details = dict(sorted(kept["details"].items()))
        raise KEPT[kept["code"]](kept["message"], **details)
    return Posting(
        request=request.uuid,
        member_id=request.member_id or 0,
        lines=tuple(
            Posted(
                uuid=UUID(line["uuid"]),
                definition_id=line["definition"],
                kind=line["kind"],
                asked=line["asked"],
                amount=line["amount"],
                balance=line["balance"],
            )
            for line in kept["lines"]
        ),
        replayed=replayed,
    )


def write(
    program_id: int, source: str, requests: list[Request], *, by: Any, at: datetime
) -> None:
    # By reference: two batches that share some wait for each other in one order.
    requests.sort(key=lambda request: request.reference)
    rows.insert(
        PointsRequest,
        (
            "uuid",
            "reference",
            "fingerprint",
            "member",
            "status",
            "outcome",
            "content",
            "program",
            "source",
            "created_by",
            "created_at",
            "settled_at",
        ),
        (
            (
                request.uuid,
                request.reference,
                request.fingerprint,
                request.member_id,
                request.status,
                request.outcome,
                {},
                program_id,
                source,
                by and by.pk,
                at,
                at,
            )
            for request in requests
        ),
    )


def expect_same(first: PointsRequest | Request, activity: Activity) -> None:
    """Refuse a reference that was given to something else before."""
    if first.fingerprint != activity.fingerprint():
        raise ReferenceReused(
            f"The reference {first.reference} was used for another posting. A new "
            "posting needs a reference of its own.",
            first=first,
        )
