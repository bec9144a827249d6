"""Contacts, subscriptions, households and accounts over HTTP, in whole documents."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty import members, programs
from loyalty.models import Contact, HouseholdMember, Member
from tests import factories
from tests.tiers.api.brevo.conftest import (
    CLUB,
    NOBODYS,
    expect,
    make_key,
    refused,
    violations,
)

CONFIG = f"/loyalty/config/programs/{CLUB}"
SUBSCRIPTIONS = f"{CONFIG}/subscriptions"
HOUSEHOLD = f"{CONFIG}/subscription-members"
ACCOUNT = f"{CONFIG}/account-info"
ADA: dict[str, Any] = {
    "email": "Ada@Example.org",
    "ext_id": "A-1",
    "attributes": {"FIRSTNAME": "Ada", "LASTNAME": "Byron", "SMS": "+39061234"},
    "listIds": [7],
    "updateEnabled": False,
}

pytestmark = pytest.mark.usefixtures("club")


@pytest.fixture
def ada(call):
    """A contact's id."""
    answer = call("POST", "/contacts", ADA)
    assert answer.status_code == 200, answer.content
    return answer.json()["id"]


@pytest.fixture
def subscribed(call, ada, frozen):
    body = {
        "contactId": ada,
        "loyaltySubscriptionId": "C-1",
        "creationDate": "2026-01-15T10:30:00.000000+01:00",
        "meta": {"shop": "Rome"},
    }
    answer = call("POST", SUBSCRIPTIONS, body)
    frozen.shift(timedelta(hours=1))
    return answer


def new_contact(call, email="child@example.org"):
    return call("POST", "/contacts", {"email": email}).json()["id"]


# Contacts


def test_a_contact_is_made_once(call, ada):
    contact = Contact.objects.get(pk=ada)
    assert (contact.name, contact.email) == ("Ada Byron", "ada@example.org")
    assert (contact.mobile, contact.external_id) == ("+39061234", "A-1")
    again = call("POST", "/contacts", ADA | {"ext_id": None})
    expect(again, 400, "refusal_400_contact")
    assert Contact.objects.count() == 1


def test_a_contact_is_updated_where_that_is_wanted(call, ada):
    body = {"email": "ada@example.org", "attributes": {"CITY": "Rome"}}
    answer = call("POST", "/contacts", body | {"updateEnabled": True})
    assert (answer.status_code, answer.content) == (204, b"")
    answer = call("POST", "/contacts", body | {"updateEnabled": True, "getId": True})
    assert answer.json() == {"id": ada}
    contact = Contact.objects.get(pk=ada)
    assert contact.attributes == ADA["attributes"] | {"CITY": "Rome"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_parameter"),
        ({"email": None}, "missing_parameter"),
        ({"email": 5}, "invalid_parameter"),
        ({"email": "no address"}, "invalid_parameter"),
        ({"ext_id": "a\u202eb"}, "invalid_parameter"),
        ({"attributes": {"SMS": 5}}, "invalid_parameter"),
        ({"email": "a@example.org", "attributes": []}, "invalid_parameter"),
        ("[]", "bad_request"),
        ("{", "bad_request"),
    ],
)
def test_contacts_are_refused_as_bad_requests(call, body, code):
    refused(call("POST", "/contacts", body), 400, code)
    assert not Contact.objects.exists()


def test_a_key_that_reads_makes_no_contact(call, maya):
    token = make_key(maya, "read")
    refused(call("POST", "/contacts", ADA, token=token), 403, "permission_denied")


# Subscriptions


def test_a_contact_joins(subscribed, ada):
    expect(subscribed, 200, "subscribed", contact=ada)


def test_who_has_joined_is_told_so_again(call, subscribed, ada):
    for number in ({}, {"loyaltySubscriptionId": "C-1"}):
        again = call("POST", SUBSCRIPTIONS, {"contactId": ada} | number)
        expect(again, 200, "subscribed", contact=ada)
    other = call(
        "POST", SUBSCRIPTIONS, {"contactId": ada, "loyaltySubscriptionId": "C-2"}
    )
    expect(other, 400, "refusal_400_subscribed")


