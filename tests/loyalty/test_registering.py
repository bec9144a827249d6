"""Contacts made before they are members, and households that share a membership."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from approvals.errors import InvalidTransition, NotAllowed
from approvals.models import AuditEvent
from loyalty import members
from loyalty.errors import (
    AlreadyMember,
    ContactConflict,
    ContactKnown,
    HouseholdConflict,
    NumberTaken,
)
from loyalty.members import Person, enrolling
from loyalty.models import Contact, HouseholdMember, ProgramLimit
from tests import factories

ADA = Person(name="Ada", email="Ada@Example.org", external_id="A-1")


@pytest.fixture
def ada(maya):
    contact, _ = members.register(ADA, by=maya, attributes={"CITY": "Rome"})
    return contact


def test_a_contact_is_made_once(ada, maya):
    assert (ada.email, ada.attributes) == ("ada@example.org", {"CITY": "Rome"})
    with pytest.raises(ContactKnown) as refused:
        members.register(Person(email="ADA@example.org"), by=maya)
    assert refused.value.details == {"contact_id": ada.pk}
    with pytest.raises(ContactKnown, match="A-1"):
        members.register(Person(external_id="A-1"), by=maya)


def test_details_of_two_people_name_nobody(ada, maya):
    members.register(Person(email="bob@example.org"), by=maya)
    with pytest.raises(ContactConflict):
        members.register(
            Person(email="bob@example.org", external_id="A-1"), by=maya, update=True
        )


def test_an_update_changes_what_is_said_and_is_on_record(ada, program, maya):
    member = members.enrol(program, Person(contact_uuid=ada.uuid), by=maya)
    said = Person(email="ada@example.org", mobile="+49170")
    found, is_new = members.register(said, by=maya, attributes={"AGE": 36}, update=True)
    ada.refresh_from_db()
    assert (found, is_new) == (ada, False)
    assert (ada.name, ada.mobile) == ("Ada", "+49170")
    assert ada.attributes == {"CITY": "Rome", "AGE": 36}
    edits = AuditEvent.objects.about("member", member.pk).filter(verb="edit_member")
    assert [event.reason for event in edits] == ["Changed: mobile, attributes."]
    # Again, and nothing is changed.
    members.register(said, by=maya, attributes={"AGE": 36}, update=True)
    assert edits.count() == 1


def test_who_does_not_see_all_of_a_persons_programs_changes_nothing(
    ada, program, maya, chen
):
    members.enrol(program, Person(contact_uuid=ada.uuid), by=maya)
    other = factories.make_program(maya, "Other")
    lena = factories.make_maker("lena")
    ProgramLimit.objects.create(user=lena, program=other)
    with pytest.raises(NotAllowed):
        members.register(
            Person(email="ada@example.org", name="X"), by=lena, update=True
        )
    ada.refresh_from_db()
    assert ada.name == "Ada"


@pytest.mark.parametrize("person", [Person(email="no address"), Person(name="x" * 151)])
def test_details_that_cannot_be_are_refused(person, maya):
    with pytest.raises(ValidationError):
        members.register(person, by=maya)
    assert not Contact.objects.exists()


# Households


@pytest.fixture
def owner(program, ada, maya):
    return members.enrol(program, Person(contact_uuid=ada.uuid), by=maya)


@pytest.fixture
def child(maya):
    contact, _ = members.register(Person(email="child@example.org"), by=maya)
    return contact


def test_a_household_is_added_to_and_taken_from(owner, child, program, maya):
    members.share(owner, [child], by=maya)
    members.share(owner, [child], by=maya)
    assert [row.contact for row in owner.household.all()] == [child]
    assert members.unshare(program, [child.pk], by=maya) == 1
    assert members.unshare(program, [child.pk], by=maya) == 0
    verbs = AuditEvent.objects.about("member", owner.pk).values_list("verb", flat=True)
    assert sorted(verbs) == ["enrol", "share_membership", "unshare_membership"]


def test_who_has_a_membership_does_not_share_one(owner, child, program, maya):
    with pytest.raises(HouseholdConflict, match="owner"):
        members.share(owner, [child, owner.contact], by=maya)
    other = members.enrol(program, Person(email="other@example.org"), by=maya)
    with pytest.raises(HouseholdConflict, match="of their own"):
        members.share(owner, [other.contact], by=maya)
    members.share(other, [child], by=maya)
    with pytest.raises(HouseholdConflict, match="somebody else's"):
        members.share(owner, [child], by=maya)
    assert not owner.household.exists()


def test_a_household_that_somebody_was_faster_to_add_to_is_refused(
    owner, child, program, maya
):
    other = members.enrol(program, Person(email="other@example.org"), by=maya)
    members.share(other, [child], by=maya)
    row = {"program": program, "owner": owner, "contact": child}
    with pytest.raises(IntegrityError):
        HouseholdMember.objects.create(**row, created_at=factories.LONG_AGO)


def test_who_leaves_shares_nothing_any_more(owner, child, maya):
    members.share(owner, [child], by=maya)
    members.leave(owner, by=maya)
    assert not owner.household.exists()
    with pytest.raises(InvalidTransition):
        members.share(owner, [child], by=maya)


def test_who_is_enrolled_twice_at_once_has_their_own_number(
    program, ada, maya, monkeypatch
):
    person = Person(contact_uuid=ada.uuid, subscription_id="C-1")
    member = members.enrol(program, person, by=maya)

    def overtaken(*args, **kwargs):
        raise IntegrityError

    monkeypatch.setattr(enrolling, "_enrol", overtaken)
    with pytest.raises(AlreadyMember) as refused:
        members.enrol(program, person, by=maya)
    assert refused.value.details == {"member_id": member.pk}
    child = Person(email="child@example.org", subscription_id="C-1")
    with pytest.raises(NumberTaken):
        members.enrol(program, child, by=maya)
