"""Transactions over HTTP, in one phase and two, in whole documents."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from loyalty import members, points
from loyalty.models import BalanceDefinition, PointsRequest
from tests import factories
from tests.counts import count
from tests.races import racers
from tests.tiers.api.brevo.conftest import (
    NOBODYS,
    POINTS,
    PURCHASES,
    expect,
    make_key,
    refused,
    violations,
)
from tests.tiers.api.brevo.test_balances import BALANCE, ada, names
from tests.tiers.api.brevo.test_tiers import PUBLISH
from tiers.api.brevo import transactions

__all__ = ["ada"]

TRANSACTIONS = f"{BALANCE}/transactions"

pytestmark = pytest.mark.usefixtures("club", "ada")


@pytest.fixture
def begin(call, ada, frozen):
    """Begin a transaction of Ada's points."""

    def send(amount=700, headers=None, **changes):
        body = {
            "amount": amount,
            "balanceDefinitionId": str(POINTS),
            "contactId": ada.contact_id,
        }
        return call("POST", TRANSACTIONS, body | changes, **(headers or {}))

    return send


def made(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()


def balance(member):
    return sum(member.entries.values_list("amount", flat=True))


# Two phases


def test_a_credit_waits_until_it_is_completed(call, begin, ada, frozen):
    answer = begin(meta={"order": 7}, ttl=600, eventTime="2026-02-28T23:30:00.5+01:00")
    values = {"id": made(answer)["id"], "contact": ada.contact_id}
    expect(answer, 200, "transaction_pending", **values)
    assert balance(ada) == 0
    frozen.shift(timedelta(minutes=5))
    path = f"{TRANSACTIONS}/{values['id']}"
    expect(call("POST", f"{path}/complete"), 200, "transaction_completed", **values)
    assert balance(ada) == 700
    assert ada.standings.get().tier.versions.live().get().name == "Silver"
    # A second time is another thing to this vendor, and changes nothing.
    expect(call("POST", f"{path}/complete"), 422, "refusal_422_completed")
    expect(call("POST", f"{path}/cancel"), 422, "refusal_422_completed")
    assert balance(ada) == 700


def test_a_debit_is_cancelled(call, begin, ada):
    made(begin(autoComplete=True))
    answer = begin(50, transactionType="debit")
    values = {"id": made(answer)["id"], "contact": ada.contact_id}
    path = f"{TRANSACTIONS}/{values['id']}"
    expect(call("POST", f"{path}/cancel"), 200, "transaction_cancelled", **values)
    refused(call("POST", f"{path}/cancel"), 422, "unprocessable_entity")
    refused(call("POST", f"{path}/complete"), 422, "unprocessable_entity")
    assert balance(ada) == 700


def test_what_waits_too_long_has_expired(call, begin, ada, frozen):
    asked = made(begin(ttl=10))
    frozen.shift(timedelta(seconds=10))
    refused(
        call("POST", f"{TRANSACTIONS}/{asked['id']}/complete"),
        422,
        "unprocessable_entity",
    )
    query = f"contactId={ada.contact_id}&balanceDefinitionId={POINTS}"
    found = call("GET", f"{BALANCE}/transaction-history?{query}&status=expired")
    assert [row["id"] for row in found.json()["transactionHistory"]] == [asked["id"]]
    assert balance(ada) == 0


# One phase


@pytest.mark.parametrize(
    ("amount", "changes", "posted"),
    [
        (700, {}, 700),
        (-100, {}, -100),
        (100, {"transactionType": "debit"}, -100),
        (-100, {"transactionType": "credit"}, 100),
        (12.9, {}, 12),
        (99.99, {"transactionType": "debit"}, -99),
        (0.1 + 0.2 + 1, {}, 1),
        (10, {"balanceDefinitionId": str(PURCHASES)}, 10),
        (10.456, {"balanceDefinitionId": str(PURCHASES)}, 10.45),
        (1, {"contactId": None, "LoyaltySubscriptionId": "A"}, 1),
        (1, {"contactId": None, "loyaltySubscriptionId": "A"}, 1),
    ],
)
def test_the_sign_and_the_type_say_what_is_posted(begin, amount, changes, posted):
    made(begin(1000, autoComplete=True))
    answer = made(begin(amount, autoComplete=True, **changes))
    assert answer["amount"] == posted
    assert answer["transactionType"] == ("credit" if posted > 0 else "debit")
    assert answer["status"] == "completed"


def test_a_transaction_completes_itself(begin, ada):
    answer = begin(autoComplete=True, meta={"order": 7})
    values = {"id": made(answer)["id"], "contact": ada.contact_id}
    expect(answer, 200, "transaction_at_once", **values)
    assert balance(ada) == 700


def test_a_request_with_a_key_of_its_own_is_carried_out_once(begin, ada):
    headers = {"Idempotency-Key": "order-7"}
    first = begin(autoComplete=True, headers=headers)
    again = begin(autoComplete=True, headers=headers)
    assert first.content == again.content
    refused(begin(701, autoComplete=True, headers=headers), 422, "unprocessable_entity")
    refused(begin(headers={"Idempotency-Key": "x" * 257}), 422, "invalid_parameter")
    assert balance(ada) == 700
    # Without one, the same request is another.
    made(begin(autoComplete=True))
    made(begin(autoComplete=True))
    assert balance(ada) == 2100


# Refusals


def test_more_than_there_is_cannot_be_taken(call, begin, ada):
    made(begin(100, autoComplete=True))
    expect(begin(-101), 422, "refusal_422_points")
    expect(begin(-101, autoComplete=True), 422, "refusal_422_points")
    assert balance(ada) == 100
    query = f"contactId={ada.contact_id}&balanceDefinitionId={POINTS}"
    found = call("GET", f"{BALANCE}/transaction-history?{query}&status=rejected")
    assert found.json()["count"] == 2
    assert "-101" not in found.json()["transactionHistory"][0]["rejectReason"]


def test_what_is_gone_meanwhile_cannot_be_completed(call, begin, ada):
    made(begin(100, autoComplete=True))
    waiting = made(begin(-80))["id"]
    made(begin(-80, autoComplete=True))
    path = f"{TRANSACTIONS}/{waiting}"
    refused(call("POST", f"{path}/complete"), 422, "unprocessable_entity")
    # It waits on: there may be enough a little later.
    made(begin(60, autoComplete=True))
    assert made(call("POST", f"{path}/complete"))["balance"] == 0


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"amount": 0}, {"amount": "min_value"}),
        ({"amount": 0.4}, {"amount": "min_value"}),
        ({"amount": "5"}, {"amount": "invalid"}),
        ({"amount": True}, {"amount": "invalid"}),
        ({"amount": 1e16}, {"amount": "out_of_range"}),
        ({"amount": None}, {"amount": "required"}),
        ({"balanceDefinitionId": "x"}, {"balanceDefinitionId": "invalid_uuid"}),
        ({"contactId": None}, {"": "required"}),
        ({"contactId": 999999}, {"": "not_a_member"}),
        ({"contactId": -1}, {"contactId": "invalid"}),
        ({"transactionType": "gift"}, {"transactionType": "invalid_choice"}),
        ({"ttl": 9}, {"ttl": "out_of_range"}),
        ({"ttl": 2**31}, {"ttl": "out_of_range"}),
        ({"ttl": 10.5}, {"ttl": "invalid_integer"}),
        ({"eventTime": "2026-02-28"}, {"eventTime": "invalid_instant"}),
        ({"meta": "x"}, {"meta": "not_an_object"}),
        ({"autoComplete": "true"}, {"autoComplete": "invalid_flag"}),
        (
            {"balanceExpiryInMinutes": 60, "autoComplete": True},
            {"balanceExpiryInMinutes": "unsupported"},
        ),
    ],
)
def test_a_transaction_that_breaks_a_rule_is_refused(call, begin, changes, problems):
    assert violations(begin(**changes)) == problems
    assert not PointsRequest.objects.exists()
    # And what is there reads as before.
    assert len(names(call("GET", f"{BALANCE}/balance-definitions"))) == 3


