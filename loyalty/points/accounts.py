"""Members under lock, and what is true of them then."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .. import statements
from ..models import Balance, Member, Membership
from ..statements import Ask, Statement
from . import expiring
from .requests import Posted, Request
from .rules import BOOK, Book, book_of

#: What posting changes in a member's row.
CHANGING = ("chain_length", "chain_head", "expires_next_at", "flagged_at", "marked_at")
MEMBER_FIELDS = statements.columns_of(
    Member, "id", "uuid", "program_id", "status", "subscription_id", *CHANGING
)
HELD = Statement(
    MEMBER_FIELDS,
    lambda program, members: (
        Member.objects.select_for_update(no_key=True)
        .filter(pk__among=members, program=program)
        .order_by("pk")
    ),
)
INTERVALS = Statement(
    ("member_id", "started_at", "ended_at"),
    lambda members: Membership.objects.filter(member__among=members).order_by(),
)
BALANCES = Statement(
    ("member_id", "balance_definition_id", "amount"),
    lambda members: Balance.objects.filter(member__among=members),
)


@dataclass(slots=True)
class Account:
    """A locked member, with the balances as they will be once all is written."""

    member: Member
    balances: dict[int, int] = field(default_factory=dict)
    #: From when to when the member belonged to the program.
    intervals: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    #: The beginning of the one that is; None for who is away.
    belongs_since: datetime | None = None
    touched: set[int] = field(default_factory=set)
    #: What the member's row says of the next expiry.
    due_before: datetime | None = None
    #: The lines of balances that expire, by definition.
    shelves: dict[int, expiring.Shelf] = field(default_factory=dict)
    #: Whether a line came that may change what has expired, or what expires next.
    is_behind: bool = False
    #: What expired by itself, asked for by nobody.
    expiry: tuple[Request, list[Posted]] | None = None

    def look(self, at: datetime) -> None:
        """See whether the member belongs to the program at an instant."""
        covering = (
            start
            for start, end in self.intervals
            if start <= at and (end is None or end > at)
        )
        self.belongs_since = next(covering, None)


def hold(
    program_id: int,
    member_ids: Iterable[int],
    *,
    before: Sequence[Ask] = (),
    after: Sequence[Ask] = (),
) -> tuple[Book, dict[int, Account]]:
    """Lock members in the order of their keys, whoever else does the same, and read
    what is true of them, in one trip.

    These are statements of their own, after the lock: joined to the locking one, they
    would show what was true before the wait for it.
    """
    ids = sorted(set(member_ids))
    if not ids:
        return Book(), {}
    held, book = HELD.of(program_id, ids), BOOK.of(program_id)
    intervals, balances = INTERVALS.of(ids), BALANCES.of(ids)
    statements.ask([*before, held, book, intervals, balances, *after])
    accounts = {
        member.pk: Account(member, due_before=member.expires_next_at)
        for member in statements.instances(Member, MEMBER_FIELDS, held.rows)
    }
    for interval in intervals.rows:
        if account := accounts.get(interval.member_id):
            account.intervals.append((interval.started_at, interval.ended_at))
    for row in balances.rows:
        if account := accounts.get(row.member_id):
            account.balances[row.balance_definition_id] = row.amount
    return book_of(tuple(book.rows)), accounts
