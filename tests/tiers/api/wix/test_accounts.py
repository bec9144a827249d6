"""Accounts and transactions over HTTP, in whole documents."""

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from approvals.errors import StaleEdit
from loyalty import members, points
from loyalty.models import Contact, Member, PointsEntry
from tests import factories, scenes
from tests.counts import count
from tests.races import racers
from tests.tiers.api.wix.conftest import (
    GOLD,
    NOBODYS,
    NOW,
    SILVER,
    SITE,
    expect,
    make_key,
    payload,
    refused,
    violations,
)
from tiers import direct
from tiers.api.wix import account_views

ACCOUNTS = "/loyalty-accounts/v1/accounts"
TRANSACTIONS = "/loyalty-transactions/v1/loyalty-transactions"
CONTACT = UUID("cccccccc-0000-4000-8000-000000000001")
ACCOUNT = UUID("bbbbbbbb-0000-4000-8000-000000000001")
EARNED = {
    "amount": 700,
    "appId": "553c79f3-5625-4f38-b14b-ef7c0d1e87df",
    "idempotencyKey": "order-1",
    "description": "Boots",
    "activityType": "purchase",
    "orderId": "1",
    "accountId": str(ACCOUNT),
}

pytestmark = pytest.mark.usefixtures("store", "ada")


@scenes.kept
def ada(store):
    """An account without any points, known to the site by all of its ids."""
    member = factories.make_member(
        store, name="Ada Byron", email="ada@example.org", joined_at=factories.LONG_AGO
    )
    Member.objects.filter(pk=member.pk).update(uuid=ACCOUNT, marked_at=None)
    known = {"uuid": CONTACT, "site_member_id": "member-1"}
    Contact.objects.filter(pk=member.contact_id).update(**known)
    return Member.objects.get(pk=member.pk)


def earn(call, **changes):
    return call("POST", f"{ACCOUNTS}/{ACCOUNT}/earn-points", EARNED | changes)


def adjust(call, **sent):
    return call("POST", f"{ACCOUNTS}/{ACCOUNT}/adjust-points", sent)


def ids_of(answer, under="loyaltyAccounts"):
    document = answer.json()
    assert answer.status_code == 200, document
    return [account["id"] for account in document[under]]


def query(call, path=f"{ACCOUNTS}/query", **sent):
    return call("POST", path, {"query": sent})


# One account


@pytest.mark.parametrize(
    "path",
    [
        f"{ACCOUNTS}/{ACCOUNT}?id={ACCOUNT}",
        f"{ACCOUNTS}/fetch-by?contactId={CONTACT}",
        f"{ACCOUNTS}/fetch-by?memberId=member-1",
        f"/_api{ACCOUNTS}/{ACCOUNT}",
    ],
)
def test_an_account_is_found_by_each_of_its_ids(call, path):
    expect(call("GET", path), 200, "account_new")


def test_an_account_costs_the_same_with_and_without_points(
    call, ada, django_assert_num_queries
):
    # the key with its owner, the permission, the program, its main group, its points,
    # the account, its totals
    call("GET", f"{ACCOUNTS}/{ACCOUNT}")
    with django_assert_num_queries(7):
        call("GET", f"{ACCOUNTS}/{ACCOUNT}")
    factories.earn(ada, 600)
    # and now the tiers
    with django_assert_num_queries(8):
        call("GET", f"{ACCOUNTS}/{ACCOUNT}")


@pytest.mark.parametrize(
    "path",
    [
        f"{ACCOUNTS}/{NOBODYS}",
        f"{ACCOUNTS}/fetch-by?contactId={NOBODYS}",
        f"{ACCOUNTS}/fetch-by?memberId=nobody",
    ],
)
def test_who_has_no_account_is_not_found(call, path):
    expect(call("GET", path), 404, "refusal_404_account")


