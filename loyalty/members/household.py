"""Who shares somebody's membership: contacts, in one household of a program each."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from approvals.errors import InvalidTransition

from ..errors import HouseholdConflict
from ..models import Contact, HouseholdMember, Member, Program
from .steps import on_record, present


def share(
    owner: Member,
    contacts: Iterable[Contact],
    *,
    by: Any,
    at: datetime | None = None,
) -> None:
    """Add contacts to a member's household; who is in it already stays."""
    try:
        _share(owner, list(contacts), by=by, at=at)
    except IntegrityError:
        raise HouseholdConflict(
            "One of them was added to a household at this very moment. Try again."
        ) from None


@transaction.atomic
def _share(
    owner: Member, contacts: list[Contact], *, by: Any, at: datetime | None
) -> None:
    Member.objects.select_for_update(no_key=True).get(pk=owner.pk)
    at = at or timezone.now()
    if not present(owner).exists():
        raise InvalidTransition(f"{owner} does not belong to the program.")
    _expect_no_members(owner, contacts)
    placed = HouseholdMember.objects.filter(
        program=owner.program_id, contact__in=contacts
    )
    owners = dict(placed.values_list("contact", "owner"))
    if elsewhere := [pk for pk, other in owners.items() if other != owner.pk]:
        raise HouseholdConflict(
            f"Contact {elsewhere[0]} shares somebody else's membership."
        )
    new = [contact for contact in contacts if contact.pk not in owners]
    HouseholdMember.objects.bulk_create(
        HouseholdMember(
            program_id=owner.program_id, owner=owner, contact=contact, created_at=at
        )
        for contact in new
    )
    if new:
        reason = f"Contacts: {', '.join(str(contact.pk) for contact in new)}."
        on_record(owner, "share_membership", by=by, reason=reason, at=at)


def _expect_no_members(owner: Member, contacts: list[Contact]) -> None:
    own = Member.objects.filter(program=owner.program_id, contact__in=contacts)
    first = own.order_by("pk").first()
    if first is None:
        return
    if first.pk == owner.pk:
        raise HouseholdConflict("The owner of a membership cannot share it as well.")
    raise HouseholdConflict(
        f"Contact {first.contact_id} has a membership of their own."
    )


@transaction.atomic
def unshare(
    program: Program,
    contact_ids: Iterable[int],
    *,
    by: Any,
    at: datetime | None = None,
) -> int:
    """Take contacts out of the households that they are in; return how many were."""
    placed = HouseholdMember.objects.filter(program=program, contact__in=contact_ids)
    rows = list(placed.select_for_update(of=("self",)).select_related("owner"))
    at = at or timezone.now()
    for row in rows:
        reason = f"Contact: {row.contact_id}."
        on_record(row.owner, "unshare_membership", by=by, reason=reason, at=at)
    HouseholdMember.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)
