"""Enrolling, leaving, coming back, closing, finding."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from approvals.errors import InvalidTransition, ReasonRequired
from approvals.models import AuditEvent
from loyalty import members
from loyalty.errors import AlreadyMember, ContactConflict, NumberTaken
from loyalty.members import Person
from loyalty.models import Contact, Member, Membership
from tests import factories
from tiers.models import TierAssignment

ADA = Person(name="Ada Byron", email="Ada@Example.org", external_id="C-1")


def test_enrolling_makes_a_contact_a_member_and_an_interval(program, maya):
    member = members.enrol(program, ADA, by=maya)
    assert member.contact.email == "ada@example.org"
    assert member.subscription_id == f"{program.pk}-{member.contact_id:07d}"
    interval = Membership.objects.get(member=member)
    assert (interval.started_at, interval.ended_at) == (member.created_at, None)


def test_a_newcomer_has_a_place_at_once(group, program, maya):
    member = members.enrol(program, ADA, by=maya)
    held = TierAssignment.objects.get(member=member)
    assert held.tier_version.name == "Bronze"


def test_a_newcomer_may_have_joined_earlier(program, maya):
    then = datetime(2024, 2, 3, tzinfo=UTC)
    person = Person(name="Ada", joined_at=then)
    member = members.enrol(program, person, by=maya)
    assert member.intervals.get().started_at == then


def test_a_person_is_one_contact_in_all_programs(program, maya):
    other = factories.make_program(maya, "Other")
    first = members.enrol(program, ADA, by=maya)
    second = members.enrol(other, Person(external_id="C-1"), by=maya)
    third = factories.make_program(maya, "Third")
    by_mail = members.enrol(third, Person(email="ada@example.ORG"), by=maya)
    assert first.contact_id == second.contact_id == by_mail.contact_id


def test_nobody_is_enrolled_twice(program, maya):
    member = members.enrol(program, ADA, by=maya)
    with pytest.raises(AlreadyMember) as refused:
        members.enrol(program, ADA, by=maya)
    assert refused.value.details == {"member_id": member.pk}
    members.leave(member, by=maya)
    with pytest.raises(AlreadyMember):
        members.enrol(program, ADA, by=maya)


def test_a_membership_number_is_given_once(program, maya):
    members.enrol(program, Person(name="Ada", subscription_id="7"), by=maya)
    with pytest.raises(NumberTaken):
        members.enrol(program, Person(name="Bob", subscription_id="7"), by=maya)
    assert Contact.objects.count() == 1


def test_a_contact_that_somebody_makes_in_between_is_used(program, maya, monkeypatch):
    other = factories.make_program(maya, "Other")
    first = members.enrol(other, ADA, by=maya)
    look = members._contact_of
    too_early = iter([None])
    monkeypatch.setattr(
        members, "_contact_of", lambda person: next(too_early, look(person))
    )
    assert members.enrol(program, ADA, by=maya).contact_id == first.contact_id


def test_details_of_two_people_name_nobody(program, maya):
    members.enrol(program, Person(email="ada@example.org"), by=maya)
    members.enrol(program, Person(external_id="C-2"), by=maya)
    with pytest.raises(ContactConflict):
        members.enrol(
            program, Person(email="ada@example.org", external_id="C-2"), by=maya
        )


def test_many_are_enrolled_in_a_few_statements(
    program, maya, django_assert_num_queries
):
    crowd = [Person(name=f"P{n}", external_id=f"X-{n}") for n in range(50)]
    # Savepoint and release; contacts, members, intervals.
    with django_assert_num_queries(5):
        made = list(members.enrol_many(program, crowd, by=maya))
    assert [member.contact.name for member in made] == [p.name for p in crowd]
    assert Member.objects.marked().count() == 50


def test_who_leaves_holds_no_tier_and_who_comes_back_is_placed_afresh(
    group, program, maya
):
    at = timezone.now()
    member = members.enrol(program, ADA, by=maya, at=at - timedelta(days=9))
    members.leave(member, by=maya, at=at - timedelta(days=5), reason="Moved away.")
    assert not TierAssignment.objects.at(at).filter(member=member)
    members.rejoin(member, by=maya, at=at - timedelta(days=1))
    assert TierAssignment.objects.at(at).filter(member=member).count() == 1
    assert member.intervals.count() == 2
    verbs = AuditEvent.objects.about("member", member.pk).order_by("pk")
    assert [(event.verb, event.reason) for event in verbs] == [
        ("leave", "Moved away."),
        ("rejoin", ""),
    ]


def test_leaving_and_coming_back_happen_once_each(program, maya):
    member = members.enrol(program, ADA, by=maya)
    with pytest.raises(AlreadyMember):
        members.rejoin(member, by=maya)
    members.leave(member, by=maya)
    with pytest.raises(InvalidTransition):
        members.leave(member, by=maya)


def test_closing_is_for_good_and_says_why(program, maya):
    member = members.enrol(program, ADA, by=maya)
    with pytest.raises(ReasonRequired):
        members.close(member, by=maya, reason=" ")
    members.close(member, by=maya, reason="Asked us to.")
    assert Member.objects.get(pk=member.pk).status == Member.Status.CLOSED
    assert member.intervals.get().ended_at is not None
    with pytest.raises(InvalidTransition):
        members.close(member, by=maya, reason="Again.")
    with pytest.raises(InvalidTransition):
        members.rejoin(member, by=maya)


def test_a_member_is_found_by_whatever_names_one(program, maya):
    person = Person(
        email="ada@example.org",
        mobile="+49 30 1234",
        external_id="C-1",
        subscription_id="S-1",
        card="4012",
    )
    member = members.enrol(program, person, by=maya)
    for key in ("S-1", "4012", "C-1", "ADA@example.org", "+49 30 1234"):
        assert members.find(program, key) == member
    assert members.find(program, "nobody") is None
    assert members.find(program, "") is None
    assert members.find(factories.make_program(maya, "Other"), "S-1") is None


def test_what_two_members_share_names_neither(program, maya):
    for name in ("ada", "bob"):
        person = Person(email=f"{name}@example.org", mobile="+49 30 1234")
        members.enrol(program, person, by=maya)
    assert members.find(program, "+49 30 1234") is None