def test_ids_have_to_be_ids(call):
    assert violations(call("GET", f"{ACCOUNTS}/ada")) == {"id": "VALIDATION"}
    for asked in ("", "?contactId=a", f"?contactId={CONTACT}&memberId=m", "?memberId="):
        assert call("GET", f"{ACCOUNTS}/fetch-by{asked}").status_code == 400


def test_an_account_is_made_for_a_contact_once(call, store, frozen):
    contact = uuid4()
    answer = call("POST", ACCOUNTS, {"contactId": str(contact)})
    made = Member.objects.get(contact__uuid=contact)
    values = {"id": str(made.uuid), "contact": str(contact)}
    expect(answer, 200, "account_created", **values)
    refused(call("POST", ACCOUNTS, {"contactId": str(contact)}), 409, "ALREADY_EXISTS")
    assert violations(call("POST", ACCOUNTS, {})) == {"contactId": "REQUIRED_FIELD"}


def test_who_left_comes_back_to_the_same_account(call, ada, maya):
    members.leave(ada, by=maya)
    answer = call("POST", ACCOUNTS, {"contactId": str(CONTACT)})
    assert answer.json()["account"]["id"] == str(ACCOUNT)
    assert ada.intervals.filter(ended_at=None).exists()


# Points


def test_points_are_earned_and_the_answer_shows_the_tier(call, frozen):
    answer = earn(call)
    entry = PointsEntry.objects.get()
    expect(answer, 200, "earned", transaction=str(entry.uuid))
    expect(
        call("GET", f"{TRANSACTIONS}/{entry.uuid}"),
        200,
        "transaction_earned",
        transaction=str(entry.uuid),
    )


def test_a_key_sent_again_adds_nothing_whatever_comes_with_it(call):
    first = earn(call).json()
    for changes in ({}, {"amount": 9}, {"description": "Other"}):
        assert earn(call, **changes).json() == first
    assert PointsEntry.objects.count() == 1


def test_a_key_is_of_one_account(call, store):
    earn(call)
    other = factories.make_member(store)
    answer = call("POST", f"{ACCOUNTS}/{other.uuid}/earn-points", EARNED)
    refused(answer, 409, "ALREADY_EXISTS")
    assert not other.entries.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": 10_000_000}, "amount"),
        ({"amount": 1.5}, "amount"),
        ({"amount": "5"}, "amount"),
        ({"amount": None}, "amount"),
        ({"appId": ""}, "appId"),
        ({"appId": "a" * 101}, "appId"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
        ({"idempotencyKey": "k" * 257}, "idempotencyKey"),
        ({"description": "d" * 101}, "description"),
        ({"activityType": "a" * 101}, "activityType"),
        ({"orderId": "o" * 513}, "orderId"),
        (
            {"followedSocialMedia": {"channel": "c" * 33}},
            "followedSocialMedia.channel",
        ),
    ],
)
def test_bad_earnings_are_refused(call, changes, field):
    assert set(violations(earn(call, **changes))) == {field}
    assert not PointsEntry.objects.exists()


def test_a_balance_is_set_or_changed_by_an_amount(call, frozen):
    earn(call)
    # Where both are sent, the balance wins.
    answer = adjust(call, balance=500, amount=9, revision="2", description="Count.")
    entry = PointsEntry.objects.get(kind="ADJUST")
    expect(answer, 200, "adjusted", transaction=str(entry.uuid))
    found = call("GET", f"{TRANSACTIONS}/{entry.uuid}")
    expect(found, 200, "transaction_adjusted", transaction=str(entry.uuid))
    # Revision 3 after two lines; nothing is posted where the balance is right.
    same = adjust(call, balance=500, revision="3").json()
    assert same["transactionId"] is None
    lower = adjust(call, amount=-1, revision=3).json()["account"]
    assert (lower["points"]["balance"], lower["revision"]) == (499, "4")
    # Window points are earned and adjusted: 499 is below Silver.
    assert "id" not in lower["tier"]


def test_an_outdated_adjustment_changes_nothing(call):
    earn(call)
    error = refused(adjust(call, amount=5, revision="1"), 409, "INVALID_REVISION")
    assert error["data"] == {"revisionViolation": {"entityId": str(ACCOUNT)}}
    assert PointsEntry.objects.count() == 1


