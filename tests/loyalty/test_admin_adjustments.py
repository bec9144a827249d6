"""Adjusting and reversing in the admin, and the second person."""

from typing import Any
from uuid import uuid4

import pytest

from approvals import ui
from approvals.admin.drafts import lifecycle_url
from loyalty import adjustments
from loyalty.models import Balance, PointsEntry, PointsRequest, ProgramLimit
from tests import factories
from tests.approvals.browsing import as_, buttons


def adjust(user, member, amount, **said):
    data = {
        "balance": factories.definition_of(member.program).pk,
        "amount": amount,
        "comment": "Lost voucher.",
        "reference": str(uuid4()),
    }
    return as_(user).post(lifecycle_url(member, "adjust"), data | said)


def reverse(user, entry, amount="", **said):
    return as_(user).post(
        lifecycle_url(entry, "reverse"),
        {"amount": amount, "comment": "Returned.", "reference": str(uuid4()), **said},
    )


def amounts():
    return list(PointsEntry.objects.order_by("pk").values_list("amount", flat=True))


@pytest.fixture
def waiting(member, maya):
    adjust(maya, member, "5000")
    return PointsRequest.objects.get(source=adjustments.SOURCE)


# Adjusting


@pytest.mark.parametrize(
    ("written", "units"), [("19.99", 1999), ("-5", -500), ("+0.5", 50), (" 7 ", 700)]
)
def test_amounts_are_written_in_the_balances_own_decimals(
    member, money, maya, written, units
):
    factories.earn(member, 1000, definition=money)
    assert adjust(maya, member, written, balance=money.pk).status_code == 302
    assert amounts()[1:] == [units]


@pytest.mark.parametrize(
    "written",
    ["1_000", "１２", "1,000", "1e3", "0x10", "NaN", "Infinity", "", " ", "0", "0.00"]
    + ["1.5", "--1", "9" * 16, "1" * 400, "½", "\x00", "1\u200b"],
)
def test_what_is_no_amount_of_the_balance_is_refused_beside_the_field(
    member, maya, written
):
    page = adjust(maya, member, written)
    assert page.status_code == 200
    assert "amount" in page.context["form"].errors
    assert not PointsRequest.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("comment", ""),
        ("comment", " "),
        ("comment", "a" * 256),
        ("comment", "a\u202eb"),
        ("balance", "0"),
        ("balance", "x"),
        ("balance", ""),
        ("reference", "x"),
        ("reference", ""),
    ],
)
def test_crafted_and_missing_values_post_nothing(member, maya, field, value):
    page = adjust(maya, member, "5", **{field: value})
    assert page.status_code == 200
    assert field in page.context["form"].errors
    assert amounts() == []


def test_another_programs_balance_is_not_offered(member, maya):
    other = factories.definition_of(factories.make_program(maya, "Other"))
    page = adjust(maya, member, "5", balance=other.pk)
    assert "balance" in page.context["form"].errors


def test_pressing_twice_is_one_adjustment(member, maya):
    reference = str(uuid4())
    for _ in range(2):
        assert adjust(maya, member, "5", reference=reference).status_code == 302
    assert amounts() == [5]
    other = adjust(maya, member, "6", reference=reference)
    assert other.status_code == 409
    assert amounts() == [5]


def test_taking_more_than_there_is_is_refused_in_a_sentence(member, maya):
    page = adjust(maya, member, "-5")
    assert page.status_code == 409
    assert "There are 0 Points" in page.content.decode()


# The second person


def test_above_the_limit_a_reviewer_finds_it_on_the_front_page(
    waiting, member, maya, chen
):
    assert amounts() == []
    front = as_(chen).get("/admin/")
    table = front.context["panels"][0]["table"]
    assert table.title == "Adjustments waiting for you"
    assert table.rows[0][1:3] == [str(member.contact), "Lost voucher."]
    # Not for whoever asked, nor for who may not decide.
    titles = [p["table"].title for p in as_(maya).get("/admin/").context["panels"]]
    assert "Adjustments waiting for you" not in titles
    answer: Any = as_(chen).post(lifecycle_url(waiting, "approve"))
    assert answer.url == ui.change_url(waiting)
    assert amounts() == [5000]


def test_the_front_page_costs_the_same_for_one_and_for_ten(
    waiting, member, maya, chen, django_assert_max_num_queries
):
    client = as_(chen)
    client.get("/admin/")
    with django_assert_max_num_queries(30) as queries:
        client.get("/admin/")
        for_one = len(queries)
    for _ in range(9):
        adjust(maya, member, "5000")
    with django_assert_max_num_queries(for_one):
        client.get("/admin/")


