"""How much of a balance may be posted: floors, ceilings, limits, and how long it lasts.

Plain Python over what the versions of a balance definition say.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db.models import F, OuterRef, Q, Subquery

from approvals.text import comparable

from .. import amounts
from ..errors import (
    BalanceRetired,
    InsufficientPoints,
    InvalidPosting,
    LimitExceeded,
    MaximumReached,
)
from ..lots import Availability
from ..models import (
    BalanceDefinition,
    BalanceDefinitionVersion,
    LedgerSeal,
    PointsEntry,
)
from ..statements import Statement
from .asking import MAX_AMOUNT

BuiltIn = BalanceDefinition.BuiltIn
Overtaking = BalanceDefinitionVersion.Overtaking


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one balance definition, as they are live."""

    definition_id: int
    name: str
    scale: int
    built_in: str
    minimum: int | None
    maximum: int | None
    credit_limit: int | None
    debit_limit: int | None
    is_partial: bool
    credit_rounding: str
    debit_rounding: str

    def shown(self, amount: int) -> str:
        """Return an amount in words: 1,250 of a scale of 2 reads 12.50."""
        return f"{Decimal(amount).scaleb(-self.scale):,}"


@dataclass(frozen=True, slots=True)
class Term:
    """How long credits last that were earned while a version was in force."""

    starts_at: datetime | None
    ends_at: datetime | None
    availability: Availability

    def covers(self, instant: datetime) -> bool:
        return (self.starts_at is None or self.starts_at <= instant) and (
            self.ends_at is None or instant < self.ends_at
        )


@dataclass(slots=True)
class Book:
    """What holds in a program: the live rules, and the terms of what expires."""

    rules: dict[int, Rules] = field(default_factory=dict)
    terms: dict[int, list[Term]] = field(default_factory=dict)
    #: Nothing is recorded before this instant any more.
    sealed_until: datetime | None = None


def _versions(program_id: int) -> Any:
    """Return the versions that make up a program's book.

    Credits keep the term under which they were earned, so versions that had one are
    read as well when they are not live any more.
    """
    lasting = Q(availability_value__isnull=False) | ~Q(expires_on="")
    versions: Any = BalanceDefinitionVersion.objects.filter(
        Q(status=BalanceDefinitionVersion.Status.LIVE)
        | (Q(live_from__isnull=False, operation="SET") & lasting),
        balance_definition__program=program_id,
    )
    seals = LedgerSeal.objects.filter(program=OuterRef("balance_definition__program"))
    return versions.annotate(
        scale=F("balance_definition__scale"),
        built_in=F("balance_definition__built_in"),
        sealed_until=Subquery(seals.order_by("-day").values("ends_at")[:1]),
    )


#: One query for all of it.
BOOK = Statement(
    (
        "balance_definition_id",
        "scale",
        "built_in",
        "sealed_until",
        "status",
        "name",
        "minimum",
        "maximum",
        "credit_limit",
        "debit_limit",
        "overtaking",
        "credit_rounding",
        "debit_rounding",
        "availability_value",
        "availability_unit",
        "availability_end",
        "expires_on",
        "live_from",
        "live_until",
        "based_on_id",
    ),
    _versions,
)


def read_book(program_id: int) -> Book:
    """Return the rules of a program's balance definitions."""
    return book_of(tuple(BOOK.run(program_id)))


@lru_cache(maxsize=256)
def book_of(versions: tuple[Any, ...]) -> Book:
    """Return what versions come to; while they say the same, it is made once."""
    book = Book()
    for version in versions:
        definition_id = version.balance_definition_id
        book.sealed_until = version.sealed_until
        if version.status == BalanceDefinitionVersion.Status.LIVE:
            book.rules[definition_id] = _rules(version)
        if version.availability_value or version.expires_on:
            book.terms.setdefault(definition_id, []).append(_term(version))
    return book


