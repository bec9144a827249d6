"""Whether what is stored is what it should be, recomputed from what it rests on.

Chains, seals and balances are recomputed from the ledger, standings and assignments
from ledger and rules, counts and snapshots from the intervals, and whatever was ever
live is matched with a decision. What is still to be done (marked members, due
standings) is not a fault unless an instant is given by which it had to be done: else
it is judged at the instant for which it was last brought up to date.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Q, Sum

from approvals import kinds
from approvals.models import AuditEvent, ChangeSetItem, Contribution, Decision
from loyalty import points
from loyalty.models import Balance, Member, PointsEntry, Program

from . import counts, facts, ladder, locks, rules, snapshots
from .models import (
    CountChange,
    Standing,
    Tier,
    TierAssignment,
    TierEvent,
    TierGroup,
    TierSnapshot,
)

CHUNK = 1000
#: What changes whether a member counts.
STATUS_VERBS = ("close", "activate_member", "deactivate_member")


def problems(
    program: Program,
    *,
    members: tuple[int, int] | None = None,
    as_of: datetime | None = None,
) -> Iterator[str]:
    """Yield a sentence for each row of a program that differs, most basic first.

    ``members`` are the first and the last of those to look at; what is true of all
    together (counts, seals) is then left out. ``as_of`` asks that everything that
    was due by then has been done.
    """
    chosen = Member.objects.filter(program=program).order_by("pk")
    if members is not None:
        chosen = chosen.filter(pk__range=members)
    else:
        yield from decisions(program.pk)
        yield from points.verify_seals(program)
    last = 0
    # By key: nothing is kept of those who were looked at.
    while chunk := list(
        chosen.filter(pk__gt=last).values_list("pk", flat=True)[:CHUNK]
    ):
        yield from ledger(chunk)
        yield from points.verify_expiries(program.pk, chunk)
        yield from standings(program.pk, chunk)
        yield from events(chunk)
        if as_of:
            yield from left_undone(chunk, as_of)
        last = chunk[-1]
    if members is None:
        yield from customer_counts(program)
        yield from last_snapshot(program)


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
    """Fold some members from scratch, each to the instant at which they were judged."""
    groups = list(TierGroup.objects.kept().filter(program=program_id).order_by("pk"))
    ladders = rules.ladders_of(groups)
    known = facts.read(member_ids, groups, ladders.values())
    settled = Member.objects.filter(pk__in=member_ids, marked_at__isnull=True)
    statuses = dict(settled.order_by("pk").values_list("pk", "status"))
    last_lines = dict(
        PointsEntry.objects.filter(member__in=statuses)
        .order_by()
        .values("member")
        .annotate(last=Max("recorded_at"))
        .values_list("member", "last")
    )
    for group in groups:
        held: dict[int, list[Any]] = {}
        rows = TierAssignment.objects.known_now().filter(
            group=group, member__in=member_ids
        )
        for row in rows.order_by("valid_from"):
            held.setdefault(row.member_id, []).append(row)
        judged = Standing.objects.filter(group=group, member__in=statuses)
        found = {standing.member_id: standing for standing in judged}
        for member, status in statuses.items():
            standing = found.get(member)
            if standing is None:
                if ladders[group.pk] and group.applied_ruleset == group.ruleset:
                    yield f"Member {member} has no standing in group {group.pk}."
            elif standing.ruleset == group.ruleset:
                # A line that changes nothing, a purchase of nothing, leaves no trace in
                # a standing; nor is anything due at it.
                as_of, last = standing.evaluated_at, last_lines.get(member)
                if last and (standing.due_at is None or last < standing.due_at):
                    as_of = max(as_of, last)
                outcome = known.fold(member, group.pk, ladders[group.pk], as_of)
                yield from _compare(standing, status, outcome, held.get(member, []))


def _compare(
    standing: Standing, status: str, outcome: ladder.Outcome, held: Iterable[Any]
) -> Iterator[str]:
    name = f"member {standing.member_id} in group {standing.group_id}"
    current = outcome.current
    tier = current.tier if current else None
    for what, stored, right in (
        ("tier", standing.tier_id, tier),
        ("beginning", standing.since, current.start if current else None),
        ("qualifying amount", standing.qualifying_points, outcome.amount),
        ("next due time", standing.due_at, outcome.due_at),
        ("next exit", standing.next_exit_at, outcome.next_exit_at),
        ("time of losing the tier", standing.drops_at, outcome.drops_at),
        ("end of the term", standing.term_ends_at, outcome.term_ends_at),
        (
            "tier counted in",
            standing.counted_as_id,
            tier if status == counts.ACTIVE else None,
        ),
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


def events(member_ids: Sequence[int]) -> Iterator[str]:
    """Find renewals and reminders that some members were told of twice."""
    for kind, date in (
        (TierEvent.Kind.RENEWED, "occurred_at"),
        (TierEvent.Kind.REMINDED, "ends_at"),
    ):
        told = TierEvent.objects.filter(member__in=member_ids, kind=kind).order_by()
        twice = told.values("member", "group", date).annotate(
            times=Count("pk"), last=Max("pk")
        )
        for row in twice.filter(times__gt=1).order_by("member"):
            yield (
                f"Event {row['last']} tells member {row['member']} a second time of "
                f"what is {kind.label.lower()} on {row[date]}."
            )


def left_undone(member_ids: Sequence[int], as_of: datetime) -> Iterator[str]:
    """Find what some members' ledgers and standings had to see done by an instant."""
    marked = Member.objects.filter(pk__in=member_ids, marked_at__lte=as_of)
    for member, at in marked.order_by("pk").values_list("pk", "marked_at"):
        yield f"Member {member} is marked since {at} and was not judged."
    due = Standing.objects.filter(member__in=member_ids, due_at__lte=as_of)
    for standing in due.order_by("member", "group"):
        yield (
            f"Standing of member {standing.member_id} in group {standing.group_id} "
            f"was due on {standing.due_at}."
        )


