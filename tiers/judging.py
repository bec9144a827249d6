"""Judging members: what is true of them now, written where it differs.

A member is judged in one transaction: under a shared lock on the program's groups,
so that no publication comes in between, and a lock on the member, so that no entry
does. Whoever posts points calls this too, through ``loyalty.evaluators``.
"""

from collections.abc import Sequence
from datetime import datetime

from loyalty import points
from loyalty.models import Member

from . import facts, keeping, locks, rules, sets
from .ladder import Ladder
from .models import Standing, TierGroup
from .sets import Move


def bring_up_to_date(
    program_id: int,
    member_ids: Sequence[int],
    as_of: datetime,
    groups: Sequence[TierGroup] | None = None,
) -> list[Move]:
    """Judge members in all groups of their program; return who changed tier.

    Call it in a transaction. It takes the groups' shared lock before the members',
    as posting does; ``groups`` are theirs, if that has been done.
    """
    if groups is None:
        groups = locks.share(program_id)
    ids = sorted(member_ids)
    rows = Member.objects.select_for_update(no_key=True).filter(pk__in=ids)
    locked = list(
        rows.order_by("pk").only("marked_at", "expires_next_at", "chain_length")
    )
    marked = {member.pk for member in locked if member.marked_at}
    expired = [m.pk for m in locked if m.expires_next_at and m.expires_next_at <= as_of]
    if expired:
        # What is lost is lost before anybody is judged.
        points.settle(expired, as_of)
        marked.update(expired)
    ladders = rules.ladders_of(groups)
    # One that never went live has no rules: nobody stands anywhere in it.
    groups = [group for group in groups if ladders[group.pk]]
    moves: list[Move] = []
    folded: dict[int, Sequence[int]] = {}
    for group in groups:
        folded[group.pk] = ids
        if sets.are_worth_it(locked) and sets.suit(ladders[group.pk]):
            folded[group.pk] = acted = facts.acted_on(ids, group)
            judged = sets.judge(group, ladders[group.pk], ids, as_of, excluding=acted)
            keeping.follow(group, ids, judged.moves, as_of)
            moves += judged.moves
    moves += _fold(groups, ladders, folded, as_of)
    if marked:
        Member.objects.filter(pk__in=marked).update(marked_at=None)
    return moves


def _fold(
    groups: Sequence[TierGroup],
    ladders: dict[int, list[Ladder]],
    folded: dict[int, Sequence[int]],
    as_of: datetime,
) -> list[Move]:
    """Judge the members who are to be folded in each group, one by one."""
    ids = sorted({pk for members in folded.values() for pk in members})
    moves: list[Move] = []
    if not ids:
        return moves
    known = facts.read(ids, groups, ladders.values())
    for group in groups:
        outcomes = {
            pk: known.fold(pk, group.pk, ladders[group.pk], as_of)
            for pk in folded[group.pk]
        }
        moves += keeping.write(group, outcomes, as_of)
    return moves


def catch_up(program_id: int, member_ids: Sequence[int], as_of: datetime) -> list[Move]:
    """Judge members as of an instant, or of the later one that they have seen.

    A batch takes its instant before it gets to everybody. Who posted meanwhile has
    been judged as of then, and does not go back.
    """
    locks.share(program_id)
    locked = Member.objects.select_for_update(no_key=True).filter(pk__in=member_ids)
    present = set(locked.order_by("pk").values_list("pk", flat=True))
    ahead = Standing.objects.filter(member__in=present, evaluated_at__gt=as_of)
    later = dict(ahead.order_by("evaluated_at").values_list("member", "evaluated_at"))
    moves: list[Move] = []
    if rest := sorted(present - later.keys()):
        moves += bring_up_to_date(program_id, rest, as_of)
    for instant in sorted(set(later.values())):
        members = sorted(m for m, seen in later.items() if seen == instant)
        moves += bring_up_to_date(program_id, members, instant)
    return moves


def groups_of(program_id: int) -> list[TierGroup]:
    return list(TierGroup.objects.kept().filter(program=program_id).order_by("pk"))
