"""Tier groups and tiers over HTTP, in whole documents."""

import pytest

from loyalty.models import ProgramLimit
from tests import factories
from tests.tiers.api.brevo.conftest import (
    CLUB,
    GOLD,
    MEMBER,
    NOBODYS,
    POINTS,
    SILVER,
    STATUS,
    VISITS,
    expect,
    make_key,
    refused,
    violations,
)
from tiers import program_draft
from tiers.editions import Edition
from tiers.models import Standing, Tier, TierGroup, TierVersion

TIER = f"/loyalty/tier/programs/{CLUB}"
GROUPS = f"{TIER}/tier-groups"
TIERS = f"{TIER}/tiers"
OFFERS = f"/loyalty/offer/programs/{CLUB}/offers"
PUBLISH = f"/loyalty/config/programs/{CLUB}/publish"
REGIONS = {"name": "Regions", "downgradeStrategy": "membership_anniversary"}
LEVEL = {
    "name": "Level",
    "upgradeStrategy": "tier_anniversary",
    "downgradeStrategy": "real_time",
    "tierOrder": [str(MEMBER), str(SILVER), str(GOLD)],
}

pytestmark = pytest.mark.usefixtures("club")


def asking(*amounts):
    return [
        {"balanceDefinitionId": str(balance), "minimumValue": least}
        for balance, least in amounts
    ]


def golden(**changes):
    return {"name": "Golden", "accessConditions": asking((POINTS, 2000))} | changes


def held(member):
    """Return the id of the tier that a member holds."""
    return Standing.objects.values_list("tier__uuid", flat=True).get(member=member)


def names(response):
    assert response.status_code == 200, response.content
    return [item["name"] for item in response.json()["items"]]


# Reading


@pytest.mark.parametrize("version", ["", "?version=draft", "?version=active&x=1"])
def test_lists(call, version):
    expect(call("GET", f"{GROUPS}{version}"), 200, "groups")
    expect(call("GET", f"{TIERS}{version}"), 200, "tiers")
    expect(call("GET", f"{GROUPS}/{STATUS}{version}"), 200, "group")


def test_both_forms_of_an_address_and_of_a_key(call, key):
    expect(call("GET", f"{TIERS}/"), 200, "tiers")
    bearer = {"Authorization": f"Bearer {key}"}
    expect(call("GET", f"{TIERS}/", token=None, **bearer), 200, "tiers")
    assert call("POST", f"{GROUPS}/", REGIONS).status_code == 200
    assert call("POST", f"{PUBLISH}/").status_code == 200


@pytest.mark.parametrize(("address", "queries"), [(GROUPS, 6), (TIERS, 7)])
def test_lists_cost_the_same_for_one_group_as_for_many(
    call, club, maya, django_assert_num_queries, address, queries
):
    # the key with its owner, the permission, the program, groups, tiers, whether the
    # groups are the same still; for tiers the balances; that the key was used is noted
    # once a minute
    call("GET", address)
    with django_assert_num_queries(queries):
        call("GET", address)
    points = club.balance_definitions.get(uuid=POINTS)
    for number in range(8):
        group = program_draft.add_group(club, by=maya, name=f"Group {number}").group
        asked = [{"balance_definition": points.pk, "minimum": number}]
        for _ in range(3):
            program_draft.add_tier(group, by=maya, name="T", access_conditions=asked)
    with django_assert_num_queries(queries):
        assert call("GET", address).status_code == 200


def test_a_publication_while_somebody_reads_shows_whole_or_not_at_all(
    call, club, maya, monkeypatch
):
    group = TierGroup.objects.get(uuid=STATUS)
    read = Edition._read_groups
    told: list[bool] = []

    def publish_behind(edition):
        groups = read(edition)
        if not told:
            told.append(True)
            program_draft.change_group(group, by=maya, name="Level")
            program_draft.end_tier(Tier.objects.get(uuid=GOLD), by=maya)
            program_draft.publish(club, by=maya)
        return groups

    monkeypatch.setattr(Edition, "_read_groups", publish_behind)
    (shown,) = call("GET", f"{GROUPS}?version=active").json()["items"]
    assert (shown["name"], len(shown["tierOrder"])) == ("Level", 2)


