"""Balance definitions and balances over HTTP, in whole documents."""

from datetime import timedelta

import pytest

from loyalty import members, points
from loyalty.models import BalanceDefinition, BalanceDefinitionVersion, Member
from tests import factories, scenes
from tests.tiers.api.brevo.conftest import (
    CLUB,
    NOBODYS,
    POINTS,
    PURCHASES,
    STATUS,
    expect,
    make_key,
    numbered,
    refused,
    violations,
)
from tests.tiers.api.brevo.test_tiers import PUBLISH

BALANCE = f"/loyalty/balance/programs/{CLUB}"
DEFINITIONS = f"{BALANCE}/balance-definitions"
MILES = numbered("c", 4)
ASKED = {
    "name": "Miles",
    "unit": "EUR",
    "description": "Money back.",
    "imageRef": "https://example.org/m.png",
    "minAmount": -5.5,
    "maxAmount": 1000,
    "maxCreditAmountLimit": 100,
    "maxDebitAmountLimit": 50.25,
    "balanceOptionAmountOvertakingStrategy": "partial",
    "balanceOptionCreditRounding": "upper",
    "balanceOptionDebitRounding": "natural",
    "balanceAvailabilityDurationValue": 3,
    "balanceAvailabilityDurationUnit": "month",
    "balanceAvailabilityDurationModifier": "endOfPeriod",
    "meta": {"color": "blue", "isInternal": False},
}

pytestmark = pytest.mark.usefixtures("club")


@scenes.kept
def ada(club):
    """A member of the club since long ago."""
    member = factories.make_member(club, email="ada@example.org", subscription_id="A")
    Member.objects.filter(pk=member.pk).update(uuid=numbered("d", 1), marked_at=None)
    return Member.objects.get(pk=member.pk)


@pytest.fixture
def miles(call, frozen):
    """A definition that is published, with a known id."""
    made = call("POST", DEFINITIONS, ASKED).json()
    BalanceDefinition.objects.filter(uuid=made["id"]).update(uuid=MILES)
    assert call("POST", PUBLISH).status_code == 200
    return BalanceDefinition.objects.get(uuid=MILES)


def names(response):
    assert response.status_code == 200, response.content
    return [item["name"] for item in response.json()["items"]]


# Definitions


def test_a_definition_is_made_as_a_draft(call, frozen):
    answer = call("POST", DEFINITIONS, ASKED)
    made = answer.json()["id"]
    expect(answer, 200, "definition_created", id=made)
    expect(call("GET", f"{DEFINITIONS}/{made}"), 200, "definition_created", id=made)
    active = call("GET", f"{DEFINITIONS}/{made}?version=active")
    expect(active, 404, "refusal_404_definition")
    call("POST", PUBLISH)
    active = call("GET", f"{DEFINITIONS}/{made}?version=active")
    assert active.status_code == 200


def test_what_is_not_sent_has_its_default(call, frozen):
    answer = call("POST", DEFINITIONS, {"name": "Stars", "unit": "POINTS"})
    expect(answer, 200, "definition_least", id=answer.json()["id"])


def test_a_change_replaces_everything_and_waits_for_publication(call, miles):
    answer = call("PUT", f"{DEFINITIONS}/{MILES}", {"name": "Money", "unit": "USD"})
    expect(answer, 200, "definition_updated")
    assert names(call("GET", f"{DEFINITIONS}?version=active&sort=asc"))[-1] == "Miles"
    again = {"name": "Coins", "unit": "USD"}
    assert call("PUT", f"{DEFINITIONS}/{MILES}", again).json()["name"] == "Coins"
    assert BalanceDefinitionVersion.objects.filter(name="Money").count() == 0


