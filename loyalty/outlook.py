"""What a member's balances are about to do: what waits, and what expires next."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from . import lots
from .models import Member, PointsRequest
from .points.expiring import calendar_of, shelves_of
from .points.requests import activity_of
from .points.rules import read_book

#: Nobody has more that waits; who had would see a part of it.
MOST = 200


@dataclass(frozen=True, slots=True)
class Expiry:
    """How much expires next, and when."""

    at: datetime
    amount: int


def waiting(member: Member, *, as_of: datetime) -> dict[int, int]:
    """Return what pending requests would add or take, by balance definition."""
    pending = PointsRequest.objects.filter(
        member=member, status=PointsRequest.Status.PENDING, expires_at__gt=as_of
    )
    amounts: Counter[int] = Counter()
    for request in pending[:MOST]:
        for line in activity_of(request).lines:
            amounts[line.definition_id] += line.amount
    return dict(amounts)


def expiries(member: Member, *, as_of: datetime) -> dict[int, Expiry]:
    """Return what expires next of each balance, where anything does.

    Three queries, or one where nothing of the program ever expires.
    """
    book = read_book(member.program_id)
    calendar = calendar_of(member.program_id, book)
    if calendar is None:
        return {}
    found = {}
    shelves = shelves_of([member.pk], book.terms)
    for (_, definition_id), shelf in shelves.items():
        expiry = calendar.expiry_of(definition_id)
        state = lots.follow(shelf.lines, expiry, as_of)
        if at := state.expires_next_at:
            ending = (lot.left for lot in state.open_lots if lot.expires_at == at)
            found[definition_id] = Expiry(at, sum(ending))
    return found
