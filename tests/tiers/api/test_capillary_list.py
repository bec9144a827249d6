"""Capillary's list: whole documents, filters and refusals."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from approvals import lifecycle
from approvals.models import Version
from loyalty import programs
from loyalty.models import BalanceDefinition, Program, ProgramLimit
from tests import factories, scenes
from tests.tiers.api import gemstone
from tests.tiers.api.conftest import assert_same
from tiers import assignment, drafting
from tiers.models import Tier, TierGroup, TierVersion

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
TUESDAY = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
WEDNESDAY = datetime(2026, 3, 4, 10, tzinfo=UTC)


def statuses(answer: Any) -> list[tuple[str, str, str]]:
    return [
        (t["name"], t["status"], t["origin"]) for t in answer.json()["data"]["tiers"]
    ]


# The vendor's example


@scenes.kept
def gemstones(maya: User, chen: User) -> Program:
    return gemstone.make(maya, chen)


def test_the_list_is_the_vendors_own_example(ask, payload, maya, chen, aude, gemstones):
    answer = ask({"programId": 973}, by=aude)
    assert answer.status_code == 200
    assert_same(answer.json(), payload("list_973"))


def test_before_the_first_count_there_is_no_count(ask, payload, maya, chen, aude):
    gemstone.make(maya, chen, counted=False)
    expected = payload("list_973")
    for tier in expected["data"]["tiers"]:
        tier.pop("customerCount", None)
        tier.pop("countRefreshedAt", None)
    assert_same(ask({"programId": 973}, by=aude).json(), expected)


def test_nothing_that_is_sent_is_null_below_the_envelope(ask, maya, chen, aude):
    gemstone.make(maya, chen, counted=False)

    def nulls(value: Any) -> int:
        if isinstance(value, dict):
            return sum(map(nulls, value.values()))
        if isinstance(value, list):
            return sum(map(nulls, value))
        return value is None

    answer = ask({"programId": 973}, by=aude).json()
    assert nulls(answer["data"]) == 0
    assert (answer["errors"], answer["warnings"]) == (None, None)


# The life of an edit


@pytest.fixture
def silver(maya: User, chen: User) -> TierVersion:
    """The one live tier of program 7, made in the admin."""
    program = factories.make_program(maya, pk=7)
    group = factories.make_group(
        program, by=maya, reviewer=chen, tiers=[("Silver", 500)]
    )
    return factories.live_tier(group, "Silver")


def edit(silver: TierVersion, maya: User, **options: Any) -> TierVersion:
    version: TierVersion = lifecycle.draft_change(silver, by=maya, at=MONDAY, **options)
    return version


def as_draft(silver, maya, chen):
    return edit(silver, maya, changes={"threshold": "612.5", "name": "Silver Plus"})


def as_pending(silver, maya, chen):
    draft = as_draft(silver, maya, chen)
    lifecycle.submit([draft], by=maya, at=TUESDAY)
    return draft


def as_rejected(silver, maya, chen):
    draft = as_draft(silver, maya, chen)
    change = lifecycle.submit([draft], by=maya, at=TUESDAY)
    lifecycle.reject(
        change,
        by=chen,
        fingerprint=change.fingerprint,
        comment="Too steep for March.",
        at=WEDNESDAY,
    )
    return draft


def as_revised(silver, maya, chen):
    draft = as_rejected(silver, maya, chen)
    lifecycle.revise(draft, by=maya, changes={"threshold": 600}, at=WEDNESDAY)
    return draft


def as_scheduled(silver, maya, chen):
    draft = as_draft(silver, maya, chen)
    change = lifecycle.submit(
        [draft], by=maya, at=TUESDAY, go_live_at=datetime(2100, 1, 1, tzinfo=UTC)
    )
    factories.approve(change, chen, at=WEDNESDAY)
    return draft


def as_live(silver, maya, chen):
    draft = as_draft(silver, maya, chen)
    change = lifecycle.submit([draft], by=maya, at=TUESDAY)
    factories.approve(change, chen, at=WEDNESDAY)
    return draft


def as_retirement(silver, maya, chen):
    return edit(silver, maya, operation=Version.Operation.RETIRE)


@pytest.mark.parametrize(
    "put",
    [
        as_draft,
        as_pending,
        as_rejected,
        as_revised,
        as_scheduled,
        as_live,
        as_retirement,
    ],
)
def test_an_edited_tier_is_listed_with_its_open_version(
    put, ask, payload, silver, maya, chen, aude
):
    edited = put(silver, maya, chen)
    # Publications count, at the instant of the test.
    Tier.objects.update(customer_count=None, counted_at=None)
    expected = payload(
        f"list_{put.__name__}",
        slab=silver.tier.slab_id or Tier.objects.get().slab_id,
        live=silver.object_id,
        edited=edited.object_id,
        maya=str(maya.pk),
        chen=str(chen.pk),
    )
    assert_same(ask({"programId": 7}, by=aude).json(), expected)


def test_a_retired_tier_is_gone(ask, silver, maya, chen, aude):
    draft = as_retirement(silver, maya, chen)
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    assert statuses(ask({"programId": 7}, by=aude)) == []


def test_a_discarded_draft_is_gone_and_the_tier_unedited(ask, silver, maya, chen, aude):
    lifecycle.discard(as_draft(silver, maya, chen), by=maya)
    expected = [("Silver", "LIVE", "LEGACY_SQL_ONLY")]
    assert statuses(ask({"programId": 7}, by=aude)) == expected


def test_a_failed_publication_shows_beside_what_is_live(ask, silver, maya, chen, aude):
    draft = as_draft(silver, maya, chen)
    due = datetime(2026, 3, 5, tzinfo=UTC)
    change = lifecycle.submit([draft], by=maya, at=TUESDAY, go_live_at=due)
    factories.approve(change, chen, at=WEDNESDAY)
    # Meanwhile a second tier goes live with the threshold that this one would get.
    rival = drafting.add_tier(
        silver.tier.group, by=maya, name="Gold", threshold="612.5", at=WEDNESDAY
    )
    factories.approve(lifecycle.submit([rival], by=maya), chen)
    assert not lifecycle.go_live(change, at=due)
    assert statuses(ask({"programId": 7}, by=aude)) == [
        ("Silver", "LIVE", "BOTH"),
        ("Silver Plus", "PUBLISH_FAILED", "BOTH"),
        ("Gold", "LIVE", "LEGACY_SQL_ONLY"),
    ]


def test_the_edit_of_an_imported_tier_has_ids_and_the_live_version_none(
    ask, maya, chen, aude, gemstones
):
    gold = TierVersion.objects.live().get(name="Gold")
    draft = lifecycle.draft_change(gold, by=maya, changes={"name": "Yellow Gold"})
    live, edited = ask({"programId": 973, "tier": "25221"}, by=aude).json()["data"][
        "tiers"
    ]
    assert set(live["meta"]) == {"createdAt", "updatedAt"}
    assert not {"objectId", "tierUniqueId"} & set(live)
    assert edited["objectId"] == draft.object_id
    assert edited["tierUniqueId"] == "ut-973-003"
    assert edited["meta"]["createdBy"] == str(maya.pk)
    assert live["slabId"] == edited["slabId"] == 25221


def test_tiers_stand_in_order_and_new_ones_on_top(ask, maya, group, aude):
    for name in ("Jade", "Onyx"):
        drafting.add_tier(group, by=maya, name=name, threshold=700)
    answer = ask({"programId": group.program_id}, by=aude)
    order = [(t["name"], t["serialNumber"]) for t in answer.json()["data"]["tiers"]]
    assert order == [
        ("Bronze", 1),
        ("Silver", 2),
        ("Gold", 3),
        ("Jade", 4),
        ("Onyx", 4),
    ]


def test_only_the_main_group_is_listed(ask, program, group, maya, chen, aude):
    factories.make_group(
        program, by=maya, reviewer=chen, name="Partners", tiers=[("Ally", 5)]
    )
    names = [name for name, *_ in statuses(ask({"programId": program.pk}, by=aude))]
    assert names == ["Bronze", "Silver", "Gold"]


# Customers


def test_while_tiers_are_paused_everybody_reads_as_base(
    ask, program, group, maya, aude
):
    for amount in (100, 600, 700, 1500):
        factories.earn(factories.make_member(program), amount)
    assignment.recalculate(program, as_of=timezone.now())

    def customers() -> list[int]:
        answer = ask({"programId": program.pk}, by=aude)
        return [t["customerCount"] for t in answer.json()["data"]["tiers"]]

    assert customers() == [1, 2, 1]
    programs.switch_tiers(program, "pause", by=maya, reason="Stocktaking.")
    assert customers() == [4, 0, 0]
    programs.switch_tiers(program, "resume", by=maya, reason="Done.")
    assert customers() == [1, 2, 1]


# What is compared


@pytest.mark.parametrize(
    ("measure", "balance", "kpi_type"),
    [
        ("", None, "CUMULATIVE_POINTS"),
        ("CURRENT", None, "CURRENT_POINTS"),
        ("CURRENT", "POINTS", "CURRENT_POINTS"),
        ("WINDOW", "POINTS", "CUMULATIVE_POINTS"),
        ("LIFETIME", "POINTS", "CUMULATIVE_POINTS"),
        ("WINDOW", "PURCHASES", "CUMULATIVE_PURCHASES"),
        ("LIFETIME", "PURCHASES", "CUMULATIVE_PURCHASES"),
        ("LIFETIME", "VISITS", "TRACKER_VALUE_BASED"),
        ("CURRENT", "VISITS", "TRACKER_VALUE_BASED"),
    ],
)
@pytest.mark.parametrize("on", ["group", "draft of a group", "tier"])
def test_kpi_type_follows_from_the_measure(
    on, measure, balance, kpi_type, ask, program, maya, chen, aude
):
    definition = BalanceDefinition.objects.filter(program=program, built_in=balance)
    measured = {"measure": measure, "measured_balance": definition.first()}
    if on == "draft of a group":
        draft = drafting.add_group(program, by=maya, name="Main", **measured)
        drafting.add_tier(draft.group, by=maya, name="Silver", threshold=500)
    else:
        group = factories.make_group(
            program,
            by=maya,
            reviewer=chen,
            tiers=[("Silver", 500)],
            **(measured if on == "group" else {}),
        )
        if on == "tier":
            live = factories.live_tier(group, "Silver")
            draft = lifecycle.draft_change(live, by=maya, changes=measured)
            factories.approve(lifecycle.submit([draft], by=maya), chen)
    (tier,) = ask({"programId": program.pk}, by=aude).json()["data"]["tiers"]
    assert tier["eligibility"]["kpiType"] == kpi_type


@pytest.mark.parametrize(
    ("threshold", "shown"),
    [("5000", "5000"), ("5000.0000", "5000"), ("0.5", "0.5"), ("0", "0")],
)
def test_a_threshold_is_a_whole_number_where_it_can_be(
    threshold, shown, ask, program, maya, aude
):
    draft = drafting.add_group(program, by=maya, name="Main")
    drafting.add_tier(draft.group, by=maya, name="Silver", threshold=threshold)
    answer = ask({"programId": program.pk}, by=aude)
    assert f'"threshold":{shown},' in answer.content.decode()


def test_conditions_are_shown_of_open_versions_only(ask, silver, maya, chen, aude):
    wording = {
        "expression_relation": "AND",
        "conditions": [{"type": "VISITS", "value": "3"}],
    }
    draft = edit(silver, maya, changes=wording)
    _, shown = ask({"programId": 7}, by=aude).json()["data"]["tiers"]
    assert shown["eligibility"]["expressionRelation"] == "AND"
    assert shown["eligibility"]["conditions"] == wording["conditions"]
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    (live,) = ask({"programId": 7}, by=aude).json()["data"]["tiers"]
    assert set(live["eligibility"]) == {"kpiType", "threshold", "upgradeType"}


# Renewal and downgrade

TERMS = {
    "period_type": "FIXED",
    "period_value": 6,
    "start_date": datetime(2026, 4, 1, tzinfo=UTC),
    "end_date": datetime(2026, 10, 1, tzinfo=UTC),
    "is_fixed_type_without_year": True,
    "renewal_window_type": "CUSTOM_PERIOD",
    "computation_window_start_value": 6,
    "computation_window_end_value": 0,
    "minimum_duration": 3,
    "downgrade_to": "LOWEST",
    "should_downgrade": False,
    "always": True,
    "expression_relation_aira": "(1 AND 2) OR 3",
    "renewal_expression_relation": "1 AND 2",
    "original_expression": "all of it",
    "renewal_order_string": ["purchase"],
    "renewal_conditions": {"purchase": 250, "numVisits": 3, "points": 100},
    "reevaluate_on_return": True,
    "daily_enabled": True,
}


def test_all_that_can_be_said_of_renewal_is_shown(
    ask, payload, silver, maya, chen, aude
):
    draft = edit(silver, maya, changes=TERMS)
    expected = payload("part_renewal")
    _, shown = ask({"programId": 7}, by=aude).json()["data"]["tiers"]
    assert_same(shown["renewal"], expected["open"])
    assert "downgrade" not in shown
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    (live,) = ask({"programId": 7}, by=aude).json()["data"]["tiers"]
    assert_same(live["renewal"], expected["live"]["renewal"])
    assert_same(live["downgrade"], expected["live"]["downgrade"])


def test_a_tier_without_terms_shows_none(ask, silver, aude):
    (live,) = ask({"programId": 7}, by=aude).json()["data"]["tiers"]
    assert not {"renewal", "downgrade"} & set(live)


def test_a_base_tier_shows_no_terms(ask, group, maya, aude):
    bronze = factories.live_tier(group, "Bronze")
    lifecycle.draft_change(bronze, by=maya, changes=TERMS)
    answer = ask({"programId": group.program_id}, by=aude)
    live, edited, *_ = answer.json()["data"]["tiers"]
    assert live["name"] == edited["name"] == "Bronze"
    assert not {"renewal", "downgrade"} & {*live, *edited}


def test_channels_come_from_the_tier_and_from_the_program(ask, maya, chen, aude):
    program = factories.make_program(
        maya,
        renewal_channels=["EMAIL"],
        downgrade_channels=["SMS", "EMAIL"],
        reminder_channels=["PUSH"],
    )
    group = factories.make_group(
        program, by=maya, reviewer=chen, tiers=[("Silver", 500)]
    )
    silver = factories.live_tier(group, "Silver")
    draft = lifecycle.draft_change(
        silver, by=maya, changes={"upgrade_channels": ["WHATSAPP"]}
    )
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    (live,) = ask({"programId": program.pk}, by=aude).json()["data"]["tiers"]
    assert live["communicationModeConfig"] == {
        "upgrade": ["WHATSAPP"],
        "renewal": ["EMAIL"],
        "downgrade": ["SMS", "EMAIL"],
        "reminders": ["PUSH"],
    }


# Filters


@pytest.mark.parametrize("tier", ["25221", "ut-973-003"])
def test_a_tier_is_found_by_either_id_with_both_versions(
    tier, ask, maya, chen, aude, gemstones
):
    gold = TierVersion.objects.live().get(name="Gold")
    lifecycle.draft_change(gold, by=maya, changes={"name": "Yellow Gold"})
    found = statuses(ask({"programId": 973, "tier": tier}, by=aude))
    assert found == [("Gold", "LIVE", "BOTH"), ("Yellow Gold", "DRAFT", "BOTH")]


def test_a_draft_is_found_by_its_unique_id(ask, maya, chen, aude, gemstones):
    (draft,) = ask({"programId": 973, "tier": "ut-973-010"}, by=aude).json()["data"][
        "tiers"
    ]
    # Filtering changes nothing about its place.
    assert (draft["name"], draft["serialNumber"]) == ("Super Platinum", 10)


@scenes.kept
def others(gemstones: Program, maya: User, chen: User) -> Program:
    """Another program, whose tier has a slab id too."""
    other = factories.make_program(maya, "Other")
    group = factories.make_group(other, by=maya, reviewer=chen, tiers=[("Silver", 5)])
    Tier.objects.filter(group=group).update(slab_id=1000001)
    return other


@pytest.mark.parametrize(
    "tier",
    # The third is the slab id of another program's tier.
    ["7", "ut-973-011", "1000001", "UT-973-010", "025221", "25221 ", "６", "None", ""],
)
def test_any_other_id_is_not_found(tier, ask, payload, maya, chen, aude, others):
    answer = ask({"programId": 973, "tier": tier}, by=aude)
    assert answer.status_code == 404
    assert_same(answer.json(), payload("refusal_9056", message=message(answer)))


def test_an_imported_draft_does_not_answer_to_its_slab_id_yet(ask, group, maya, aude):
    drafting.add_tier(
        group, by=maya, name="Jade", threshold=7, source="IMPORT", slab_id=4711
    )
    query = {"programId": group.program_id}
    jade = ask(query, by=aude).json()["data"]["tiers"][-1]
    assert (jade["name"], jade["origin"]) == ("Jade", "MONGO_ONLY")
    assert "slabId" not in jade
    assert ask(query | {"tier": 4711}, by=aude).status_code == 404


def message(answer: Any) -> str:
    return answer.json()["errors"][0]["message"]


# Refusals


@pytest.mark.parametrize(
    ("query", "status", "document"),
    [
        ("", 500, "refusal_500"),
        ("programid=973", 500, "refusal_500"),
        ("programId=973&status=LIVE", 400, "refusal_9057"),
        ("programId=973&status=", 400, "refusal_9057"),
        ("programId=abc", 400, "refusal_400"),
        ("programId=", 400, "refusal_400"),
    ],
)
def test_a_query_is_refused_in_the_envelope(
    query, status, document, ask, payload, aude
):
    answer = ask(query, by=aude)
    assert answer.status_code == status
    assert_same(answer.json(), payload(document))


def test_who_is_not_known_is_refused(ask, payload, db):
    answer = ask({"programId": 973})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        'Basic realm="Tierwright", charset="UTF-8"'
    )
    assert_same(answer.json(), payload("refusal_401"))


def test_who_may_not_read_tiers_is_refused(ask, payload, db):
    somebody = factories.make_user("sam")
    answer = ask({"programId": 973}, by=somebody)
    assert answer.status_code == 403
    assert_same(answer.json(), payload("refusal_4000"))


def test_a_permission_counts_from_the_moment_it_is_given(ask, db):
    somebody = factories.make_user("sam")
    assert ask({"programId": 973}, by=somebody).status_code == 403
    somebody.user_permissions.add(Permission.objects.get(codename="view_tier"))
    assert ask({"programId": 973}, by=somebody).status_code == 200
    somebody.user_permissions.clear()
    assert ask({"programId": 973}, by=somebody).status_code == 403


def test_refusals_have_an_order(ask, maya, chen, aude, gemstones):
    somebody = factories.make_user("sam")
    everything_wrong = {"status": "LIVE", "tier": "7"}

    def code(query: dict[str, Any], by: User | None) -> int:
        return ask(query, by=by).json()["errors"][0]["code"]

    assert code(everything_wrong, None) == 401
    assert code(everything_wrong, somebody) == 4000
    assert code(everything_wrong, aude) == 500
    assert code(everything_wrong | {"programId": "x"}, aude) == 400
    assert code(everything_wrong | {"programId": 973}, aude) == 9057
    assert code({"tier": "7", "programId": 973}, aude) == 9056


# Who sees what


def test_an_unknown_program_and_a_foreign_one_are_alike(
    ask, payload, group, maya, aude
):
    other = factories.make_program(maya, "Other")
    ProgramLimit.objects.create(user=aude, program=other)
    unknown, foreign, own = (
        ask({"programId": number}, by=aude)
        for number in (999_999, group.program_id, other.pk)
    )
    assert_same(unknown.json(), payload("list_empty"))
    assert unknown.content == foreign.content == own.content
    for tier in TierVersion.objects.live():
        query = {"programId": group.program_id, "tier": tier.tier.slab_id}
        assert ask(query, by=aude).status_code == 404


def test_a_limited_reader_sees_the_programs_of_their_limits(ask, group, aude):
    program = Program.objects.get(pk=group.program_id)
    ProgramLimit.objects.create(user=aude, program=program)
    assert len(statuses(ask({"programId": program.pk}, by=aude))) == 3


# What it costs


@pytest.mark.parametrize("count", [1, 9, 50])
def test_the_list_asks_three_times_however_many_tiers(
    count, ask, program, maya, chen, aude, django_assert_num_queries
):
    group = factories.make_group(
        program,
        by=maya,
        reviewer=chen,
        tiers=[(f"Tier {n}", 100 * n) for n in range(1, count + 1)],
    )
    for version in TierVersion.objects.live().filter(tier__group=group)[:10]:
        lifecycle.draft_change(version, by=maya)
    ask({"programId": program.pk}, by=aude)
    # The account, the permission, the list; the password is remembered.
    with django_assert_num_queries(3):
        answer = ask({"programId": program.pk}, by=aude)
    assert len(statuses(answer)) == count + min(count, 10)


def test_the_list_of_a_group_without_tiers_is_empty(ask, payload, program, maya, aude):
    drafting.add_group(program, by=maya, name="Main")
    assert TierGroup.objects.get().is_default
    assert_same(ask({"programId": program.pk}, by=aude).json(), payload("list_empty"))
