"""What the ledger and the books say of many members, as the ladder wants it."""

from collections.abc import Iterable, Sequence

from loyalty.models import Membership, PointsEntry

from . import ladder


def memberships_of(ids: Sequence[int]) -> dict[int, list[ladder.Span]]:
    found: dict[int, list[ladder.Span]] = {}
    rows = Membership.objects.filter(member__in=ids)
    for member, start, end in rows.values_list("member", "started_at", "ended_at"):
        found.setdefault(member, []).append(ladder.Span(start, end))
    return found


def lines_of(
    ids: Sequence[int], ladders: Iterable[Sequence[ladder.Ladder]]
) -> dict[int, list[ladder.Line]]:
    balances = {
        measure.balance
        for group in ladders
        for rules_ in group
        for measure in rules_.measures()
    }
    found: dict[int, list[ladder.Line]] = {}
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
    )
    for (
        member,
        balance,
        kind,
        reversed_kind,
        amount,
        occurred_at,
        window_at,
    ) in rows.iterator(chunk_size=10_000):
        found.setdefault(member, []).append(
            ladder.Line(
                balance=balance,
                kind=kind,
                weighs_as=reversed_kind or kind,
                amount=amount,
                occurred_at=occurred_at,
                window_at=window_at,
            )
        )
    return found
