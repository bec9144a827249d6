"""Judging members: what is true of them now, written where it differs.

A member is judged in one transaction: under a shared lock on the program's groups,
so that no publication comes in between, and a lock on the member, so that no entry
does. Whoever posts points calls this too, through ``loyalty.evaluators``.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from loyalty.models import Member

from . import facts, keeping, rules
from .models import TierGroup
from .models.groups import TierGroupQuerySet


def bring_up_to_date(
    program_id: int, member_ids: Sequence[int], as_of: datetime
) -> int:
    """Judge members in all groups of their program; return how many changed tier.

    Call it in a transaction. It takes the groups' shared lock before the members',
    as posting does.
    """
    groups = share_groups(program_id)
    ids = sorted(member_ids)
    locked = Member.objects.select_for_update(no_key=True).filter(pk__in=ids)
    marked = {m.pk for m in locked.order_by("pk").only("marked_at") if m.marked_at}
    ladders = rules.ladders_of(groups)
    known = facts.read(ids, groups, ladders.values())
    moved = set()
    for group in groups:
        outcomes = {
            pk: known.fold(pk, group.pk, ladders[group.pk], as_of) for pk in ids
        }
        moved |= keeping.write(group, outcomes, as_of)
    if marked:
        Member.objects.filter(pk__in=marked).update(marked_at=None)
    return len(moved)


def share_groups(program_id: int) -> list[TierGroup]:
    """Lock a program's groups so that no publication changes them meanwhile.

    Others may share the lock. On SQLite the one writer is alone anyway.
    """
    groups = groups_of(program_id)
    if connection.vendor == "postgresql":
        sql, parameters = groups.query.sql_with_params()
        return list(TierGroup.objects.raw(f"{sql} FOR SHARE", parameters))
    return list(groups)


def groups_of(program_id: int) -> TierGroupQuerySet:
    return TierGroup.objects.kept().filter(program=program_id).order_by("pk")
