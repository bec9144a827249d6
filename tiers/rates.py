"""At which tiers' rates a purchase earns, where it upgrades whoever makes it.

What a rate is worth is the business of whoever posts: the answer to a posted activity
says how much of it is at the rate of which tier, by ``ladder.shares``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from loyalty.evaluators import Share

from . import judging, ladder, rules
from .ladder import Ladder
from .models import Standing, TierGroup


def split(
    program_id: int,
    member_id: int,
    earned: Mapping[int, int],
    at: datetime,
    groups: Sequence[TierGroup],
) -> list[Share]:
    """Split what a locked member is about to earn, in each group where it matters.

    Groups in which every tier upgrades after the purchase are left out: there all of
    it is at the rate of the tier held before.
    """
    ladders = {
        group: ladder_
        for group, ladder_ in _in_force(groups, at).items()
        if ladder_.measure.balance in earned and _may_split(ladder_)
    }
    if not ladders:
        return []
    found = []
    for standing in _standings(program_id, member_id, list(ladders), at):
        ladder_ = ladders[standing.group_id]
        balance = ladder_.measure.balance
        shares = ladder.shares(
            ladder_, standing.tier_id, standing.qualifying_points, earned[balance]
        )
        found += [Share(standing.group_id, balance, *share) for share in shares]
    return found


def _in_force(groups: Sequence[TierGroup], at: datetime) -> dict[int, Ladder]:
    found = {}
    for group, ladders in rules.ladders_of(groups).items():
        begun = [ladder_ for ladder_ in ladders if ladder_.starts_at <= at]
        if begun:
            found[group] = begun[-1]
    return found


def _may_split(ladder_: Ladder) -> bool:
    return any(rung.upgrade_type != "LAZY" for rung in ladder_.rungs)


def _standings(
    program_id: int, member_id: int, groups: Sequence[int], at: datetime
) -> list[Standing]:
    """Return where the member stands now, not at the last tick."""
    rows = Standing.objects.filter(member=member_id, group__in=groups).order_by("group")
    standings = list(rows)
    if any(s.due_at is not None and s.due_at <= at for s in standings):
        judging.bring_up_to_date(program_id, [member_id], at)
        standings = list(rows.all())
    return standings
