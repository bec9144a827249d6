"""What may be live together in a group; row numbers are those of the catalogue."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from approvals import lifecycle
from approvals.errors import GoLiveInPast, Unsound
from loyalty import programs
from loyalty.models import Program
from tests import factories
from tiers import drafting, soundness
from tiers.models import TierGroup, TierVersion

Entry = TierVersion.Entry


def add(group: TierGroup, by: User, name: str, **wording: Any) -> TierVersion:
    return drafting.add_tier(group, by=by, name=name, **wording)


def submit(by: User, *versions: Any) -> Any:
    return lifecycle.submit(list(versions), by=by)


def refused(by: User, *versions: Any) -> str:
    with pytest.raises(Unsound) as unsound:
        submit(by, *versions)
    assert unsound.value.message == " ".join(unsound.value.details["problems"])
    return unsound.value.message


# Thresholds (73)


def test_73_a_threshold_equal_to_its_neighbours_names_the_neighbour(
    group: TierGroup, maya: User
) -> None:
    assert refused(maya, add(group, maya, "Jade", threshold=1000)) == (
        "Jade asks for 1000, as Gold does: each tier needs a threshold of its own."
    )


def test_73_a_threshold_below_a_lower_tiers_names_it(
    group: TierGroup, maya: User
) -> None:
    order = ["Bronze", "Gold", "Silver"]
    ids = [factories.live_tier(group, name).tier_id for name in order]
    ladder = lifecycle.draft_change(
        group.versions.live().get(), by=maya, changes={"tier_order": ids}
    )
    assert refused(maya, ladder) == (
        "Silver stands above Gold but asks for 500, less than 1000."
    )


def test_73_two_thresholds_may_change_places_in_one_change_set(
    group: TierGroup, maya: User, chen: User
) -> None:
    silver, gold = (
        lifecycle.draft_change(
            factories.live_tier(group, name), by=maya, changes={"threshold": amount}
        )
        for name, amount in (("Silver", 1000), ("Gold", 500))
    )
    refused(maya, silver)
    factories.approve(submit(maya, silver, gold), chen)
    serials = group.tiers.order_by("serial_number")
    live = [t.versions.live().get().name for t in serials]
    assert live == ["Bronze", "Gold", "Silver"]


@pytest.mark.parametrize("threshold", [-1, "-0.0001"])
def test_73_a_negative_threshold_is_refused(
    group: TierGroup, maya: User, threshold: Any
) -> None:
    with pytest.raises(ValidationError) as refusal:
        add(group, maya, "Jade", threshold=threshold)
    assert set(refusal.value.message_dict) == {"threshold"}


@pytest.mark.parametrize("same", ["1000", "1000.0", "1000.0000", 1000, "1E+3"])
def test_73_one_amount_in_other_digits_is_the_same(
    group: TierGroup, maya: User, same: Any
) -> None:
    assert "asks for 1000, as Gold" in refused(
        maya, add(group, maya, "Jade", threshold=same)
    )


@pytest.mark.parametrize(
    ("own", "is_the_same"),
    [
        ({}, True),
        ({"measure": "WINDOW"}, True),
        ({"measure": "WINDOW", "window_months": 12}, True),
        ({"window_months": 12}, True),
        ({"measured_balance": "POINTS"}, True),
        ({"measure": "LIFETIME"}, False),
        ({"measure": "CURRENT"}, False),
        ({"window_months": 6}, False),
        ({"window_kind": "CALENDAR_YEAR"}, False),
        ({"measured_balance": "PURCHASES"}, False),
    ],
)
def test_73_thresholds_rise_where_tiers_share_a_measure_however_it_is_said(
    group: TierGroup, program: Program, maya: User, own: Any, is_the_same: bool
) -> None:
    own = dict(own)
    if "measured_balance" in own:
        own["measured_balance"] = program.balance_definitions.get(
            built_in=own["measured_balance"]
        )
    draft = add(group, maya, "Jade", threshold=1000, **own)
    if is_the_same:
        assert "asks for 1000, as Gold does" in refused(maya, draft)
    else:
        submit(maya, draft)


def test_73_a_programs_window_makes_two_measures_one(
    group: TierGroup, program: Program, maya: User, chen: User
) -> None:
    jade = add(group, maya, "Jade", threshold=1000, window_months=6)
    factories.approve(submit(maya, jade), chen)
    shorter = lifecycle.draft_change(
        program.versions.live().get(), by=maya, changes={"rolling_window_months": 6}
    )
    assert "asks for 1000, as" in refused(maya, shorter)


# Conditions on balances


def condition(program: Program, balance: str, minimum: int) -> dict[str, int]:
    found = program.balance_definitions.get(built_in=balance)
    return {"balance_definition": found.pk, "minimum": minimum}


def test_conditions_on_one_balance_rise_as_thresholds_do(
    group: TierGroup, program: Program, maya: User, chen: User
) -> None:
    visits = [condition(program, "VISITS", 5)]
    jade = add(group, maya, "Jade", access_conditions=visits)
    factories.approve(submit(maya, jade), chen)
    opal = add(group, maya, "Opal", access_conditions=visits)
    assert refused(maya, opal).startswith("Opal asks for 5, as Jade does")
    more = [condition(program, "VISITS", 6)]
    lifecycle.revise(opal, by=maya, changes={"access_conditions": more})
    submit(maya, opal)


def test_conditions_on_several_balances_differ_and_stand_in_the_groups_order(
    group: TierGroup, program: Program, maya: User, chen: User
) -> None:
    visits, spend = condition(program, "VISITS", 5), condition(program, "PURCHASES", 9)
    jade = add(group, maya, "Jade", access_conditions=[visits, spend])
    opal = add(group, maya, "Opal", access_conditions=[spend, visits])
    assert "asks for the same as" in refused(maya, jade, opal)
    lifecycle.revise(opal, by=maya, changes={"access_conditions": [visits]})
    assert "have no order of their own" in refused(maya, jade, opal)
    ladder = lifecycle.draft_change(
        group.versions.live().get(),
        by=maya,
        changes={"tier_order": [opal.tier_id, jade.tier_id]},
    )
    factories.approve(submit(maya, jade, opal, ladder), chen)
    places = group.tiers.values_list("versions__name", "serial_number")
    assert ("Opal", 2) in places.filter(versions__status="LIVE")
    assert ("Jade", 3) in places.filter(versions__status="LIVE")


# Names (74)

NAMESAKES = {
    "same": "Gold",
    "case": "gOLD",
    "width": "Ｇｏｌｄ",
    "space": "  Gold ",
    "special space": "\u2003Gold\u00a0",
}


@pytest.mark.parametrize(
    ("rule", "taken"),
    [
        ("CASEFOLD", set(NAMESAKES)),
        ("EXACT", {"same", "space", "special space"}),
        ("NONE", set()),
    ],
)
def test_74_names_differ_as_the_programs_rule_says(
    maya: User, chen: User, rule: str, taken: set[str]
) -> None:
    program = factories.make_program(maya, tier_name_rule=rule)
    group = factories.make_group(program, by=maya, reviewer=chen)
    for number, (how, name) in enumerate(NAMESAKES.items()):
        draft = add(group, maya, name, threshold=5000 + number)
        if how in taken:
            assert "is taken by another tier" in refused(maya, draft), how
            lifecycle.discard(draft, by=maya)
        else:
            submit(maya, draft)


@pytest.mark.parametrize(
    ("one", "other"), [("Straße", "STRASSE"), ("ﬁne", "FINE"), ("Σίσυφος", "ΣΊΣΥΦΟΣ")]
)
def test_74_letters_are_compared_as_people_read_them(
    group: TierGroup, maya: User, chen: User, one: str, other: str
) -> None:
    factories.approve(submit(maya, add(group, maya, one, threshold=2000)), chen)
    assert f"The name {other} is taken" in refused(
        maya, add(group, maya, other, threshold=3000)
    )


def test_74_one_name_in_two_groups_is_fine(
    group: TierGroup, program: Program, maya: User, chen: User
) -> None:
    factories.make_group(program, by=maya, reviewer=chen, name="Second")


def test_74_a_stricter_rule_is_refused_where_names_break_it(
    maya: User, chen: User
) -> None:
    program = factories.make_program(maya, tier_name_rule="NONE")
    factories.make_group(
        program, by=maya, reviewer=chen, tiers=[("Gold", 1), ("gold", 2)]
    )
    strict = lifecycle.draft_change(
        program.versions.live().get(), by=maya, changes={"tier_name_rule": "CASEFOLD"}
    )
    assert refused(maya, strict) == (
        "The name gold is taken by another tier of the group, Gold."
    )
    lifecycle.revise(strict, by=maya, changes={"tier_name_rule": "EXACT"})
    factories.approve(submit(maya, strict), chen)


# Base tiers (75)


def test_75_a_group_has_at_most_one_base_tier(group: TierGroup, maya: User) -> None:
    assert refused(maya, add(group, maya, "Basic", entry=Entry.BASE)) == (
        "Basic and Bronze are both for everybody who reaches no other tier; one can be."
    )


def test_75_a_group_without_a_base_tier_and_an_empty_one_are_sound(
    program: Program, maya: User, chen: User
) -> None:
    factories.make_group(program, by=maya, reviewer=chen, tiers=[("Gold", 1)])
    factories.make_group(program, by=maya, reviewer=chen, tiers=[])


def test_75_any_number_of_tiers_is_by_assignment_only(
    group: TierGroup, maya: User, chen: User
) -> None:
    by_hand = [
        add(group, maya, name, entry=Entry.MANUAL) for name in ("Staff", "Press")
    ]
    factories.approve(submit(maya, *by_hand), chen)
    serials = group.tiers.order_by("serial_number")
    assert list(serials.values_list("serial_number", flat=True)) == [
        1,
        2,
        3,
        4,
        5,
    ]


@pytest.mark.parametrize("entry", [Entry.BASE, Entry.MANUAL])
def test_75_only_a_tier_that_is_reached_has_a_threshold(
    group: TierGroup, maya: User, entry: str
) -> None:
    with pytest.raises(ValidationError, match="Only a tier that is reached"):
        add(group, maya, "Odd", entry=entry, threshold=1)
    with pytest.raises(ValidationError, match="Say how much a member must reach"):
        add(group, maya, "Odd")


def test_75_the_base_tier_stands_at_the_bottom_whatever_the_order_says(
    group: TierGroup, maya: User, chen: User
) -> None:
    ids = [factories.live_tier(group, n).tier_id for n in ("Silver", "Gold", "Bronze")]
    ladder = lifecycle.draft_change(
        group.versions.live().get(), by=maya, changes={"tier_order": ids}
    )
    factories.approve(submit(maya, ladder), chen)
    bronze = factories.live_tier(group, "Bronze").tier
    assert bronze.serial_number == 1


# Windows (76)


@pytest.mark.parametrize("months", [0, -3, 37, 10_000, "P1M30D", None])
def test_76_a_programs_window_is_1_to_36_months(maya: User, months: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        programs.create_program(by=maya, name="Odd", rolling_window_months=months)
    assert "rolling_window_months" in refusal.value.message_dict
    assert not Program.objects.exists()


@pytest.mark.parametrize("months", [1, 36])
def test_76_both_ends_of_the_range_are_in_it(maya: User, months: int) -> None:
    programs.create_program(by=maya, name="Fine", rolling_window_months=months)


@pytest.mark.parametrize("months", [0, -3, 37, 10_000])
def test_76_groups_and_tiers_have_the_same_range(
    group: TierGroup, maya: User, months: int
) -> None:
    for version in (group.versions.live().get(), factories.live_tier(group, "Gold")):
        with pytest.raises(ValidationError) as refusal:
            lifecycle.draft_change(version, by=maya, changes={"window_months": months})
        assert "window_months" in refusal.value.message_dict


# Going live in the past (77)


def test_77_a_go_live_before_now_is_refused_and_names_the_instant(
    draft: TierVersion, maya: User
) -> None:
    past = timezone.now() - timedelta(seconds=1)
    with pytest.raises(GoLiveInPast, match="has passed; choose a later one"):
        lifecycle.submit([draft], by=maya, go_live_at=past)


# Groups, and balances that tiers stand on (84)


def test_84_a_tier_cannot_outlive_its_group(group: TierGroup, maya: User) -> None:
    ends = drafting.retire(group, by=maya)
    kept = [end for end in ends if getattr(end, "name", "") != "Silver"]
    assert refused(maya, *kept) == (
        "Silver: the group of these tiers would not be live. Publish the group with "
        "them, or retire them with it."
    )


def test_84_a_balance_that_tiers_are_measured_by_cannot_be_retired(
    group: TierGroup, program: Program, maya: User, chen: User
) -> None:
    stars = programs.add_balance_definition(program, by=maya, name="Stars", unit="STAR")
    factories.approve(submit(maya, stars), chen)
    asked = {"balance_definition": stars.balance_definition_id, "minimum": 1}
    jade = add(group, maya, "Jade", access_conditions=[asked])
    factories.approve(submit(maya, jade), chen)
    end = lifecycle.draft_change(stars, by=maya, operation="RETIRE")
    assert refused(maya, end) == "Stars cannot be retired: tiers are measured by it."
    [end_of_jade] = drafting.retire(jade.tier, by=maya)
    factories.approve(submit(maya, end, end_of_jade), chen)


def test_balances_of_a_program_have_names_of_their_own(
    program: Program, maya: User, chen: User
) -> None:
    def add_balance(name: str) -> Any:
        return programs.add_balance_definition(program, by=maya, name=name, unit="X")

    assert refused(maya, add_balance("ＰＯＩＮＴＳ ")) == (
        "Another balance of the program is called ＰＯＩＮＴＳ  already."
    )
    one, other = add_balance("Stars"), add_balance("stars")
    assert "is called" in refused(maya, one, other)
    factories.approve(submit(maya, one), chen)
    assert "is called" in refused(maya, other)


# Order


def test_tiers_that_the_order_does_not_name_come_after_it_by_threshold(
    group: TierGroup, maya: User, chen: User
) -> None:
    jade = add(group, maya, "Jade", threshold=3000)
    opal = add(group, maya, "Opal", threshold=2000)
    factories.approve(submit(maya, jade, opal), chen)
    version = group.versions.live().get()
    live = TierVersion.objects.live().filter(tier__group=group)
    names = [tier.name for tier in soundness.ordered(version, live)]
    assert names == ["Bronze", "Silver", "Gold", "Opal", "Jade"]


def test_an_order_names_tiers_of_its_group_once(
    group: TierGroup, program: Program, maya: User, chen: User
) -> None:
    other = factories.make_group(program, by=maya, reviewer=chen, name="Other")
    stranger = factories.live_tier(other, "Gold").tier_id
    gold = factories.live_tier(group, "Gold").tier_id
    for order, words in (
        ([gold, gold], "twice"),
        ([stranger], "another group"),
        ([True], "a list of tiers"),
        ("gold", "a list of tiers"),
    ):
        with pytest.raises(ValidationError, match=words):
            lifecycle.draft_change(
                group.versions.live().get(), by=maya, changes={"tier_order": order}
            )
