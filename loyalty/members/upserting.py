"""Making known what another system knows of its customers, hundreds at a time.

Each person is found by the number or the e-mail address that the other system has of
them. Who is no member becomes one, of who is one the details are filled in, and each
has an outcome of their own: somebody who is refused holds up nobody else. What is not
said stays as it is. Who has left or is closed stays so.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from approvals import audit
from approvals.errors import Refused

from .. import evaluators
from ..errors import ContactConflict, InvalidPerson, NumberTaken
from ..models import Contact, Member, Membership, Program
from .details import OF_CONTACT, OF_MEMBER, WORDS
from .enrolling import Person, new_contact, new_member, number_for
from .steps import address, expect_all_seen

#: Somebody else can be faster with one of the same people this many times in a row.
ATTEMPTS = 5


class Outcome(Enum):
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Upserted:
    """What came of one person."""

    outcome: Outcome
    member: Member | None = None
    refusal: Refused | None = None


def upsert(
    program: Program,
    people: Sequence[Person],
    *,
    by: Any,
    at: datetime | None = None,
) -> list[Upserted]:
    """Enrol people, or fill in what is known of them; return what came of each.

    One transaction, with as many queries for many as for few.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                return _upsert(program, people, by=by, at=at)
        except IntegrityError:
            # Somebody made one of them known in between: look again.
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _upsert(
    program: Program, people: Sequence[Person], *, by: Any, at: datetime | None
) -> list[Upserted]:
    evaluators.prepare(program.pk)
    register = _Register.of(program, people, by)
    at = at or timezone.now()
    outcomes = [register.enter(person, at) for person in people]
    register.write(at)
    return outcomes


