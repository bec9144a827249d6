"""A member's tiers in the admin: what the page says, and what is done by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from approvals import ui
from approvals.admin.drafts import lifecycle_url
from approvals.models import AuditEvent
from loyalty import members, programs
from loyalty.models import Member, ProgramLimit
from tests import factories
from tests.approvals.browsing import as_, press
from tiers import acts, assignment
from tiers.models import (
    ManualMove,
    OrderedEvaluation,
    Override,
    Run,
    RunPiece,
    Standing,
    TierAssignment,
)


@pytest.fixture
def ann(group, program):
    """A silver member with 700 points; Gold begins at 1,000."""
    member = factories.make_member(program, name="Ann", subscription_id="S-ANN")
    factories.earn(member, 700)
    return member


@pytest.fixture
def gold(group):
    return factories.live_tier(group, "Gold").tier


def page_of(user, member, **query):
    return as_(user).get(ui.change_url(member), query)


def card(user, member, title="Main"):
    parts = page_of(user, member).context["parts"]
    return next(part for _, part in parts if part.title == title)


def held(member):
    tier: Any = Standing.objects.get(member=member).tier
    return tier.versions.live().get().name


# What the page says


def test_the_way_to_the_next_tier_is_told_in_words_and_as_a_bar(ann, maya):
    shown = card(maya, ann)
    (bar,) = shown.bars
    assert bar.percent == 70
    assert bar.words == (
        "700 of 1,000 points in the last 12 months, 300 to go until Gold"
    )
    html = page_of(maya, ann).content.decode()
    assert 'value="70"' in html
    assert "Silver" in str(shown.tier)


def test_money_is_told_in_its_decimals(program, maya, chen):
    factories.make_group(
        program,
        by=maya,
        reviewer=chen,
        measure="LIFETIME",
        measured_balance=factories.definition_of(program, "PURCHASES"),
        tiers=[("Silver", 50), ("Gold", 100)],
    )
    member = factories.make_member(program)
    money = factories.definition_of(program, "PURCHASES")
    factories.earn(member, 1999, definition=money)
    (bar,) = card(maya, member).bars
    assert bar.words == "19.99 of 50.00 EUR in all, 30.01 to go until Silver"


def test_at_the_top_there_is_no_bar(ann, maya):
    factories.earn(ann, 300)
    shown = card(maya, ann)
    assert shown.bars == []
    assert "no higher tier" in shown.note


def test_the_page_says_when_the_tier_will_be_lost(ann, maya):
    said = dict(card(maya, ann).facts)
    standing = Standing.objects.get(member=ann)
    assert said["Lost, if nothing more is earned"] == ui.when(standing.drops_at)
    assert said["Next amount stops counting"] == ui.when(standing.next_exit_at)


def test_while_tiers_are_paused_the_page_says_so(ann, maya, program):
    programs.switch_tiers(program, "pause", by=maya, reason="Stocktaking.")
    assert "everybody reads as base" in card(maya, ann).note


def test_who_was_never_judged_is_said_to_be(program, maya, group):
    member = factories.make_member(program)
    assert "next recalculation" in card(maya, member).note


def test_history_says_why_and_what_was_compared(ann, maya):
    history = card(maya, ann, "Tiers held")
    newest = [str(cell) for cell in history.rows[0]]
    assert "Silver" in newest[0]
    assert newest[2:4] == ["Today", "Reached the threshold"]
    assert "700 points" in newest[4]
    assert "500 points asked for" in newest[4]


def test_what_was_corrected_later_is_behind_a_switch(program, group, maya):
    joined = datetime(2025, 1, 1, tzinfo=UTC)
    member = factories.make_member(program, joined_at=joined)
    factories.earn(member, 600, occurred_at=timezone.now() - timedelta(days=10))
    # A late line: the member had been silver for longer than anybody knew.
    factories.earn(member, 600, occurred_at=timezone.now() - timedelta(days=20))
    assert TierAssignment.objects.filter(superseded_at__isnull=False).exists()
    assert "Corrected later" not in page_of(maya, member).content.decode()
    then = page_of(maya, member, known="then").content.decode()
    assert "Corrected later" in then


@pytest.mark.parametrize("known", ["", "now", "x" * 500, "\x00", "1"])
def test_any_other_switch_is_none(ann, maya, known):
    assert page_of(maya, ann, known=known).status_code == 200


# Moving


def test_a_member_is_moved_with_a_reason_and_on_record(ann, gold, maya):
    answer = press(maya, ann, "move", tier=gold.pk, comment="A goodwill gesture.")
    assert answer.url == ui.change_url(ann)
    assert held(ann) == "Gold"
    event = AuditEvent.objects.get(verb="move")
    assert (event.actor, event.reason) == (maya, "A goodwill gesture.")
    rows = card(maya, ann, "Tiers by hand").rows
    assert rows[0][1:] == ["Moved to Gold", "maya", "A goodwill gesture."]


@pytest.mark.parametrize(
    ("field", "value"),
    [("tier", "0"), ("tier", "x"), ("tier", ""), ("comment", " "), ("comment", "")]
    + [("comment", "a" * 256), ("comment", "a\u202eb")],
)
@pytest.mark.parametrize("verb", ["move", "override"])
def test_crafted_and_missing_values_move_nobody(ann, gold, maya, verb, field, value):
    said = {"tier": gold.pk, "comment": "Because.", "bound": "FLOOR"} | {field: value}
    page = press(maya, ann, verb, **said)
    assert page.status_code == 200
    assert field in page.context["form"].errors
    assert held(ann) == "Silver"


def test_another_programs_tier_is_not_offered(ann, maya, chen):
    other = factories.make_program(maya, "Other")
    foreign = factories.make_group(other, by=maya, reviewer=chen)
    tier = factories.live_tier(foreign, "Gold").tier
    page = press(maya, ann, "move", tier=tier.pk, comment="Because.")
    assert "tier" in page.context["form"].errors


def test_moving_to_the_tier_that_is_held_is_refused_in_a_sentence(ann, group, maya):
    silver = factories.live_tier(group, "Silver").tier
    page = press(maya, ann, "move", tier=silver.pk, comment="Because.")
    assert page.status_code == 409
    assert "already" in page.content.decode()


def test_who_has_left_is_not_moved(ann, gold, maya):
    members.leave(ann, by=maya, reason="Moved away.")
    page = press(maya, ann, "move", tier=gold.pk, comment="Because.")
    assert page.status_code == 409
    assert not ManualMove.objects.exists()
    assert card(maya, ann).buttons == []


# Overrides


def set_override(user, member, tier, **said):
    data = {"tier": tier.pk, "bound": "FLOOR", "comment": "A gesture."} | said
    return press(user, member, "override", **data)


def test_an_override_is_set_shown_and_ended(ann, gold, maya, chen):
    assert set_override(maya, ann, gold).status_code == 302
    assert held(ann) == "Gold"
    shown = card(maya, ann)
    assert "At least Gold until somebody ends it" in shown.override
    assert "A gesture." in shown.override
    labels = [button.label for button in shown.buttons]
    assert labels == ["Move to a tier", "End override", "Evaluate now"]

    override = Override.objects.get()
    press(maya, override, "end_override", comment="Long enough.")
    assert held(ann) == "Silver"
    assert card(maya, ann).override == ""
    words = [row[1] for row in card(maya, ann, "Tiers by hand").rows]
    assert words == ["Override ended: Gold", "Override: at least Gold"]
    again = press(maya, override, "end_override", comment="Again.")
    assert again.status_code == 409
    assert as_(maya).get(lifecycle_url(override, "end_override")).status_code == 409


def test_an_override_ends_by_itself_on_its_day(ann, gold, maya):
    day = f"{timezone.now() + timedelta(days=30):%Y-%m-%d}"
    set_override(maya, ann, gold, until_0=day, until_1="12:00")
    assert f"{Override.objects.get().until:%Y-%m-%d %H:%M}" == f"{day} 12:00"


@pytest.mark.parametrize(
    "until", [("2020-01-01", "00:00"), ("9999-12-31", "23:59:59"), ("x", "y")]
)
def test_an_end_that_is_none_is_refused_beside_the_field(ann, gold, maya, until):
    page = set_override(maya, ann, gold, until_0=until[0], until_1=until[1])
    assert "until" in page.context["form"].errors
    assert not Override.objects.exists()


def test_a_second_override_waits_for_the_end_of_the_first(ann, gold, maya):
    set_override(maya, ann, gold)
    page = set_override(maya, ann, gold, bound="PIN")
    assert page.status_code == 409
    assert Override.objects.count() == 1


def test_a_bound_that_there_is_not_is_refused(ann, gold, maya):
    page = set_override(maya, ann, gold, bound="ABOVE")
    assert "bound" in page.context["form"].errors


# Evaluating and recalculating


def test_an_evaluation_ends_a_move(ann, group, gold, maya):
    press(maya, ann, "move", tier=gold.pk, comment="A gesture.")
    press(maya, ann, "evaluate", group=group.pk, comment="To be sure.")
    assert held(ann) == "Silver"
    assert OrderedEvaluation.objects.get().reason == "To be sure."


def test_everybody_in_a_group_is_evaluated(ann, group, gold, maya, aude):
    press(maya, ann, "move", tier=gold.pk, comment="A gesture.")
    assert press(aude, group, "evaluate", comment="x").status_code == 403
    assert held(ann) == "Gold"
    answer = press(maya, group, "evaluate", comment="To be sure.")
    assert answer.url == ui.change_url(group)
    assert held(ann) == "Silver"


def test_a_long_reason_is_no_obstacle_to_a_recalculation(ann, program, maya):
    press(maya, program, "recalculate", comment="Because. " * 200)
    assert AuditEvent.objects.filter(verb="recalculate").count() == 1


def test_a_member_is_recalculated_now(program, group, maya):
    member = factories.make_member(program)
    assert not Standing.objects.exists()
    press(maya, member, "recalculate", comment="They called.")
    assert held(member) == "Bronze"
    assert Member.objects.get().marked_at is None
    event = AuditEvent.objects.about("member", member.pk).get()
    assert (event.verb, event.reason) == ("recalculate", "They called.")


# Who may


@pytest.mark.parametrize("verb", ["move", "override", "evaluate", "recalculate"])
@pytest.mark.parametrize("who", ["aude", "chen"])
def test_changing_tiers_is_for_managers(ann, group, gold, verb, who, request):
    user = request.getfixturevalue(who)
    said = {"tier": gold.pk, "bound": "PIN", "group": group.pk, "comment": "x"}
    url = lifecycle_url(ann, verb)
    assert as_(user).get(url).status_code == 403
    assert as_(user).post(url, said).status_code == 403
    assert held(ann) == "Silver"
    assert card(user, ann).buttons == []


def test_ending_an_override_is_for_managers(ann, gold, maya, aude):
    set_override(maya, ann, gold)
    override = Override.objects.get()
    url = lifecycle_url(override, "end_override")
    assert as_(aude).get(url).status_code == 403
    assert as_(aude).post(url, {"comment": "x"}).status_code == 403
    assert as_(maya).get(lifecycle_url(override, "delete")).status_code == 404
    ProgramLimit.objects.create(user=maya, program=factories.make_program(maya, "B"))
    assert as_(maya).post(url, {"comment": "x"}).status_code == 404
    assert held(ann) == "Gold"


@pytest.mark.parametrize("model", [ManualMove, Override, OrderedEvaluation, Run])
def test_what_is_on_record_is_read_and_never_changed(
    ann, group, gold, maya, aude, admin_user, model
):
    acts.move(ann, gold, by=maya, reason="A gesture.")
    acts.override(ann, gold, bound="PIN", by=maya, reason="A gesture.")
    acts.order_evaluation(ann, group, by=maya, reason="To be sure.")
    assignment.recalculate(ann.program, as_of=timezone.now())
    row = model.objects.latest("pk")
    for url in (ui.list_url(model), ui.change_url(row)):
        assert as_(aude).get(url).status_code == 200
    for user in (maya, admin_user):
        assert as_(user).post(ui.change_url(row), {"reason": "x"}).status_code == 403
        assert as_(user).get(ui.add_url(model)).status_code == 403
        delete = f"{ui.list_url(model)}{row.pk}/delete/"
        assert as_(user).post(delete, {"post": "yes"}).status_code == 403


# Runs


@pytest.fixture
def run(group, program, gold, maya):
    """Two pieces of 10 members: one done, one at work."""
    now = timezone.now()
    silver = factories.live_tier(group, "Silver").tier
    run = Run.objects.create(
        program=program,
        kind=Run.Kind.PUBLISH,
        created_at=now,
        asked_by=maya,
        expected=20,
        next_member=20,
        last_member=19,
    )
    for first, done, moves in (
        (0, 10, [[silver.pk, gold.pk, 3], [None, silver.pk, 1]]),
        (10, 5, [[silver.pk, gold.pk, 2]]),
    ):
        RunPiece.objects.create(
            run=run,
            first_member=first,
            last_member=first + 9,
            reached=first + done - 1,
            leased_until=now,
            finished_at=now if done == 10 else None,
            members=done,
            moved=sum(move[2] for move in moves),
            moves=moves,
        )
    return run


def test_an_open_run_shows_how_far_it_is_and_who_moved(run, maya):
    page = as_(maya).get(ui.change_url(run))
    (_, progress), (_, moves), (_, pieces) = page.context["parts"]
    assert (progress.words, progress.percent) == ("15 of 20", 75)
    assert [str(row[2]) for row in moves.rows] == ["5", "1"]
    assert "Silver" in str(moves.rows[0][0])
    assert "Gold" in str(moves.rows[0][1])
    assert "No tier" in str(moves.rows[1][0])
    assert len(pieces.rows) == 2
    assert "data-goes-on" in page.content.decode()
    said = dict(page.context["facts"])
    assert (said["Asked for by"], said["Changed tier"]) == ("maya", "6")


def test_a_run_that_broke_off_says_so(run, maya):
    RunPiece.objects.filter(first_member=10).update(
        failed_at=timezone.now(), failure="The disk was full."
    )
    Run.objects.filter(pk=run.pk).update(failed_at=timezone.now(), members=15)
    html = as_(maya).get(ui.change_url(run)).content.decode()
    assert "Broke off" in html
    assert "The disk was full." in html
    assert "data-goes-on" not in html


def test_a_recalculation_by_hand_is_among_the_runs(group, program, maya):
    factories.make_member(program)
    press(maya, program, "recalculate", comment="To be sure.")
    page = as_(maya).get(ui.list_url(Run, "kind=RECALCULATE&state=finished"))
    assert page.context["cl"].result_count == 1


@pytest.mark.parametrize("number", [2, 40])
def test_the_list_of_runs_costs_the_same_for_two_and_for_many(
    program, maya, number, django_assert_num_queries
):
    now = timezone.now()
    for _ in range(number):
        Run.objects.create(program=program, kind="TICK", created_at=now)
    client = as_(maya)
    client.get(ui.list_url(Run))
    # Session, user, permissions (2), limits, the filter's programs, count, the rows
    # with names and sums; notices in the sidebar.
    with django_assert_num_queries(9):
        client.get(ui.list_url(Run))


@pytest.mark.parametrize("pk", ["0", "x", "9" * 30, "１"])
def test_a_run_that_there_is_not_is_not_found(maya, program, pk):
    url = f"{ui.list_url(Run)}{pk}/change/"
    assert as_(maya).get(url).status_code == 404


def test_runs_of_other_programs_are_not_there(run, maya):
    ProgramLimit.objects.create(user=maya, program=factories.make_program(maya, "B"))
    assert as_(maya).get(ui.change_url(run)).status_code == 404
    assert as_(maya).get(ui.list_url(Run)).context["cl"].result_count == 0
