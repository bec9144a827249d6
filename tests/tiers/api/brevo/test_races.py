"""Two at once: drafts, names, publications and deletions.

Real threads on real connections. A control of each takes away what the verbs rest on,
and has to go wrong, or the test proves nothing.
"""

import time
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from approvals import lifecycle
from approvals.errors import Refused
from approvals.models import ChangeSet
from loyalty.models import Program
from tests.counts import count
from tests.races import racers
from tests.tiers.api.brevo.conftest import GOLD, SILVER
from tiers import direct, locks, program_draft
from tiers.models import Tier, TierGroup, TierVersion

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

RACES = count(10, 100)


def tried(act: Any, *args: Any, **options: Any) -> Any:
    """Return a function that says how it went."""

    def outcome() -> str:
        try:
            act(*args, **options)
        except Refused as refusal:
            return refusal.code
        return "done"

    return outcome


@pytest.fixture
def gold(club):
    return Tier.objects.get(uuid=GOLD)


def test_two_edits_of_one_tier_both_count(club, gold, maya):
    with racers(2) as two:
        for race in range(RACES):
            outcomes = two.race(
                tried(program_draft.change_tier, gold, by=maya, name=f"Name {race}"),
                tried(
                    program_draft.change_tier, gold, by=maya, image_ref=f"{race}.png"
                ),
            )
            assert outcomes == ["done", "done"]
            draft = gold.versions.open().get()
            assert (draft.name, draft.image_ref) == (f"Name {race}", f"{race}.png")
            lifecycle.discard(draft, by=maya)


def test_without_going_again_one_of_them_is_refused(club, gold, maya, monkeypatch):
    """The control: who is overtaken is told so, as at other doors."""
    monkeypatch.setattr(program_draft, "TRIES", 1)
    refused = 0
    with racers(2) as two:
        for race in range(RACES):
            outcomes = two.race(
                tried(program_draft.change_tier, gold, by=maya, name=f"Name {race}"),
                tried(program_draft.change_tier, gold, by=maya, image_ref="x.png"),
            )
            refused += outcomes != ["done", "done"]
            lifecycle.discard(gold.versions.open().get(), by=maya)
    assert refused


def test_of_groups_of_one_name_one_is_made(club, maya):
    with racers(4) as four:
        for race in range(RACES):
            make = tried(program_draft.add_group, club, by=maya, name=f"Group {race}")
            outcomes = Counter(four.race(*[make] * 4))
            assert outcomes == {"done": 1, "taken": 3}
    assert TierGroup.objects.kept().filter(program=club).count() == 1 + RACES


def test_without_the_look_behind_the_lock_there_are_several(club, maya, monkeypatch):
    """The control: the name is looked for before the program is locked."""
    add = program_draft.drafting.add_group

    def late(program: Program, **wording: Any) -> Any:
        others = TierGroup.objects.kept().filter(program=program)
        if others.filter(versions__name=wording["name"]).exists():
            raise program_draft.Taken("Another has it.", field="name")
        time.sleep(0.05)
        return add(program, **wording)

    monkeypatch.setattr(program_draft.drafting, "add_group", late)
    monkeypatch.setattr(program_draft, "_expect_own_name", lambda version: None)
    with racers(2) as two:
        make = tried(program_draft.add_group, club, by=maya, name="Twice")
        assert two.race(make, make) == ["done", "done"]


def program_called(name: str, by: Any) -> Any:
    return tried(
        lambda: direct.begin_program(
            uuid4(),
            by=by,
            source="BREVO",
            name=name,
            status="DISABLED",
            own_name=True,
        )
    )


def test_of_programs_of_one_name_one_is_made(club, maya):
    with racers(4) as four:
        for race in range(RACES):
            make = program_called(f"Program {race}", maya)
            outcomes = Counter(four.race(*[make] * 4))
            assert outcomes == {"done": 1, "taken": 3}
    assert Program.objects.count() == 1 + RACES


def test_without_the_lock_on_names_there_are_several(club, maya, monkeypatch):
    """The control: nobody waits."""
    monkeypatch.setattr(locks, "hold_names", lambda: None)
    twice = 0
    with racers(4) as four:
        for race in range(RACES):
            make = program_called(f"Program {race}", maya)
            twice += Counter(four.race(*[make] * 4))["done"] > 1
    assert twice


def test_a_draft_is_published_once(club, gold, maya):
    with racers(3) as three:
        for race in range(RACES):
            program_draft.change_tier(gold, by=maya, name=f"Name {race}")
            before = ChangeSet.objects.count()
            publish = tried(program_draft.publish, club, by=maya)
            assert three.race(*[publish] * 3) == ["done"] * 3
            assert ChangeSet.objects.count() == before + 1
            assert gold.versions.live().get().name == f"Name {race}"


def test_a_draft_is_handed_in_once(group, maya):
    silver = Tier.objects.filter(group=group).order_by("pk")[1]
    waiting = []

    def publish() -> str:
        found = program_draft.publish(group.program, by=maya).waiting
        assert found is not None
        waiting.append(found.pk)
        return "done"

    with racers(3) as three:
        for race in range(RACES):
            program_draft.change_tier(silver, by=maya, name=f"Name {race}")
            waiting.clear()
            assert three.race(*[publish] * 3) == ["done"] * 3
            assert len(set(waiting)) == 1
            assert len(waiting) == 3


def test_a_tier_that_is_edited_while_its_group_is_deleted_goes_with_it(club, maya):
    """Whichever comes first: nothing of the group is left in the draft."""
    group = TierGroup.objects.get(program=club)
    silver = Tier.objects.get(uuid=SILVER)
    with racers(3) as three:
        for race in range(RACES):
            outcomes = three.race(
                tried(program_draft.change_tier, silver, by=maya, name=f"S {race}"),
                tried(program_draft.add_tier, group, by=maya, name="N", entry="MANUAL"),
                tried(program_draft.end_group, group, by=maya),
            )
            assert outcomes[2] == "done"
            assert set(outcomes) <= {"done", "invalid_transition"}
            edition = program_draft.Edition(club, draft=True)
            assert (edition.groups, edition.tiers) == ([], [])
            open_ = TierVersion.objects.open().filter(tier__group=group)
            assert not open_.exclude(operation="RETIRE").exists()
            for version in [*open_, *group.versions.open()]:
                lifecycle.discard(version, by=maya)
