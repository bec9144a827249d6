"""A member's balances as they are at an instant, and what they are about to do.

What has expired is gone from its instant on, recorded or not: readers add up lots, and
whoever posts or judges next writes down what they saw.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from . import lots
from .models import Balance, Member, PointsRequest
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


def balances(member: Member, *, as_of: datetime) -> dict[int, int]:
    """Return how much there is of each balance that was ever touched.

    One query; where something has expired that nobody has recorded yet, three more.
    """
    rows = Balance.objects.filter(member=member)
    amounts = dict(rows.values_list("balance_definition_id", "amount"))
    due = member.expires_next_at
    if due is None or due > as_of:
        return amounts
    return amounts | {
        definition_id: state.balance
        for definition_id, state in _states(member, as_of).items()
    }


def open_lots(member: Member, definition_id: int, *, as_of: datetime) -> list[lots.Lot]:
    """Return the credits of a balance of which something is left, oldest first."""
    calendar = calendar_of(member.program_id, read_book(member.program_id))
    shelf = shelves_of([member.pk], [definition_id]).get((member.pk, definition_id))
    if shelf is None:
        return []
    expiry = calendar.expiry_of(definition_id) if calendar else _never
    return lots.follow(shelf.lines, expiry, as_of).open_lots


def _never(earned_at: datetime) -> None:
    return None


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
    found = {}
    for definition_id, state in _states(member, as_of).items():
        if at := state.expires_next_at:
            ending = (lot.left for lot in state.open_lots if lot.expires_at == at)
            found[definition_id] = Expiry(at, sum(ending))
    return found


def _states(member: Member, as_of: datetime) -> dict[int, lots.State]:
    """Return the lots of each balance that expires; one query where none ever does."""
    book = read_book(member.program_id)
    calendar = calendar_of(member.program_id, book)
    if calendar is None:
        return {}
    shelves = shelves_of([member.pk], book.terms)
    return {
        definition_id: lots.follow(
            shelf.lines, calendar.expiry_of(definition_id), as_of
        )
        for (_, definition_id), shelf in shelves.items()
    }
