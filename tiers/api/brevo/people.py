"""Whom and what of a program an endpoint is asked about, and amounts on this wire."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from loyalty import balances
from loyalty.models import (
    BalanceDefinition,
    BalanceDefinitionVersion,
    Contact,
    Member,
)

from ..access import sees_drafts
from .protocol import BrevoView, Unknown

VIEW, ENROL, POST_POINTS, CHANGE = (
    "loyalty.view_member",
    "loyalty.edit_members",
    "loyalty.post_points",
    "approvals.make_changes",
)


def number(units: int, scale: int) -> int | float:
    """Return an amount as JSON has it, whole where it is."""
    if not scale:
        return units
    amount = Decimal(units).scaleb(-scale)
    return int(amount) if amount == int(amount) else float(amount)


class MemberView(BrevoView):
    """Looks up people and balances of the program in the address."""

    def find_member(
        self, contact: int | None = None, subscription: str | None = None
    ) -> Member | None:
        """Return who belongs to the program by either id; None for all others."""
        named: dict[str, Any] = {"contact": contact}
        if contact is None:
            named = {"subscription_id": subscription}
        present = Member.objects.present().filter(program=self.program, **named)
        found: Member | None = present.first()
        if found is not None:
            found.program = self.program
        return found

    def member(self, contact: int) -> Member:
        found = self.find_member(contact)
        if found is None:
            raise Unknown("The contact has no subscription to this program.")
        return found

    def contact(self, pk: int) -> Contact:
        found = Contact.objects.filter(pk=pk, erased_at__isnull=True).first()
        if found is None:
            raise Unknown(f"There is no contact {pk}.")
        return found

    def definition(self, uuid: UUID) -> BalanceDefinition:
        kept = BalanceDefinition.objects.filter(
            program=self.program, uuid=uuid, discarded_at__isnull=True
        )
        caller: Any = self.request.user
        if not sees_drafts(caller):
            kept = kept.filter(versions__live_from__isnull=False)
        found: BalanceDefinition | None = kept.first()
        if found is None:
            raise Unknown("There is no such balance definition.")
        return found

    def shown(self, *, internal: bool) -> list[BalanceDefinitionVersion]:
        """Return the live balances that members are told of, or all of them."""
        live = balances.wordings(self.program, with_drafts=False)
        return [version for version in live if internal or not version.is_internal]

    def is_shown(self, definition: BalanceDefinition, *, internal: bool) -> bool:
        if internal:
            return True
        live: Any = definition.versions
        return not live.live().filter(is_internal=True).exists()
