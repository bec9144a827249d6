"""Posting one thing to one member.

Call these outside a transaction of your own: a refusal is written down before it is
raised, and an outer transaction that it breaks off would forget it again.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ..models import BalanceDefinition, Member
from . import asking
from .asking import Activity, Kind, Line, check_amount
from .posting import post
from .requests import Posting

BuiltIn = BalanceDefinition.BuiltIn


def earn(
    member: Member,
    definition: BalanceDefinition,
    amount: int,
    *,
    reference: str,
    source: str,
    by: Any,
    occurred_at: datetime | None = None,
    description: str = "",
    meta: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Posting:
    """Credit what a member has earned, now or at an earlier instant."""
    line = Line(Kind.EARN, definition.pk, check_amount(amount, least=1))
    return _post(
        member,
        (line,),
        reference=reference,
        source=source,
        by=by,
        occurred_at=occurred_at,
        description=description,
        meta=meta,
        at=at,
    )


def adjust(
    member: Member,
    definition: BalanceDefinition,
    amount: int,
    *,
    reference: str,
    source: str,
    by: Any,
    occurred_at: datetime | None = None,
    description: str = "",
    meta: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Posting:
    """Correct a balance by ``amount``, up or down; not below its floor."""
    amount = check_amount(amount, least=-asking.MAX_AMOUNT)
    return _post(
        member,
        (Line(Kind.ADJUST, definition.pk, amount),),
        reference=reference,
        source=source,
        by=by,
        occurred_at=occurred_at,
        description=description,
        meta=meta,
        at=at,
    )


def adjust_to(
    member: Member,
    definition: BalanceDefinition,
    balance: int,
    *,
    reference: str,
    source: str,
    by: Any,
    description: str = "",
    meta: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Posting:
    """Correct a balance to what it should be; nothing is posted where it is so."""
    balance = check_amount(balance, least=-asking.MAX_AMOUNT)
    return _post(
        member,
        (Line(Kind.ADJUST, definition.pk, balance, is_target=True),),
        reference=reference,
        source=source,
        by=by,
        description=description,
        meta=meta,
        at=at,
    )


def redeem(
    member: Member,
    definition: BalanceDefinition,
    amount: int,
    *,
    reference: str,
    source: str,
    by: Any,
    description: str = "",
    meta: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Posting:
    """Take ``amount`` (a positive number) for a reward; it happens when it is posted.

    The balance never falls below its floor, however many redeem at once.
    """
    line = Line(Kind.REDEEM, definition.pk, -check_amount(amount, least=1))
    return _post(
        member,
        (line,),
        reference=reference,
        source=source,
        by=by,
        description=description,
        meta=meta,
        at=at,
    )


def post_activity(
    member: Member,
    *,
    purchase: int | None = None,
    visits: int | None = None,
    points: int | None = None,
    others: Iterable[tuple[BalanceDefinition, int]] = (),
    reference: str,
    source: str,
    by: Any,
    occurred_at: datetime | None = None,
    description: str = "",
    meta: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Posting:
    """Post all that a purchase or a visit earns, in one go.

    ``purchase`` is the money spent, which may be 0: a purchase with a voucher is one
    too. ``visits`` counts visits, ``points`` what they earn; ``others`` are amounts
    of the program's own balances.
    """
    amounts = {BuiltIn.PURCHASES: purchase, BuiltIn.VISITS: visits}
    given = {
        name: check_amount(amount, least=0 if name == BuiltIn.PURCHASES else 1)
        for name, amount in (*amounts.items(), (BuiltIn.POINTS, points))
        if amount is not None
    }
    ids = dict(
        BalanceDefinition.objects.filter(
            program=member.program_id, built_in__in=given
        ).values_list("built_in", "pk")
    )
    lines = [Line(Kind.EARN, ids[name], amount) for name, amount in given.items()]
    lines += [
        Line(Kind.EARN, definition.pk, check_amount(amount, least=1))
        for definition, amount in others
    ]
    return _post(
        member,
        tuple(lines),
        reference=reference,
        source=source,
        by=by,
        occurred_at=occurred_at,
        description=description,
        meta=meta,
        at=at,
    )


def _post(
    member: Member,
    lines: tuple[Line, ...],
    *,
    reference: str,
    source: str,
    by: Any,
    occurred_at: datetime | None = None,
    description: str,
    meta: dict[str, Any] | None,
    at: datetime | None,
) -> Posting:
    activity = Activity(
        member_id=member.pk,
        reference=reference,
        lines=lines,
        occurred_at=occurred_at,
        description=description,
        meta=meta or {},
    )
    return post(member.program_id, activity, source=source, by=by, at=at)