def test_a_balance_does_not_fall_below_zero(call):
    refused(adjust(call, amount=-1, revision="1"), 428, "INSUFFICIENT_POINTS")
    assert adjust(call, amount=1, revision="1").status_code == 200


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"amount": 5}, "revision"),
        ({"amount": 0, "revision": "1"}, "amount"),
        ({"amount": -10_000_000, "revision": "1"}, "amount"),
        ({"balance": -1, "revision": "1"}, "balance"),
        ({"balance": 1_000_000_000, "revision": "1"}, "balance"),
        ({"revision": "1"}, ""),
        ({"amount": 5, "revision": "1", "description": "d" * 101}, "description"),
    ],
)
def test_bad_adjustments_are_refused(call, sent, field):
    assert set(violations(adjust(call, **sent))) == {field}


def test_redeeming_lowers_the_balance_and_not_the_tier(call, ada, store):
    earn(call)
    stars = factories.definition_of(store)
    points.redeem(ada, stars, 650, reference="r", source="till", by=None)
    account = call("GET", f"{ACCOUNTS}/{ACCOUNT}").json()["account"]
    assert account["points"] == {
        "balance": 50,
        "earned": 700,
        "adjusted": 0,
        "redeemed": 650,
        "expired": 0,
    }
    assert (account["tier"]["id"], account["tier"]["points"]) == (str(SILVER), 700)


def test_while_paused_everybody_is_in_the_base_tier(call, store, maya):
    earn(call)
    direct.replace_settings(store, {}, by=maya, status="PAUSED", revision=1)
    tier = call("GET", f"{ACCOUNTS}/{ACCOUNT}").json()["account"]["tier"]
    assert "id" not in tier
    assert tier["points"] == 700
    totals = call("GET", f"{ACCOUNTS}/program-totals").json()["tierTotals"]
    assert totals[0] == {"numberOfAccounts": 1}
    assert ids_of(query(call, filter={"tier.id": None})) == [str(ACCOUNT)]
    assert ids_of(query(call, filter={"tier.id": str(SILVER)})) == []


# Many accounts


@scenes.kept
def crowd(store, ada):
    """Ada with nothing, and nine who have 100 to 2,600 points, Silver from 500."""
    # After twelve months, points no longer count.
    with scenes.at_present():
        return [str(member.uuid) for member in [ada, *earners(store)]]


def earners(store):
    for number in range(1, 10):
        member = factories.make_member(
            store,
            name=f"Person {number}",
            email=f"p{number}@example.org",
            joined_at=factories.LONG_AGO + timedelta(days=number),
        )
        factories.earn(member, 100 + 312 * (number - 1) + number % 2)
        yield member


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({}, range(10)),
        ({"id": str(ACCOUNT)}, [0]),
        ({"id": {"$ne": str(ACCOUNT)}}, range(1, 10)),
        ({"contactId": {"$in": [str(CONTACT), str(NOBODYS)]}}, [0]),
        ({"memberId": "member-1"}, [0]),
        ({"memberId": {"$exists": False}}, range(1, 10)),
        ({"memberId": None}, range(1, 10)),
        ({"memberId": {"$startsWith": "mem"}}, [0]),
        ({"points.balance": {"$gte": 1000, "$lt": 2000}}, [4, 5, 6, 7]),
        ({"points.earned": {"$gt": 2000}}, [8, 9]),
        ({"points.redeemed": 0}, range(10)),
        ({"tier.id": str(SILVER)}, [3, 4, 5]),
        ({"tier.id": {"$in": [str(GOLD), None]}}, [0, 1, 2, 6, 7, 8, 9]),
        ({"tier.id": {"$nin": [str(GOLD), str(SILVER)]}}, [0, 1, 2]),
        ({"tier.id": {"$exists": True}}, range(3, 10)),
        ({"tier.id": str(NOBODYS)}, []),
        ({"createdDate": {"$gte": "2020-01-08T00:00:00Z"}}, [7, 8, 9]),
        (
            {"$or": [{"points.balance": 0}, {"points.balance": {"$gt": 2500}}]},
            [0, 9],
        ),
        (
            {"$and": [{"tier.id": str(GOLD)}, {"$not": {"points.balance": 2597}}]},
            [6, 7, 8],
        ),
        ({"$not": [{"tier.id": str(GOLD)}]}, range(6)),
    ],
)
def test_filters(call, crowd, filter, expected):
    wanted = [crowd[number] for number in expected]
    assert ids_of(query(call, filter=filter)) == wanted
    counted = call("POST", f"{ACCOUNTS}/count", {"filter": filter}).json()
    assert counted == {"count": len(wanted)}
    found = call("POST", f"{ACCOUNTS}/search", {"search": {"filter": filter}})
    assert ids_of(found, "accounts") == wanted


