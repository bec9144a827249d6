"""Filling in what another system knows of its customers, hundreds at a time."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals.errors import NotAllowed
from approvals.models import AuditEvent
from loyalty import members
from loyalty.errors import ContactConflict, InvalidPerson, NumberTaken
from loyalty.members import Outcome, Person
from loyalty.models import Contact, Member, Membership
from loyalty.models.programs import ProgramLimit
from tests import factories
from tests.races import racers

pytestmark = pytest.mark.django_db
CREATED, UPDATED, UNCHANGED, REFUSED = Outcome

ADA = Person(name="Ada", email="Ada@example.org", external_id="1")
BOB = Person(name="Bob", external_id="2", card="C-2", subscription_id="S-2")


def upsert(program, *people, by=None):
    return members.upsert(program, people, by=by)


def outcomes(found):
    return [upserted.outcome for upserted in found]


def test_who_is_unknown_becomes_a_member_with_everything_said(program, group, maya):
    found = upsert(program, ADA, BOB, by=maya)
    assert outcomes(found) == [CREATED, CREATED]
    ada, bob = (Member.objects.get(pk=upserted.member.pk) for upserted in found)
    assert (ada.contact.email, ada.contact.name) == ("ada@example.org", "Ada")
    assert ada.subscription_id == f"{program.pk}-{ada.contact_id:07d}"
    assert (bob.subscription_id, bob.card) == ("S-2", "C-2")
    assert Membership.objects.filter(member__in=[ada, bob]).count() == 2
    # They have a place at once.
    assert ada.standings.count() == bob.standings.count() == 1
    events = AuditEvent.objects.filter(kind="member", verb="enrol", actor=maya)
    assert {event.object_id for event in events} == {ada.pk, bob.pk}


def test_sent_again_nothing_changes(program):
    upsert(program, ADA, BOB)
    before = AuditEvent.objects.count()
    assert outcomes(upsert(program, ADA, BOB)) == [UNCHANGED, UNCHANGED]
    assert AuditEvent.objects.count() == before


def test_what_is_said_is_filled_in_and_the_rest_stays(program, maya):
    upsert(program, ADA, BOB)
    found = upsert(
        program,
        Person(email="ada@EXAMPLE.org", mobile="+441"),
        Person(external_id="2", card="C-3", meta={"shoe": 43}),
        by=maya,
    )
    assert outcomes(found) == [UPDATED, UPDATED]
    ada, bob = (Member.objects.get(pk=upserted.member.pk) for upserted in found)
    assert (ada.contact.name, ada.contact.mobile) == ("Ada", "+441")
    assert (bob.card, bob.meta, bob.subscription_id) == ("C-3", {"shoe": 43}, "S-2")
    event = AuditEvent.objects.get(verb="edit_member", object_id=ada.pk)
    assert event.reason == "Changed: mobile number."


def test_who_is_refused_holds_up_nobody(program, maya):
    upsert(program, ADA, BOB)
    found = upsert(
        program,
        Person(name="Nobody"),
        Person(external_id="1", email="x" * 300 + "@example.org"),
        Person(external_id="2", email="ada@example.org"),
        Person(external_id="2", subscription_id=ada_number(program)),
        Person(external_id="3", subscription_id="S-2"),
        Person(external_id="4", name="Dora"),
        Person(external_id="4", name="Dorothy"),
    )
    kinds = [type(upserted.refusal) for upserted in found]
    assert kinds == [
        InvalidPerson,
        InvalidPerson,
        ContactConflict,
        ContactConflict,
        NumberTaken,
        type(None),
        ContactConflict,
    ]
    assert outcomes(found)[5] == CREATED
    ada = Contact.objects.get(external_id="1")
    assert (ada.email, Contact.objects.get(external_id="4").name) == (
        "ada@example.org",
        "Dora",
    )


def ada_number(program):
    return Member.objects.get(program=program, contact__external_id="1").subscription_id


def test_a_person_of_another_program_joins_as_who_they_are(program, maya):
    other = factories.make_program(maya, "Other")
    [first] = upsert(program, ADA)
    [second] = upsert(other, Person(external_id="1", mobile="+441"), by=maya)
    assert second.outcome == CREATED
    assert second.member.contact_id == first.member.contact_id
    assert Contact.objects.get(external_id="1").mobile == "+441"


def test_nobody_changes_people_of_programs_that_they_do_not_see(program, maya):
    other = factories.make_program(maya, "Other")
    upsert(program, ADA)
    ProgramLimit.objects.create(user=maya, program=other)
    joins, changes = (
        upsert(other, person, by=maya)[0]
        for person in (
            Person(external_id="1"),
            Person(external_id="1", email="eve@example.org"),
        )
    )
    assert (joins.outcome, changes.outcome) == (CREATED, REFUSED)
    assert isinstance(changes.refusal, NotAllowed)
    assert Contact.objects.get(external_id="1").email == "ada@example.org"


def test_who_has_left_stays_away(program, maya):
    [found] = upsert(program, ADA)
    members.leave(found.member, by=maya)
    assert outcomes(upsert(program, Person(external_id="1", name="Ada B."))) == [
        UPDATED
    ]
    assert not Membership.objects.filter(ended_at=None, member=found.member).exists()


def test_it_asks_as_much_for_many_as_for_few(program, group):
    def queries(people):
        with CaptureQueriesContext(connection) as asked:
            upsert(program, *people)
        return len(asked)

    few = [Person(external_id=f"few-{n}") for n in range(2)]
    many = [Person(external_id=f"many-{n}") for n in range(20)]
    assert queries(few) == queries(many)
    few, many = (
        [Person(external_id=person.external_id, card="C") for person in people]
        for people in (few, many)
    )
    assert queries(few) == queries(many)


@pytest.mark.django_db(transaction=True)
def test_two_who_send_the_same_people_at_once_make_them_once(program):
    people = [Person(external_id=f"{n}", email=f"{n}@example.org") for n in range(20)]
    with racers(2) as two:
        one, other = two.race(
            lambda: upsert(program, *people),
            lambda: upsert(program, *reversed(people)),
        )
    assert {frozenset(outcomes(one)), frozenset(outcomes(other))} == {
        frozenset({CREATED}),
        frozenset({UNCHANGED}),
    }
    assert Contact.objects.filter(external_id__in="0123456789").count() == 10