@dataclass
class _Register:
    """The locked rows of the people of a batch, and what is to be written of them."""

    program: Program
    by: Any
    contacts: dict[tuple[str, str], Contact] = field(default_factory=dict)
    #: All memberships of each contact, in whatever program.
    memberships: dict[int, list[Member]] = field(default_factory=dict)
    #: Whose each membership number is.
    numbers: dict[str, Any] = field(default_factory=dict)
    named: set[tuple[str, str]] = field(default_factory=set)
    new: list[tuple[Member, Person]] = field(default_factory=list)
    changed: list[tuple[Member, list[str]]] = field(default_factory=list)
    rewritten: dict[int, Contact] = field(default_factory=dict)

    @classmethod
    def of(cls, program: Program, people: Sequence[Person], by: Any) -> "_Register":
        register = cls(program, by)
        emails = {address(person.email) for person in people} - {""}
        numbers = {person.external_id for person in people} - {""}
        known = Contact.objects.select_for_update(no_key=True).filter(
            Q(email__in=emails) | Q(external_id__in=numbers)
        )
        for contact in known.order_by("pk"):
            for name in ("email", "external_id"):
                if value := getattr(contact, name):
                    register.contacts[name, value] = contact
        ids = {contact.pk for contact in register.contacts.values()}
        members = Member.objects.select_for_update(no_key=True).filter(contact__in=ids)
        for member in members.order_by("pk"):
            register.memberships.setdefault(member.contact_id, []).append(member)
        given = {person.subscription_id for person in people} - {""}
        taken = Member.objects.filter(program=program, subscription_id__in=given)
        register.numbers = dict(taken.values_list("subscription_id", "contact_id"))
        return register

    def enter(self, person: Person, at: datetime) -> Upserted:
        """Decide on one person; what is refused leaves nothing behind."""
        try:
            self._expect_named_once(person)
            contact = self._contact(person)
            if contact is None:
                return self._enter_new(person, new_contact(person, at), at)
            return self._enter_known(person, contact, at)
        except Refused as refusal:
            return Upserted(Outcome.REFUSED, refusal=refusal)

    # Who is meant

    def _expect_named_once(self, person: Person) -> None:
        keys = set(_keys(person))
        if not keys:
            raise InvalidPerson("Name the person by an e-mail address or a number.")
        if keys & self.named:
            raise ContactConflict("This person stands in the batch more than once.")
        self.named |= keys

    def _contact(self, person: Person) -> Contact | None:
        found = {
            contact.pk: contact
            for key in _keys(person)
            if (contact := self.contacts.get(key))
        }
        if len(found) > 1:
            raise ContactConflict(
                f"{person.external_id} and {person.email} belong to different people."
            )
        return next(iter(found.values()), None)

    def _expect_number_free(self, person: Person, owner: object) -> None:
        number = person.subscription_id
        if number and self.numbers.setdefault(number, owner) != owner:
            raise NumberTaken(
                f"Another member has the number {number}.", field="subscription_id"
            )

    # What becomes of them

    def _enter_new(self, person: Person, contact: Contact, at: datetime) -> Upserted:
        member = new_member(self.program, contact, person, at)
        _clean(contact, OF_CONTACT)
        given = [name for name in (*OF_MEMBER, "meta") if getattr(person, name)]
        _clean(member, given)
        self._expect_number_free(person, contact.pk or contact.uuid)
        self.new.append((member, person))
        return Upserted(Outcome.CREATED, member)

    def _enter_known(self, person: Person, contact: Contact, at: datetime) -> Upserted:
        held = self.memberships.get(contact.pk, [])
        member = next((m for m in held if m.program_id == self.program.pk), None)
        of_contact = _differing(contact, person, OF_CONTACT)
        if of_contact:
            # A person is the same everywhere: who changes them sees all of that.
            self._expect_all_seen(held)
        with _trying(contact, of_contact):
            _clean(contact, list(of_contact))
            if member is None:
                entered = self._enter_new(person, contact, at)
            else:
                entered = self._enter_member(person, contact, member, list(of_contact))
        if of_contact:
            self.rewritten[contact.pk] = contact
        return entered

    def _enter_member(
        self, person: Person, contact: Contact, member: Member, names: list[str]
    ) -> Upserted:
        self._expect_number_free(person, contact.pk)
        of_member = _differing(member, person, (*OF_MEMBER, "meta"))
        with _trying(member, of_member):
            _clean(member, list(of_member))
        member.contact = contact
        if not names and not of_member:
            return Upserted(Outcome.UNCHANGED, member)
        self.changed.append((member, [*names, *of_member]))
        return Upserted(Outcome.UPDATED, member)

    def _expect_all_seen(self, held: Sequence[Member]) -> None:
        if any(member.program_id != self.program.pk for member in held):
            expect_all_seen(held, by=self.by, act="change their details")

    # Writing it down

    def write(self, at: datetime) -> None:
        strangers = [member.contact for member, _ in self.new if not member.contact.pk]
        Contact.objects.bulk_create(strangers)
        members = [member for member, _ in self.new]
        for member in members:
            # The key of a new contact is known by now.
            member.contact_id = member.contact.pk
            if not member.subscription_id:
                member.subscription_id = number_for(self.program.pk, member.contact_id)
        Member.objects.bulk_create(members)
        Membership.objects.bulk_create(
            Membership(member=member, started_at=person.joined_at or at)
            for member, person in self.new
        )
        if self.rewritten:
            Contact.objects.bulk_update(self.rewritten.values(), OF_CONTACT)
        if self.changed:
            rows = [member for member, _ in self.changed]
            Member.objects.bulk_update(rows, (*OF_MEMBER, "meta"))
        audit.record_all(self._events(at))
        if members:
            ids = sorted(member.pk for member in members)
            evaluators.evaluate(self.program.pk, ids, at)

    def _events(self, at: datetime) -> Iterator[Any]:
        acts = [("enrol", member, "") for member, _ in self.new]
        for member, names in self.changed:
            said = ", ".join(WORDS.get(name, "further data") for name in names)
            acts.append(("edit_member", member, f"Changed: {said}."))
        for verb, member, reason in acts:
            yield audit.event(
                verb,
                by=self.by,
                program_id=self.program.pk,
                kind="member",
                object_id=member.pk,
                label=str(member),
                reason=reason,
                at=at,
            )


def _keys(person: Person) -> Iterator[tuple[str, str]]:
    if person.email:
        yield "email", address(person.email)
    if person.external_id:
        yield "external_id", person.external_id


def _differing(row: Any, person: Person, names: Iterable[str]) -> dict[str, Any]:
    """Return what was said of a person that the row does not say."""
    said = {name: getattr(person, name) for name in names}
    if "email" in said:
        said["email"] = address(said["email"])
    return {n: value for n, value in said.items() if value and value != getattr(row, n)}


@contextmanager
def _trying(row: Any, values: dict[str, Any]) -> Iterator[None]:
    """Set values of a row, and put the old ones back where something is refused."""
    before = {name: getattr(row, name) for name in values}
    for name, value in values.items():
        setattr(row, name, value)
    try:
        yield
    except Refused:
        for name, value in before.items():
            setattr(row, name, value)
        raise


def _clean(row: Any, names: Iterable[str]) -> None:
    untouched = [f.name for f in row._meta.fields if f.name not in set(names)]
    try:
        row.clean_fields(exclude=untouched)
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise InvalidPerson(" ".join(problems), field=name) from None
