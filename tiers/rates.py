"""At which tiers' rates a purchase earns, where it upgrades whoever makes it.

What a rate is worth is the business of whoever posts: the answer to a posted activity
says how much of it is at the rate of which tier, by ``ladder.shares``.
"""

from collections.abc import Sequence
from datetime import datetime

from loyalty.evaluators import Earned, Share

from . import judging, ladder, rules
from .ladder import Ladder
from .models import Standing, TierGroup


def split(
    program_id: int, earned: Earned, at: datetime, groups: Sequence[TierGroup]
) -> dict[int, list[Share]]:
    """Split what locked members are about to earn, in each group where it matters.

    Groups in which every tier upgrades after the purchase are left out: there all of
    it is at the rate of the tier held before.
    """
    balances = {balance for amounts in earned.values() for balance in amounts}
    ladders = {
        group: ladder_
        for group, ladder_ in _in_force(groups, at).items()
        if ladder_.measure.balance in balances and _matters(ladder_)
    }
    if not ladders:
        return {}
    found: dict[int, list[Share]] = {}
    for standing in _standings(program_id, list(earned), list(ladders), at):
        ladder_ = ladders[standing.group_id]
        balance = ladder_.measure.balance
        amount = earned[standing.member_id].get(balance)
        if amount is None:
            continue
        shares = ladder.shares(
            ladder_, standing.tier_id, standing.qualifying_points, amount
        )
        found.setdefault(standing.member_id, []).extend(
            Share(standing.group_id, balance, *share) for share in shares
        )
    return found


def may_split(program_id: int, at: datetime, groups: Sequence[TierGroup]) -> bool:
    """Whether a purchase can be at another rate than that of the tier before it."""
    return any(_matters(ladder_) for ladder_ in _in_force(groups, at).values())


def _in_force(groups: Sequence[TierGroup], at: datetime) -> dict[int, Ladder]:
    found = {}
    for group, ladders in rules.ladders_of(groups).items():
        begun = [ladder_ for ladder_ in ladders if ladder_.starts_at <= at]
        if begun:
            found[group] = begun[-1]
    return found


def _matters(ladder_: Ladder) -> bool:
    return any(rung.upgrade_type != "LAZY" for rung in ladder_.rungs)


def _standings(
    program_id: int, members: Sequence[int], groups: Sequence[int], at: datetime
) -> list[Standing]:
    """Return where members stand now, not at the last tick."""
    rows = Standing.objects.filter(member__in=members, group__in=groups)
    standings = list(rows.order_by("group"))
    due = {s.member_id for s in standings if s.due_at is not None and s.due_at <= at}
    if due:
        judging.bring_up_to_date(program_id, sorted(due), at)
        standings = list(rows.order_by("group"))
    return standings
