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
from uuid import UUID

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

    request_id: int
    uuid: UUID
    member_id: int
    lines: tuple[Posted, ...]
    #: Whether this call wrote nothing, the request having been made before.
    replayed: bool = field(default=False, compare=False)

    @property
    def entries(self) -> Any:
        """The ledger lines, in the order in which they were written."""
        return PointsEntry.objects.filter(request=self.request_id).order_by("sequence")


def find(program_id: int, source: str, reference: str) -> PointsRequest | None:
    return PointsRequest.objects.filter(
        program=program_id, source=source, reference=reference
    ).first()


def new(
    program_id: int, source: str, activity: Activity, *, by: Any, at: datetime
) -> PointsRequest:
    """Return an unsaved request, whose outcome is still to be filled in."""
    return PointsRequest(
        program_id=program_id,
        source=source,
        reference=activity.reference,
        fingerprint=activity.fingerprint(),
        status=Status.COMPLETED,
        member_id=activity.member_id,
        created_by=by,
        created_at=at,
        settled_at=at,
    )


def complete(request: PointsRequest, lines: list[Posted]) -> None:
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


def refuse(request: PointsRequest, refusal: PostingRefused) -> None:
    request.status = Status.REFUSED
    request.outcome = {
        "code": refusal.code,
        "message": refusal.message,
        "details": refusal.details,
    }


def outcome(request: PointsRequest, *, replayed: bool) -> Posting:
    """Return what came of a request, or raise the refusal that did."""
    kept = request.outcome
    if request.status == Status.REFUSED:
        # PostgreSQL keeps keys in an order of its own.
        details = dict(sorted(kept["details"].items()))
        raise KEPT[kept["code"]](kept["message"], **details)
    return Posting(
        request_id=request.pk,
        uuid=request.uuid,
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


def expect_same(first: PointsRequest, activity: Activity) -> None:
    """Refuse a reference that was given to something else before."""
    if first.fingerprint != activity.fingerprint():
        raise ReferenceReused(
            f"The reference {first.reference} was used for another posting on "
            f"{first.created_at:%d %B %Y at %H:%M} UTC. A new posting needs a "
            "reference of its own.",
            first=first,
        )