def test_tiers_made_elsewhere_read_in_the_vendors_words(call, maya, chen):
    program = factories.make_program(maya)
    group = factories.make_group(program, by=maya, reviewer=chen)
    items = call("GET", f"/loyalty/tier/programs/{program.uuid}/tiers").json()["items"]
    points = str(factories.definition_of(program).uuid)
    assert [(tier["name"], tier["accessConditions"]) for tier in items] == [
        ("Bronze", asking((points, 0))),
        ("Silver", asking((points, 500))),
        ("Gold", asking((points, 1000))),
    ]
    # And stay what they are when they are sent back, or only the number is another.
    gold = items[2]
    address = f"/loyalty/tier/programs/{program.uuid}/tiers/{gold['tierId']}"
    assert call("PUT", address, gold).json() == gold
    assert not TierVersion.objects.open().exists()
    changed = call("PUT", address, gold | {"accessConditions": asking((points, 900))})
    assert changed.json()["accessConditions"] == asking((points, 900))
    draft = TierVersion.objects.open().get(tier__group=group)
    assert (draft.entry, draft.threshold, draft.access_conditions) == (
        TierVersion.Entry.MEASURED,
        900,
        [],
    )


def test_a_key_that_drafts_nothing_sees_what_is_live(call, maya):
    call("POST", GROUPS, REGIONS)
    call("PUT", f"{TIERS}/{GOLD}", golden())
    reading = make_key(maya, "read", "points")
    expect(call("GET", GROUPS, token=reading), 200, "groups")
    expect(call("GET", TIERS, token=reading), 200, "tiers")


# Groups


def test_a_group_is_drafted_and_goes_live_with_the_program(call, frozen):
    sent = REGIONS | {
        "meta": {"isInternal": True},
        "downgradeSchedule": {
            "durationValue": 6,
            "durationUnit": "month",
            "durationModifier": "end_of_period",
        },
        "upgradeSchedule": None,
        "tierOrder": [],
        "tiers": [{"name": "Ignored"}],
    }
    made = call("POST", GROUPS, sent)
    group = made.json()["id"]
    expect(made, 200, "group_created", id=group)
    expect(call("GET", f"{GROUPS}/{group}"), 200, "group_created", id=group)
    expect(call("GET", f"{GROUPS}/{group}?version=active"), 404, "refusal_404_group")
    expect(call("GET", f"{GROUPS}?version=active"), 200, "groups")
    assert names(call("GET", GROUPS)) == ["Status", "Regions"]
    assert call("POST", PUBLISH).status_code == 200
    active = call("GET", f"{GROUPS}/{group}?version=active")
    expect(active, 200, "group_created", id=group)


def test_a_group_is_replaced(call, frozen):
    sent = LEVEL | {"upgradeSchedule": {"scheduledDate": "29/02"}}
    expect(call("PUT", f"{GROUPS}/{STATUS}", sent), 200, "group_updated")
    # What is not sent of schedules stays while the strategy does.
    expect(call("PUT", f"{GROUPS}/{STATUS}", LEVEL), 200, "group_updated")
    expect(call("GET", f"{GROUPS}/{STATUS}?version=active"), 200, "group")
    at_once = LEVEL | {"upgradeStrategy": "real_time"}
    assert "upgradeSchedule" not in call("PUT", f"{GROUPS}/{STATUS}", at_once).json()


def test_null_clears_a_schedule(call):
    sent = LEVEL | {"upgradeSchedule": {"durationValue": 2, "durationUnit": "year"}}
    assert "upgradeSchedule" in call("PUT", f"{GROUPS}/{STATUS}", sent).json()
    cleared = call("PUT", f"{GROUPS}/{STATUS}", sent | {"upgradeSchedule": None})
    assert "upgradeSchedule" not in cleared.json()


def test_the_guides_names_of_strategies_are_read(call):
    sent = {"name": "Regions", "downgradeEvaluationTrigger": "tier_anniversary"}
    made = call("POST", GROUPS, sent).json()
    assert made["upgradeStrategy"] == "real_time"
    assert made["downgradeStrategy"] == "tier_anniversary"


def test_what_changes_nothing_makes_no_draft(call):
    same = call("GET", f"{GROUPS}/{STATUS}").json()
    assert call("PUT", f"{GROUPS}/{STATUS}", same | {"tierOrder": []}).json() == same
    assert not TierGroup.objects.get(uuid=STATUS).versions.open().exists()


