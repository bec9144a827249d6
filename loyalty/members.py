"""Verbs on members: enrol, leave, come back, close, find.

What changes whether a person belongs to a program, or from when, marks the member
and has them judged in the same transaction: a newcomer to a program whose tiers work
at once has a place at once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from approvals import audit
from approvals.errors import InvalidTransition, ReasonRequired

from . import evaluators
from .errors import AlreadyMember, ContactConflict, NumberTaken
from .models import Contact, Member, Membership, Program

CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to enrol, as another system knows them."""

    name: str = ""
    email: str = ""
    mobile: str = ""
    external_id: str = ""
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
        return _enrol(program, person, at=at)
    except IntegrityError:
        _explain(program, person)
    # Somebody made the contact in between, for another program.
    return _enrol(program, person, at=at)


@transaction.atomic
def _enrol(program: Program, person: Person, *, at: datetime | None) -> Member:
    evaluators.prepare(program.pk)
    at = at or timezone.now()
    contact = _contact_of(person)
    if contact is None:
        contact = _new_contact(person, at)
        contact.save(force_insert=True)
    _expect_new(program, contact)
    member = _new_member(program, contact, person, at)
    member.save(force_insert=True)
    Membership.objects.create(member=member, started_at=person.joined_at or at)
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
    contacts = Contact.objects.bulk_create([_new_contact(p, at) for p in part])
    members = Member.objects.bulk_create(
        _new_member(program, contact, person, at)
        for contact, person in zip(contacts, part, strict=True)
    )
    Membership.objects.bulk_create(
        Membership(member=member, started_at=person.joined_at or at)
        for member, person in zip(members, part, strict=True)
    )
    return members


def leave(
    member: Member, *, by: Any, reason: str = "", at: datetime | None = None
) -> None:
    """End a membership; what was earned stays in the ledger."""
    with transaction.atomic():
        at = _hold(member, at)
        if not _present(member).filter(started_at__lt=at).update(ended_at=at):
            raise InvalidTransition(f"{member} does not belong to the program.")
        _changed(member, "leave", by=by, reason=reason, at=at)


def rejoin(member: Member, *, by: Any, at: datetime | None = None) -> None:
    """Begin a new membership of somebody who has left."""
    with transaction.atomic():
        at = _hold(member, at)
        if _present(member).exists():
            raise AlreadyMember(
                f"{member} belongs to the program.", member_id=member.pk
            )
        if member.status == Member.Status.CLOSED:
            raise InvalidTransition(f"{member} is closed.")
        Membership.objects.create(member=member, started_at=at)
        _changed(member, "rejoin", by=by, reason="", at=at)


def close(member: Member, *, by: Any, reason: str, at: datetime | None = None) -> None:
    """Close an account for good: nothing can be posted to it any more."""
    if not reason.strip():
        raise ReasonRequired("Say why: closing an account needs a reason.")
    with transaction.atomic():
        at = _hold(member, at)
        if member.status == Member.Status.CLOSED:
            raise InvalidTransition(f"{member} is closed already.")
        member.status = Member.Status.CLOSED
        member.save(update_fields=["status"])
        _present(member).filter(started_at__lt=at).update(ended_at=at)
        _changed(member, "close", by=by, reason=reason.strip(), at=at)


def find(program: Program, key: str) -> Member | None:
    """Return the member with this membership number, or else this card number,
    number in the shop, e-mail address or mobile number."""
    members = Member.objects.filter(program=program).select_related("contact")
    for lookup in (
        {"subscription_id": key},
        {"card": key},
        {"contact__external_id": key},
        {"contact__email": _address(key)},
        {"contact__mobile": key},
    ):
        # A card or a telephone may be shared: then it does not name one member.
        found = list(members.filter(**lookup)[:2]) if key else []
        if len(found) == 1:
            return found[0]
    return None


# Contacts and numbers


def _contact_of(person: Person) -> Contact | None:
    """Return the contact that these details belong to, if there is one."""
    wanted = Q()
    if person.external_id:
        wanted |= Q(external_id=person.external_id)
    if person.email:
        wanted |= Q(email=_address(person.email))
    found = list(Contact.objects.filter(wanted)) if wanted else []
    if len(found) > 1:
        raise ContactConflict(
            f"{person.external_id} and {person.email} belong to different people.",
            contact_ids=[contact.pk for contact in found],
        )
    return found[0] if found else None


def _new_contact(person: Person, at: datetime) -> Contact:
    return Contact(
        name=person.name,
        email=_address(person.email),
        mobile=person.mobile,
        external_id=person.external_id,
        created_at=person.joined_at or at,
    )


def _new_member(
    program: Program, contact: Contact, person: Person, at: datetime
) -> Member:
    return Member(
        program=program,
        contact=contact,
        # A contact is in a program once, so the contact's number will do.
        subscription_id=person.subscription_id or f"{program.pk}-{contact.pk:07d}",
        card=person.card,
        meta=person.meta,
        created_at=person.joined_at or at,
        marked_at=at,
    )


def _address(email: str) -> str:
    """Addresses differ by more than letter case, to everybody but a mail server."""
    return email.strip().lower()


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
    number = person.subscription_id
    same = Member.objects.filter(program=program, subscription_id=number)
    if number and same.exists():
        raise NumberTaken(f"Another member has the number {number}.") from None
    contact = _contact_of(person)
    if contact:
        _expect_new(program, contact)


# Steps that verbs share


def _hold(member: Member, at: datetime | None) -> datetime:
    """Take the locks in their order; return the instant at which that was done."""
    evaluators.prepare(member.program_id)
    held = Member.objects.select_for_update(no_key=True).get(pk=member.pk)
    member.status = held.status
    return at or timezone.now()


def _present(member: Member) -> Any:
    return Membership.objects.filter(member=member, ended_at__isnull=True)


def _changed(member: Member, verb: str, *, by: Any, reason: str, at: datetime) -> None:
    member.marked_at = at
    member.save(update_fields=["marked_at"])
    audit.record(
        verb,
        by=by,
        program_id=member.program_id,
        kind="member",
        object_id=member.pk,
        label=str(member),
        reason=reason,
        at=at,
    )
    evaluators.evaluate(member.program_id, [member.pk], at)
