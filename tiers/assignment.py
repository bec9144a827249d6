"""Bringing standings and assignments up to an instant.

``ladder.fold`` says what is true of a member; this module reads what it needs for
many members at once, and writes what differs from what is stored. Work follows
changes: members that something happened to are marked, and each standing knows
when it is due next.

A member is judged in one transaction: under a shared lock on the program's groups,
so that no publication comes in between, and a lock on the member, so that no entry
does. Running twice changes nothing the second time; a worker that dies leaves each
member either as before or as after.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from loyalty.models import Member, Membership, PointsEntry, Program

from . import counts, ladder, rules
from .models import Recalculation, Standing, TierAssignment, TierGroup

CHUNK = 1000
#: Up to so many members are judged in the very transaction of a publication.
SMALL_PROGRAM = 500


@dataclass
class Report:
    """How many members were looked at, and how many of them changed tier."""

    members: int = 0
    moved: int = 0


# The tick


def recalculate(program: Program, *, as_of: datetime, dry_run: bool = False) -> Report:
    """Bring every standing of a program up to ``as_of``, and count its customers.

    Looks at members that are marked, due, or not yet judged by the present rules.
    With ``dry_run`` the report says what would move, and nothing is written.
    """
    report = Report()
    groups = list(_groups(program.pk))
    rulesets = {group.pk: group.ruleset for group in groups}
    last = 0
    while ids := _members_to_look_at(program.pk, groups, as_of, last):
        with transaction.atomic():
            report.members += len(ids)
            report.moved += bring_up_to_date(program.pk, ids, as_of)
            if dry_run:
                transaction.set_rollback(True)
        last = ids[-1]
    if dry_run:
        return report
    with transaction.atomic():
        for group_id, ruleset in rulesets.items():
            TierGroup.objects.filter(pk=group_id).update(applied_ruleset=ruleset)
        counts.refresh(program, as_of=as_of)
        _finish(program.pk, as_of, report)
    return report


def tick(*, as_of: datetime) -> Report:
    """Recalculate every program that is due, each by whichever worker claims it."""
    total = Report()
    _make_missing_rows(as_of)
    due = Recalculation.objects.due(as_of).order_by("due_at")
    for program_id in list(due.values_list("program_id", flat=True)):
        if not Recalculation.objects.filter(program=program_id).claim(as_of):
            continue
        report = recalculate(Program.objects.get(pk=program_id), as_of=as_of)
        total.members += report.members
        total.moved += report.moved
    return total


def request_recalculation(program_id: int, *, at: datetime) -> None:
    """See to it that a program is recalculated now, or by the next tick."""
    Recalculation.objects.update_or_create(
        program_id=program_id, defaults={"due_at": at}
    )
    members = Member.objects.filter(program=program_id).order_by("pk")
    ids = list(members.values_list("pk", flat=True)[: SMALL_PROGRAM + 1])
    if len(ids) <= SMALL_PROGRAM:
        program = Program.objects.get(pk=program_id)
        with transaction.atomic():
            recalculate(program, as_of=at)
    else:
        transaction.on_commit(lambda: _nudge(program_id), robust=True)


def _nudge(program_id: int) -> None:
    """Ask a worker to begin at once; if none hears, the next tick does it."""
    if settings.CELERY_BROKER_URL:
        from celery import current_app

        current_app.send_task("tiers.recalculate", retry=False)


def _finish(program_id: int, as_of: datetime, report: Report) -> None:
    # A minute early, so that the tick after next is never the one that finds it due.
    again = as_of + timedelta(minutes=settings.RECALCULATE_MINUTES - 1)
    Recalculation.objects.update_or_create(
        program_id=program_id,
        defaults={
            "due_at": again,
            "as_of": as_of,
            "finished_at": timezone.now(),
            "members": report.members,
            "moved": report.moved,
        },
    )


def _make_missing_rows(as_of: datetime) -> None:
    live = _live_groups().values("program")
    missing = Program.objects.filter(pk__in=live, recalculation__isnull=True)
    Recalculation.objects.bulk_create(
        [Recalculation(program=program, due_at=as_of) for program in missing],
        ignore_conflicts=True,
    )


def _members_to_look_at(
    program_id: int, groups: Sequence[TierGroup], as_of: datetime, after: int
) -> list[int]:
    """Return the next members to judge, in order; each reason has its own index."""
    members = Member.objects.filter(program=program_id, pk__gt=after).order_by("pk")
    found = set(members.marked().values_list("pk", flat=True)[:CHUNK])
    for group in groups:
        if group.applied_ruleset == group.ruleset:
            due = Standing.objects.filter(
                group=group, due_at__lte=as_of, member__gt=after
            )
            ids: Any = due.order_by("member").values_list("member", flat=True)
        else:
            judged = Standing.objects.filter(
                Q(due_at__isnull=True) | Q(due_at__gt=as_of),
                member=OuterRef("pk"),
                group=group,
                ruleset=group.ruleset,
            )
            ids = members.filter(~Exists(judged)).values_list("pk", flat=True)
        found.update(ids[:CHUNK])
    return sorted(found)[:CHUNK]


# One chunk


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
    memberships = memberships_of(ids)
    lines = lines_of(ids, ladders.values())
    moved = set()
    for group in groups:
        outcomes = {
            pk: ladder.fold(
                lines.get(pk, ()), memberships.get(pk, ()), ladders[group.pk], as_of
            )
            for pk in ids
        }
        moved |= _write(group, outcomes, as_of)
    if marked:
        Member.objects.filter(pk__in=marked).update(marked_at=None)
    return len(moved)


def share_groups(program_id: int) -> list[TierGroup]:
    """Lock a program's groups so that no publication changes them meanwhile.

    Others may share the lock. On SQLite the one writer is alone anyway.
    """
    groups = _groups(program_id)
    if connection.vendor == "postgresql":
        sql, parameters = groups.query.sql_with_params()
        return list(TierGroup.objects.raw(f"{sql} FOR SHARE", parameters))
    return list(groups)


def _groups(program_id: int) -> Any:
    return TierGroup.objects.kept().filter(program=program_id).order_by("pk")


def _live_groups() -> Any:
    return TierGroup.objects.kept().filter(versions__live_from__isnull=False)


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


def _write(
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