def test_a_deleted_group_takes_its_tiers_out_of_the_draft_and_goes_with_it(call, club):
    group = call("POST", GROUPS, REGIONS).json()["id"]
    call("POST", f"{GROUPS}/{group}/tiers", golden())
    assert call("DELETE", f"{GROUPS}/{group}").status_code == 204
    expect(call("GET", GROUPS), 200, "groups")
    expect(call("GET", TIERS), 200, "tiers")
    call("PUT", f"{TIERS}/{GOLD}", golden())
    call("POST", f"{GROUPS}/{STATUS}/tiers", golden(name="Platinum"))
    member = factories.make_member(club)
    factories.earn(member, 600)
    assert held(member) == SILVER
    deleted = call("DELETE", f"{GROUPS}/{STATUS}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    expect(call("GET", GROUPS), 200, "none")
    expect(call("GET", TIERS), 200, "none")
    expect(call("DELETE", f"{GROUPS}/{STATUS}"), 404, "refusal_404_group")
    expect(call("GET", f"{TIERS}?version=active"), 200, "tiers")
    assert call("POST", PUBLISH).status_code == 200
    expect(call("GET", f"{TIERS}?version=active"), 200, "none")
    expect(call("GET", f"{GROUPS}?version=active"), 200, "none")
    assert not Standing.objects.filter(member=member, tier__isnull=False).exists()


# Tiers


def test_a_tier_asks_for_amounts_of_several_balances(call, club, frozen):
    made = call("POST", OFFERS, {"name": "Free coffee"})
    reward = made.json()["id"]
    sent = golden(
        name="Platinum",
        accessConditions=asking((POINTS, 5000), (VISITS, 12)),
        imageRef="platinum.png",
        tierRewards=[{"rewardId": reward}],
        accessRules="ignored",
    )
    made = call("POST", f"{GROUPS}/{STATUS}/tiers", sent)
    tier = made.json()["tierId"]
    expect(made, 200, "tier_created", id=tier, reward=reward)
    order = [str(MEMBER), str(SILVER), str(GOLD), tier]
    assert call("GET", f"{GROUPS}/{STATUS}").json()["tierOrder"] == order
    assert call("POST", PUBLISH).status_code == 200
    live = call("GET", f"{GROUPS}/{STATUS}?version=active").json()
    assert live["tierOrder"] == order
    # All of them have to be reached.
    member = factories.make_member(club)
    factories.earn(member, 9000)
    assert held(member) == GOLD
    visits = factories.definition_of(club, "VISITS")
    factories.earn(member, 12, definition=visits)
    assert str(held(member)) == tier


def test_tiers_rank_by_threshold_in_whatever_order_they_were_made(call):
    group = call("POST", GROUPS, REGIONS).json()["id"]
    for name, least in (("Top", 900), ("Low", 1), ("Middle", 90)):
        sent = {"name": name, "accessConditions": asking((POINTS, least))}
        assert call("POST", f"{GROUPS}/{group}/tiers", sent).status_code == 200
    assert call("POST", PUBLISH).status_code == 200
    tiers = call("GET", f"{TIERS}?version=active").json()["items"]
    own = [tier for tier in tiers if tier["groupId"] == group]
    assert [tier["name"] for tier in own] == ["Low", "Middle", "Top"]
    live = call("GET", f"{GROUPS}/{group}?version=active").json()
    assert live["tierOrder"] == [tier["tierId"] for tier in own]


def test_a_balance_that_was_deleted_is_asked_for_by_nobody_new(call):
    balances = f"/loyalty/balance/programs/{CLUB}/balance-definitions"
    miles = call("POST", balances, {"name": "Miles", "unit": "POINTS"}).json()["id"]
    sent = golden(name="Pilot", accessConditions=asking((miles, 5)))
    pilot = call("POST", f"{GROUPS}/{STATUS}/tiers", sent).json()
    assert call("DELETE", f"{balances}/{miles}").status_code == 204
    # Who asks for it already still reads, but cannot go live.
    assert pilot in call("GET", TIERS).json()["items"]
    document = refused(call("POST", PUBLISH), 422, "invalid_parameter")
    assert (
        document["message"] == "Pilot asks for amounts of a balance that is not there."
    )
    answer = call("POST", f"{GROUPS}/{STATUS}/tiers", sent)
    assert violations(answer) == {"accessConditions": "invalid"}


def test_two_tiers_may_have_one_name(call):
    sent = golden(name="Silver")
    assert call("POST", f"{GROUPS}/{STATUS}/tiers", sent).status_code == 200
    assert call("POST", PUBLISH).status_code == 200


def test_a_tier_is_replaced(call, frozen):
    first = golden(imageRef="gold.png")
    assert call("PUT", f"{TIERS}/{GOLD}", first).json()["imageRef"] == "gold.png"
    expect(call("PUT", f"{TIERS}/{GOLD}", golden()), 200, "tier_updated")
    expect(call("GET", f"{TIERS}?version=active"), 200, "tiers")
    assert call("POST", PUBLISH).status_code == 200
    shown = call("GET", f"{TIERS}?version=active").json()["items"][2]
    assert shown == call("GET", TIERS).json()["items"][2]


def test_rewards_that_are_not_sent_stay(call):
    reward = {"rewardId": call("POST", OFFERS, {"name": "Coffee"}).json()["id"]}
    call("PUT", f"{TIERS}/{GOLD}", golden(tierRewards=[reward, reward]))
    kept = call("PUT", f"{TIERS}/{GOLD}", golden())
    assert kept.json()["tierRewards"] == [reward]
    cleared = call("PUT", f"{TIERS}/{GOLD}", golden(tierRewards=[]))
    assert cleared.json()["tierRewards"] == []


def test_a_deleted_tier_leaves_the_draft_and_its_order(call, club):
    member = factories.make_member(club)
    factories.earn(member, 2000)
    call("PUT", f"{TIERS}/{GOLD}", golden())
    assert call("DELETE", f"{TIERS}/{GOLD}").status_code == 204
    assert names(call("GET", TIERS)) == ["Member", "Silver"]
    order = call("GET", f"{GROUPS}/{STATUS}").json()["tierOrder"]
    assert order == [str(MEMBER), str(SILVER)]
    expect(call("DELETE", f"{TIERS}/{GOLD}"), 404, "refusal_404_tier")
    expect(call("PUT", f"{TIERS}/{GOLD}", golden()), 404, "refusal_404_tier")
    # Who holds it does, until it goes; then they are placed once.
    assert held(member) == GOLD
    assert call("POST", PUBLISH).status_code == 200
    assert held(member) == SILVER


def test_a_group_whose_tier_is_to_be_retired_is_deleted_with_it(call):
    assert call("DELETE", f"{TIERS}/{GOLD}").status_code == 204
    assert call("DELETE", f"{GROUPS}/{STATUS}").status_code == 204
    assert call("POST", PUBLISH).status_code == 200
    expect(call("GET", f"{TIERS}?version=active"), 200, "none")


def test_a_tier_that_was_never_live_is_put_away(call):
    made = call("POST", f"{GROUPS}/{STATUS}/tiers", golden()).json()
    assert call("DELETE", f"{TIERS}/{made['tierId']}").status_code == 204
    assert Tier.objects.get(uuid=made["tierId"]).discarded_at
    expect(call("GET", TIERS), 200, "tiers")


# Who is put into a tier


@pytest.fixture
def ada(club):
    return factories.make_member(club)


def assign(call, contact, tier):
    return call("POST", f"{TIER}/contacts/{contact}/tiers/{tier}")


def test_a_member_is_put_into_a_tier(call, ada, frozen):
    made = assign(call, ada.contact_id, GOLD)
    expect(made, 200, "assigned", contact=ada.contact_id)
    assert held(ada) == GOLD
    again = assign(call, ada.contact_id, GOLD)
    sentence = f"{ada} is in that tier already."
    expect(again, 409, "refusal_409_assigned", sentence=sentence)


def test_a_tier_by_assignment_only_is_given_by_nothing_else(call, ada, club):
    sent = golden(name="Friends", accessConditions=[])
    friends = call("POST", f"{GROUPS}/{STATUS}/tiers", sent).json()
    assert friends["accessConditions"] == []
    call("POST", PUBLISH)
    factories.earn(ada, 5000)
    assert held(ada) == GOLD
    assert assign(call, ada.contact_id, friends["tierId"]).status_code == 200
    assert str(held(ada)) == friends["tierId"]


def test_nobody_is_put_into_a_tier_that_is_not_there_yet(call, ada, club):
    sent = golden(name="Platinum")
    platinum = call("POST", f"{GROUPS}/{STATUS}/tiers", sent).json()["tierId"]
    expect(assign(call, ada.contact_id, platinum), 424, "refusal_424_tier")
    expect(assign(call, ada.contact_id, NOBODYS), 404, "refusal_404_tier")
    expect(assign(call, 987654321, GOLD), 404, "refusal_404_contact")
    outside = factories.make_member(factories.make_program(club.created_by))
    expect(assign(call, outside.contact_id, GOLD), 424, "refusal_424_member")
    for contact in ("0", "-1", "01", "x", str(2**63)):
        assert violations(assign(call, contact, GOLD)) == {"cid": "invalid"}
    assert violations(assign(call, 1, "x")) == {"tid": "invalid"}


# What exists for whom


def test_another_program_reads_as_none_at_all(call, club, maya, chen):
    other = factories.make_program(maya)
    group = factories.make_group(other, by=maya, reviewer=chen)
    limited = make_key(maya, program=other)
    mine = call("GET", TIERS, token=limited)
    nobodys = call("GET", TIERS.replace(str(CLUB), str(NOBODYS)), token=limited)
    assert mine.status_code == nobodys.status_code == 404
    assert mine.content == nobodys.content
    expect(mine, 404, "refusal_404_program")
    # And a group asked for through another program is none.
    expect(call("GET", f"{GROUPS}/{group.uuid}"), 404, "refusal_404_group")
    tier = factories.live_tier(group, "Gold").tier
    expect(call("DELETE", f"{TIERS}/{tier.uuid}"), 404, "refusal_404_tier")
    ProgramLimit.objects.create(user=maya, program=other)
    expect(call("GET", TIERS), 404, "refusal_404_program")