def test_a_number_is_of_one_contact(call, subscribed):
    body = {"contactId": new_contact(call), "loyaltySubscriptionId": "C-1"}
    expect(call("POST", SUBSCRIPTIONS, body), 400, "refusal_400_number")
    assert Member.objects.count() == 1


def test_a_number_is_made_where_none_is_sent(call, club, ada):
    answer = call("POST", SUBSCRIPTIONS, {"contactId": ada})
    assert answer.json()["loyaltySubscriptionId"] == f"{club.pk}-{ada:07d}"


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"contactId": "required"}),
        ({"contactId": "1"}, {"contactId": "invalid"}),
        ({"contactId": 0}, {"contactId": "invalid"}),
        ({"contactId": True}, {"contactId": "invalid"}),
        ({"contactId": 2**63}, {"contactId": "invalid"}),
        (
            {"contactId": 1, "loyaltySubscriptionId": "x" * 65},
            {"loyaltySubscriptionId": "max_length"},
        ),
        (
            {"contactId": 1, "creationDate": "2026-01-15T10:30:00"},
            {"creationDate": "offset_required"},
        ),
        (
            {"contactId": 1, "creationDate": "2199-01-15T10:30:00Z"},
            {"creationDate": "max_value"},
        ),
        ({"contactId": 1, "meta": []}, {"meta": "not_an_object"}),
    ],
)
def test_a_subscription_that_breaks_a_rule_is_refused(call, body, problems):
    assert violations(call("POST", SUBSCRIPTIONS, body)) == problems
    assert not Member.objects.exists()


def test_nobody_joins_a_program_that_was_never_published(call, ada, maya):
    made = call("POST", "/loyalty/config/programs", {"name": "New"}).json()
    path = f"/loyalty/config/programs/{made['id']}/subscriptions"
    answer = call("POST", path, {"contactId": ada})
    expect(answer, 422, "refusal_422_unpublished")


def test_a_contact_that_there_is_not_does_not_join(call):
    answer = call("POST", SUBSCRIPTIONS, {"contactId": 999999})
    expect(answer, 404, "refusal_404_contact_id")