@pytest.mark.parametrize(
    ("filter", "field"),
    [
        ([], "filter"),
        ({"name": "x"}, "filter"),
        ({"id": "x"}, "filter.id"),
        ({"id": {"$regex": "x"}}, "filter.id"),
        ({"id": {"$in": str(ACCOUNT)}}, "filter.id"),
        ({"id": {"$in": [str(ACCOUNT)] * 101}}, "filter.id"),
        ({"points.balance": "1"}, "filter.points.balance"),
        ({"points.balance": 2**60}, "filter.points.balance"),
        ({"points.balance": True}, "filter.points.balance"),
        ({"points.balance": {"$startsWith": 1}}, "filter.points.balance"),
        ({"createdDate": "yesterday"}, "filter.createdDate"),
        ({"createdDate": "2020-02-31T00:00:00Z"}, "filter.createdDate"),
        ({"tier.id": {"$gt": str(GOLD)}}, "filter.tier.id"),
        ({"memberId": {"$exists": 1}}, "filter.memberId"),
        ({"memberId": 5}, "filter.memberId"),
        ({"$and": []}, "filter.$and"),
        ({"$or": {"id": 1}}, "filter.$or"),
        ({"$not": 5}, "filter.$not"),
        ({"$or": [{"id": str(ACCOUNT)}] * 101}, "filter"),
    ],
)
def test_bad_filters_are_refused(call, filter, field):
    assert set(violations(query(call, filter=filter))) == {f"query.{field}"}


@pytest.mark.parametrize("order", ["ASC", "DESC"])
@pytest.mark.parametrize(
    "name", ["points.balance", "createdDate", "id", "lastActivityDate", "points.earned"]
)
def test_every_order_pages_through_everybody_once(call, crowd, name, order):
    sort = [{"fieldName": name, "order": order}]
    whole = ids_of(query(call, sort=sort))
    assert sorted(whole) == sorted(crowd)
    paged: list[str] = []
    before: list[str] = []
    cursor = None
    while True:
        paging = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        sent = {"cursorPaging": paging} | ({} if cursor else {"sort": sort})
        document = query(call, **sent).json()
        paged += [account["id"] for account in document["loyaltyAccounts"]]
        metadata = document["pagingMetadata"]
        assert metadata["count"] == len(document["loyaltyAccounts"])
        assert metadata["hasNext"] == ("next" in metadata["cursors"])
        if "next" not in metadata["cursors"]:
            break
        cursor = metadata["cursors"]["next"]
    assert paged == whole
    while previous := metadata["cursors"].get("prev"):
        document = query(call, cursorPaging={"cursor": previous, "limit": 3}).json()
        before = [account["id"] for account in document["loyaltyAccounts"]] + before
        metadata = document["pagingMetadata"]
    assert before == whole[: len(before)]
    assert len(before) == 9


