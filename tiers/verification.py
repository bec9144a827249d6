"""Whether what is stored is what it should be, recomputed from what it rests on.

Chains and balances are recomputed from the ledger, standings and assignments from
ledger and rules, counts from the intervals, and whatever was ever live is matched
with a decision. What is still to be done (marked members, due standings) is not a
fault: it is judged at the instant for which it was last brought up to date.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from django.db.models import Count, Q, Sum

from approvals import kinds
from approvals.models import ChangeSetItem, Contribution, Decision
from loyalty import points
from loyalty.models import Balance, Member, PointsEntry, Program

from . import counts, facts, ladder, rules
from .models import Standing, Tier, TierAssignment, TierGroup

CHUNK = 1000


def problems(program: Program) -> Iterator[str]:
    """Yield a sentence for each row of a program that differs, most basic first."""
    yield from decisions(program.pk)
    members = Member.objects.filter(program=program).order_by("pk")
    ids = iter(members.values_list("pk", flat=True).iterator(CHUNK))
    while chunk := list(islice(ids, CHUNK)):
        yield from ledger(chunk)
        yield from standings(program.pk, chunk)
    yield from customer_counts(program)


def decisions(program_id: int) -> Iterator[str]:
    """Match every version that was ever live with its decision, by a stranger."""
    for kind in kinds.all_kinds():
        ever_live = kind.version._default_manager.filter(live_from__isnull=False)
        for version in ever_live.order_by("pk"):
            if kind.program_id(version) != program_id:
                continue
            name = f"{kind.word.capitalize()} version {version.pk}"
            decision = Decision.objects.filter(
                change_set=version.change_set_id,
                change_set__items__kind=kind.name,
                change_set__items__version_id=version.pk,
                change_set__items__content_hash=version.content_hash,
            ).first()
            if decision is None or decision.kind == Decision.Kind.REJECTED:
                yield f"{name} was live without a decision on what it says."
            elif decision.kind == Decision.Kind.APPROVED and _had_a_hand(decision):
                yield f"{name} was approved by somebody who had a hand in it."


def _had_a_hand(decision: Decision) -> bool:
    hands = Q()
    items = ChangeSetItem.objects.filter(change_set=decision.change_set_id)
    for kind, version_id in items.values_list("kind", "version_id"):
        hands |= Q(kind=kind, version_id=version_id)
    return Contribution.objects.filter(hands, user=decision.decided_by).exists()


def ledger(member_ids: Sequence[int]) -> Iterator[str]:
    """Recompute chains and balances of some members."""
    for member in Member.objects.filter(pk__in=member_ids).order_by("pk"):
        broken = points.verify(member)
        if broken:
            yield f"Ledger of member {member.pk}: {broken.reason}"
    sums = {
        (row["member"], row["balance_definition"]): row["total"]
        for row in PointsEntry.objects.filter(member__in=member_ids)
        .order_by()
        .values("member", "balance_definition")
        .annotate(total=Sum("amount"))
    }
    stored = {
        (member, definition): amount
        for member, definition, amount in Balance.objects.filter(
            member__in=member_ids
        ).values_list("member", "balance_definition", "amount")
    }
    for key in sorted(sums.keys() | stored.keys()):
        if sums.get(key, 0) != stored.get(key, 0):
            yield (
                f"Balance {key[1]} of member {key[0]} is {stored.get(key, 0)}, "
                f"the ledger says {sums.get(key, 0)}."
            )


def standings(program_id: int, member_ids: Sequence[int]) -> Iterator[str]:
    """Fold some members from scratch, each to the instant of its standing."""
    groups = list(TierGroup.objects.kept().filter(program=program_id).order_by("pk"))
    ladders = rules.ladders_of(groups)
    known = facts.read(member_ids, groups, ladders.values())
    for group in groups:
        held: dict[int, list[Any]] = {}
        rows = TierAssignment.objects.known_now().filter(
            group=group, member__in=member_ids
        )
        for row in rows.order_by("valid_from"):
            held.setdefault(row.member_id, []).append(row)
        judged = Standing.objects.filter(group=group, member__in=member_ids)
        for standing in judged.exclude(member__marked_at__isnull=False):
            if standing.ruleset != group.ruleset:
                continue
            member = standing.member_id
            outcome = known.fold(
                member, group.pk, ladders[group.pk], standing.evaluated_at
            )
            yield from _compare(standing, outcome, held.get(member, []))


def _compare(
    standing: Standing, outcome: ladder.Outcome, held: Iterable[Any]
) -> Iterator[str]:
    name = f"member {standing.member_id} in group {standing.group_id}"
    current = outcome.current
    for what, stored, right in (
        ("tier", standing.tier_id, current.tier if current else None),
        ("qualifying amount", standing.qualifying_points, outcome.amount),
        ("next due time", standing.due_at, outcome.due_at),
        ("next exit", standing.next_exit_at, outcome.next_exit_at),
        ("time of losing the tier", standing.drops_at, outcome.drops_at),
    ):
        if stored != right:
            yield f"Standing of {name}: the {what} is {stored}, not {right}."
    intervals = [(row.tier_id, row.valid_from, row.valid_until) for row in held]
    right_ones = [(h.tier, h.start, h.end) for h in outcome.held]
    if intervals != right_ones:
        differ = next(
            (
                f"{stored} instead of {right}"
                for stored, right in zip(intervals, right_ones, strict=False)
                if stored != right
            ),
            f"{len(intervals)} instead of {len(right_ones)}",
        )
        yield f"Assignments of {name} differ: {differ}."


def customer_counts(program: Program) -> Iterator[str]:
    """Count the intervals that were known when customers were counted last."""
    tiers = Tier.objects.filter(
        pk__in=counts.live_tiers(program).values("tier"), counted_at__isnull=False
    )
    if not program.tiers_are_active:
        return
    for tier in tiers.order_by("pk"):
        known = Q(superseded_at__isnull=True) | Q(superseded_at__gt=tier.counted_at)
        covering = Q(valid_until__isnull=True) | Q(valid_until__gt=tier.counted_at)
        found = TierAssignment.objects.filter(
            known,
            covering,
            tier=tier,
            recorded_at__lte=tier.counted_at,
            valid_from__lte=tier.counted_at,
            member__status=counts.ACTIVE,
        ).aggregate(customers=Count("pk"))["customers"]
        if found != tier.customer_count:
            yield (
                f"Tier {tier.pk} counts {tier.customer_count} customers, its "
                f"assignments say {found} as of {tier.counted_at}."
            )
