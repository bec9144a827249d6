"""Members held under lock, judged in memory and written in sets.

One activity or thousands take the same steps: hold the members, decide for each
activity in turn on the balances as the ones before have left them, write it all.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from .. import chain, evaluators, lots, rows
from ..errors import InvalidPosting, MemberClosed, PostingRefused
from ..models import Balance, Member, PointsEntry, PointsRequest
from ..rows import Command
from ..statements import Ask
from . import accounts, deciding, expiring, requests
from .accounts import CHANGING, Account
from .asking import EXPIRY, Activity, Asked, Kind
from .deciding import Draft
from .requests import Posted, Request
from .rules import Book


class Ledger:
    """The locked members of a program, and what is to be written for them."""

    def __init__(self, program_id: int) -> None:
        self.program_id = program_id
        #: What locking for whoever judges brought to light.
        self.prepared: evaluators.Prepared = {}
        self.book = Book()
        self.calendar: expiring.Calendar | None = None
        self.accounts: dict[int, Account] = {}
        self.requests: list[Request] = []
        self.links: list[tuple[chain.Link, str]] = []
        self.recorded_at: datetime | None = None

    def hold(
        self,
        member_ids: Iterable[int],
        *,
        before: Sequence[Ask] = (),
        after: Sequence[Ask] = (),
    ) -> None:
        """Lock members, and read what is true of them; ask for more on the way."""
        self.book, self.accounts = accounts.hold(
            self.program_id, member_ids, before=before, after=after
        )

    def look(self, at: datetime) -> None:
        """Take what was read as it is at an instant."""
        # What is recorded today is not recorded on a day that is sealed.
        self.recorded_at = max(at, self.book.sealed_until or at)
        for account in self.accounts.values():
            account.look(at)
        self.calendar = expiring.calendar_of(self.program_id, self.book)
        if self.calendar:
            self._read_shelves(at)

    def _read_shelves(self, at: datetime) -> None:
        shelves = expiring.shelves_of(self.accounts, self.book.terms)
        for (member_id, definition_id), shelf in shelves.items():
            self.accounts[member_id].shelves[definition_id] = shelf
        for account in self.accounts.values():
            due = account.member.expires_next_at
            account.is_behind = due is not None and due <= at

    def post(
        self, asked: Asked, request: Request, *, at: datetime
    ) -> PostingRefused | None:
        """Decide on what is asked; note its lines, or the refusal, under ``request``."""
        refusal = None
        try:
            requests.complete(request, self.enter(asked, request, at=at))
        except PostingRefused as refused:
            refusal = refused
            requests.refuse(request, refused, asked)
        self.requests.append(request)
        return refusal

    def promise(self, activity: Activity, request: Request, *, at: datetime) -> None:
        """Note a request that waits, if it could be completed as things are now."""
        try:
            self.decide(activity, at=at)
            requests.wait(request, activity)
        except PostingRefused as refused:
            requests.refuse(request, refused, activity)
        self.requests.append(request)

    def enter(
        self, asked: Asked, request: requests.Made, *, at: datetime
    ) -> list[Posted]:
        """Decide on what is asked and note its lines."""
        drafts = self.decide(asked, at=at)
        account = self.accounts[asked.member_id]
        if isinstance(asked, Activity):
            return [self._append(account, asked, draft, request) for draft in drafts]
        # Making an expiry good comes first: the lot has something then to take.
        self.settle(account, at, coming=drafts)
        posted = [self._append(account, asked, draft, request) for draft in drafts]
        self._flag(account, drafts, at)
        return posted

    def decide(self, asked: Asked, *, at: datetime) -> list[Draft]:
        """Return the lines that follow from what is asked; refuse what may not be."""
        account = self.accounts.get(asked.member_id)
        if account is None:
            raise InvalidPosting(
                "The program has no such member.", field="member", missing=True
            )
        if account.member.status == Member.Status.CLOSED:
            raise MemberClosed(f"{account.member} is closed.")
        if account.is_behind and not self._only_earns(asked):
            self.settle(account, at)
        if isinstance(asked, Activity):
            drafts = deciding.lines_of(
                asked,
                program_id=self.program_id,
                book=self.book,
                balances=account.balances,
                at=at,
            )
        else:
            drafts = deciding.corrections_of(asked, book=self.book, at=at)
        if account.belongs_since is None:
            deciding.refuse_credits_to_strangers(drafts, str(account.member))
        return drafts

    def _only_earns(self, asked: Asked) -> bool:
        """Whether the balance does not matter: a batch then settles once, at its end."""
        return isinstance(asked, Activity) and not any(
            line.amount < 0
            or line.is_target
            or line.definition_id not in self.book.rules
            or self.book.rules[line.definition_id].maximum is not None
            for line in asked.lines
        )

    def settle(
        self, account: Account, at: datetime, *, coming: Sequence[Draft] = ()
    ) -> None:
        """Note what has expired by ``at``, counting the drafts that are to come."""
        if self.calendar is None:
            return
        due = []
        for definition_id in self.book.terms:
            shelf = account.shelves.setdefault(definition_id, expiring.Shelf())
            lines = shelf.lines + [
                lots.Line(draft.uuid, draft.amount, draft.occurred_at, draft.reverses)
                for draft in coming
                if draft.definition_id == definition_id
            ]
            state = lots.follow(lines, self.calendar.expiry_of(definition_id), at)
            known, later = shelf.recorded_by(at)
            for move in lots.differences(state.moves, known):
                for draft in _expiries(definition_id, shelf, move):
                    self._expire(account, draft)
            if state.expires_next_at is not None:
                due.append(state.expires_next_at)
            # Somebody was ahead of this instant: what came of it is looked at again.
            due += [move.at for move in later]
        account.member.expires_next_at = min(due, default=None)
        account.is_behind = False

    def catch_up(self, at: datetime) -> None:
        """Settle the accounts that wait for it."""
        for account in self.accounts.values():
            if account.is_behind:
                self.settle(account, at)

    def _expire(self, account: Account, draft: Draft) -> None:
        member = account.member
        if account.expiry is None:
            # No two lines of a member have one number: the reference is made once.
            asked = Activity(member.pk, f"{member.uuid}-{member.chain_length + 1}", ())
            request = requests.new(asked, source=EXPIRY, by=None)
            self.requests.append(request)
            account.expiry = (request, [])
        request, posted = account.expiry
        posted.append(self._append(account, None, draft, request))
        requests.complete(request, posted)

    def _flag(self, account: Account, drafts: Sequence[Draft], at: datetime) -> None:
        """Flag a member whom taking back what was spent leaves below the floor."""
        for draft in drafts:
            rules = self.book.rules.get(draft.definition_id)
            balance = account.balances[draft.definition_id]
            floor = rules.minimum if rules else None
            if draft.amount < 0 and floor is not None and balance < floor:
                account.member.flagged_at = at

    def _append(
        self,
        account: Account,
        asked: Asked | None,
        draft: Draft,
        request: requests.Made,
    ) -> Posted:
        member = account.member
        assert self.recorded_at is not None
        link = chain.Link(
            member_id=member.pk,
            sequence=member.chain_length + 1,
            uuid=draft.uuid,
            balance_definition_id=draft.definition_id,
            kind=draft.kind,
            amount=draft.amount,
            occurred_at=draft.occurred_at,
            window_at=draft.window_at,
            recorded_at=self.recorded_at,
            request=request.uuid,
            reverses=draft.reverses,
            description=asked.description if asked else "",
            meta=asked.meta if asked else {},
            concerns=draft.concerns,
        )
        member.chain_length = link.sequence
        member.chain_head = chain.hash_of(link, member.chain_head)
        balance = account.balances.get(draft.definition_id, 0) + draft.amount
        account.balances[draft.definition_id] = balance
        account.touched.add(draft.definition_id)
        self.links.append((link, member.chain_head))
        if draft.definition_id in self.book.terms:
            self._shelve(account, draft)
        return Posted(
            uuid=link.uuid,
            definition_id=draft.definition_id,
            kind=draft.kind,
            asked=draft.asked,
            amount=draft.amount,
            balance=balance,
        )

    def _shelve(self, account: Account, draft: Draft) -> None:
        shelf = account.shelves.setdefault(draft.definition_id, expiring.Shelf())
        shelf.note(
            uuid=draft.uuid,
            kind=draft.kind,
            amount=draft.amount,
            occurred_at=draft.occurred_at,
            reverses=draft.reverses,
            concerns=draft.concerns,
        )
        account.is_behind = True

    def write(
        self, *, at: datetime, also: Sequence[Command] = (), is_judged: bool = False
    ) -> None:
        """Write requests, lines, balances, chain heads and marks, in one trip; of many,
        requests and lines are copied.

        Members whose lines have been judged have no mark; ``also`` is what follows.
        """
        self.catch_up(at)
        if len(self.requests) > 1:
            keys = rows.reserve(PointsRequest, len(self.requests))
            for request, key in zip(self.requests, keys, strict=False):
                request.pk = key
        commands = requests.writing(
            self.program_id, self.requests, at=self.recorded_at or at
        )
        commands += self._writing_lines()
        touched = [account for account in self.accounts.values() if account.touched]
        commands += rows.inserting(
            Balance,
            ("member", "balance_definition", "amount", "updated_at"),
            (
                (account.member.pk, definition_id, account.balances[definition_id], at)
                for account in touched
                for definition_id in sorted(account.touched)
            ),
            unique=("member", "balance_definition"),
            replace=("amount", "updated_at"),
        )
        commands += rows.updating(
            Member,
            CHANGING,
            (
                (
                    member.chain_length,
                    member.chain_head,
                    member.expires_next_at,
                    member.flagged_at,
                    _marked_at(member, at)
                    if account.touched and not is_judged
                    else member.marked_at,
                    member.pk,
                )
                for account in self.accounts.values()
                if (member := account.member).expires_next_at != account.due_before
                or account.touched
            ),
        )
        rows.send([*commands, *also])

    def _writing_lines(self) -> list[Command]:
        # Most lines refer to no other: looking that up would cost them time.
        refers = any(link.reverses or link.concerns for link, _ in self.links)
        more = ("reverses", "concerns") if refers else ()
        keys = {request.uuid: request.pk for request in self.requests if request.pk}
        are_known = all(link.request in keys for link, _ in self.links)
        looked_up = more if are_known else ("request", *more)
        return rows.inserting(
            PointsEntry,
            ENTRY_FIELDS + more,
            (
                _values(
                    link, hash_, keys[link.request] if are_known else link.request, more
                )
                for link, hash_ in self.links
            ),
            # Keys that are known to the database only.
            lookups=dict.fromkeys(looked_up, "uuid"),
        )


def _expiries(
    definition_id: int, shelf: expiring.Shelf, move: lots.Move
) -> Iterable[Draft]:
    """Return the lines that record a move: a loss, or making losses good."""
    lot: Any = move.lot
    if move.amount < 0:
        amount = move.amount
        yield Draft(
            Kind.EXPIRE, definition_id, amount, amount, move.at, move.at, concerns=lot
        )
        return
    missing = move.amount
    for loss in shelf.losses_of(lot):
        amount = min(missing, loss.left)
        if amount:
            missing -= amount
            yield Draft(
                Kind.REVERSAL,
                definition_id,
                amount,
                amount,
                move.at,
                loss.at,
                reverses=loss.uuid,
            )


def _marked_at(member: Member, at: datetime) -> datetime:
    """Return since when something waits to be judged: an earlier mark stands."""
    return min(at, member.marked_at or at)


#: What ``chain.Link`` says, and the hash of it.
ENTRY_FIELDS = (
    "member",
    "sequence",
    "uuid",
    "balance_definition",
    "kind",
    "amount",
    "occurred_at",
    "window_at",
    "recorded_at",
    "request",
    "description",
    "meta",
    "hash",
)


def _values(
    link: chain.Link, hash_: str, request: int | UUID, more: Sequence[str]
) -> tuple[Any, ...]:
    values = (
        link.member_id,
        link.sequence,
        link.uuid,
        link.balance_definition_id,
        link.kind,
        link.amount,
        link.occurred_at,
        link.window_at,
        link.recorded_at,
        request,
        link.description,
        link.meta,
        hash_,
    )
    return (*values, link.reverses, link.concerns) if more else values
