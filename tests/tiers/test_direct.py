"""Writing straight to live, past whatever is open."""

import itertools
from uuid import UUID

import pytest
from django.contrib.auth.models import User

from approvals import lifecycle
from approvals.errors import ApprovalRequired, NotAllowed, StaleEdit
from approvals.models import AuditEvent, Decision
from loyalty.models import Program, ProgramLimit, ProgramVersion
from tests import factories, scenes
from tests.counts import count
from tests.races import racers
from tiers import direct
from tiers.errors import LimitReached, Taken, TierNotLive
from tiers.models import Standing, Tier, TierGroup, TierVersion

SITE = UUID("44444444-4444-4444-8444-444444444444")
STATUSES = Program.TiersStatus.values


@scenes.kept
def store(maya: User) -> Program:
    """A program that asks for no approval, without any tier."""
    return factories.make_program(maya, "Store", approval_required=False)


@pytest.fixture
def gold(store, maya):
    return direct.add_tier(store, {"name": "Gold", "threshold": 100}, by=maya).tier


def live(tier):
    return TierVersion.objects.live().get(tier=tier)


def settings_of(program):
    return Program.objects.get(pk=program.pk)


def test_a_first_tier_brings_the_main_group_along(store, maya):
    version = direct.add_tier(store, {"name": "Gold", "threshold": 100}, by=maya)
    assert (version.status, version.tier.publications) == ("LIVE", 1)
    assert TierGroup.objects.get(program=store).is_default
    assert Decision.objects.latest("pk").kind == Decision.Kind.WAIVED


def test_tiers_are_added_together_and_those_that_cannot_be_say_why(store, maya, gold):
    wordings = [
        {"name": "Silver", "threshold": 50},
        {"name": "Gold", "threshold": 60},
        {"name": "Bronze", "threshold": 50},
        {"name": "Iron", "threshold": 10},
        {"name": "Lead", "threshold": 5},
    ]
    silver, same_name, same_points, iron, too_many = direct.add_tiers(
        store, wordings, by=maya, most=3
    )
    assert isinstance(silver, TierVersion)
    assert isinstance(iron, TierVersion)
    assert live(silver.tier) == silver
    assert live(iron.tier) == iron
    assert isinstance(same_name, Taken)
    assert isinstance(same_points, Taken)
    assert (same_name.details, same_points.details) == (
        {"field": "name"},
        {"field": "threshold"},
    )
    assert isinstance(too_many, LimitReached)
    assert silver.change_set_id == iron.change_set_id


def test_a_change_passes_the_open_version(store, maya, gold):
    waiting = lifecycle.draft_change(live(gold), by=maya, changes={"threshold": 300})
    changed = direct.change_tier(gold, {"threshold": 200}, by=maya, revision=1)
    assert (live(gold).threshold, changed.tier.publications) == (200, 2)
    waiting.refresh_from_db()
    assert waiting.status == "DRAFT"


def test_who_read_an_earlier_revision_changes_nothing(store, maya, gold):
    direct.change_tier(gold, {"threshold": 200}, by=maya, revision=1)
    with pytest.raises(StaleEdit) as stale:
        direct.change_tier(gold, {"threshold": 300}, by=maya, revision=1)
    assert stale.value.details["revision"] == 2
    with pytest.raises(StaleEdit):
        direct.retire_tier(gold, by=maya, revision=1)
    assert live(gold).threshold == 200
    assert TierVersion.objects.filter(tier=gold).count() == 2


def test_a_retired_tier_is_left_by_its_members_at_once(store, maya, gold):
    member = factories.make_member(store)
    factories.earn(member, 150)
    assert Standing.objects.get(member=member).tier == gold
    direct.retire_tier(gold, by=maya, revision=1)
    assert Standing.objects.get(member=member).tier is None
    with pytest.raises(TierNotLive):
        direct.retire_tier(gold, by=maya, revision=2)
    # What it was called and asked for is free again.
    direct.add_tier(store, {"name": "Gold", "threshold": 100}, by=maya)


