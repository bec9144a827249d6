"""Beginning something: a group, a tier, the end of either."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from approvals import lifecycle
from approvals.errors import DraftExists, InvalidTransition, NotAllowed
from approvals.models import Contribution
from loyalty.models import Program, ProgramLimit
from tests import factories
from tiers import drafting
from tiers.models import Tier, TierGroup, TierVersion


def test_a_programs_first_group_is_its_main_one(program: Program, maya: User) -> None:
    first = drafting.add_group(program, by=maya, name="First")
    second = drafting.add_group(program, by=maya, name="Second")
    assert (first.group.is_default, second.group.is_default) == (True, False)
    assert first.status == "DRAFT"


def test_a_new_tier_knows_its_program_and_its_number(
    group: TierGroup, maya: User
) -> None:
    draft = drafting.add_tier(group, by=maya, name="Jade", threshold=2000)
    assert draft.tier.program_id == group.program_id
    assert draft.tier.unique_id == f"ut-{group.program_id}-004"
    assert draft.tier.source == Tier.Source.ADMIN
    assert draft.tier.slab_id is None


def test_an_import_brings_slab_ids_and_its_hand(group: TierGroup, maya: User) -> None:
    draft = drafting.add_tier(
        group,
        by=maya,
        source=Tier.Source.IMPORT,
        slab_id=3850,
        name="Jade",
        threshold=2000,
    )
    assert draft.tier.slab_id == 3850
    hand = Contribution.objects.get(kind="tier", version_id=draft.pk)
    assert hand.role == Contribution.Role.IMPORTER


def test_an_imported_slab_id_stays_at_its_first_publication(
    group: TierGroup, maya: User, chen: User
) -> None:
    draft = drafting.add_tier(group, by=maya, slab_id=3850, name="Jade", threshold=2000)
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    assert Tier.objects.get(pk=draft.tier_id).slab_id == 3850


def test_a_tier_that_says_nonsense_is_not_made(group: TierGroup, maya: User) -> None:
    before = Tier.objects.count()
    with pytest.raises(ValidationError):
        drafting.add_tier(group, by=maya, name="", threshold=2000)
    assert Tier.objects.count() == before


def test_whoever_may_not_draft_makes_nothing(
    program: Program, group: TierGroup, chen: User, aude: User
) -> None:
    limited = factories.make_maker("lima")
    other = factories.make_program(factories.make_maker("olaf"), "Other")
    ProgramLimit.objects.create(user=limited, program=other)
    before = Tier.objects.count(), TierGroup.objects.count()
    for person in (chen, aude, limited):
        with pytest.raises(NotAllowed):
            drafting.add_tier(group, by=person, name="Jade", threshold=1)
        with pytest.raises(NotAllowed):
            drafting.add_group(program, by=person, name="More")
        with pytest.raises(NotAllowed):
            drafting.retire(group, by=person)
    assert (Tier.objects.count(), TierGroup.objects.count()) == before


def test_retiring_a_group_drafts_the_end_of_each_of_its_tiers(
    group: TierGroup, maya: User
) -> None:
    ends = drafting.retire(group, by=maya)
    assert [end.operation for end in ends] == ["RETIRE"] * 4
    assert [str(end.name) for end in ends] == ["Main", "Bronze", "Silver", "Gold"]


def test_retiring_a_group_waits_for_open_drafts_of_its_tiers(
    group: TierGroup, draft: TierVersion, maya: User
) -> None:
    with pytest.raises(DraftExists, match="Gold already has an open version"):
        drafting.retire(group, by=maya)
    assert not group.versions.open().exists()


def test_what_was_never_live_is_discarded_rather_than_retired(
    group: TierGroup, maya: User
) -> None:
    draft = drafting.add_tier(group, by=maya, name="Jade", threshold=2000)
    with pytest.raises(InvalidTransition, match="is not live, so it cannot be retired"):
        drafting.retire(draft.tier, by=maya)