def test_a_page_costs_the_same_for_one_account_as_for_ten(
    call, crowd, django_assert_num_queries
):
    for limit in (1, 10):
        call("GET", f"{ACCOUNTS}/{ACCOUNT}")
        # the key with its owner, the permission, the program, tiers, its main group,
        # its points, the accounts, their totals
        with django_assert_num_queries(8):
            assert len(ids_of(query(call, cursorPaging={"limit": limit}))) == limit


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"cursorPaging": {"limit": 0}}, "cursorPaging.limit"),
        ({"cursorPaging": {"limit": 101}}, "cursorPaging.limit"),
        ({"cursorPaging": {"cursor": "x"}}, "cursorPaging.cursor"),
        ({"cursorPaging": {"cursor": "x" * 16_001}}, "cursorPaging.cursor"),
        ({"sort": [{"fieldName": "tier.id"}]}, "sort[0].fieldName"),
        ({"sort": [{"fieldName": "name"}]}, "sort[0].fieldName"),
        ({"sort": ["id"]}, "sort[0].fieldName"),
        ({"sort": [{"fieldName": "id", "order": "UP"}]}, "sort[0].order"),
        ({"sort": [{"fieldName": "id"}] * 4}, "sort"),
    ],
)
def test_bad_orders_and_pages_are_refused(call, sent, field):
    assert set(violations(query(call, **sent))) == {f"query.{field}"}


def test_a_cursor_is_good_for_its_list_and_site_only(call, crowd, maya):
    first = query(call, cursorPaging={"limit": 2}).json()
    paging = {"cursor": first["pagingMetadata"]["cursors"]["next"]}
    assert query(call, cursorPaging=paging).status_code == 200
    other = direct.begin_program(
        NOBODYS, by=maya, source="WIX", name="Other", status="ACTIVE"
    )
    body = {"query": {"cursorPaging": paging}}
    answers = [
        call("POST", f"{ACCOUNTS}/query", body, site=other.uuid),
        call("POST", f"{TRANSACTIONS}/query", body),
    ]
    for answer in answers:
        assert set(violations(answer)) == {"query.cursorPaging.cursor"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"expression": "ada"}, [0]),
        ({"expression": "BYRON Person"}, range(10)),
        ({"expression": "ada byron", "mode": "AND"}, [0]),
        ({"expression": "p4@", "fields": ["contact.email"]}, [4]),
        ({"expression": "p4@", "fields": ["contact.name"]}, []),
        ({"expression": ""}, range(10)),
    ],
)
def test_accounts_are_searched_by_name_and_address(call, crowd, words, expected):
    wanted = [crowd[number] for number in expected]
    found = call("POST", f"{ACCOUNTS}/search", {"search": {"search": words}})
    assert ids_of(found, "accounts") == wanted
    counted = call("POST", f"{ACCOUNTS}/count", {"search": words}).json()
    assert counted == {"count": len(wanted)}


def test_the_pages_of_a_search_keep_its_words(call, crowd):
    search = {"search": {"expression": "person"}, "cursorPaging": {"limit": 5}}
    first = call("POST", f"{ACCOUNTS}/search", {"search": search}).json()
    cursor = first["pagingMetadata"]["cursors"]["next"]
    rest = call(
        "POST", f"{ACCOUNTS}/search", {"search": {"cursorPaging": {"cursor": cursor}}}
    )
    assert ids_of(rest, "accounts") == crowd[6:]


def test_searches_are_not_aggregated(call):
    search = {"search": {"aggregations": [{"fieldPath": "tier.id"}]}}
    refused(call("POST", f"{ACCOUNTS}/search", search), 400, "UNIMPLEMENTED")


def test_accounts_are_listed_by_their_contacts(call, crowd):
    page = f"{ACCOUNTS}?cursorPaging.limit=6"
    first = call("GET", page).json()
    assert [account["id"] for account in first["accounts"]] == crowd[:6]
    cursor = first["pagingMetadata"]["cursors"]["next"]
    rest = call("GET", f"{page}&cursorPaging.cursor={cursor}")
    assert ids_of(rest, "accounts") == crowd[6:]
    some = call("GET", f"{ACCOUNTS}?contactIds={CONTACT}&contactIds={NOBODYS}")
    assert ids_of(some, "accounts") == crowd[:1]
    many = "&".join([f"contactIds={CONTACT}"] * 51)
    assert set(violations(call("GET", f"{ACCOUNTS}?{many}"))) == {"contactIds"}
    assert call("GET", f"{ACCOUNTS}?cursorPaging.limit=x").status_code == 400


