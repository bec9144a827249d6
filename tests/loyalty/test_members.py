"""Enrolling, leaving, coming back, editing, closing, erasing, finding."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from approvals import roles
from approvals.errors import InvalidTransition, NotAllowed, ReasonRequired, StaleEdit
from approvals.models import AuditEvent
from loyalty import members, points
from loyalty.errors import AlreadyMember, ContactConflict, NumberTaken
from loyalty.members import Person, enrolling
from loyalty.models import Contact, Member, Membership, ProgramLimit
from tests import factories
from tests.counts import count
from tests.races import racers
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


def test_a_contact_may_be_known_by_an_id_before_anything_else(program, maya):
    known = Person(contact_uuid=UUID("33333333-3333-4333-8333-333333333333"))
    member = members.enrol(program, known, by=maya)
    assert member.contact.uuid == known.contact_uuid
    again = factories.make_program(maya, "Another")
    assert members.enrol(again, known, by=maya).contact == member.contact
    with pytest.raises(AlreadyMember):
        members.enrol(program, known, by=maya)


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
    look = enrolling.contact_of
    too_early = iter([None])
    monkeypatch.setattr(
        enrolling, "contact_of", lambda *asked: next(too_early, look(*asked))
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
        ("enrol", ""),
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


# Setting inactive, editing


def test_a_member_is_set_inactive_and_active_again_with_a_reason(program, maya):
    member = members.enrol(program, ADA, by=maya)
    with pytest.raises(InvalidTransition):
        members.activate(member, by=maya, reason="Nothing to do.")
    with pytest.raises(ReasonRequired):
        members.deactivate(member, by=maya, reason=" ")
    members.deactivate(member, by=maya, reason="Long away.")
    assert Member.objects.get(pk=member.pk).status == Member.Status.INACTIVE
    assert member.intervals.get().ended_at is None
    members.activate(member, by=maya, reason="Back again.")
    assert Member.objects.get(pk=member.pk).status == Member.Status.ACTIVE
    members.close(member, by=maya, reason="Asked us to.")
    with pytest.raises(InvalidTransition):
        members.deactivate(member, by=maya, reason="Too late.")


def test_editing_changes_what_differs_and_records_no_personal_data(program, maya):
    member = members.enrol(program, ADA, by=maya)
    said = replace(members.details_of(member), email=" Ada@New.example ", card="4012")
    changed = members.edit(member, said, by=maya)
    assert changed == ["e-mail address", "card number"]
    member = Member.objects.get(pk=member.pk)
    assert (member.contact.email, member.card) == ("ada@new.example", "4012")
    event = AuditEvent.objects.about("member", member.pk).get(verb="edit_member")
    assert event.reason == "Changed: e-mail address, card number."


def test_editing_nothing_leaves_no_trace(program, maya):
    member = members.enrol(program, ADA, by=maya)
    assert members.edit(member, members.details_of(member), by=maya) == []
    assert not AuditEvent.objects.filter(verb="edit_member").exists()


@pytest.mark.parametrize(
    ("field", "value", "refusal"),
    [
        ("email", "BOB@example.org", ContactConflict),
        ("external_id", "C-2", ContactConflict),
        ("subscription_id", "7", NumberTaken),
        ("email", "not an address", ValidationError),
        ("subscription_id", " ", ValidationError),
    ],
)
def test_nobody_is_given_what_belongs_to_somebody_else(
    program, maya, field, value, refusal
):
    bob = Person(email="bob@example.org", external_id="C-2", subscription_id="7")
    members.enrol(program, bob, by=maya)
    member = members.enrol(program, ADA, by=maya)
    before = members.details_of(member)
    with pytest.raises(refusal) as refused:
        members.edit(member, replace(before, **{field: value}), by=maya)
    if refusal is not ValidationError:
        assert refused.value.details["field"] == field
    member = Member.objects.get(pk=member.pk)
    assert members.details_of(member) == before


def test_who_was_slower_is_told_who_was_faster(program, maya, chen):
    member = members.enrol(program, ADA, by=maya)
    seen = members.details_of(member)
    members.edit(member, replace(seen, card="1"), by=chen, seen=seen.digest)
    with pytest.raises(StaleEdit, match="chen changed"):
        members.edit(member, replace(seen, card="2"), by=maya, seen=seen.digest)
    assert Member.objects.get(pk=member.pk).card == "1"


# Erasing


@pytest.fixture
def dora(db):
    """Who may erase."""
    return factories.make_user("dora", roles.DATA_PROTECTION)


def test_erasing_empties_the_person_and_keeps_the_rest(group, program, maya, dora):
    other = factories.make_program(maya, "Other")
    member = members.enrol(program, replace(ADA, card="4012", meta={"a": 1}), by=maya)
    elsewhere = members.enrol(other, replace(ADA, card="77"), by=maya)
    Contact.objects.filter(pk=member.contact_id).update(
        mobile="+49 30 1234", site_member_id="wix-1", attributes={"born": "1815"}
    )
    factories.earn(member, 700)
    chain = list(member.entries.values_list("hash", flat=True))
    uuid = member.contact.uuid

    members.erase(member, by=dora, reason="She asked us to.")

    contact = Contact.objects.get(pk=member.contact_id)
    assert contact.uuid == uuid
    assert contact.erased_at is not None
    kept = ("name", "email", "mobile", "external_id", "site_member_id", "attributes")
    assert not any(getattr(contact, name) for name in kept)
    for each in Member.objects.filter(contact=contact):
        assert (each.card, each.meta) == ("", {})
    assert {member.pk, elsewhere.pk} == {m.pk for m in contact.memberships.all()}
    assert list(member.entries.values_list("hash", flat=True)) == chain
    assert points.verify(Member.objects.get(pk=member.pk)) is None
    assert TierAssignment.objects.known_now().filter(member=member).exists()
    assert members.find(program, "ada@example.org") is None


def test_nothing_of_what_was_erased_is_left_in_the_database(program, maya, dora):
    """Every text column of every table is searched for every word of hers."""
    person = Person(
        name="Zebedea Quux",
        email="zebedea@quux.example",
        mobile="+999 777 555",
        external_id="SHOP-QUUX",
        card="CARD-QUUX",
    )
    member = members.enrol(program, person, by=maya)
    edited = replace(members.details_of(member), name="Zebedea Quuxx")
    members.edit(member, edited, by=maya)
    words = ("zebedea", "quux", "+999 777 555")
    assert found_in_database(words)
    members.erase(member, by=dora, reason="She asked us to.")
    assert found_in_database(words) == set()


def found_in_database(words):
    found = set()
    for model in apps.get_models():
        for values in model._default_manager.values():
            text = str(list(values.values())).casefold()
            found |= {(model.__name__, word) for word in words if word in text}
    return found


def test_erasing_needs_its_own_permission_and_a_reason(program, maya, dora):
    member = members.enrol(program, ADA, by=maya)
    with pytest.raises(NotAllowed):
        members.erase(member, by=maya, reason="She asked us to.")
    with pytest.raises(ReasonRequired):
        members.erase(member, by=dora, reason="")
    assert Contact.objects.get().name == "Ada Byron"


def test_who_does_not_see_all_programs_of_a_person_does_not_erase_them(
    program, maya, dora
):
    member = members.enrol(program, ADA, by=maya)
    members.enrol(factories.make_program(maya, "Other"), ADA, by=maya)
    ProgramLimit.objects.create(user=dora, program=program)
    with pytest.raises(NotAllowed, match="do not see"):
        members.erase(member, by=dora, reason="She asked us to.")


def test_the_erased_stay_erased(program, maya, dora):
    member = members.enrol(program, ADA, by=maya)
    members.erase(member, by=dora, reason="She asked us to.")
    with pytest.raises(InvalidTransition):
        members.erase(member, by=dora, reason="Again.")
    with pytest.raises(InvalidTransition):
        members.edit(member, members.Details(name="Ada"), by=maya)
    again = members.enrol(program, ADA, by=maya)
    assert again.contact_id != member.contact_id


# Finding in all programs


@pytest.mark.parametrize(
    "key", ["S-1", "4012", "C-1", " ADA@example.org", "+49 30 1234"]
)
def test_a_member_is_named_by_any_of_their_numbers(program, maya, key):
    person = Person(
        email="ada@example.org",
        mobile="+49 30 1234",
        external_id="C-1",
        subscription_id="S-1",
        card="4012",
    )
    member = members.enrol(program, person, by=maya)
    members.enrol(program, Person(email="bob@example.org"), by=maya)
    assert members.named_by(key, visible_to=maya) == [member.pk]


def test_nobody_is_named_by_nothing_or_seen_through_a_limit(program, maya):
    members.enrol(program, replace(ADA, subscription_id="S-1"), by=maya)
    assert members.named_by(" ", visible_to=maya) == []
    other = factories.make_program(maya, "Other")
    ProgramLimit.objects.create(user=maya, program=other)
    assert members.named_by("S-1", visible_to=maya) == []


def test_looking_somebody_up_reads_no_table_from_end_to_end(program, maya):
    for number in range(300):
        factories.make_member(program, card=f"C{number}")
    with CaptureQueriesContext(connection) as queries:
        members.named_by("C7", visible_to=maya)
    assert len(queries) == 1
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + queries[0]["sql"])
            plan = [row[3] for row in cursor.fetchall()]
        # Programs are few: each of the five ways to be named reads them all.
        scans = [p for p in plan if p.startswith("SCAN") and "USING" not in p]
        assert len(scans) <= 5
        for index in ("members_by_card", "email_is_of_one", "external_id_is_of_one"):
            assert any(index in line for line in plan)


# At the same time


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_nobody_becomes_a_member_as_a_person_who_is_being_erased(program, maya, dora):
    """Who enrols them waits, and then finds nobody: a new person begins."""
    other = factories.make_program(maya, "Other")
    with racers(2) as people:
        for number in range(count(10, 100)):
            ada = Person(email=f"ada{number}@example.org")
            member = members.enrol(program, ada, by=maya)
            outcomes = people.race(
                partial(members.erase, member, by=dora, reason="She asked us to."),
                partial(members.enrol, other, ada, by=maya),
            )
            assert not any(isinstance(o, Exception) for o in outcomes), outcomes
            erased = Contact.objects.get(pk=member.contact_id)
            assert erased.email == ""
            newest = Member.objects.get(pk=outcomes[1].pk)
            # Either was first, and neither was half.
            assert newest.contact_id == erased.pk or newest.contact.email
            assert newest.card == ""