def test_a_deletion_waits_for_publication(call, miles):
    path = f"{DEFINITIONS}/{MILES}"
    answer = call("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    expect(call("DELETE", path), 404, "refusal_404_definition")
    assert call("GET", f"{path}?version=active").status_code == 200
    call("POST", PUBLISH)
    expect(call("GET", f"{path}?version=active"), 404, "refusal_404_definition")


def test_what_is_built_in_is_not_deleted(call):
    refused(call("DELETE", f"{DEFINITIONS}/{POINTS}"), 422, "unprocessable_entity")
    assert len(names(call("GET", DEFINITIONS))) == 3


def test_a_program_of_the_vendors_has_no_definitions_but_its_own(call, maya):
    made = call("POST", "/loyalty/config/programs", {"name": "New"}).json()
    path = f"/loyalty/balance/programs/{made['id']}/balance-definitions"
    assert names(call("GET", path)) == []
    call("POST", path, {"name": "Points", "unit": "POINTS"})
    call("POST", f"/loyalty/config/programs/{made['id']}/publish")
    assert names(call("GET", f"{path}?version=active")) == ["Points"]


def test_definitions_are_sorted_and_paged(call, miles):
    call("PUT", f"{DEFINITIONS}/{POINTS}", {"name": "Zest", "unit": "POINTS"})

    def listed(**query):
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return names(call("GET", f"{DEFINITIONS}?{asked}"))

    made = ["Zest", "Purchases", "Visits", "Miles"]
    assert listed(sortField="created_at", sort="asc") == made
    assert listed(sortField="name", sort="asc") == sorted(made)
    assert listed(sortField="name", limit=1, offset=1) == ["Visits"]
    assert set(listed(limit=2)) == {"Zest", "Miles"}


def test_definitions_cost_the_same_for_few_and_many(call, django_assert_num_queries):
    call("GET", DEFINITIONS)
    # the key with its owner, the permission, the program, the definitions
    with django_assert_num_queries(4):
        call("GET", DEFINITIONS)
    for number in range(20):
        call("POST", DEFINITIONS, {"name": f"B{number}", "unit": "POINTS"})
    with django_assert_num_queries(4):
        assert len(names(call("GET", DEFINITIONS))) == 23


def test_a_key_that_only_reads_knows_no_drafts(call, maya):
    made = call("POST", DEFINITIONS, ASKED).json()["id"]
    token = make_key(maya, "read")
    assert "Miles" not in names(call("GET", DEFINITIONS, token=token))
    for path in (
        f"{DEFINITIONS}/{made}",
        f"{BALANCE}/contact-balances?balanceDefinitionId={made}",
    ):
        answer = call("GET", path, token=token)
        expect(answer, 404, "refusal_404_definition")
    answer = call("POST", DEFINITIONS, ASKED, token=token)
    refused(answer, 403, "permission_denied")


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"name": None}, {"name": "required"}),
        ({"name": "x" * 129}, {"name": "max_length"}),
        ({"name": "a\u200bb"}, {"name": "invalid"}),
        ({"unit": "points"}, {"unit": "invalid_choice"}),
        ({"unit": None}, {"unit": "required"}),
        ({"minAmount": "5"}, {"minAmount": "invalid"}),
        ({"minAmount": True}, {"minAmount": "invalid"}),
        ({"minAmount": 1.005}, {"minAmount": "too_many_decimals"}),
        ({"unit": "POINTS"}, {"minAmount": "too_many_decimals"}),
        ({"maxAmount": 1e300}, {"maxAmount": "out_of_range"}),
        ({"maxCreditAmountLimit": 0}, {"maxCreditAmountLimit": "min_value"}),
        (
            {"balanceOptionCreditRounding": "up"},
            {"balanceOptionCreditRounding": "invalid_choice"},
        ),
        (
            {"balanceAvailabilityDurationValue": 0},
            {"balanceAvailabilityDurationValue": "out_of_range"},
        ),
        (
            {"balanceAvailabilityDurationUnit": None},
            {"balanceAvailabilityDurationValue": "invalid"},
        ),
        ({"balanceExpirationDate": "31/12"}, {"balanceExpirationDate": "invalid"}),
        ({"meta": [1]}, {"meta": "not_an_object"}),
    ],
)
def test_a_definition_that_breaks_a_rule_is_refused(call, changes, problems):
    sent = violations(call("POST", DEFINITIONS, ASKED | changes))
    assert set(sent) == set(problems), sent
    assert len(names(call("GET", DEFINITIONS))) == 3


@pytest.mark.parametrize("date", ["31/12", "2026-12-31"])
def test_a_day_of_the_year_is_read_in_both_forms(call, date):
    body = {"name": "Yearly", "unit": "POINTS", "balanceExpirationDate": date}
    assert call("POST", DEFINITIONS, body).json()["balanceExpirationDate"] == "31/12"


