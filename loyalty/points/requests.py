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

from .. import rows, statements
from ..errors import KEPT, PostingRefused, ReferenceReused
from ..evaluators import Share
from ..models import PointsEntry, PointsRequest
from .asking import Activity, Asked, Line

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
    """What came of a request: the same each time that it is sent.

    One that is pending, was cancelled or has run out has no lines.
    """

    request: UUID
    member_id: int
    lines: tuple[Posted, ...]
    #: How what was earned splits between the rates of tiers, in tier groups where
    #: the purchase that upgrades can earn at the new rate.
    shares: tuple[Share, ...] = ()
    status: str = Status.COMPLETED
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
    source: str
    reference: str
    fingerprint: str
    member_id: int
    by_id: int | None = None
    #: Its key, if that is known before it is written.
    pk: int | None = None
    status: str = Status.COMPLETED
    outcome: dict[str, Any] = field(default_factory=dict)
    #: What is posted when a pending request is completed, and until when it can be.
    content: dict[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None


#: A request, before or after it is written.
Made = Request | PointsRequest


COLUMNS = statements.columns_of(PointsRequest)
#: By program, source and reference.
FIND = statements.Statement(
    COLUMNS,
    lambda program, source, reference: PointsRequest.objects.filter(
        program=program, source=source, reference=reference
    ).order_by(),
)
#: By program, source and references.
FIND_ALL = statements.Statement(
    COLUMNS,
    lambda program, source, references: PointsRequest.objects.filter(
        program=program, source=source, reference__among=references
    ).order_by(),
)


def find(program_id: int, source: str, reference: str) -> PointsRequest | None:
    return found(FIND.run(program_id, source, reference))


def found(rows: list[Any]) -> PointsRequest | None:
    return next(iter(statements.instances(PointsRequest, COLUMNS, rows)), None)


def known(
    program_id: int, source: str, references: list[str]
) -> dict[str, PointsRequest]:
    """Return the requests that were made under some references, by these."""
    rows = FIND_ALL.run(program_id, source, references)
    made = statements.instances(PointsRequest, COLUMNS, rows)
    return {request.reference: request for request in made}


def new(asked: Asked, *, source: str, by: Any) -> Request:
    """Return a request whose outcome is still to be filled in."""
    return Request(
        uuid=uuid4(),
        source=source,
        reference=asked.reference,
        fingerprint=asked.fingerprint(),
        member_id=asked.member_id,
        by_id=by and by.pk,
    )


def complete(request: Made, lines: list[Posted]) -> None:
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


def earned(request: Made) -> dict[int, int]:
    """Return what was credited for an activity, by balance definition."""
    found: dict[int, int] = {}
    for line in request.outcome.get("lines", ()):
        if line["kind"] == PointsEntry.Kind.EARN:
            definition = line["definition"]
            found[definition] = found.get(definition, 0) + line["amount"]
    return found


def refuse(request: Request, refusal: PostingRefused, asked: Asked) -> None:
    """Keep a refusal, and what was refused: people ask for either."""
    request.status = Status.REFUSED
    request.expires_at = None
    if isinstance(asked, Activity):
        request.content = _content(asked)
    request.outcome = {
        "code": refusal.code,
        "message": refusal.message,
        "details": refusal.details,
    }


def wait(request: Request, activity: Activity) -> None:
    """Keep what is to be posted when the request is completed."""
    request.status = Status.PENDING
    request.content = _content(activity)


def _content(activity: Activity) -> dict[str, Any]:
    occurred_at = activity.occurred_at
    return {
        "lines": [line.content() for line in activity.lines],
        "occurred_at": occurred_at and occurred_at.isoformat(),
        "description": activity.description,
        "meta": activity.meta,
    }


def activity_of(request: PointsRequest) -> Activity:
    """Return what a pending request is to post, or a refused one was to."""
    kept = request.content
    occurred_at = kept["occurred_at"]
    return Activity(
        member_id=request.member_id or 0,
        reference=request.reference,
        lines=tuple(Line(*content) for content in kept["lines"]),
        occurred_at=occurred_at and datetime.fromisoformat(occurred_at),
        description=kept["description"],
        meta=kept["meta"],
    )


def outcome(request: Made, *, replayed: bool) -> Posting:
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
            for line in kept.get("lines", ())
        ),
        shares=tuple(Share(*share) for share in kept.get("shares", ())),
        status=request.status,
        replayed=replayed,
    )


def writing(
    program_id: int, requests: list[Request], *, at: datetime
) -> list[rows.Command]:
    # By reference: two batches that share some wait for each other in one order.
    requests.sort(key=lambda request: (request.source, request.reference))
    reserved = all(request.pk for request in requests)
    return rows.inserting(
        PointsRequest,
        (
            *(("id",) if reserved else ()),
            "uuid",
            "source",
            "reference",
            "fingerprint",
            "member",
            "status",
            "outcome",
            "content",
            "program",
            "created_by",
            "created_at",
            "expires_at",
            "settled_at",
        ),
        (
            (
                *((request.pk,) if reserved else ()),
                request.uuid,
                request.source,
                request.reference,
                request.fingerprint,
                request.member_id,
                request.status,
                request.outcome,
                request.content,
                program_id,
                request.by_id,
                at,
                request.expires_at,
                None if request.status == Status.PENDING else at,
            )
            for request in requests
        ),
    )


def expect_same(first: Made, asked: Asked) -> None:
    """Refuse a reference that was given to something else before."""
    if first.fingerprint != asked.fingerprint():
        raise ReferenceReused(
            f"The reference {first.reference} was used for another posting. A new "
            "posting needs a reference of its own.",
            first=first,
        )