def test_what_is_to_come_is_not_posted(begin, ada):
    refused(begin(eventTime="2026-03-02T00:00:00Z"), 422, "invalid_parameter")
    assert not PointsRequest.objects.exists()


def test_strangers_are_not_credited(call, begin, ada, maya):
    answer = call("POST", "/contacts", {"email": "bob@example.org"})
    assert violations(begin(contactId=answer.json()["id"])) == {"": "not_a_member"}
    waiting = made(begin())["id"]
    members.leave(ada, by=maya)
    assert violations(begin()) == {"": "not_a_member"}
    refused(
        call("POST", f"{TRANSACTIONS}/{waiting}/complete"), 422, "unprocessable_entity"
    )


def test_nothing_is_posted_to_what_is_not_live(call, begin, ada):
    definitions = f"{BALANCE}/balance-definitions"
    body = {"name": "Miles", "unit": "POINTS"}
    miles = call("POST", definitions, body).json()["id"]
    refused(begin(balanceDefinitionId=miles), 422, "unprocessable_entity")
    call("POST", PUBLISH)
    made(begin(balanceDefinitionId=miles))
    expect(begin(balanceDefinitionId=str(NOBODYS)), 404, "refusal_404_definition")


def test_transactions_of_others_and_none_read_alike(call, begin, maya):
    other = factories.make_program(maya, "Other")
    asked = made(begin())["id"]
    for name in ("complete", "cancel"):
        path = f"/loyalty/balance/programs/{other.uuid}/transactions"
        elsewhere = call("POST", f"{path}/{asked}/{name}")
        nowhere = call("POST", f"{TRANSACTIONS}/{NOBODYS}/{name}")
        assert elsewhere.content == nowhere.content
        expect(nowhere, 404, "refusal_404_transaction")
        malformed = call("POST", f"{TRANSACTIONS}/x/{name}")
        assert violations(malformed) == {"tid": "invalid"}


def test_a_key_that_reads_posts_nothing(call, ada, maya):
    token = make_key(maya, "read")
    for path in ("", f"/{NOBODYS}/complete", f"/{NOBODYS}/cancel"):
        answer = call("POST", f"{TRANSACTIONS}{path}", {}, token=token)
        refused(answer, 403, "permission_denied")