def test_a_unit_of_other_decimals_is_refused(call, miles):
    answer = call("PUT", f"{DEFINITIONS}/{MILES}", {"name": "M", "unit": "POINTS"})
    assert violations(answer) == {"unit": "unit_fixed"}


# Balances


@pytest.fixture
def paid(miles, ada, frozen):
    """Ada has 600 points, and 12.50 of Miles in two credits."""
    factories.earn(ada, 600)
    for reference, amount in (("a", 1000), ("b", 250)):
        points.earn(ada, miles, amount, reference=reference, source="shop", by=None)
        frozen.shift(timedelta(hours=1))
    points.redeem(ada, miles, 125, reference="c", source="shop", by=None)
    return ada


def balances(ada):
    return f"{BALANCE}/subscriptions/{ada.contact_id}/balances"


def test_a_subscription_has_every_balance(call, paid):
    answer = call("GET", balances(paid))
    expect(answer, 200, "subscription_balances", contact=paid.contact_id)


def test_internal_balances_are_shown_where_that_is_asked(call, paid):
    body = ASKED | {"meta": {"isInternal": True}}
    call("PUT", f"{DEFINITIONS}/{MILES}", body)
    call("POST", PUBLISH)

    def ids(**query):
        return {
            row["balanceDefinitionId"]
            for row in call("GET", balances(paid), **query).json()["balance"]
        }

    assert str(MILES) not in ids()
    shown = call("GET", f"{balances(paid)}?includeInternal=true").json()["balance"]
    assert str(MILES) in {row["balanceDefinitionId"] for row in shown}
    for path in ("active-balance", "contact-balances"):
        query = f"contactId={paid.contact_id}&balanceDefinitionId={MILES}"
        assert call("GET", f"{BALANCE}/{path}?{query}").json()["count"] == 0
        query += "&includeInternal=true"
        assert call("GET", f"{BALANCE}/{path}?{query}").json()["count"] > 0


def test_a_balance_is_there_before_anybody_makes_it(call, paid):
    body = {"balanceDefinitionId": str(MILES)}
    answer = call("POST", balances(paid), body)
    values = {"contact": paid.contact_id, "id": answer.json()["id"]}
    expect(answer, 200, "balance_created", **values)
    assert call("POST", balances(paid), body).content == answer.content


def test_what_is_active_adds_up_to_the_balance(call, paid):
    query = f"contactId={paid.contact_id}&balanceDefinitionId={MILES}"
    answer = call("GET", f"{BALANCE}/active-balance?{query}")
    first, second = (row["id"] for row in answer.json()["activeBalances"])
    values = {"contact": paid.contact_id, "first": first, "second": second}
    expect(answer, 200, "active_balances", **values)
    newest = call("GET", f"{BALANCE}/active-balance?{query}&sort=desc&limit=1").json()
    assert [row["id"] for row in newest["activeBalances"]] == [second]
    assert newest["count"] == 2


def test_what_has_expired_is_gone_at_once(call, paid, frozen):
    frozen.shift(timedelta(days=200))
    query = f"contactId={paid.contact_id}&balanceDefinitionId={MILES}"
    assert call("GET", f"{BALANCE}/active-balance?{query}").json()["count"] == 0
    values = {
        row["balanceDefinitionId"]: row["value"]
        for row in call("GET", balances(paid)).json()["balance"]
    }
    assert (values[str(MILES)], values[str(POINTS)]) == (0, 600)


def test_everybodys_balances_are_listed(call, paid, club, maya):
    bob = factories.make_member(club, subscription_id="B")
    gone = factories.make_member(club, subscription_id="C")
    members.leave(gone, by=maya)
    path = f"{BALANCE}/contact-balances?balanceDefinitionId={MILES}"
    answer = call("GET", f"{path}&sortField=value&sort=desc")
    values = {"ada": paid.contact_id, "bob": bob.contact_id}
    expect(answer, 200, "contact_balances", **values)
    numbers = [
        [
            row["loyaltySubscriptionId"]
            for row in call("GET", path + query).json()["balances"]
        ]
        for query in ("", "&sort=asc", "&sortField=updatedAt", "&limit=1&offset=1")
    ]
    assert numbers == [["B", "A"], ["A", "B"], ["A", "B"], ["A"]]


