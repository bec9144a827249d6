"""What is known of a member besides what they do, and changing it.

A person may be a member of several programs and is one contact in all of them: a new
e-mail address is theirs everywhere. The record names what was changed and not what it
said, or erasing somebody's data would leave it there.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from approvals.errors import InvalidTransition, StaleEdit
from approvals.lifecycle.guards import when
from approvals.models import AuditEvent

from ..errors import ContactConflict, NumberTaken
from ..models import Contact, Member
from .steps import address, hold_contact, on_record

OF_CONTACT = ("name", "email", "mobile", "external_id")
OF_MEMBER = ("subscription_id", "card")
WORDS = {
    "name": "name",
    "email": "e-mail address",
    "mobile": "mobile number",
    "external_id": "number in your shop",
    "subscription_id": "membership number",
    "card": "card number",
}


@dataclass(frozen=True, slots=True)
class Details:
    """What people and other systems know a member by."""

    name: str = ""
    email: str = ""
    mobile: str = ""
    external_id: str = ""
    subscription_id: str = ""
    card: str = ""

    @property
    def digest(self) -> str:
        """Name these details, to tell later whether somebody changed them."""
        content = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:32]


def details_of(member: Member, contact: Contact | None = None) -> Details:
    contact = contact or member.contact
    return Details(
        **{name: getattr(contact, name) for name in OF_CONTACT},
        **{name: getattr(member, name) for name in OF_MEMBER},
    )


def edit(
    member: Member,
    details: Details,
    *,
    by: Any,
    seen: str = "",
    at: datetime | None = None,
) -> list[str]:
    """Change what is known of a member; return the words for what differed.

    ``seen`` is the digest of the details that were on the page: where somebody else
    was faster, ``StaleEdit`` is raised and nothing is saved.
    """
    try:
        with transaction.atomic():
            return _edit(member, details, by=by, seen=seen, at=at)
    except IntegrityError:
        # Somebody was given the same number or address in between.
        _expect_free(member, details)
        raise


def _edit(
    member: Member, details: Details, *, by: Any, seen: str, at: datetime | None
) -> list[str]:
    contact = hold_contact(member.contact_id)
    held = Member.objects.select_for_update(no_key=True).get(pk=member.pk)
    at = at or timezone.now()
    if contact.erased_at:
        raise InvalidTransition(
            f"The data of {held} was erased on {when(contact.erased_at)}; it is not "
            "filled in again."
        )
    before = details_of(held, contact)
    details = _cleaned(details)
    names = [n for n in WORDS if getattr(before, n) != getattr(details, n)]
    if not names:
        # Also who pressed the button twice.
        return []
    if seen and seen != before.digest:
        raise _overtaken(held)
    _expect_free(held, details)
    for row, of_row in ((contact, OF_CONTACT), (held, OF_MEMBER)):
        _save(row, {n: getattr(details, n) for n in names if n in of_row})
    said = [WORDS[name] for name in names]
    on_record(held, "edit_member", by=by, reason=f"Changed: {', '.join(said)}.", at=at)
    member.subscription_id, member.card = held.subscription_id, held.card
    member.contact = contact
    return said


def _cleaned(details: Details) -> Details:
    said = {name: value.strip() for name, value in asdict(details).items()}
    return Details(**said | {"email": address(details.email)})


def _save(row: Any, values: dict[str, str]) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    untouched = [f.name for f in row._meta.fields if f.name not in values]
    row.clean_fields(exclude=untouched)
    if values:
        row.save(update_fields=list(values))


def _expect_free(member: Member, details: Details) -> None:
    """Refuse a number or an address that belongs to somebody else."""
    numbers = Member.objects.filter(program=member.program_id).exclude(pk=member.pk)
    number = details.subscription_id
    if numbers.filter(subscription_id=number).exists():
        raise NumberTaken(
            f"Another member has the number {number}.", field="subscription_id"
        )
    others = Contact.objects.exclude(pk=member.contact_id)
    for name in ("email", "external_id"):
        value = getattr(details, name)
        if value and others.filter(**{name: value}).exists():
            raise ContactConflict(
                f"Somebody else has the {WORDS[name]} {value}.", field=name
            )


def _overtaken(member: Member) -> StaleEdit:
    last = AuditEvent.objects.about("member", member.pk).first()
    who = f"{last.actor_name} changed" if last else "Somebody changed"
    on = f" on {when(last.created_at)}" if last else ""
    return StaleEdit(
        f"{who} what is known of {member}{on}, after your page was opened. Nothing "
        "was saved: look at what is there now, then change it."
    )