def test_who_leaves_is_gone_and_may_come_back(call, subscribed, ada, frozen):
    path = f"{CONFIG}/contact/{ada}"
    answer = call("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    expect(call("DELETE", path), 404, "refusal_404_subscription")
    refused(call("GET", f"{ACCOUNT}?contactId={ada}"), 400, "invalid_parameter")
    frozen.shift(timedelta(hours=1))
    back = call(
        "POST", SUBSCRIPTIONS, {"contactId": ada, "loyaltySubscriptionId": "C-9"}
    )
    expect(back, 200, "subscribed_again", contact=ada)
    assert Member.objects.count() == 1


# Households


def test_a_household_shares_a_subscription(call, subscribed, ada, frozen):
    child = new_contact(call)
    body = {"contactId": ada, "memberContactIds": [child, child]}
    expect(call("POST", HOUSEHOLD, body), 200, "household", contact=ada, child=child)
    body = {"loyaltySubscriptionId": "C-1", "memberContactIds": [child]}
    expect(call("POST", HOUSEHOLD, body), 200, "household", contact=ada, child=child)
    account = call("GET", f"{ACCOUNT}?contactId={ada}&params=members").json()
    assert [row["memberContactId"] for row in account["members"]] == [child]
    gone = f"{HOUSEHOLD}?memberContactIds={child},999999"
    assert call("DELETE", gone).status_code == 204
    refused(call("DELETE", gone), 404, "document_not_found")
    assert not HouseholdMember.objects.exists()


def test_households_are_refused_by_class(call, subscribed, ada):
    def share(**body):
        return call("POST", HOUSEHOLD, body)

    expect(share(contactId=ada, memberContactIds=[ada]), 409, "refusal_409_owner")
    child = new_contact(call)
    refused(share(contactId=child, memberContactIds=[ada]), 404, "document_not_found")
    refused(share(contactId=ada, memberContactIds=[999999]), 404, "document_not_found")
    assert violations(share(contactId=ada, memberContactIds=[])) == {
        "memberContactIds": "min_length"
    }
    assert violations(share(memberContactIds=[child])) == {"": "required"}
    for ids in ("", "?memberContactIds=", "?memberContactIds=1,x"):
        refused(call("DELETE", f"{HOUSEHOLD}{ids}"), 400, "invalid_parameter")
    assert not HouseholdMember.objects.exists()


# Accounts


def test_an_account_says_what_is_held(call, subscribed, ada):
    member = Member.objects.get()
    factories.earn(member, 600)
    expect(call("GET", f"{ACCOUNT}?contactId={ada}"), 200, "account", contact=ada)
    by_number = call("GET", f"{ACCOUNT}?loyaltySubscriptionId=C-1&params=")
    expect(by_number, 200, "account", contact=ada)


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        ("balance", {"balance"}),
        ("tier,members", {"tier", "members"}),
        ("reward,nonsense", {"reward"}),
        ("nonsense", {"balance", "tier", "reward", "members"}),
    ],
)
def test_an_account_has_the_parts_that_are_asked_for(
    call, subscribed, ada, params, parts
):
    account = call("GET", f"{ACCOUNT}?contactId={ada}&params={params}").json()
    assert set(account) - {"loyaltyProgramName", "membership"} == parts


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?contactId=",
        "?contactId=ada",
        "?contactId=-1",
        "?contactId=999999",
        "?loyaltySubscriptionId=C-404",
        f"?loyaltySubscriptionId={'x' * 65}",
        "?contactId=1&includeInternal=yes",
    ],
)
def test_who_cannot_be_found_is_a_bad_request(call, subscribed, query):
    document = call("GET", f"{ACCOUNT}{query}").json()
    code = "missing_parameter" if not query else "invalid_parameter"
    assert refused(call("GET", f"{ACCOUNT}{query}"), 400, code) == document


def test_while_tiers_rest_nobody_holds_one(call, subscribed, ada, club, maya):
    programs.switch_tiers(club, "pause", by=maya, reason="Stocktaking.")
    account = call("GET", f"{ACCOUNT}?contactId={ada}").json()
    assert account["tier"] == []


def test_an_account_costs_the_same_with_a_little_and_with_a_lot(
    call, subscribed, ada, club, maya, django_assert_num_queries
):
    path = f"{ACCOUNT}?contactId={ada}"
    call("GET", path)
    # the key with its owner, the permission, the program, the member, its name, the
    # member's intervals, balances, what they are called, tiers, standings, groups,
    # household
    with django_assert_num_queries(12):
        call("GET", path)
    member = Member.objects.get()
    for _ in range(3):
        factories.earn(member, 600)
    children = [Contact.objects.get(pk=new_contact(call, f"{n}@e.org")) for n in "abc"]
    members.share(member, children, by=maya)
    with django_assert_num_queries(12):
        account = call("GET", path).json()
    assert len(account["members"]) == 3


def test_programs_of_others_and_none_read_alike(call, subscribed, ada, maya):
    other = factories.make_program(maya, "Other")
    token = make_key(maya, program=other)
    paths = (f"contact/{ada}", "account-info?contactId=1")
    for method, path in zip(("DELETE", "GET"), paths, strict=True):
        hidden = call(method, f"{CONFIG}/{path}", token=token)
        there_is_not = call(method, f"/loyalty/config/programs/{NOBODYS}/{path}")
        assert hidden.content == there_is_not.content
        refused(hidden, 404, "document_not_found")
    assert Member.objects.present().exists()
