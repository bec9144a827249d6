"""The one way to post one thing: once per reference, under the member's lock."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from .. import evaluators
from ..models import Member, PointsEntry
from ..statements import Ask
from . import asking, requests
from .asking import Activity, Asked
from .ledger import Ledger
from .requests import Posting, Request

CHUNK = 1000


def post(
    program_id: int,
    asked: Asked,
    *,
    source: str,
    by: Any,
    at: datetime | None,
    pending_until: datetime | None = None,
) -> Posting:
    """Post what is asked, or return what came of it when it was asked before.

    With ``pending_until`` it is only checked, and waits to be completed until then.
    """
    asking.check_source(source)
    asking.check(asked, now=at or timezone.now())
    known = requests.FIND.of(program_id, source, asked.reference)
    try:
        with transaction.atomic():
            posting = locked(program_id, asked.member_id, at=at, also=[known])
            first = requests.found(known.rows)
            if first is None:
                request = requests.new(asked, source=source, by=by)
                request.expires_at = pending_until
                _write(posting, asked, request)
    except IntegrityError:
        # The same reference came twice at once, and the other one was faster.
        first = requests.find(program_id, source, asked.reference)
        if first is None:
            raise
    if first is not None:
        requests.expect_same(first, asked)
        return requests.outcome(first, replayed=True)
    return requests.outcome(request, replayed=False)


@dataclass(frozen=True, slots=True)
class Held:
    """A ledger that holds one member, the instant at which it does, and what whoever
    judges members has learned on the way."""

    ledger: Ledger
    member_id: int
    at: datetime
    parts: dict[str, evaluators.Shortcut]


def _write(held: Held, asked: Asked, request: Request) -> None:
    if request.expires_at and isinstance(asked, Activity):
        held.ledger.promise(asked, request, at=held.at)
    else:
        held.ledger.post(asked, request, at=held.at)
        split(held.ledger, [request], at=held.at)
    finish(held)


def locked(
    program_id: int, member_id: int, *, at: datetime | None, also: Sequence[Ask] = ()
) -> Held:
    """Hold a member; locks go groups first, then the member. Ask ``also`` after them."""
    ledger = Ledger(program_id)
    parts = evaluators.shortcuts(program_id, member_id)
    ledger.hold(
        [member_id],
        before=[ask for part in parts.values() for ask in part.locks],
        after=[*also, *(ask for part in parts.values() for ask in part.facts)],
    )
    # The clock is read under the lock: along a chain, time never runs backwards.
    at = at or timezone.now()
    ledger.prepared = {name: part.prepared() for name, part in parts.items()}
    ledger.look(at)
    return Held(ledger, member_id, at, parts)


def split(ledger: Ledger, made: Iterable[requests.Made], *, at: datetime) -> None:
    """Add to the outcomes how what was earned splits between the rates of tiers.

    Of each member there is at most one request.
    """
    earning = {
        request.member_id: (request, earned)
        for request in made
        if request.member_id and (earned := requests.earned(request))
    }
    if not earning:
        return
    shares = evaluators.split(
        ledger.program_id,
        {member_id: earned for member_id, (_, earned) in earning.items()},
        at,
        prepared=ledger.prepared,
    )
    for member_id, (request, _) in earning.items():
        if of_member := shares.get(member_id):
            request.outcome["shares"] = [list(share) for share in of_member]


def finish(held: Held) -> None:
    """Write what the ledger holds, and have the member judged if anything was.

    Who can be judged by the lines alone is written along with them; everybody else
    is marked, and judged by what is written then.
    """
    ledger, at = held.ledger, held.at
    ledger.catch_up(at)
    account = ledger.accounts.get(held.member_id)
    if account is None or not ledger.links:
        ledger.write(at=at)
        return
    lines = [link for link, _ in ledger.links]
    posted = evaluators.Posted(account.member, account.belongs_since, lines, at)
    commands, rest = evaluators.step(held.parts, posted)
    ledger.write(at=at, also=commands, is_judged=not rest)
    if rest:
        evaluators.evaluate(ledger.program_id, [held.member_id], at, prepared=rest)


def settle(member_ids: Iterable[int], at: datetime) -> int:
    """Record what has expired by ``at``; return how many lines that took.

    The members are of one program. Call it in a transaction, after whatever locks
    judging needs. It locks the members and marks those that lost something; whoever
    calls it sees to it that they are judged.
    """
    ids = list(member_ids)
    program_ids = Member.objects.filter(pk__in=ids[:1])
    program_id = program_ids.values_list("program_id", flat=True).first()
    if program_id is None:
        return 0
    ledger = Ledger(program_id)
    ledger.hold(ids)
    ledger.look(at)
    ledger.write(at=at)
    return len(ledger.links)


def expire(program_id: int, *, as_of: datetime, dry_run: bool = False) -> int:
    """Record what has expired in a program, in chunks; return how many lines.

    Members are marked for the next tick. Each chunk is a transaction: a run that was
    broken off is simply started again.
    """
    due = Member.objects.filter(program=program_id, expires_next_at__lte=as_of)
    lines = last = 0
    while ids := list(
        due.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]
    ):
        with transaction.atomic():
            lines += settle(ids, as_of)
            if dry_run:
                transaction.set_rollback(True)
        last = ids[-1]
    return lines


def follow_terms(definition_id: int, *, since: datetime, at: datetime) -> int:
    """Let credits that came after a term's beginning learn when they expire.

    A change that was scheduled is in force from its instant, and published a little
    later; what was earned in between did not know of it. Returns how many members.
    """
    lines = PointsEntry.objects.filter(
        balance_definition=definition_id, occurred_at__gte=since, recorded_at__gte=since
    )
    members = Member.objects.filter(pk__in=lines.values("member")).order_by("pk")
    found = list(members.values_list("pk", "program_id"))
    for start in range(0, len(found), CHUNK):
        part = found[start : start + CHUNK]
        ledger = Ledger(part[0][1])
        ledger.hold(pk for pk, _ in part)
        ledger.look(at)
        for account in ledger.accounts.values():
            account.is_behind = ledger.calendar is not None
        ledger.write(at=at)
    return len(found)
