"""Writing what judging found: assignments, where members stand, and what follows.

Only what differs from what is stored is written of the past: superseded, never
edited. With a move go the note for the counts and the event for the member.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q

from loyalty import rows
from loyalty.models import Member

from . import counts, ladder, outbox
from .models import Standing, TierAssignment, TierGroup
from .sets import Ids, Move

Outcomes = Mapping[int, ladder.Outcome]


def write(group: TierGroup, outcomes: Outcomes, as_of: datetime) -> list[Move]:
    """Store what differs; return who holds another tier than before.

    The members are locked. ``as_of`` is also when this is recorded.
    """
    _write_assignments(group, outcomes, as_of)
    before = _read_standings(group, outcomes)
    moves: list[Move] = []
    told: list[outbox.Moved] = []
    renewed: list[tuple[int, ladder.Renewed]] = []
    changes: Counter[int] = Counter()
    standings: list[tuple[Any, ...]] = []
    for member, outcome in outcomes.items():
        old = before[member]
        current = outcome.current
        tier = current.tier if current else None
        if tier != old.tier:
            moves.append(Move(member, old.tier, tier))
            told.append(outbox.Moved(member, old.tier, tier, _since(outcome, as_of)))
        renewed += [
            (member, renewal)
            for renewal in outcome.renewed
            if renewal.tier == tier
            and old.evaluated_at is not None
            and old.evaluated_at < renewal.at
        ]
        counted_as = tier if old.is_active else None
        counts.count_move(changes, old.counted_as, counted_as)
        standings.append(
            (
                member,
                group.pk,
                tier,
                current.start if current else None,
                outcome.amount,
                as_of,
                group.ruleset,
                outcome.due_at,
                outcome.next_exit_at,
                outcome.drops_at,
                outcome.term_ends_at,
                counted_as,
            )
        )
    rows.insert(
        Standing,
        STANDING_FIELDS,
        standings,
        unique=STANDING_FIELDS[:2],
        replace=STANDING_FIELDS[2:],
    )
    counts.note(group.program_id, changes, as_of)
    outbox.tell(group, told, renewed, as_of)
    return moves


def follow(group: TierGroup, ids: Ids, moves: Sequence[Move], as_of: datetime) -> None:
    """Note and tell what follows from moves that were written in sets."""
    members = (
        Q(member__gte=ids.start, member__lt=ids.stop)
        if isinstance(ids, range)
        else Q(member__in=ids)
    )
    counts.settle(group.program_id, group.pk, members, as_of)
    if moves:
        since = _last_changes(group, [move.member for move in moves])
        told = [
            outbox.Moved(m.member, m.before, m.after, since.get(m.member, as_of))
            for m in moves
        ]
        outbox.tell(group, told, (), as_of)


class _Before(NamedTuple):
    """What is stored of a member; of one without a standing, next to nothing."""

    is_active: bool
    tier: int | None = None
    evaluated_at: datetime | None = None
    counted_as: int | None = None


STANDING_FIELDS = (
    "member",
    "group",
    "tier",
    "since",
    "qualifying_points",
    "evaluated_at",
    "ruleset",
    "due_at",
    "next_exit_at",
    "drops_at",
    "term_ends_at",
    "counted_as",
)

#: What an assignment says, in the order of ``_said``: where any of it differs, what
#: was said before is superseded.
SAID = (
    "tier",
    "valid_from",
    "valid_until",
    "reason",
    "amount",
    "threshold",
    "tier_version",
    "group_version",
)


def _read_standings(group: TierGroup, members: Iterable[int]) -> dict[int, _Before]:
    found = {}
    stored = Standing.objects.filter(group=group, member__in=members)
    for member, status, tier, evaluated_at, counted_as in stored.values_list(
        "member_id", "member__status", "tier_id", "evaluated_at", "counted_as_id"
    ):
        is_active = status == counts.ACTIVE
        found[member] = _Before(is_active, tier, evaluated_at, counted_as)
    newcomers = [member for member in members if member not in found]
    if newcomers:
        statuses = Member.objects.filter(pk__in=newcomers)
        for member, status in statuses.values_list("pk", "status"):
            found[member] = _Before(status == counts.ACTIVE)
    return found


def _write_assignments(group: TierGroup, outcomes: Outcomes, as_of: datetime) -> None:
    stored: dict[int, dict[tuple[Any, ...], int]] = {}
    known = TierAssignment.objects.known_now().filter(group=group, member__in=outcomes)
    for pk, member, *said in known.values_list("pk", "member_id", *SAID):
        stored.setdefault(member, {})[tuple(said)] = pk
    superseded: list[int] = []
    new: list[tuple[int, tuple[Any, ...]]] = []
    for member, outcome in outcomes.items():
        there = stored.get(member, {})
        wanted = {_said(held) for held in outcome.held}
        superseded += [pk for said, pk in there.items() if said not in wanted]
        new += [(member, said) for said in wanted if said not in there]
    if superseded:
        gone = TierAssignment.objects.filter(pk__in=superseded)
        gone.update(superseded_at=as_of)
    rows.send(inserting(group, new, as_of))


def inserting(
    group: TierGroup, held: Sequence[tuple[int, tuple[Any, ...]]], as_of: datetime
) -> list[rows.Command]:
    """Return what writes intervals of members; each says what ``SAID`` names."""
    return rows.inserting(
        TierAssignment,
        ("member", "group", "recorded_at", *SAID),
        [(member, group.pk, as_of, *said) for member, said in held],
    )


def _said(held: ladder.Held) -> tuple[Any, ...]:
    return (
        held.tier,
        held.start,
        held.end,
        held.reason,
        held.amount,
        held.threshold,
        held.version,
        held.group_version,
    )


def _since(outcome: ladder.Outcome, as_of: datetime) -> datetime:
    """Return when the present state began."""
    current = outcome.current
    if current:
        return current.start
    ends = [held.end for held in outcome.held if held.end]
    return max(ends, default=as_of)


def _last_changes(group: TierGroup, members: Sequence[int]) -> dict[int, datetime]:
    """Return when each member's present state began, from the intervals."""
    known = TierAssignment.objects.known_now().filter(group=group, member__in=members)
    intervals = known.order_by("valid_from").values_list(
        "member", "valid_from", "valid_until"
    )
    return {member: until or start for member, start, until in intervals}
