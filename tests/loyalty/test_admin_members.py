"""Members in the admin: adding, finding, editing, closing, erasing, one page each."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from approvals import roles, ui
from approvals.admin.drafts import lifecycle_url
from approvals.models import AuditEvent
from loyalty import members, points
from loyalty.models import (
    Balance,
    Contact,
    Member,
    PointsEntry,
    PointsRequest,
    ProgramLimit,
)
from tests import factories
from tests.approvals.browsing import as_, buttons, press

ANN = {
    "name": "Ann",
    "email": "ann@example.org",
    "mobile": "+49 30 1234",
    "external_id": "SHOP-77",
    "subscription_id": "S-ANN",
    "card": "4012",
}


@pytest.fixture
def ann(program, maya):
    person: Any = ANN
    return members.enrol(program, members.Person(**person), by=maya)


@pytest.fixture
def dora(db):
    """Who may erase."""
    return factories.make_user("dora", roles.DATA_PROTECTION)


def add(user, program, **said):
    return as_(user).post(ui.add_url(Member), {"program": program.pk, **said})


def parts(response):
    return {part.title: part for _, part in response.context["parts"]}


# Adding


def test_a_member_and_the_person_are_made_on_one_page(program, maya):
    response = add(maya, program, **ANN)
    member = Member.objects.get()
    assert response.url == ui.change_url(member)
    assert members.details_of(member) == members.Details(**ANN)
    assert AuditEvent.objects.get(verb="enrol").actor == maya


def test_somebody_who_is_known_becomes_a_member_as_who_they_are(ann, maya):
    other = factories.make_program(maya, "Other")
    client = as_(maya)
    said = {"program": other.pk, "name": "Annabel", "email": "ANN@example.org"}
    page = client.post(ui.add_url(Member), said, follow=True)
    assert Contact.objects.count() == 1
    assert "known already as Ann" in str(next(iter(page.context["messages"])))


def test_who_joined_earlier_is_a_member_from_then_on(program, maya):
    earlier = {"joined_at_0": "2025-01-02", "joined_at_1": "12:00"}
    add(maya, program, name="Ann", **earlier)
    assert f"{Member.objects.get().intervals.get().started_at:%F}" == "2025-01-02"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", "a\u200bnn@example.org"),
        ("name", "A" * 151),
        ("name", "A\u202enn"),
        ("card", "\x00"),
        ("joined_at", ("9999-12-31", "23:59")),
        ("joined_at", ("2199-01-01", "00:00")),
        ("program", "0"),
        ("program", "1_0"),
        ("program", "x"),
    ],
)
def test_nobody_is_added_from_nonsense(program, maya, field, value):
    said = {"program": program.pk, "name": "Ann"}
    if isinstance(value, tuple):
        said |= {f"{field}_0": value[0], f"{field}_1": value[1]}
    else:
        said[field] = value
    page = as_(maya).post(ui.add_url(Member), said)
    assert page.status_code == 200
    assert field in page.context["form"].errors
    assert not Member.objects.exists()


def test_somebody_without_any_detail_is_nobody(program, maya):
    page = add(maya, program, subscription_id="7")
    assert "know the person by" in page.content.decode()


@pytest.mark.parametrize(
    "said", [ANN, {"name": "Bob", "subscription_id": "S-ANN"}, {"email": ANN["email"]}]
)
def test_nobody_is_added_twice(ann, maya, said):
    page = add(maya, ann.program, **said)
    assert page.status_code == 409
    assert "S-ANN" in page.content.decode()
    assert Member.objects.count() == 1


def test_details_of_two_people_are_refused(ann, maya):
    factories.make_member(ann.program, email="bob@example.org")
    said = {"email": "bob@example.org", "external_id": "SHOP-77"}
    assert add(maya, ann.program, **said).status_code == 409


def test_members_are_added_by_who_may_in_programs_that_they_see(
    program, maya, chen, aude
):
    for user in (chen, aude):
        assert as_(user).get(ui.add_url(Member)).status_code == 403
        assert add(user, program, name="Ann").status_code == 403
    other = factories.make_program(maya, "Other")
    ProgramLimit.objects.create(user=maya, program=other)
    assert "program" in add(maya, program, name="Ann").context["form"].errors
    assert not Member.objects.exists()


# Finding


@pytest.mark.parametrize(
    "sought", ["S-ANN", "4012", "SHOP-77", "Ann@Example.org", "+49 30 1234", "nn"]
)
def test_a_member_is_found_by_what_people_have_at_hand(ann, maya, sought):
    factories.make_member(ann.program, name="Bob")
    page = as_(maya).get(ui.list_url(Member), {"q": sought})
    assert list(page.context["cl"].result_list) == [ann]


def test_who_is_named_exactly_comes_before_whoever_has_it_in_a_name(program, maya):
    factories.make_member(program, name="Number 77", email="x@example.org")
    seven = factories.make_member(program, subscription_id="77")
    page = as_(maya).get(ui.list_url(Member), {"q": "77"})
    assert list(page.context["cl"].result_list) == [seven]


@pytest.mark.parametrize(
    "sought",
    [" ", "%", "_", "\\", "'", '"', "' OR 1=1 --", "\x00", "ﬀ", "😀", "a" * 101]
    + ["a b " * 25, "(", "$", "<script>alert(1)</script>", "\u202e"],
)
def test_any_search_is_answered(ann, maya, sought):
    page = as_(maya).get(ui.list_url(Member), {"q": sought})
    assert page.status_code == 200
    assert "<script>alert(1)" not in page.content.decode()


def test_a_search_that_finds_many_says_that_it_stops(program, maya, monkeypatch):
    monkeypatch.setattr("loyalty.admin.search.MOST_FOUND", 3)
    for _ in range(5):
        factories.make_member(program)
    page = as_(maya).get(ui.list_url(Member), {"q": "member"})
    assert len(page.context["cl"].result_list) == 3
    assert "first 3 of many" in page.content.decode()


@pytest.mark.parametrize("model", [PointsEntry, Balance, PointsRequest])
@pytest.mark.parametrize("sought", ["S-ANN", "4012", "ann@example.org"])
def test_what_a_member_has_is_found_by_the_member(ann, maya, model, sought):
    factories.earn(factories.make_member(ann.program, name="Ann"), 5)
    factories.earn(ann, 7)
    page = as_(maya).get(ui.list_url(model), {"q": sought})
    (row,) = page.context["cl"].result_list
    assert row.member == ann


@pytest.mark.parametrize("model", [PointsEntry, PointsRequest])
def test_a_posting_is_found_by_its_reference(ann, maya, model):
    factories.earn(ann, 5)
    stars = factories.definition_of(ann.program)
    points.earn(ann, stars, 7, reference="order-77", source="shop", by=None)
    page = as_(maya).get(ui.list_url(model), {"q": "order-77"})
    assert page.context["cl"].result_count == 1


MARKUP = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{7*7}}'


def test_markup_in_every_detail_is_shown_as_text(program, maya, group):
    said = {
        "name": MARKUP,
        "mobile": "<b>1</b>",
        "external_id": MARKUP,
        "subscription_id": MARKUP[:64],
        "card": MARKUP[:64],
    }
    client = as_(maya)
    client.post(ui.add_url(Member), {"program": program.pk, **said}, follow=True)
    member = Member.objects.get()
    press(maya, member, "deactivate_member", comment=MARKUP)
    pages = [ui.list_url(Member), ui.change_url(member)]
    pages += [
        lifecycle_url(member, verb)
        for verb in ("edit", "adjust", "leave", "move", "override", "evaluate")
    ]
    for url in pages:
        html = client.get(url).content.decode()
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "&lt;script&gt;" in html


@pytest.mark.parametrize("number", [10, 200])
def test_the_list_costs_the_same_for_ten_and_for_many(
    program, maya, number, django_assert_num_queries
):
    for _ in range(number):
        factories.make_member(program)
    client = as_(maya)
    client.get(ui.list_url(Member))
    # Session, user, permissions (2), limits, the filter's programs, count, the rows
    # with their names; notices in the sidebar.
    with django_assert_num_queries(9):
        client.get(ui.list_url(Member))


# Editing


def edit(user, member, **said):
    data = {**ANN, **said}
    return press(user, member, "edit", **data)


def test_details_are_changed_and_only_what_they_are_is_on_record(ann, maya):
    response = edit(maya, ann, card="5555", name="Ann Lee")
    assert response.url == ui.change_url(ann)
    ann = Member.objects.get()
    assert (ann.card, ann.contact.name) == ("5555", "Ann Lee")
    event = AuditEvent.objects.get(verb="edit_member")
    assert event.reason == "Changed: name, card number."


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "bob@example.org"), ("external_id", "M-BOB"), ("subscription_id", "7")],
)
def test_what_belongs_to_somebody_else_is_refused_beside_the_field(
    ann, maya, field, value
):
    bob: Any = {
        "email": "bob@example.org",
        "external_id": "M-BOB",
        "subscription_id": "7",
    }
    factories.make_member(ann.program, **bob)
    page = edit(maya, ann, **{field: value})
    assert page.status_code == 409
    assert field in page.context["form"].errors


def test_a_stale_page_saves_nothing_and_says_who_was_faster(ann, maya, chen):
    page = as_(maya).get(lifecycle_url(ann, "edit"))
    seen = page.context["form"].initial["seen"]
    edit(maya, ann, card="5555")
    late = as_(maya).post(
        lifecycle_url(ann, "edit"), {**ANN, "card": "6666", "seen": seen}
    )
    assert late.status_code == 409
    assert "maya changed" in late.content.decode()
    assert Member.objects.get().card == "5555"
    # The same once more is what is there already.
    again = {**ANN, "card": "5555", "seen": seen}
    assert as_(maya).post(lifecycle_url(ann, "edit"), again).status_code == 302


def test_a_crafted_post_changes_nothing_else(ann, maya):
    owned = {"status": "CLOSED", "program": "99", "contact": "1", "uuid": str(uuid4())}
    edit(maya, ann, card="1", **owned)
    again = Member.objects.get()
    assert (again.status, again.program_id) == ("ACTIVE", ann.program_id)
    assert again.uuid == ann.uuid
    assert as_(maya).post(ui.change_url(ann), {"card": "2"}).status_code == 403


# Setting inactive, leaving, coming back, closing


def test_buttons_are_those_that_work_now(ann, maya):
    steps = {"Set inactive", "Set active", "End membership", "Take back", "Close"}

    def offered():
        context = as_(maya).get(ui.change_url(ann)).context
        return {b.label for b in context["more_buttons"]} & steps

    assert offered() == {"Set inactive", "End membership", "Close"}
    press(maya, ann, "deactivate_member", comment="Away.")
    assert offered() == {"Set active", "End membership", "Close"}
    press(maya, ann, "leave", comment="Moved.")
    assert offered() == {"Set active", "Take back", "Close"}
    press(maya, ann, "rejoin", comment="Back.")
    press(maya, ann, "close", comment="Asked us to.")
    assert offered() == set()
    assert "Adjust points" not in buttons(maya, ann)


STEPS = ["deactivate_member", "activate_member", "leave", "rejoin", "close"]


@pytest.mark.parametrize("verb", STEPS)
def test_every_step_asks_for_a_reason(ann, maya, verb):
    page = press(maya, ann, verb, comment=" ")
    assert page.status_code in (200, 409)
    done = AuditEvent.objects.about("member", ann.pk)
    assert [event.verb for event in done] == ["enrol"]


@pytest.mark.parametrize("verb", [*STEPS, "edit", "adjust", "erase"])
def test_who_only_reads_changes_nothing(ann, aude, verb):
    before = Member.objects.values().get(), Contact.objects.values().get()
    url = lifecycle_url(ann, verb)
    said = {
        **ANN,
        "card": "9",
        "comment": "Because.",
        "number": "S-ANN",
        "balance": factories.definition_of(ann.program).pk,
        "amount": "5",
        "reference": str(uuid4()),
    }
    for response in (as_(aude).get(url), as_(aude).post(url, said)):
        assert response.status_code == 403
    assert before == (Member.objects.values().get(), Contact.objects.values().get())
    assert not PointsEntry.objects.exists()


@pytest.mark.parametrize("verb", [*STEPS, "edit", "adjust", "erase"])
def test_members_of_other_programs_are_not_there(ann, maya, verb):
    ProgramLimit.objects.create(user=maya, program=factories.make_program(maya, "B"))
    for url in (lifecycle_url(ann, verb), ui.change_url(ann)):
        assert as_(maya).get(url).status_code == 404
        assert as_(maya).post(url, {"comment": "x"}).status_code in (403, 404)


def test_a_verb_that_there_is_not_is_not_found(ann, maya):
    assert as_(maya).get(lifecycle_url(ann, "promote")).status_code == 404


def test_a_step_from_a_stale_page_is_refused_in_a_sentence(ann, maya):
    press(maya, ann, "close", comment="Asked us to.")
    page = as_(maya).post(lifecycle_url(ann, "leave"), {"comment": "Moved."})
    assert page.status_code == 409
    assert "does not belong" in page.content.decode()


# Erasing


def test_erasing_takes_the_number_written_out(ann, dora):
    refused = press(dora, ann, "erase", number="S-BOB", comment="She asked us to.")
    assert "not S-ANN" in refused.content.decode()
    assert Contact.objects.get().name == "Ann"
    press(dora, ann, "erase", number="S-ANN", comment="She asked us to.")
    assert Contact.objects.get().name == ""
    page = as_(dora).get(ui.change_url(ann))
    shown = page.content.decode()
    assert "Data erased" in shown
    assert "ann@example.org" not in shown


def test_erasing_is_offered_to_who_may_only(ann, maya, dora):
    def offered(user):
        context = as_(user).get(ui.change_url(ann)).context
        return {button.label for button in context["more_buttons"]}

    assert "Erase personal data" not in offered(maya)
    assert offered(dora) == {"Erase personal data"}


# The page


def test_the_page_tells_how_much_what_waits_and_what_happened(ann, maya, program):
    stars = factories.definition_of(program)
    money = factories.definition_of(program, "PURCHASES")
    points.post_activity(
        ann, purchase=1999, points=19, reference="o-1", source="shop", by=None
    )
    points.begin(ann, stars, 500, reference="b-1", source="shop", by=None)
    found = parts(as_(maya).get(ui.change_url(ann)))
    rows = {row[0]: row[1:3] for row in found["Balances"].rows}
    assert rows == {
        "Points": ["19 points", "+500 points"],
        "Purchases": ["19.99 EUR", ""],
        "Visits": ["0 visits", ""],
    }
    amounts = [row[2] for row in found["Ledger"].rows]
    assert sorted(amounts) == ["+19 points", "+19.99 EUR"]
    assert found["What people did"].rows[0][1] == "maya enrolled Member S-ANN"
    assert money.scale == 2


def test_the_ledger_is_read_a_page_at_a_time(ann, maya):
    for number in range(45):
        factories.earn(ann, number + 1)
    client, url = as_(maya), ui.change_url(ann)
    seen = []
    while url:
        ledger = parts(client.get(url))["Ledger"]
        seen += [row[2] for row in ledger.rows]
        url = ledger.older and ui.change_url(ann) + ledger.older
    assert seen == [f"+{n} points" for n in range(45, 0, -1)]


@pytest.mark.parametrize("before", ["0", "-1", "x", "１２", "1_0", "9" * 30, ""])
def test_a_page_of_the_ledger_that_there_is_not_is_a_page_all_the_same(
    ann, maya, before
):
    assert as_(maya).get(ui.change_url(ann), {"before": before}).status_code == 200


@pytest.mark.parametrize("entries", [10, 500])
def test_the_page_costs_the_same_at_ten_and_at_five_hundred_entries(
    group, program, maya, entries, django_assert_num_queries
):
    member = factories.make_member(program)
    stars = factories.definition_of(program)
    now = timezone.now()
    points.post_many(
        program,
        [
            points.Activity(
                member.pk,
                f"r-{n}",
                (points.Line(PointsEntry.Kind.EARN, stars.pk, 5),),
                occurred_at=now - timedelta(days=500 - n),
            )
            for n in range(entries)
        ],
        source="tests",
        by=None,
    )
    factories.earn(member, 5)
    client = as_(maya)
    client.get(ui.change_url(member))
    # Session, user, permissions (2), limits; the member, program, intervals; groups,
    # lines, tiers, balances, standings, overrides; amounts, what waits, terms,
    # balances; a page of the ledger; tiers held; moves, overrides, evaluations; what
    # people did; notices in the sidebar. The rules are known from before.
    with django_assert_num_queries(25):
        client.get(ui.change_url(member))