def test_totals_name_the_base_tier_by_no_id(call, crowd):
    expect(call("GET", f"{ACCOUNTS}/program-totals"), 200, "totals")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", f"{ACCOUNTS}/my-account"), ("POST", f"{ACCOUNTS}/bulk-adjust")],
)
def test_what_we_do_not_do_is_refused(call, method, path):
    body = {"amount": 5} if method == "POST" else None
    refused(call(method, path, body), 400, "UNIMPLEMENTED")


# Transactions


@pytest.fixture
def history(store, ada):
    """Ada earns, redeems, is refunded, and has what she earned taken back."""
    stars = factories.definition_of(store)

    def posted(verb, *what, after, **options):
        at = NOW + timedelta(hours=after)
        return verb(
            *what, reference=str(after), source="till", by=None, at=at, **options
        )

    earned = posted(points.earn, ada, stars, 700, after=0)
    spent = posted(points.redeem, ada, stars, 100, after=1)
    posted(points.refund, spent.entries.get(), after=2, amount=40)
    posted(points.reverse, earned.entries.get(), after=3)
    return [str(e.uuid) for e in PointsEntry.objects.order_by("sequence")]


def test_transactions_are_queried_newest_first(call, history):
    names = ("earned", "redeemed", "refunded", "reversed")
    values = dict(zip(names, history, strict=True))
    expect(call("POST", f"{TRANSACTIONS}/query", {}), 200, "transactions", **values)


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"accountId": str(ACCOUNT)}, [3, 2, 1, 0]),
        ({"accountId": str(NOBODYS)}, []),
        ({"transactionType": "ADJUST"}, [3]),
        ({"transactionType": {"$in": ["EARN", "REDEEM"]}}, [1, 0]),
        ({"amount": {"$lt": 0}}, [3, 1]),
        ({"createdDate": {"$gt": "2026-03-01T10:00:00Z"}}, [3, 2, 1]),
        ({"idempotencyKey": "0"}, []),
        ({"description": None}, [3, 2, 1, 0]),
    ],
)
def test_filters_of_transactions(call, history, filter, expected):
    found = query(call, f"{TRANSACTIONS}/query", filter=filter)
    assert ids_of(found, "loyaltyTransactions") == [history[n] for n in expected]


def test_transactions_are_paged_with_a_constant_number_of_queries(
    call, history, django_assert_num_queries
):
    path, seen, cursor = f"{TRANSACTIONS}/query", [], None
    while cursor is not False:
        paging = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        call("GET", f"{ACCOUNTS}/{ACCOUNT}")
        # the key with its owner, the permission, the program, its points, the lines
        with django_assert_num_queries(5):
            document = query(call, path, cursorPaging=paging).json()
        seen += [line["id"] for line in document["loyaltyTransactions"]]
        cursor = document["pagingMetadata"]["cursors"].get("next", False)
    assert seen == history[::-1]


def test_a_key_finds_its_transaction(call):
    earn(call)
    found = query(call, f"{TRANSACTIONS}/query", filter={"idempotencyKey": "order-1"})
    assert len(ids_of(found, "loyaltyTransactions")) == 1


def test_transactions_that_are_not_there(call):
    expect(call("GET", f"{TRANSACTIONS}/{NOBODYS}"), 404, "refusal_404_transaction")
    answer = call("GET", f"{TRANSACTIONS}/x")
    assert violations(answer) == {"loyaltyTransactionId": "VALIDATION"}
    answer = query(call, f"{TRANSACTIONS}/query", filter={"transactionType": "GIVE"})
    assert set(violations(answer)) == {"query.filter.transactionType"}


# Who may