def test_where_changes_are_approved_nothing_is_written(program, group, maya):
    gold = factories.live_tier(group, "Gold").tier
    before = TierVersion.objects.count()
    for write in (
        lambda: direct.add_tier(program, {"name": "New", "threshold": 9}, by=maya),
        lambda: direct.change_tier(gold, {"threshold": 9}, by=maya, revision=1),
        lambda: direct.retire_tier(gold, by=maya, revision=1),
        lambda: direct.replace_settings(
            program,
            {"rolling_window_months": 6},
            by=maya,
            status="PAUSED",
            revision=settings_of(program).settings_revision,
        ),
    ):
        with pytest.raises(ApprovalRequired, match="Draft this one in the admin"):
            write()
    assert TierVersion.objects.count() == before
    assert settings_of(program).tiers_status == "ACTIVE"


def test_only_who_makes_changes_there_writes(store, program, gold, aude, maya):
    ProgramLimit.objects.create(user=maya, program=program)
    for person in (aude, maya):
        with pytest.raises(NotAllowed):
            direct.retire_tier(gold, by=person, revision=1)
        with pytest.raises(NotAllowed):
            direct.begin_program(
                SITE, by=person, source="WIX", name="Site", status="DRAFT"
            )
    assert not Program.objects.filter(uuid=SITE).exists()


@pytest.mark.parametrize(
    ("source", "target"), list(itertools.product(STATUSES, STATUSES)), ids="-".join
)
def test_settings_are_replaced_at_once_and_counted_once(maya, source, target):
    program = direct.begin_program(
        SITE, by=maya, source="WIX", name="Site", status=source
    )
    assert settings_of(program).settings_revision == 1
    wording = {"rolling_window_months": 6, "base_tier_name": "Welcome"}
    direct.replace_settings(program, wording, by=maya, status=target, revision=1)
    after = settings_of(program)
    assert (after.tiers_status, after.settings_revision) == (target, 2)
    version = ProgramVersion.objects.live().get(program=program)
    assert (version.rolling_window_months, version.base_tier_name) == (6, "Welcome")
    with pytest.raises(StaleEdit):
        direct.replace_settings(program, {}, by=maya, status=source, revision=1)
    assert settings_of(program).tiers_status == target


def test_switches_are_on_record(store, maya):
    revision = settings_of(store).settings_revision
    direct.replace_settings(store, {}, by=maya, status="PAUSED", revision=revision)
    event = AuditEvent.objects.filter(verb="pause").latest("pk")
    assert event.reason == "Set to PAUSED by a system that writes straight to live."


# Races


def race_of_two_updates(store, maya, crew, number):
    """Two who read the same revision change one tier at once."""
    wording = {"name": f"Tier {number}", "threshold": 10_000 + 10 * number}
    tier = direct.add_tier(store, wording, by=maya).tier
    outcomes = crew.race(
        *(
            lambda n=n: direct.change_tier(
                Tier.objects.get(pk=tier.pk),
                {"threshold": 10_000 + 10 * number + n},
                by=maya,
                revision=1,
            )
            for n in (1, 2)
        )
    )
    won = [o for o in outcomes if isinstance(o, TierVersion)]
    stale = [o for o in outcomes if isinstance(o, StaleEdit)]
    return tier, won, stale


race = pytest.mark.django_db(transaction=True)


@race
@pytest.mark.postgres
@pytest.mark.proof
def test_of_two_updates_at_once_one_wins(store, maya):
    with racers(2) as crew:
        for number in range(count(8, 60)):
            tier, won, stale = race_of_two_updates(store, maya, crew, number)
            assert (len(won), len(stale)) == (1, 1)
            assert live(tier) == won[0]
            assert Tier.objects.get(pk=tier.pk).publications == 2


@race
@pytest.mark.postgres
@pytest.mark.proof
@pytest.mark.forges
def test_without_the_lock_the_second_one_overwrites_or_fails(store, maya, monkeypatch):
    monkeypatch.setattr(direct, "_begin", lambda program, by: None)
    problems = 0
    with racers(2) as crew:
        for number in range(count(8, 60)):
            _tier, won, stale = race_of_two_updates(store, maya, crew, number)
            problems += (len(won), len(stale)) != (1, 1)
    assert problems, "The control told the loser so: this test proves nothing."
