"""Knowing people before they are members of anything."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from ..errors import ContactKnown
from ..models import Contact, Member
from .enrolling import Person, contact_of, new_contact
from .steps import address, expect_all_seen, on_record

FIELDS = ("name", "email", "mobile", "external_id")


def register(
    person: Person,
    *,
    by: Any,
    attributes: dict[str, Any] | None = None,
    update: bool = False,
    at: datetime | None = None,
) -> tuple[Contact, bool]:
    """Make a contact, or with ``update`` fill in one that is known; and which it was.

    An e-mail address or a number in the shop names one person. A telephone does not:
    people share them.
    """
    try:
        return _register(person, attributes or {}, by=by, update=update, at=at)
    except IntegrityError:
        # Somebody made the same contact in between: now it is found.
        return _register(person, attributes or {}, by=by, update=update, at=at)


@transaction.atomic
def _register(
    person: Person,
    attributes: dict[str, Any],
    *,
    by: Any,
    update: bool,
    at: datetime | None,
) -> tuple[Contact, bool]:
    known = contact_of(person, Contact.objects.select_for_update(no_key=True))
    at = at or timezone.now()
    if known is None:
        contact = new_contact(person, at)
        contact.attributes = attributes
        contact.full_clean(validate_unique=False, validate_constraints=False)
        contact.save(force_insert=True)
        return contact, True
    if not update:
        raise ContactKnown(
            f"There is a contact with {_named(person)} already.", contact_id=known.pk
        )
    _fill_in(known, person, attributes, by=by, at=at)
    return known, False


def _fill_in(
    contact: Contact,
    person: Person,
    attributes: dict[str, Any],
    *,
    by: Any,
    at: datetime,
) -> None:
    """Change what is said anew; what is not said stays."""
    said = {name: getattr(person, name).strip() for name in FIELDS}
    said["email"] = address(said["email"])
    changed = {
        name: value
        for name, value in said.items()
        if value and value != getattr(contact, name)
    }
    merged = contact.attributes | attributes
    if not changed and merged == contact.attributes:
        return
    members = list(Member.objects.filter(contact=contact).order_by("pk"))
    expect_all_seen(members, by=by, act="change what is known of them")
    for name, value in changed.items():
        setattr(contact, name, value)
    contact.attributes = merged
    contact.full_clean(validate_unique=False, validate_constraints=False)
    contact.save(update_fields=[*changed, "attributes"])
    for member in members:
        reason = f"Changed: {', '.join([*changed, 'attributes'])}."
        on_record(member, "edit_member", by=by, reason=reason, at=at)


def _named(person: Person) -> str:
    if person.email:
        return f"the e-mail address {address(person.email)}"
    return f"the number {person.external_id}"
