"""Posting many things at once: imports, batches from other systems.

Activities are taken in chunks, each its own transaction. A batch that broke off is
simply sent again: what was posted is recognised by its reference. Members are marked
and the next tick judges them, in sets.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.utils import timezone

from approvals.errors import Refused

from ..errors import InvalidPosting, PostingRefused, ReferenceReused
from ..models import PointsRequest, Program
from . import asking, requests
from .asking import Activity
from .ledger import Ledger
from .requests import Request

CHUNK = 2000
#: Another batch with the same references can be faster this many times in a row.
ATTEMPTS = 5

Result = TypeVar("Result")


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

    def _note(self, outcome: "Decided") -> None:
        if outcome.refusal is not None:
            reference, refusal = str(outcome.activity.reference), outcome.refusal
            self.problems.append(Problem(reference, refusal.code, refusal.message))
        elif outcome.replayed:
            self.replayed += 1
        else:
            self.posted += 1

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
    return once_more(lambda: _try_chunk(program_id, part, source=source, by=by, at=at))


def once_more(post: Callable[[], Result]) -> Result:
    """Post in a transaction; where somebody else was faster with one of the same
    references, post again and find it."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                return post()
        except IntegrityError:
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
    ledger.look(at)
    for outcome in decide_all(ledger, part, source=source, by=by, at=at):
        report._note(outcome)
    ledger.write(at=at)
    return report


# Steps that batches of any kind share


@dataclass(frozen=True, slots=True)
class Decided:
    """What is to become of an activity: the request made of it, or why there is none."""

    activity: Activity
    made: PointsRequest | Request | None = None
    refusal: Refused | None = None
    replayed: bool = False


def decide_all(
    ledger: Ledger, part: Sequence[Activity], *, source: str, by: Any, at: datetime
) -> Iterator[Decided]:
    """Note what is to be written for activities of held members, one by one.

    What is refused, makes no sense, or was posted before, holds up none of the others.
    """
    references = [a.reference for a in part if isinstance(a.reference, str)]
    known: dict[str, PointsRequest | Request] = {
        **requests.known(ledger.program_id, source, references)
    }
    for activity in part:
        try:
            asking.check(activity, now=at)
            first = known.get(activity.reference)
            if first is not None:
                requests.expect_same(first, activity)
                # Raises the first refusal again.
                requests.outcome(first, replayed=True)
                yield Decided(activity, first, replayed=True)
                continue
            request = requests.new(activity, source=source, by=by)
            refusal = ledger.post(activity, request, at=at)
            known[activity.reference] = request
            yield Decided(activity, request, refusal)
        except (InvalidPosting, PostingRefused, ReferenceReused) as problem:
            yield Decided(activity, refusal=problem)