def balance_named(program_id: int, name: str) -> tuple[BalanceDefinition, Rules]:
    """Return a live balance by the name of a built-in one, or by its own."""
    book = read_book(program_id)
    for rules in book.rules.values():
        if name == rules.built_in or comparable(name) == comparable(rules.name):
            return BalanceDefinition.objects.get(pk=rules.definition_id), rules
    known = ", ".join(rules.name for rules in book.rules.values())
    raise InvalidPosting(
        f"The program has no balance {name}. Balances: {known}.", field="balance"
    )


def rules_of(definition: BalanceDefinition) -> Rules:
    """Return the rules of a balance that can be posted to."""
    rules = read_book(definition.program_id).rules.get(definition.pk)
    if rules is None:
        raise BalanceRetired("Nothing can be posted to this balance: not live.")
    return rules


def to_units(amount: Decimal | str, rules: Rules, kind: str) -> int:
    """Return an amount in the balance's smallest unit, rounded as it says."""
    is_debit = kind == PointsEntry.Kind.REDEEM or str(amount).startswith("-")
    rounding = rules.debit_rounding if is_debit else rules.credit_rounding
    return amounts.to_units(amount, rules.scale, rounding)


def _rules(version: Any) -> Rules:
    return Rules(
        definition_id=version.balance_definition_id,
        name=version.name,
        scale=version.scale,
        built_in=version.built_in,
        minimum=version.minimum,
        maximum=version.maximum,
        credit_limit=version.credit_limit,
        debit_limit=version.debit_limit,
        is_partial=version.overtaking == Overtaking.PARTIAL,
        credit_rounding=version.credit_rounding,
        debit_rounding=version.debit_rounding,
    )


def _term(version: Any) -> Term:
    # The first wording holds for everything before it, too: what is entered later.
    is_first = version.based_on_id is None
    return Term(
        starts_at=None if is_first else version.live_from,
        ends_at=version.live_until,
        availability=Availability(
            value=version.availability_value,
            unit=version.availability_unit,
            end=version.availability_end,
            day_of_year=version.expires_on,
        ),
    )


def amount_to_post(amount: int, balance: int, rules: Rules) -> int:
    """Return how much of it is posted onto ``balance``; refuse if it may not be.

    A credit may be cut at the ceiling, where the rules say so; a debit never is.
    """
    if amount < 0:
        return _debit(amount, balance, rules)
    # A purchase may cost nothing, and is a purchase; other earnings are something.
    if amount == 0 and rules.built_in != BuiltIn.PURCHASES:
        raise InvalidPosting("The amount is at least 1.", field="amount")
    return _credit(amount, balance, rules)


def _debit(amount: int, balance: int, rules: Rules) -> int:
    if rules.debit_limit is not None and -amount > rules.debit_limit:
        raise LimitExceeded(
            f"At most {rules.shown(rules.debit_limit)} {rules.name} can be taken at "
            f"once; {rules.shown(-amount)} were asked for.",
            limit=rules.debit_limit,
            amount=-amount,
        )
    floor = -MAX_AMOUNT if rules.minimum is None else rules.minimum
    if balance + amount < floor:
        raise InsufficientPoints(
            f"There are {rules.shown(balance)} {rules.name}, and "
            f"{rules.shown(-amount)} were asked for"
            + (f"; {rules.shown(floor)} have to stay." if floor else "."),
            balance=balance,
            amount=-amount,
            minimum=floor,
        )
    return amount


def _credit(amount: int, balance: int, rules: Rules) -> int:
    if rules.credit_limit is not None and amount > rules.credit_limit:
        raise LimitExceeded(
            f"At most {rules.shown(rules.credit_limit)} {rules.name} can be added at "
            f"once; {rules.shown(amount)} were asked for.",
            limit=rules.credit_limit,
            amount=amount,
        )
    ceiling = MAX_AMOUNT if rules.maximum is None else rules.maximum
    if balance + amount <= ceiling:
        return amount
    if rules.is_partial and rules.maximum is not None:
        return max(0, ceiling - balance)
    raise MaximumReached(
        f"There are {rules.shown(balance)} {rules.name}, and no more than "
        f"{rules.shown(ceiling)} can be held.",
        balance=balance,
        amount=amount,
        maximum=ceiling,
    )
