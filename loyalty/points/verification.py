"""Whether a member's ledger is still what was written."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from .. import chain, lots
from ..models import Member, PointsEntry
from . import expiring
from .rules import read_book

#: Nothing happens after this.
END = datetime.max.replace(tzinfo=UTC)


def verify(member: Member) -> chain.Break | None:
    """Return where the member's chain is broken first, or None if it holds."""
    length, head = Member.objects.values_list("chain_length", "chain_head").get(
        pk=member.pk
    )
    return chain.first_break(_links(member), length=length, head=head)


def _links(member: Member) -> Iterator[tuple[chain.Link, str]]:
    entries = PointsEntry.objects.filter(member=member).order_by("sequence")
    for entry in entries.select_related("request", "reverses", "concerns").iterator(
        2000
    ):
        link = chain.Link(
            member_id=entry.member_id,
            sequence=entry.sequence,
            uuid=entry.uuid,
            balance_definition_id=entry.balance_definition_id,
            kind=entry.kind,
            amount=entry.amount,
            occurred_at=entry.occurred_at,
            window_at=entry.window_at,
            recorded_at=entry.recorded_at,
            request=entry.request.uuid,
            reverses=entry.reverses.uuid if entry.reverses else None,
            description=entry.description,
            meta=entry.meta,
            concerns=entry.concerns.uuid if entry.concerns else None,
        )
        yield link, entry.hash


def verify_expiries(program_id: int, member_ids: Sequence[int]) -> Iterator[str]:
    """Derive what has expired from scratch; yield a sentence where that differs.

    What is due and not recorded yet is no fault: each member is looked at as of the
    last instant before the next expiry.
    """
    book = read_book(program_id)
    calendar = expiring.calendar_of(program_id, book)
    if calendar is None:
        return
    shelves = expiring.shelves_of(member_ids, book.terms)
    members = Member.objects.filter(pk__in=member_ids)
    due = dict(members.values_list("pk", "expires_next_at"))
    for (member_id, definition_id), shelf in sorted(shelves.items()):
        stored = due[member_id]
        as_of = stored - timedelta(microseconds=1) if stored else END
        state = lots.follow(shelf.lines, calendar.expiry_of(definition_id), as_of)
        recorded, _ = shelf.recorded_by(as_of)
        for move in lots.differences(state.moves, recorded):
            yield (
                f"What member {member_id} lost of balance {definition_id} at {move.at} "
                f"is off by {move.amount}: see line {move.lot}."
            )
        following = state.expires_next_at
        if following and (stored is None or following < stored):
            yield f"Points of member {member_id} expire at {following}, not {stored}."
