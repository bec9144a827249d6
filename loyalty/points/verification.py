"""Whether a member's ledger is still what was written."""

from collections.abc import Iterator

from .. import chain
from ..models import Member, PointsEntry


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
