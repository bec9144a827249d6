"""Recording what has expired, under the lock on the member.

``lots.follow`` says what every lot loses, and when, from the lines that somebody
posted. This module compares it with the lines that are recorded and notes what is
missing: an EXPIRE line at the lot's instant, or, where a late line shows that less
has expired, a REVERSAL of one. Doing so again finds nothing to do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from .. import lots
from ..models import PointsEntry, ProgramVersion
from .rules import Book, Term

Kind = PointsEntry.Kind


@dataclass(slots=True)
class Loss:
    """A recorded EXPIRE line, and how much of it no REVERSAL has made good."""

    uuid: UUID
    lot: UUID
    at: datetime
    left: int


@dataclass(slots=True)
class Shelf:
    """The lines of one member and balance, as far as lots care."""

    lines: list[lots.Line] = field(default_factory=list)
    losses: dict[UUID, Loss] = field(default_factory=dict)
    recorded: list[lots.Move] = field(default_factory=list)

    def note(
        self,
        *,
        uuid: UUID,
        kind: str,
        amount: int,
        occurred_at: datetime,
        reverses: UUID | None,
        concerns: UUID | None,
    ) -> None:
        """Take in a line, in the order of the ledger."""
        if kind == Kind.EXPIRE:
            assert concerns is not None
            self.losses[uuid] = Loss(uuid, concerns, occurred_at, -amount)
            self.recorded.append(lots.Move(concerns, occurred_at, amount))
        elif reverses in self.losses:
            loss = self.losses[reverses]
            loss.left -= amount
            self.recorded.append(lots.Move(loss.lot, occurred_at, amount))
        else:
            self.lines.append(lots.Line(uuid, amount, occurred_at, reverses))

    def recorded_by(self, at: datetime) -> tuple[list[lots.Move], list[lots.Move]]:
        """Return the moves recorded up to an instant, and those after it."""
        later = [move for move in self.recorded if move.at > at]
        return [move for move in self.recorded if move.at <= at], later

    def losses_of(self, lot: lots.Key) -> list[Loss]:
        return [loss for loss in self.losses.values() if loss.lot == lot and loss.left]


class Calendar:
    """When lots of a program's balances expire, by the terms and zones of their day."""

    def __init__(self, program_id: int, terms: dict[int, list[Term]]) -> None:
        self.terms = terms
        versions: Any = ProgramVersion.objects.filter(
            program=program_id, live_from__isnull=False
        )
        self.zones: list[tuple[datetime, str]] = list(
            versions.order_by("live_from").values_list("live_from", "time_zone")
        )

    def expiry_of(self, definition_id: int) -> lots.Expiry:
        return partial(self._expiry, self.terms.get(definition_id, []))

    def _expiry(self, terms: Sequence[Term], earned_at: datetime) -> datetime | None:
        term = next((term for term in terms if term.covers(earned_at)), None)
        if term is None:
            return None
        return term.availability.expiry(earned_at, self._zone(earned_at))

    def _zone(self, instant: datetime) -> str:
        zone = self.zones[0][1]
        for starts_at, name in self.zones:
            if starts_at <= instant:
                zone = name
        return zone


def calendar_of(program_id: int, book: Book) -> Calendar | None:
    """Return when things expire, or None where nothing ever does: that costs nothing."""
    return Calendar(program_id, book.terms) if book.terms else None


def shelves_of(
    member_ids: Iterable[int], definition_ids: Iterable[int]
) -> dict[tuple[int, int], Shelf]:
    """Read the lines of some members and balances, in one query."""
    found: dict[tuple[int, int], Shelf] = {}
    rows = PointsEntry.objects.filter(
        member__in=list(member_ids), balance_definition__in=list(definition_ids)
    ).order_by("member", "sequence")
    for (
        member,
        definition,
        uuid,
        kind,
        amount,
        occurred_at,
        reverses,
        concerns,
    ) in rows.values_list(
        "member_id",
        "balance_definition_id",
        "uuid",
        "kind",
        "amount",
        "occurred_at",
        "reverses__uuid",
        "concerns__uuid",
    ).iterator(10_000):
        found.setdefault((member, definition), Shelf()).note(
            uuid=uuid,
            kind=kind,
            amount=amount,
            occurred_at=occurred_at,
            reverses=reverses,
            concerns=concerns,
        )
    return found
