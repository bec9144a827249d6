"""A member who posts on time: a step from where they stood, without their history.

Most postings are of now, by members whose lines have all been judged, in a group
where one amount decides. Then the new amount is the old one with what was posted, and
if that reaches the same tier, only the standing changes. Everything else is judged
from the whole history, as ever: ``step`` says that it does not know.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any

from django.db.models import Exists, F, OuterRef, Q

from loyalty.models import Member, Membership, PointsEntry

from . import counts, sets
from . import ladder as rules
from .ladder import Ladder, Line, Span
from .models import ManualMove, Override, Standing, TierGroup

#: Who has more lines that are not judged yet is judged from the whole history.
LATEST = 8
#: Whose status has changed is counted anew when the whole history is judged.
COUNTED_RIGHTLY = Q(member__status=counts.ACTIVE, counted_as=F("tier")) | (
    ~Q(member__status=counts.ACTIVE) & Q(counted_as__isnull=True)
)


def step(
    group: TierGroup, ladders: Sequence[Ladder], member: Member, as_of: datetime
) -> bool:
    """Bring a locked member's standing up to an instant, if that is all it takes.

    ``member.marked_at`` is when the first line was posted that is not judged yet.
    """
    if not sets.suit(ladders):
        return False
    ladder = ladders[-1]
    standing = _standing(group, ladder, member, as_of)
    if standing is None:
        return False
    added = _added(ladder, member, standing.evaluated_at, as_of)
    if added is None:
        return False
    amount = standing.qualifying_points + sum(line.amount for line, _ in added)
    least = _least_of_tier(ladder, standing.tier_id, amount)
    if least is None:
        return False
    ends = [span.end for _, span in added if span.end is not None]
    standing.qualifying_points = amount
    standing.evaluated_at = as_of
    standing.due_at = _first(standing.due_at, *ends)
    standing.next_exit_at = _first(standing.next_exit_at, *ends)
    if added and least > sets.LOWEST:
        standing.drops_at = sets.drops_at(ladder, member.pk, amount, least, as_of)
    standing.save(
        update_fields=[
            "qualifying_points",
            "evaluated_at",
            "due_at",
            "next_exit_at",
            "drops_at",
        ]
    )
    return True


def _standing(
    group: TierGroup, ladder: Ladder, member: Member, as_of: datetime
) -> Standing | None:
    """Return where the member stood, if nothing but lines came since."""
    acts = {"member": OuterRef("member"), "group": group}
    return (
        Standing.objects.filter(
            COUNTED_RIGHTLY,
            ~Exists(ManualMove.objects.filter(**acts)),
            ~Exists(Override.objects.filter(**acts)),
            Exists(
                Membership.objects.filter(
                    member=OuterRef("member"),
                    started_at__lte=OuterRef("evaluated_at"),
                    ended_at__isnull=True,
                )
            ),
            group=group,
            member=member,
            tier__isnull=False,
            ruleset=group.ruleset,
            evaluated_at__gte=ladder.starts_at,
            evaluated_at__lt=min(as_of, member.marked_at or as_of),
        )
        .exclude(due_at__lte=as_of)
        .first()
    )


def _added(
    ladder: Ladder, member: Member, judged_at: datetime, as_of: datetime
) -> list[tuple[Line, Span]] | None:
    """Return what was posted since and weighs; None where a step is not enough."""
    rows = PointsEntry.objects.filter(member=member).order_by("-sequence")
    latest: list[tuple[Any, ...]] = list(
        rows.values_list(
            "recorded_at",
            "balance_definition_id",
            "kind",
            "reverses__kind",
            "amount",
            "occurred_at",
            "window_at",
        )[:LATEST]
    )
    new = list(takewhile(lambda row: row[0] > judged_at, latest))
    if len(new) == LATEST:
        return None
    added = []
    for _, balance, kind, reversed_kind, amount, occurred_at, window_at in new:
        if not judged_at < occurred_at <= as_of:
            return None
        line = Line(
            balance, kind, reversed_kind or kind, amount, occurred_at, window_at
        )
        span = rules.contribution(line, ladder.measure, ladder.zone)
        if span is not None and (span.end is None or span.end > as_of):
            added.append((line, span))
        elif span is not None:
            return None
    # Between two instants the member may have stood elsewhere.
    return added if len({span.start for _, span in added}) <= 1 else None


def _least_of_tier(ladder: Ladder, tier: int | None, amount: int) -> int | None:
    """Return the tier's lower bound, if it is this one that the amount reaches."""
    reached = None
    for minimum, rung in rules.bounds(ladder):
        if minimum is None or minimum <= amount:
            reached = (sets.LOWEST if minimum is None else minimum, rung.tier)
    return reached[0] if reached and reached[1] == tier else None


def _first(*instants: datetime | None) -> datetime | None:
    return min((at for at in instants if at is not None), default=None)
