"""Posting many things at once: imports, batches from other systems.

Activities are taken in chunks, each its own transaction. A batch that broke off is
simply sent again: what was posted is recognised by its reference. Members are marked
and the next tick judges them, in sets.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from ..errors import InvalidPosting, PostingRefused, ReferenceReused
from ..models import PointsRequest, Program
from . import asking, requests
from .asking import Activity
from .ledger import Ledger
from .requests import Request

CHUNK = 2000
#: Another batch with the same references can be faster this many times in a row.
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """An activity that was not posted, and why."""

    reference: str
    code: str
    message: str


@dataclass
class Report:
    """What came of a batch."""

    posted: int = 0
    replayed: int = 0
    problems: list[Problem] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.posted} posted, {self.replayed} known already, "
            f"{len(self.problems)} not posted"
        )

    def _add(self, other: "Report") -> None:
        self.posted += other.posted
        self.replayed += other.replayed
        self.problems += other.problems


def post_many(
    program: Program,
    activities: Iterable[Activity],
    *,
    source: str,
    by: Any,
    at: datetime | None = None,
    chunk: int = CHUNK,
) -> Report:
    """Post activities of a program's members; report those that could not be.

    One activity that is refused or makes no sense does not hold up the others.
    """
    asking.check_source(source)
    report = Report()
    for part in _chunks(activities, chunk):
        report._add(_post_chunk(program.pk, part, source=source, by=by, at=at))
    return report


def _chunks(activities: Iterable[Activity], size: int) -> Iterator[list[Activity]]:
    iterator = iter(activities)
    while part := list(islice(iterator, size)):
        yield part


def _post_chunk(
    program_id: int,
    part: list[Activity],
    *,
    source: str,
    by: Any,
    at: datetime | None,
) -> Report:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                return _try_chunk(program_id, part, source=source, by=by, at=at)
        except IntegrityError:
            # Somebody posted one of the references in between: look again.
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _try_chunk(
    program_id: int,
    part: list[Activity],
    *,
    source: str,
    by: Any,
    at: datetime | None,
) -> Report:
    report = Report()
    ledger = Ledger(program_id)
    ledger.hold(activity.member_id for activity in part)
    at = at or timezone.now()
    ledger.read(at)
    known = _known(program_id, source, part)
    for activity in part:
        try:
            asking.check(activity, now=at)
            first = known.get(activity.reference)
            if first is not None:
                _replay(first, activity)
                report.replayed += 1
                continue
            request = requests.new(activity, source=source, by=by)
            refusal = ledger.post(activity, request, at=at)
            known[activity.reference] = request
            if refusal:
                raise refusal
            report.posted += 1
        except (InvalidPosting, PostingRefused, ReferenceReused) as problem:
            report.problems.append(
                Problem(str(activity.reference), problem.code, problem.message)
            )
    ledger.write(at=at)
    return report


def _known(
    program_id: int, source: str, part: list[Activity]
) -> dict[str, PointsRequest | Request]:
    references = [a.reference for a in part if isinstance(a.reference, str)]
    found = PointsRequest.objects.filter(
        program=program_id, source=source, reference__in=references
    )
    return {request.reference: request for request in found}


def _replay(first: PointsRequest | Request, activity: Activity) -> None:
    """Raise the first refusal again, or ``ReferenceReused``; else all is well."""
    requests.expect_same(first, activity)
    requests.outcome(first, replayed=True)
