"""How much of a balance may be posted: floors, ceilings and limits.

Plain Python over what the live wording of a balance definition says.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..errors import InsufficientPoints, InvalidPosting, LimitExceeded, MaximumReached
from ..models import BalanceDefinition, BalanceDefinitionVersion
from .asking import MAX_AMOUNT, Line

Overtaking = BalanceDefinitionVersion.Overtaking


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one balance definition, as they are live."""

    definition_id: int
    name: str
    scale: int
    is_money: bool
    minimum: int | None
    maximum: int | None
    credit_limit: int | None
    debit_limit: int | None
    is_partial: bool

    def shown(self, amount: int) -> str:
        """Return an amount in words: 1,250 of a scale of 2 reads 12.50."""
        return f"{Decimal(amount).scaleb(-self.scale):,}"


def live_rules(program_id: int) -> dict[int, Rules]:
    """Return the rules of a program's live balance definitions, by definition."""
    versions: Any = BalanceDefinitionVersion.objects.live()
    versions = versions.filter(balance_definition__program=program_id)
    found = versions.values_list(
        "balance_definition_id",
        "name",
        "balance_definition__scale",
        "balance_definition__built_in",
        "minimum",
        "maximum",
        "credit_limit",
        "debit_limit",
        "overtaking",
    )
    return {
        definition: Rules(
            definition_id=definition,
            name=name,
            scale=scale,
            is_money=built_in == BalanceDefinition.BuiltIn.PURCHASES,
            minimum=minimum,
            maximum=maximum,
            credit_limit=credit_limit,
            debit_limit=debit_limit,
            is_partial=overtaking == Overtaking.PARTIAL,
        )
        for (
            definition,
            name,
            scale,
            built_in,
            minimum,
            maximum,
            credit_limit,
            debit_limit,
            overtaking,
        ) in found
    }


def amount_to_post(line: Line, balance: int, rules: Rules) -> int:
    """Return how much of ``line`` is posted onto ``balance``; refuse if it may not be.

    A credit may be cut at the ceiling, where the rules say so; a debit never is.
    """
    if line.amount < 0:
        return _debit(line.amount, balance, rules)
    # A purchase may cost nothing, and is a purchase; other earnings are something.
    if line.amount == 0 and not rules.is_money:
        raise InvalidPosting("The amount is at least 1.", field="amount")
    return _credit(line.amount, balance, rules)


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
