"""Members held under lock, judged in memory and written in sets.

One activity or thousands take the same steps: hold the members, decide for each
activity in turn on the balances as the ones before have left them, write it all.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from .. import chain, rows
from ..errors import (
    BalanceRetired,
    InvalidPosting,
    MemberClosed,
    NotAMember,
    PostingRefused,
)
from ..models import (
    Balance,
    BalanceDefinition,
    Member,
    Membership,
    PointsEntry,
)
from . import requests
from .asking import Activity, Kind, Line
from .requests import Posted, Request
from .rules import Rules, amount_to_post, live_rules


@dataclass(slots=True)
class Account:
    """A locked member, with the balances as they will be once all is written."""

    member: Member
    belongs: bool
    balances: dict[int, int]
    touched: set[int] = field(default_factory=set)


class Ledger:
    """The locked members of a program, and what is to be written for them."""

    def __init__(self, program_id: int) -> None:
        self.program_id = program_id
        self.rules: dict[int, Rules] = {}
        self.accounts: dict[int, Account] = {}
        self.requests: list[Request] = []
        self.links: list[tuple[chain.Link, str]] = []

    def hold(self, member_ids: Iterable[int]) -> None:
        """Lock members in the order of their keys, whoever else does the same."""
        ids = sorted(set(member_ids))
        members = list(
            Member.objects.select_for_update(no_key=True)
            .filter(pk__in=ids, program=self.program_id)
            .order_by("pk")
        )
        self.accounts = {m.pk: Account(m, False, {}) for m in members}

    def read(self, at: datetime) -> None:
        """Read what is true of the held members.

        These are queries of their own, after the lock: joined to the locking one,
        they would show what was true before the wait for it.
        """
        self.rules = live_rules(self.program_id)
        held = list(self.accounts)
        present = Membership.objects.filter(
            Q(ended_at__isnull=True) | Q(ended_at__gt=at),
            member__in=held,
            started_at__lte=at,
        )
        for member_id in present.values_list("member_id", flat=True):
            self.accounts[member_id].belongs = True
        balances = Balance.objects.filter(member__in=held)
        for member_id, definition_id, amount in balances.values_list(
            "member_id", "balance_definition_id", "amount"
        ):
            self.accounts[member_id].balances[definition_id] = amount

    def post(
        self, activity: Activity, request: Request, *, at: datetime
    ) -> PostingRefused | None:
        """Decide on an activity; note its lines, or the refusal, under ``request``."""
        try:
            amounts = self._decide(activity)
        except PostingRefused as refusal:
            requests.refuse(request, refusal)
            self.requests.append(request)
            return refusal
        account = self.accounts[activity.member_id]
        posted = [
            self._append(account, activity, line, amount, request, at)
            for line, amount in zip(activity.lines, amounts, strict=True)
        ]
        requests.complete(request, posted)
        self.requests.append(request)
        return None

    def _decide(self, activity: Activity) -> list[int]:
        account = self.accounts.get(activity.member_id)
        if account is None:
            raise InvalidPosting(
                "The program has no such member.", field="member", missing=True
            )
        if account.member.status == Member.Status.CLOSED:
            raise MemberClosed(f"{account.member} is closed.")
        balances = dict(account.balances)
        amounts = []
        for line in activity.lines:
            rules = self.rules.get(line.definition_id) or self._without_rules(line)
            # Who has left can be corrected downwards, nothing else.
            if not account.belongs and (line.kind != Kind.ADJUST or line.amount > 0):
                raise NotAMember(f"{account.member} has left the program.")
            balance = balances.get(line.definition_id, 0)
            amount = amount_to_post(line, balance, rules)
            balances[line.definition_id] = balance + amount
            amounts.append(amount)
        return amounts

    def _without_rules(self, line: Line) -> Rules:
        known = BalanceDefinition.objects.filter(
            pk=line.definition_id, program=self.program_id
        )
        if known.exists():
            raise BalanceRetired("Nothing can be posted to this balance: not live.")
        raise InvalidPosting("The program has no such balance.", field="definition")

    def _append(
        self,
        account: Account,
        activity: Activity,
        line: Line,
        amount: int,
        request: Request,
        at: datetime,
    ) -> Posted:
        member = account.member
        # A sender's clock that is a little ahead does not hold points back.
        occurred_at = min(activity.occurred_at or at, at)
        link = chain.Link(
            member_id=member.pk,
            sequence=member.chain_length + 1,
            uuid=uuid.uuid4(),
            balance_definition_id=line.definition_id,
            kind=line.kind,
            amount=amount,
            occurred_at=occurred_at,
            window_at=occurred_at,
            recorded_at=at,
            request=request.uuid,
            reverses=None,
            description=activity.description,
            meta=activity.meta,
        )
        member.chain_length = link.sequence
        member.chain_head = chain.hash_of(link, member.chain_head)
        balance = account.balances.get(line.definition_id, 0) + amount
        account.balances[line.definition_id] = balance
        account.touched.add(line.definition_id)
        self.links.append((link, member.chain_head))
        return Posted(
            uuid=link.uuid,
            definition_id=line.definition_id,
            kind=line.kind,
            asked=line.amount,
            amount=amount,
            balance=balance,
        )

    def write(self, source: str, *, by: Any, at: datetime) -> None:
        """Write requests, lines, balances, chain heads and marks."""
        requests.write(self.program_id, source, self.requests, by=by, at=at)
        rows.insert(
            PointsEntry,
            ENTRY_FIELDS,
            map(_values, self.links),
            # Its key is known to the database only.
            lookups={"request": "uuid"},
        )
        touched = [account for account in self.accounts.values() if account.touched]
        rows.insert(
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
        rows.update(
            Member,
            ("chain_length", "chain_head", "marked_at"),
            (
                (member.chain_length, member.chain_head, at, member.pk)
                for member in (account.member for account in touched)
            ),
        )


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


def _values(linked: tuple[chain.Link, str]) -> tuple[Any, ...]:
    link, hash_ = linked
    return (
        link.member_id,
        link.sequence,
        link.uuid,
        link.balance_definition_id,
        link.kind,
        link.amount,
        link.occurred_at,
        link.window_at,
        link.recorded_at,
        link.request,
        link.description,
        link.meta,
        hash_,
    )
