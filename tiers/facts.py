"""What the ledger and the books say of many members, as the ladder wants it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q

from loyalty.models import Membership, PointsEntry

from . import ladder
from .ladder import Acts, Ladder, Line, Move, Span
from .models import ManualMove, OrderedEvaluation, Override, TierGroup


class Facts(NamedTuple):
    """All that is known of some members; whom nothing is known of is left out."""

    lines: dict[int, list[Line]]
    memberships: dict[int, list[Span]]
    #: By group, then by member; what concerns everybody in a group is at 0.
    acts: dict[int, dict[int, Acts]]

    def fold(
        self, member: int, group: int, ladders: Sequence[Ladder], as_of: datetime
    ) -> ladder.Outcome:
        acts = self.acts.get(group, {})
        return ladder.fold(
            self.lines.get(member, ()),
            self.memberships.get(member, ()),
            ladders,
            as_of,
            acts.get(member) or acts.get(0) or ladder.NOTHING,
        )


def read(
    ids: Sequence[int],
    groups: Sequence[TierGroup],
    ladders: Iterable[Sequence[Ladder]],
) -> Facts:
    """Read members' lines, memberships and what was done to them, in five queries."""
    return Facts(lines_of(ids, ladders), memberships_of(ids), acts_of(ids, groups))


def memberships_of(ids: Sequence[int]) -> dict[int, list[Span]]:
    found: dict[int, list[Span]] = {}
    rows = Membership.objects.filter(member__in=ids)
    for member, start, end in rows.values_list("member", "started_at", "ended_at"):
        found.setdefault(member, []).append(Span(start, end))
    return found


def lines_of(
    ids: Sequence[int], ladders: Iterable[Sequence[Ladder]]
) -> dict[int, list[Line]]:
    balances = {
        balance for group in ladders for rules in group for balance in rules.balances()
    }
    found: dict[int, list[Line]] = {}
    rows = PointsEntry.objects.filter(
        member__in=ids, balance_definition__in=balances
    ).values_list(
        "member_id",
        "balance_definition_id",
        "kind",
        "reverses__kind",
        "amount",
        "occurred_at",
        "window_at",
        "request_id",
        "reverses__request_id",
    )
    for member, balance, kind, reversed_kind, *rest in rows.iterator(chunk_size=10_000):
        line = Line(balance, kind, reversed_kind or kind, *rest)
        found.setdefault(member, []).append(line)
    return found


def acts_of(
    ids: Sequence[int], groups: Sequence[TierGroup]
) -> dict[int, dict[int, Acts]]:
    """Return what people did, in the order in which they did it."""
    found: dict[int, dict[int, Acts]] = defaultdict(dict)

    def add(group: int, member: int | None, more: Acts) -> None:
        acts = found[group].get(member or 0, ladder.NOTHING)
        found[group][member or 0] = Acts(
            acts.moves + more.moves,
            acts.overrides + more.overrides,
            acts.evaluations + more.evaluations,
        )

    ordered = OrderedEvaluation.objects.filter(
        Q(member__isnull=True) | Q(member__in=ids), group__in=groups
    )
    for member, group, at in ordered.order_by("at", "pk").values_list(
        "member", "group", "at"
    ):
        add(group, member, Acts(evaluations=(at,)))
    moves = ManualMove.objects.filter(member__in=ids, group__in=groups)
    for member, group, at, tier in moves.order_by("at", "pk").values_list(
        "member", "group", "at", "tier"
    ):
        add(group, member, Acts(moves=(Move(at, tier),)))
    overrides = Override.objects.filter(member__in=ids, group__in=groups)
    for member, group, bound, tier, at, until in overrides.order_by("at").values_list(
        "member", "group", "bound", "tier", "at", "until"
    ):
        span = Span(at, until)
        add(group, member, Acts(overrides=(ladder.Override(bound, tier, span),)))
    for members in found.values():
        _share(members)
    return found


def _share(members: dict[int, Acts]) -> None:
    """Add what concerns everybody to each member's own."""
    everybodys = members.get(0)
    if everybodys is None:
        return
    for member, acts in members.items():
        if member:
            evaluations = everybodys.evaluations + acts.evaluations
            members[member] = Acts(acts.moves, acts.overrides, evaluations)