# What is true of all together


def customer_counts(program: Program) -> Iterator[str]:
    """Count the intervals: those that are known now, and those that were known when
    customers were counted last."""
    if not list(_wrong_counts(program)):
        return
    # While others write, two questions are about two instants: ask again alone.
    with transaction.atomic():
        locks.hold(program.pk)
        wrong = list(_wrong_counts(program))
    yield from wrong


def _wrong_counts(program: Program) -> Iterator[str]:
    tiers = list(Tier.objects.filter(program=program).order_by("pk"))
    noted = counts.pending(program)
    held = counts.holders(program)
    for tier in tiers:
        customers = tier.holders + noted.get(tier.pk, 0)
        if customers != held.get(tier.pk, 0):
            yield (
                f"Tier {tier.pk} has {customers} holders, with what was noted since "
                f"the last tick; its assignments say {held.get(tier.pk, 0)}."
            )
    live = set(counts.live_tiers(program).values_list("tier", flat=True))
    counted = [tier for tier in tiers if tier.pk in live and tier.counted_at]
    for instant in sorted({tier.counted_at for tier in counted if tier.counted_at}):
        least, most = _bounds(
            program,
            instant,
            known_at=instant,
            shown=lambda held: counts.as_shown(program, tiers, held),
        )
        # Written at the very instant of the count, and added up with the next.
        late = dict(
            CountChange.objects.filter(program=program, at__lte=instant)
            .order_by()
            .values_list("tier")
            .annotate(Sum("delta"))
        )
        late = counts.as_shown(program, tiers, late)
        for tier in counted:
            if tier.counted_at == instant:
                stored = (tier.customer_count or 0) + late[tier.pk]
                yield from _outside(
                    f"Tier {tier.pk} counts {stored} customers",
                    stored,
                    least[tier.pk],
                    most[tier.pk],
                    instant,
                )


def last_snapshot(program: Program) -> Iterator[str]:
    """Count again for the last day that customers were counted for."""
    taken = TierSnapshot.objects.filter(tier__program=program)
    last = taken.order_by("-day").first()
    if last is None:
        return
    stored = dict(taken.filter(day=last.day).values_list("tier", "customers"))
    least, most = _bounds(
        program,
        last.at,
        known_at=last.recorded_at,
        shown=lambda held: snapshots.as_shown(program, last.at, held),
    )
    for tier in sorted(stored.keys() | least.keys()):
        yield from _outside(
            f"The snapshot of tier {tier} on {last.day} has {stored.get(tier, 0)} "
            "customers",
            stored.get(tier, 0),
            least.get(tier, 0),
            most.get(tier, 0),
            last.at,
        )


def _bounds(
    program: Program,
    instant: datetime,
    *,
    known_at: datetime,
    shown: Callable[[Mapping[int, int]], dict[int, int]],
) -> tuple[dict[int, int], dict[int, int]]:
    """Return between which numbers the customers of an instant lie.

    Whose status has changed since may have counted or not; what was done to somebody
    in the very microsecond of the count may have come before it or after. Of all
    others it is known.
    """
    uncertain = _uncertain(program, known_at)
    certain = counts.covering(program, instant, known_at).exclude(member__in=uncertain)
    least = dict(
        certain.filter(member__status=counts.ACTIVE)
        .order_by()
        .values_list("tier")
        .annotate(Count("pk"))
    )
    before_or_after = TierAssignment.objects.filter(
        Q(valid_until__isnull=True) | Q(valid_until__gt=instant),
        Q(superseded_at__isnull=True) | Q(superseded_at__gte=known_at),
        recorded_at__lte=known_at,
        valid_from__lte=instant,
        member__in=uncertain,
    )
    most = Counter(least)
    most.update(
        tier
        for tier, _ in before_or_after.order_by()
        .values_list("tier", "member")
        .distinct()
    )
    return shown(least), shown(most)


def _uncertain(program: Program, known_at: datetime) -> set[int]:
    """Return of whom it is not known as what they were counted."""
    acts = AuditEvent.objects.filter(
        Q(verb__in=STATUS_VERBS, created_at__gte=known_at) | Q(created_at=known_at),
        program_id=program.pk,
        kind="member",
    )
    moved = TierAssignment.objects.filter(
        Q(recorded_at=known_at) | Q(superseded_at=known_at), member__program=program
    )
    posted = PointsEntry.objects.filter(
        member__in=moved.values("member"), recorded_at=known_at
    )
    # What has expired the tick itself writes down.
    own = posted.exclude(kind=PointsEntry.Kind.EXPIRE)
    return {
        *acts.values_list("object_id", flat=True),
        *own.values_list("member", flat=True),
    }


def _outside(
    what: str, stored: int, least: int, most: int, instant: datetime
) -> Iterator[str]:
    if not least <= stored <= most:
        right = str(least) if least == most else f"{least} to {most}"
        yield f"{what}, its assignments say {right} as of {instant}."
