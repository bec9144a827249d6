"""What an activity or a correction comes to: the lines to be written, or a refusal.

Decided for a member under lock, on the balances as they are then.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Abs, Coalesce

from .. import amounts
from ..errors import (
    AlreadyReversed,
    BalanceRetired,
    InvalidPosting,
    MoreThanLeft,
    NotAMember,
    NotReversible,
)
from ..models import BalanceDefinition, PointsEntry
from .asking import Activity, Correction, Kind, Line
from .rules import Book, BuiltIn, Rules, amount_to_post


@dataclass(slots=True)
class Draft:
    """A line that is to be written; without instants it happens when it is."""

    kind: str
    definition_id: int
    asked: int
    amount: int
    occurred_at: datetime
    window_at: datetime
    reverses: UUID | None = None
    concerns: UUID | None = None
    uuid: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, slots=True)
class Original:
    """A line that is to be taken back; ``taken`` is how much of it was before."""

    uuid: UUID
    kind: str
    definition_id: int
    amount: int
    occurred_at: datetime
    window_at: datetime
    taken: int

    @property
    def size(self) -> int:
        return abs(self.amount)

    @property
    def left(self) -> int:
        return self.size - self.taken


# Activities


def lines_of(
    activity: Activity,
    *,
    program_id: int,
    book: Book,
    balances: dict[int, int],
    at: datetime,
) -> list[Draft]:
    balances = dict(balances)
    # A sender's clock that is a little ahead does not hold points back.
    occurred_at = min(activity.occurred_at or at, at)
    drafts = []
    for line in activity.lines:
        rules = book.rules.get(line.definition_id) or _without_rules(line, program_id)
        balance = balances.get(line.definition_id, 0)
        asked = line.amount
        if line.kind == Kind.ADJUST and line.is_target:
            asked -= balance
            if not asked:
                continue
        amount = amount_to_post(asked, balance, rules)
        balances[line.definition_id] = balance + amount
        drafts.append(
            Draft(
                line.kind, line.definition_id, asked, amount, occurred_at, occurred_at
            )
        )
    return drafts


def _without_rules(line: Line, program_id: int) -> Rules:
    known = BalanceDefinition.objects.filter(pk=line.definition_id, program=program_id)
    if known.exists():
        raise BalanceRetired("Nothing can be posted to this balance: not live.")
    raise InvalidPosting("The program has no such balance.", field="definition")


# Corrections


def corrections_of(correction: Correction, *, book: Book, at: datetime) -> list[Draft]:
    """Return the lines that take back what was posted, or give back what was spent.

    At most the original in sum, however many come one after the other: they are
    decided on under the member's lock.
    """
    originals = _originals(correction)
    if correction.kind == Kind.REFUND:
        return [_refund(correction, originals[0], at)]
    for original in originals:
        if original.kind in (Kind.REVERSAL, Kind.EXPIRE):
            raise NotReversible(
                f"A line that says “{Kind(original.kind).label}” cannot be reversed. "
                "Post a new line to correct it.",
                kind=original.kind,
            )
    if correction.entry or correction.amount is None:
        parts = [
            (original, _part(original, correction.amount if correction.entry else None))
            for original in originals
            if original.left or correction.entry
        ]
    else:
        parts = _shares(correction.amount, originals, book)
    if not parts:
        raise AlreadyReversed("Nothing of it is left to reverse.")
    return [_reversal(correction, original, amount, at) for original, amount in parts]


def _originals(correction: Correction) -> list[Original]:
    """Read the lines that a correction is of; no other program or member has them."""
    reversed_by = PointsEntry.objects.filter(reverses=OuterRef("pk")).order_by()
    refunded_by = PointsEntry.objects.filter(
        concerns=OuterRef("pk"), kind=Kind.REFUND
    ).order_by()
    entries = PointsEntry.objects.filter(
        member=correction.member_id, request__uuid=correction.request
    ).annotate(taken=_sum(reversed_by, "reverses") + _sum(refunded_by, "concerns"))
    if correction.entry:
        entries = entries.filter(uuid=correction.entry)
    found = [
        Original(*values)
        for values in entries.order_by("sequence").values_list(
            "uuid",
            "kind",
            "balance_definition_id",
            "amount",
            "occurred_at",
            "window_at",
            "taken",
        )
    ]
    if not found:
        raise InvalidPosting(
            "The member has no such line.", field="entry", missing=True
        )
    return found


def _sum(entries: Any, by: str) -> Any:
    total = entries.values(by).annotate(total=Abs(Sum("amount"))).values("total")
    return Coalesce(Subquery(total), 0)


def _part(original: Original, amount: int | None) -> int:
    if not original.left:
        raise AlreadyReversed("Nothing of it is left to reverse.")
    if amount is None:
        return original.left
    if amount > original.left:
        raise MoreThanLeft(
            f"{original.left} of it can still be reversed, and {amount} were asked for.",
            left=original.left,
            amount=amount,
        )
    return amount


def _shares(
    amount: int, originals: list[Original], book: Book
) -> list[tuple[Original, int]]:
    """Part a return among the lines of a purchase, or of what came first in it.

    Each line goes back as the difference of cumulative results, so that returning
    all in parts takes back exactly what was posted.
    """
    bought = {
        rules.definition_id
        for rules in book.rules.values()
        if rules.built_in == BuiltIn.PURCHASES
    }
    leading = next((o for o in originals if o.definition_id in bought), originals[0])
    part = _part(leading, amount)
    returned = leading.taken + part
    found = []
    for original in originals:
        if original is leading:
            found.append((leading, part))
            continue
        gone = amounts.taken_back(
            original.size,
            whole=leading.size,
            returned=returned,
            rounding=_rounding(original, book),
        )
        share = min(gone - original.taken, original.left)
        if share > 0:
            found.append((original, share))
    return found


def _rounding(original: Original, book: Book) -> str:
    rules = book.rules.get(original.definition_id)
    if rules is None:
        return amounts.LOWER
    # A visit was made, until everything goes back.
    visited = rules.built_in == BuiltIn.VISITS
    return amounts.UPPER if visited else rules.credit_rounding


def _reversal(
    correction: Correction, original: Original, amount: int, at: datetime
) -> Draft:
    signed = -amount if original.amount > 0 else amount
    return Draft(
        kind=Kind.REVERSAL,
        definition_id=original.definition_id,
        asked=signed,
        amount=signed,
        # Nothing is taken back before it was there.
        occurred_at=max(min(correction.occurred_at or at, at), original.occurred_at),
        window_at=original.window_at,
        reverses=original.uuid,
    )


def _refund(correction: Correction, original: Original, at: datetime) -> Draft:
    if original.kind != Kind.REDEEM:
        raise NotReversible(
            "Only what was redeemed can be refunded.", kind=original.kind
        )
    amount = _part(original, correction.amount)
    return Draft(
        kind=Kind.REFUND,
        definition_id=original.definition_id,
        asked=amount,
        amount=amount,
        occurred_at=at,
        window_at=at,
        concerns=original.uuid,
    )


def refuse_credits_to_strangers(drafts: list[Draft], name: str) -> None:
    """Who has left can be corrected downwards, nothing else."""
    for draft in drafts:
        is_correction = draft.kind in (Kind.ADJUST, Kind.REVERSAL)
        if not is_correction or draft.amount > 0:
            raise NotAMember(f"{name} has left the program.")