def test_buttons_are_for_who_may_press_them(waiting, maya, chen, aude):
    assert buttons(chen, waiting) == {"Approve", "Reject"}
    assert buttons(maya, waiting) == {"Withdraw"}
    assert buttons(aude, waiting) == set()
    as_(chen).post(lifecycle_url(waiting, "reject"), {"comment": "No receipt."})
    assert buttons(chen, waiting) == buttons(maya, waiting) == set()


def test_nobody_approves_their_own_by_any_address(waiting, maya, admin_user):
    maya.is_superuser = True
    maya.save(update_fields=["is_superuser"])
    for verb in ("approve", "reject"):
        url = lifecycle_url(waiting, verb)
        assert as_(maya).get(url).status_code == 403
        answer = as_(maya).post(url, {"comment": "Fine by me."})
        assert answer.status_code == 403
        assert "somebody else" in answer.content.decode() or verb == "reject"
    assert amounts() == []
    assert as_(admin_user).post(lifecycle_url(waiting, "approve")).status_code == 302


@pytest.mark.parametrize("verb", ["approve", "reject", "withdraw"])
def test_deciding_is_for_reviewers_and_withdrawing_for_who_asked(waiting, aude, verb):
    answer = as_(aude).post(lifecycle_url(waiting, verb), {"comment": "x"})
    assert answer.status_code == 403
    waiting.refresh_from_db()
    assert waiting.status == "PENDING"


def test_a_rejection_says_why(waiting, chen, maya):
    client = as_(chen)
    url = lifecycle_url(waiting, "reject")
    assert "Say why" in client.post(url, {"comment": " "}).content.decode()
    client.post(url, {"comment": "No receipt."})
    assert "No receipt." in as_(maya).get(ui.change_url(waiting)).content.decode()


def test_who_is_second_is_told_who_was_first(waiting, chen):
    dan = factories.make_reviewer("dan")
    as_(chen).post(lifecycle_url(waiting, "approve"))
    late = as_(dan).post(lifecycle_url(waiting, "reject"), {"comment": "No."})
    assert late.status_code == 409
    assert "chen approved" in late.content.decode()
    assert as_(dan).get(lifecycle_url(waiting, "reject")).status_code == 409
    assert amounts() == [5000]


def test_an_adjustment_of_another_program_is_not_there(waiting, chen, maya):
    ProgramLimit.objects.create(user=chen, program=factories.make_program(maya, "B"))
    for url in (ui.change_url(waiting), lifecycle_url(waiting, "approve")):
        assert as_(chen).get(url).status_code == 404
        assert as_(chen).post(url).status_code in (403, 404)
    assert amounts() == []


def test_what_other_systems_asked_for_is_not_decided_here(rich, chen):
    asked = PointsRequest.objects.get(source="shop")
    assert as_(chen).get(ui.change_url(asked)).status_code == 200
    for verb in ("approve", "reject", "withdraw", "nothing"):
        assert as_(chen).post(lifecycle_url(asked, verb)).status_code == 404


# Reversing


def test_a_line_is_reversed_in_parts_and_then_not_any_more(rich, maya):
    entry = rich.entries.get()
    assert reverse(maya, entry, "30").status_code == 302
    too_much = reverse(maya, entry, "71")
    assert "Only 70 points" in too_much.content.decode()
    reverse(maya, entry)
    assert amounts() == [100, -30, -70]
    assert Balance.objects.get().amount == 0
    page = reverse(maya, entry)
    assert page.status_code == 409
    assert as_(maya).get(lifecycle_url(entry, "reverse")).status_code == 409


@pytest.mark.parametrize(
    "written", ["1_0", "１２", "-5", "0", "1.5", "x", "9" * 30, "\x00"]
)
def test_how_much_is_strict(rich, maya, written):
    page = reverse(maya, rich.entries.get(), written)
    assert "amount" in page.context["form"].errors
    assert amounts() == [100]


def test_reversing_twice_by_pressing_twice_is_once(rich, maya):
    entry, reference = rich.entries.get(), str(uuid4())
    for _ in range(2):
        assert reverse(maya, entry, "30", reference=reference).status_code == 302
    assert amounts() == [100, -30]


def test_a_reversal_is_not_reversed(rich, maya):
    reverse(maya, rich.entries.get(), "30")
    page = reverse(maya, PointsEntry.objects.get(kind="REVERSAL"), "30")
    assert page.status_code in (200, 409)
    assert amounts() == [100, -30]


@pytest.mark.parametrize("who", ["aude", "chen"])
def test_reversing_is_for_managers(rich, who, request):
    user = request.getfixturevalue(who)
    entry = rich.entries.get()
    assert reverse(user, entry).status_code == 403
    assert as_(user).get(lifecycle_url(entry, "reverse")).status_code == 403
    assert as_(user).get(lifecycle_url(entry, "delete")).status_code == 404
    assert amounts() == [100]
