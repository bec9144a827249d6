"""How people become members, one by one or in thousands."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from .. import evaluators
from ..errors import AlreadyMember, ContactConflict, NumberTaken
from ..models import Contact, Member, Membership, Program
from .steps import address, on_record

CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to enrol, as another system knows them."""

    name: str = ""
    email: str = ""
    mobile: str = ""
    external_id: str = ""
    #: The contact, where its id is known, or the id that a new one is to have.
    contact_uuid: UUID | None = None
    #: Empty: a number is made from the contact's.
    subscription_id: str = ""
    card: str = ""
    #: Empty: from now on.
    joined_at: datetime | None = None
    meta: dict[str, Any] = field(default_factory=dict)


def enrol(
    program: Program, person: Person, *, by: Any, at: datetime | None = None
) -> Member:
    """Make a person a member, and the contact too if nobody knows them yet.

    Raise ``AlreadyMember`` for who belongs to the program; who has left it comes
    back by ``rejoin``.
    """
    try:
        return _enrol(program, person, by=by, at=at)
    except IntegrityError:
        _explain(program, person)
    # Somebody made the contact in between, for another program.
    return _enrol(program, person, by=by, at=at)


@transaction.atomic
def _enrol(program: Program, person: Person, *, by: Any, at: datetime | None) -> Member:
    evaluators.prepare(program.pk)
    at = at or timezone.now()
    # Locked: somebody whose data is being erased is nobody to be found by it.
    contact = contact_of(person, Contact.objects.select_for_update(no_key=True))
    if contact is None:
        contact = new_contact(person, at)
        contact.save(force_insert=True)
    _expect_new(program, contact)
    member = new_member(program, contact, person, at)
    member.save(force_insert=True)
    Membership.objects.create(member=member, started_at=person.joined_at or at)
    on_record(member, "enrol", by=by, reason="", at=at)
    evaluators.evaluate(program.pk, [member.pk], at)
    return member


def enrol_many(
    program: Program,
    people: Iterable[Person],
    *,
    by: Any,
    at: datetime | None = None,
) -> Iterator[Member]:
    """Enrol people of whom nobody knows anything yet; the next tick judges them.

    Each chunk is one transaction. Someone who is known already, by e-mail or by
    number, makes the chunk fail: look them up first, and use ``enrol``.
    """
    iterator = iter(people)
    while part := list(islice(iterator, CHUNK)):
        yield from _enrol_chunk(program, part, at=at or timezone.now())


@transaction.atomic
def _enrol_chunk(program: Program, part: list[Person], *, at: datetime) -> list[Member]:
    contacts = Contact.objects.bulk_create([new_contact(p, at) for p in part])
    members = Member.objects.bulk_create(
        new_member(program, contact, person, at)
        for contact, person in zip(contacts, part, strict=True)
    )
    Membership.objects.bulk_create(
        Membership(member=member, started_at=person.joined_at or at)
        for member, person in zip(members, part, strict=True)
    )
    return members


# Contacts and numbers


def contact_of(person: Person, contacts: QuerySet[Contact]) -> Contact | None:
    """Return the contact that these details belong to, if there is one."""
    wanted = Q()
    if person.contact_uuid:
        wanted |= Q(uuid=person.contact_uuid)
    if person.external_id:
        wanted |= Q(external_id=person.external_id)
    if person.email:
        wanted |= Q(email=address(person.email))
    found = list(contacts.filter(wanted)) if wanted else []
    if len(found) > 1:
        raise ContactConflict(
            f"{person.external_id} and {person.email} belong to different people.",
            contact_ids=[contact.pk for contact in found],
        )
    return found[0] if found else None


def new_contact(person: Person, at: datetime) -> Contact:
    return Contact(
        uuid=person.contact_uuid or uuid4(),
        name=person.name,
        email=address(person.email),
        mobile=person.mobile,
        external_id=person.external_id,
        created_at=person.joined_at or at,
    )


def new_member(
    program: Program, contact: Contact, person: Person, at: datetime
) -> Member:
    return Member(
        program=program,
        contact=contact,
        # A contact is in a program once, so the contact's number will do.
        subscription_id=person.subscription_id or number_for(program.pk, contact.pk),
        card=person.card,
        meta=person.meta,
        created_at=person.joined_at or at,
        marked_at=at,
    )


def number_for(program_id: int, contact_id: int | None) -> str:
    return f"{program_id}-{contact_id:07d}" if contact_id else ""


def _expect_new(program: Program, contact: Contact) -> None:
    member = Member.objects.filter(program=program, contact=contact).first()
    if member:
        raise AlreadyMember(
            f"{contact} is a member of the program already, with number "
            f"{member.subscription_id}.",
            member_id=member.pk,
        )


def _explain(program: Program, person: Person) -> None:
    """Say which of a newcomer's details somebody else has, if any."""
    contact = contact_of(person, Contact.objects.all())
    if contact:
        # First: who was enrolled twice at once has their own number.
        _expect_new(program, contact)
    number = person.subscription_id
    same = Member.objects.filter(program=program, subscription_id=number)
    if number and same.exists():
        raise NumberTaken(f"Another member has the number {number}.") from None
