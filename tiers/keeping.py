"""Writing what judging found: assignments, and where members stand.

Only what differs from what is stored is written: superseded, never edited.
"""

from datetime import datetime
from typing import Any

from . import ladder
from .models import Standing, TierAssignment, TierGroup


def write(
    group: TierGroup, outcomes: dict[int, ladder.Outcome], as_of: datetime
) -> set[int]:
    """Store what differs; return the members whose present tier is another."""
    stored: dict[int, dict[tuple[Any, ...], int]] = {}
    known = TierAssignment.objects.known_now().filter(group=group, member__in=outcomes)
    for pk, member, *key in known.values_list(
        "pk", "member_id", "tier_id", "valid_from", "valid_until"
    ):
        stored.setdefault(member, {})[tuple(key)] = pk
    before = dict(
        Standing.objects.filter(group=group, member__in=outcomes).values_list(
            "member_id", "tier_id"
        )
    )
    superseded: list[int] = []
    new: list[TierAssignment] = []
    standings: list[Standing] = []
    moved: set[int] = set()
    for member, outcome in outcomes.items():
        rows = stored.get(member, {})
        wanted = {(held.tier, held.start, held.end): held for held in outcome.held}
        superseded += [pk for key, pk in rows.items() if key not in wanted]
        new += [
            _assignment(group, member, held, as_of)
            for key, held in wanted.items()
            if key not in rows
        ]
        current = outcome.current
        tier = current.tier if current else None
        if before.get(member) != tier:
            moved.add(member)
        standings.append(_standing(group, member, outcome, as_of))
    TierAssignment.objects.filter(pk__in=superseded).update(superseded_at=as_of)
    TierAssignment.objects.bulk_create(new)
    Standing.objects.bulk_create(
        standings,
        update_conflicts=True,
        unique_fields=["member", "group"],
        update_fields=[
            "tier",
            "qualifying_points",
            "since",
            "evaluated_at",
            "ruleset",
            "due_at",
            "next_exit_at",
            "drops_at",
        ],
    )
    return moved


def _assignment(
    group: TierGroup, member: int, held: ladder.Held, as_of: datetime
) -> TierAssignment:
    return TierAssignment(
        member_id=member,
        group=group,
        tier_id=held.tier,
        valid_from=held.start,
        valid_until=held.end,
        recorded_at=as_of,
        reason=held.reason,
        amount=held.amount,
        threshold=held.threshold,
        tier_version_id=held.version,
        group_version_id=held.group_version,
    )


def _standing(
    group: TierGroup, member: int, outcome: ladder.Outcome, as_of: datetime
) -> Standing:
    current = outcome.current
    return Standing(
        member_id=member,
        group=group,
        tier_id=current.tier if current else None,
        since=current.start if current else None,
        qualifying_points=outcome.amount,
        evaluated_at=as_of,
        ruleset=group.ruleset,
        due_at=outcome.due_at,
        next_exit_at=outcome.next_exit_at,
        drops_at=outcome.drops_at,
    )