def test_each_scope_opens_its_own(call, maya):
    reader, poster = make_key(maya, "read"), make_key(maya, "points")
    reads: list[tuple[str, str, Any]] = [
        ("GET", f"{ACCOUNTS}/{ACCOUNT}", None),
        ("GET", ACCOUNTS, None),
        ("GET", f"{ACCOUNTS}/program-totals", None),
        ("GET", f"{ACCOUNTS}/fetch-by?contactId={CONTACT}", None),
        ("POST", f"{ACCOUNTS}/query", {}),
        ("POST", f"{ACCOUNTS}/search", {}),
        ("POST", f"{ACCOUNTS}/count", {}),
        ("POST", f"{TRANSACTIONS}/query", {}),
    ]
    writes: list[tuple[str, str, Any]] = [
        ("POST", ACCOUNTS, {"contactId": str(uuid4())}),
        ("POST", f"{ACCOUNTS}/{ACCOUNT}/earn-points", EARNED),
        (
            "POST",
            f"{ACCOUNTS}/{ACCOUNT}/adjust-points",
            {"amount": 1, "revision": "2"},
        ),
    ]
    for method, path, body in reads:
        assert call(method, path, body, token=reader).status_code == 200, path
        expect(call(method, path, body, token=poster), 403, "refusal_403")
    for method, path, body in writes:
        expect(call(method, path, body, token=reader), 403, "refusal_403")
        assert call(method, path, body, token=poster).status_code == 200, path


def test_nothing_of_another_site_is_found(call, store, maya, history):
    direct.begin_program(NOBODYS, by=maya, source="WIX", name="Other", status="ACTIVE")
    here, there = SITE, NOBODYS
    for path in (f"{ACCOUNTS}/{ACCOUNT}", f"{TRANSACTIONS}/{history[0]}"):
        assert call("GET", path, site=here).status_code == 200
        refused(call("GET", path, site=there), 404, "NOT_FOUND")
    assert query(call).json() != payload("accounts_none")
    assert call("POST", f"{ACCOUNTS}/query", {}, site=there).json() == payload(
        "accounts_none"
    )
    totals = call("GET", f"{ACCOUNTS}/program-totals", site=there).json()
    assert totals == payload("totals_none")


# Races


def race_of_two_adjustments(store, key, crew):
    """Two systems adjust an account at once, both having read revision 1."""
    member = factories.make_member(store)
    path = f"{ACCOUNTS}/{member.uuid}/adjust-points"
    headers = {"Authorization": key, "wix-site-id": str(SITE)}
    options: dict[str, Any] = {"content_type": "application/json", "headers": headers}
    answers = crew.race(
        *(
            lambda n=n: Client().post(
                path, {"amount": 10 * n, "revision": "1"}, **options
            )
            for n in (1, 2)
        )
    )
    return member, sorted(answer.status_code for answer in answers)


@pytest.mark.postgres
@pytest.mark.proof
@pytest.mark.django_db(transaction=True)
def test_of_two_adjustments_at_once_one_wins(store, key):
    with racers(2) as crew:
        for _ in range(count(8, 60)):
            member, statuses = race_of_two_adjustments(store, key, crew)
            assert statuses == [200, 409]
            assert member.entries.count() == 1


@pytest.mark.postgres
@pytest.mark.proof
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_both_adjustments_are_posted(store, key, monkeypatch):
    seen = threading.Barrier(2)

    def adjust_what_was_read(member, definition, said, *, by, at):
        held = Member.objects.get(pk=member.pk)
        seen.wait(10)
        if held.chain_length + 1 != at:
            raise StaleEdit("It has moved on.")
        return points.adjust(
            held, definition, said["amount"], reference=str(uuid4()), source="x", by=by
        )

    monkeypatch.setattr(account_views, "adjust", adjust_what_was_read)
    with racers(2) as crew:
        _member, statuses = race_of_two_adjustments(store, key, crew)
    assert statuses == [200, 200], "The control refused one: this proves nothing."
