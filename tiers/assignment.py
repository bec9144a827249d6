"""Bringing standings and assignments up to an instant.

``ladder.fold`` says what is true of a member, ``judging`` writes it down for some,
and this module finds whom to judge. Work follows changes: members that something
happened to are marked, and each standing knows when it is due next.

Members are judged in chunks, each in one transaction. Running twice changes nothing
the second time; a worker that dies leaves each member either as before or as after.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from loyalty.models import Member, Program

from . import counts, judging
from .models import Recalculation, Standing, TierGroup

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
    groups = list(judging.groups_of(program.pk))
    rulesets = {group.pk: group.ruleset for group in groups}
    last = 0
    while ids := _members_to_look_at(program.pk, groups, as_of, last):
        with transaction.atomic():
            report.members += len(ids)
            report.moved += judging.bring_up_to_date(program.pk, ids, as_of)
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


def _live_groups() -> Any:
    return TierGroup.objects.kept().filter(versions__live_from__isnull=False)
