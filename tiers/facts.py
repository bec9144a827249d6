"""What the ledger and the books say of many members, as the ladder wants it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, CharField, DateTimeField, F, Q, Value
from django.db.models.functions import Cast

from loyalty.models import Membership, PointsEntry

from . import ladder
from .ladder import Acts, Ladder, Line, Move, Span
from .models import ManualMove, OrderedEvaluation, Override, TierGroup

EVALUATION, MOVE, OVERRIDE = "evaluation", "move", "override"


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
    """Read members' lines, memberships and what was done to them, in three queries."""
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
    read: Iterable[Any] = rows.iterator(chunk_size=10_000)
    for member, balance, kind, reversed_kind, *rest in read:
        line = Line(balance, kind, reversed_kind or kind, *rest)
        found.setdefault(member, []).append(line)
    return found


def acts_of(
    ids: Sequence[int], groups: Sequence[TierGroup]
) -> dict[int, dict[int, Acts]]:
    """Return what people did, in the order in which they did it, in one query."""
    found: dict[int, dict[int, Acts]] = defaultdict(dict)
    for kind, at, _pk, member, group, tier, bound, until in _rows_of_acts(ids, groups):
        if kind == MOVE:
            more = Acts(moves=(Move(at, tier),))
        elif kind == OVERRIDE:
            more = Acts(overrides=(ladder.Override(bound, tier, Span(at, until)),))
        else:
            more = Acts(evaluations=(at,))
        before = found[group].get(member or 0, ladder.NOTHING)
        found[group][member or 0] = _together(before, more)
    for members in found.values():
        everybodys = members.get(0, ladder.NOTHING)
        for member in members.keys() - {0}:
            members[member] = _together(members[member], everybodys)
    return found


def _rows_of_acts(ids: Sequence[int], groups: Sequence[TierGroup]) -> Any:
    """Return kind, instant, key, member, group, tier, bound and end of each act."""
    of_these = {"member__in": ids, "group__in": groups}
    ordered = OrderedEvaluation.objects.filter(
        Q(member__isnull=True) | Q(member__in=ids), group__in=groups
    )
    nothing = {
        # Cast: in a union of many, PostgreSQL takes a bare null for text.
        "tier_or_none": Cast(Value(None), BigIntegerField()),
        "bound_or_none": Value("", output_field=CharField()),
        "end_or_none": Cast(Value(None), DateTimeField()),
    }
    columns = ("at", "pk", "member_id", "group_id")
    parts = [
        queryset.order_by()
        .annotate(kind=Value(kind, output_field=CharField()), **nothing | own)
        .values_list("kind", *columns, *nothing)
        for kind, queryset, own in (
            (EVALUATION, ordered, {}),
            (MOVE, ManualMove.objects.filter(**of_these), {"tier_or_none": F("tier")}),
            (
                OVERRIDE,
                Override.objects.filter(**of_these),
                {
                    "tier_or_none": F("tier"),
                    "bound_or_none": F("bound"),
                    "end_or_none": F("until"),
                },
            ),
        )
    ]
    return parts[0].union(*parts[1:], all=True).order_by("at", "pk")


def acted_on(ids: Sequence[int] | range, group: TierGroup) -> list[int]:
    """Return the members whose tier does not follow from their amounts alone."""
    # Few members are: to name all of a thousand would cost more than to read those.
    if not ids:
        return []
    members = {"member__gte": min(ids), "member__lte": max(ids)}
    moved, bounded = (
        rows.filter(**members, group=group).order_by().values_list("member")
        for rows in (ManualMove.objects, Override.objects)
    )
    return sorted({pk for (pk,) in moved.union(bounded)} & set(ids))


def _together(one: Acts, other: Acts) -> Acts:
    return Acts(
        one.moves + other.moves,
        one.overrides + other.overrides,
        one.evaluations + other.evaluations,
    )