# History


@pytest.fixture
def history(call, begin, ada, frozen):
    """What has happened to Ada's points, an hour after the other."""

    def read(**query):
        asked = {"contactId": ada.contact_id, "balanceDefinitionId": POINTS} | query
        text = "&".join(f"{name}={value}" for name, value in asked.items())
        return call("GET", f"{BALANCE}/transaction-history?{text}")

    steps = [
        lambda: begin(700, autoComplete=True, meta={"order": 7}),
        lambda: begin(-100, autoComplete=True),
        lambda: begin(-5000),
        lambda: begin(10, ttl=7200),
        lambda: call("POST", f"{TRANSACTIONS}/{made(begin(20))['id']}/cancel"),
        lambda: begin(30),
    ]
    for step in steps:
        step()
        frozen.shift(timedelta(hours=1))
    return read


def test_a_history_is_of_all_that_was_asked(history, ada):
    answer = history()
    ids = [row["id"] for row in answer.json()["transactionHistory"]]
    names = ("pending", "cancelled", "expired", "rejected", "debit", "credit")
    values = dict(zip(names, ids, strict=True)) | {"contact": ada.contact_id}
    expect(answer, 200, "history", **values)


@pytest.mark.parametrize(
    ("query", "amounts"),
    [
        ({"sort": "asc"}, [700, -100, -5000, 10, 20, 30]),
        ({"status": "completed"}, [-100, 700]),
        ({"status": "complete"}, [-100, 700]),
        ({"status": "draft"}, [30]),
        ({"status": "pending"}, [30]),
        ({"status": "rejected"}, [-5000]),
        ({"status": "cancelled"}, [20]),
        ({"status": "expired"}, [10]),
        ({"transactionType": "debit"}, [-5000, -100]),
        ({"transactionType": "credit", "status": "completed"}, [700]),
        ({"limit": 2, "offset": 1}, [20, 10]),
        ({"sortField": "createdAt", "loyaltySubscriptionId": "A"}, None),
        ({"balanceDefinitionId": PURCHASES}, []),
    ],
)
def test_a_history_is_filtered_sorted_and_paged(history, query, amounts):
    found = history(**query).json()["transactionHistory"]
    expected = [30, 20, 10, -5000, -100, 700] if amounts is None else amounts
    assert [row["amount"] for row in found] == expected


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"status": "open"}, 422),
        ({"transactionType": "gift"}, 422),
        ({"limit": 501}, 422),
        ({"contactId": 999999}, 404),
        ({"balanceDefinitionId": NOBODYS}, 404),
        ({"loyaltySubscriptionId": "B"}, 404),
    ],
)
def test_a_history_that_cannot_be_read_is_refused(history, query, status):
    answer = history(**query)
    assert (answer.status_code, answer.json()["message"][-1]) == (status, ".")


def test_a_history_costs_the_same_for_few_and_many(
    history, ada, django_assert_num_queries
):
    # the key with its owner, the permission, the program, the member, the definition,
    # the page, its lines, its requests, the rules, the count
    history()
    with django_assert_num_queries(10):
        history()
    for _ in range(30):
        factories.earn(ada, 1)
    with django_assert_num_queries(10):
        assert history().json()["count"] == 36


def test_a_transaction_costs_the_same_after_many(
    begin, ada, django_assert_num_queries, django_assert_max_num_queries
):
    made(begin(1, autoComplete=True))
    with django_assert_max_num_queries(60) as first:
        made(begin(1, autoComplete=True))
    for _ in range(30):
        factories.earn(ada, 1)
    with django_assert_num_queries(len(first)):
        made(begin(1, autoComplete=True))


# Races


def race_of_two_who_complete(key, member, crew):
    """Two requests complete one transaction of 100 points at once."""
    definition = BalanceDefinition.objects.get(uuid=POINTS)
    posting = points.begin(
        member, definition, 100, reference=str(uuid4()), source="brevo", by=None
    )
    path = f"/v3{TRANSACTIONS}/{posting.request}/complete"
    headers = {"api-key": key}
    answers = crew.race(*[lambda: Client(headers=headers).post(path)] * 2)
    return sorted(answer.status_code for answer in answers)


@pytest.mark.postgres
@pytest.mark.proof
@pytest.mark.django_db(transaction=True)
def test_of_two_who_complete_at_once_one_is_told_that_it_was_done(key, ada):
    with racers(2) as crew:
        for done in range(1, count(8, 60) + 1):
            assert race_of_two_who_complete(key, ada, crew) == [200, 422]
            assert balance(ada) == 100 * done


@pytest.mark.postgres
@pytest.mark.proof
@pytest.mark.django_db(transaction=True)
def test_whoever_takes_a_replay_for_the_first_tells_both(key, ada, monkeypatch):
    monkeypatch.setattr(transactions, "settle", lambda verb, request: verb(request))
    with racers(2) as crew:
        statuses = race_of_two_who_complete(key, ada, crew)
    assert statuses == [200, 200], "The control refused one: this proves nothing."