def test_lists_of_balances_cost_the_same_for_few_and_many(
    call, paid, club, django_assert_num_queries
):
    listed = f"{BALANCE}/contact-balances?balanceDefinitionId={MILES}"
    own = f"contactId={paid.contact_id}&balanceDefinitionId={MILES}"
    # the key with its owner, the permission, the program, the definition, whether it
    # is internal; the balances and their number, or the member, rules, zones and lines
    costs = {listed: 7, f"{BALANCE}/active-balance?{own}": 9, balances(paid): 6}
    for path in costs:
        call("GET", path)
    for path, queries in costs.items():
        with django_assert_num_queries(queries):
            call("GET", path)
    for _ in range(20):
        factories.make_member(club)
        factories.earn(paid, 1, definition=BalanceDefinition.objects.get(uuid=MILES))
    for path, queries in costs.items():
        with django_assert_num_queries(queries):
            call("GET", path)


def test_the_way_to_the_next_tier_is_told(call, paid):
    path = f"{BALANCE}/subscriptions/{paid.contact_id}/tier"
    expect(call("GET", path), 200, "progress")
    expect(call("GET", f"{path}?tierGroupId={STATUS}"), 200, "progress")
    unknown = call("GET", f"{path}?tierGroupId={NOBODYS}")
    refused(unknown, 404, "document_not_found")
    factories.earn(paid, 5000)
    expect(call("GET", path), 200, "progress_top")


def test_of_several_groups_there_are_several_ways(call, paid):
    groups = f"/loyalty/tier/programs/{CLUB}/tier-groups"
    made = call("POST", groups, {"name": "Regions"}).json()["id"]
    asked = [{"balanceDefinitionId": str(MILES), "minimumValue": 20}]
    tier = {"name": "Traveller", "accessConditions": asked}
    call("POST", f"{groups}/{made}/tiers", tier)
    call("POST", PUBLISH)
    found = call("GET", f"{BALANCE}/subscriptions/{paid.contact_id}/tier").json()
    assert [(way["tierGroupName"], way["nextTierName"]) for way in found] == [
        ("Status", "Gold"),
        ("Regions", "Traveller"),
    ]
    assert (found[1]["currentBalance"], found[1]["nextTierThreshold"]) == (11.25, 20)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/subscriptions/999999/balances", 404),
        ("/subscriptions/999999/tier", 404),
        ("/subscriptions/ada/balances", 422),
        ("/subscriptions/0/tier", 422),
        (f"/subscriptions/{2**63}/tier", 422),
        (f"/active-balance?contactId=999999&balanceDefinitionId={POINTS}", 404),
        (f"/active-balance?contactId=1&balanceDefinitionId={NOBODYS}", 404),
        ("/active-balance?contactId=1", 422),
        (f"/active-balance?contactId=x&balanceDefinitionId={POINTS}", 422),
        (f"/contact-balances?balanceDefinitionId={NOBODYS}", 404),
        ("/contact-balances", 422),
        (f"/contact-balances?balanceDefinitionId={str(POINTS).upper()}", 422),
        (f"/contact-balances?balanceDefinitionId={POINTS}&limit=0", 422),
        (f"/contact-balances?balanceDefinitionId={POINTS}&offset=-1", 422),
        (f"/contact-balances?balanceDefinitionId={POINTS}&sortField=x", 422),
        (f"/contact-balances?balanceDefinitionId={POINTS}&includeInternal=1", 422),
        (f"/balance-definitions/{NOBODYS}", 404),
        ("/balance-definitions/x", 422),
        (f"/balance-definitions/{POINTS}?version=live", 422),
        ("/balance-definitions?sortField=x", 422),
    ],
)
def test_what_cannot_be_found_or_read_is_refused(call, ada, path, status):
    document = call("GET", f"{BALANCE}{path}").json()
    answer = call("GET", f"{BALANCE}{path}")
    assert answer.status_code == status, document
    assert document["message"].endswith(".")


def test_of_another_program_nothing_is_told(call, ada, maya):
    token = make_key(maya, program=factories.make_program(maya, "Other"))
    for path in (
        "balance-definitions",
        f"subscriptions/{ada.contact_id}/balances",
        f"contact-balances?balanceDefinitionId={PURCHASES}",
    ):
        hidden = call("GET", f"{BALANCE}/{path}", token=token)
        none = call("GET", f"/loyalty/balance/programs/{NOBODYS}/{path}")
        assert hidden.content == none.content
        assert hidden.status_code == 404
