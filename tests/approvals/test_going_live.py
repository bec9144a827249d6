"""What publishing leaves behind: what is live, what was, and numbers that stay."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from approvals import audit, lifecycle
from approvals.errors import (
    AlreadyDecided,
    ApprovalRequired,
    ContentChanged,
    InvalidTransition,
    ReasonRequired,
    Unsound,
)
from approvals.models import ChangeSet, Decision, Version
from loyalty.models import Program
from tests import factories
from tiers import drafting
from tiers.models import TierGroup, TierVersion

from .stories import (
    NOON,
    TOMORROW,
    Status,
    draft_of,
    events,
    fresh,
    notices_of,
    previous,
    switch_approval,
)

# Retiring


def test_a_tier_is_retired_by_a_change_like_any_other(
    group: TierGroup, maya: User, chen: User
) -> None:
    live = factories.live_tier(group, "Gold")
    [end] = drafting.retire(live.tier, by=maya)
    assert end.is_retirement
    factories.approve(lifecycle.submit([end], by=maya), chen, at=NOON)
    end.refresh_from_db()
    live.refresh_from_db()
    assert (end.status, end.live_from, end.live_until) == ("SNAPSHOT", NOON, NOON)
    assert (live.status, live.live_until) == ("SNAPSHOT", NOON)
    assert not TierVersion.objects.live().filter(tier=live.tier_id).exists()
    assert fresh(live.tier).serial_number is None
    assert fresh(live.tier).discarded_at is None
    with pytest.raises(InvalidTransition, match="not live, so it cannot be retired"):
        drafting.retire(live.tier, by=maya)


def test_a_group_is_retired_with_its_tiers_or_not_at_all(
    group: TierGroup, maya: User, chen: User
) -> None:
    ends = drafting.retire(group, by=maya)
    assert len(ends) == 4
    with pytest.raises(Unsound, match="Bronze, Silver, Gold: the group of these tiers"):
        lifecycle.submit(ends[:1], by=maya)
    factories.approve(lifecycle.submit(ends, by=maya), chen)
    assert not group.versions.live().exists()
    assert not TierVersion.objects.live().filter(tier__group=group).exists()


def test_a_program_and_a_built_in_balance_are_never_retired(
    program: Program, maya: User
) -> None:
    points = program.balance_definitions.get(built_in="POINTS")
    for thing, words in ((program, "pause its tiers"), (points, "is built in")):
        end = lifecycle.draft_change(
            thing.versions.live().get(), by=maya, operation=Version.Operation.RETIRE
        )
        with pytest.raises(Unsound, match=words):
            lifecycle.submit([end], by=maya)


# Rolling back


def test_rolling_back_drafts_what_was_live(
    draft: TierVersion, maya: User, chen: User
) -> None:
    first = previous(draft)
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    first.refresh_from_db()
    back = lifecycle.roll_back(first, by=maya)
    assert (back.status, back.threshold, back.number) == (Status.DRAFT, 1000, 3)
    assert back.note == "Back to version 1."
    assert back.based_on_id == draft.pk
    factories.approve(lifecycle.submit([back], by=maya), chen)
    assert factories.live_tier(draft.tier.group, "Gold").threshold == 1000


def test_rolling_back_a_retired_tier_brings_it_back(
    group: TierGroup, maya: User, chen: User
) -> None:
    live = factories.live_tier(group, "Gold")
    slab_id = live.tier.slab_id
    [end] = drafting.retire(live.tier, by=maya)
    factories.approve(lifecycle.submit([end], by=maya), chen)
    live.refresh_from_db()
    end.refresh_from_db()
    with pytest.raises(InvalidTransition, match="Only a version that was live"):
        lifecycle.roll_back(end, by=maya)
    back = lifecycle.roll_back(live, by=maya)
    assert back.based_on is None
    factories.approve(lifecycle.submit([back], by=maya), chen)
    assert fresh(live.tier).serial_number == 3
    assert fresh(live.tier).slab_id == slab_id


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.SNAPSHOT}))
def test_only_what_was_live_is_rolled_back_to(stage: Any, status: str) -> None:
    version, _ = stage.bring("tier", status)
    with pytest.raises(InvalidTransition, match="Only a version that was live"):
        lifecycle.roll_back(version, by=stage.olga)


# Later


def scheduled(version: Any, maya: User, chen: User) -> ChangeSet:
    change_set = lifecycle.submit([version], by=maya, go_live_at=TOMORROW, at=NOON)
    factories.approve(change_set, chen, at=NOON)
    change_set.refresh_from_db()
    return change_set


def test_approving_a_later_go_live_schedules(
    draft: TierVersion, maya: User, chen: User
) -> None:
    change_set = scheduled(draft, maya, chen)
    draft.refresh_from_db()
    assert (draft.status, draft.approved_by) == (Status.SCHEDULED, chen)
    assert draft.live_from is None
    assert change_set.due_at == TOMORROW
    assert change_set.state == "Scheduled"
    assert not lifecycle.go_live(change_set, at=TOMORROW - timedelta(microseconds=1))


def test_approving_after_the_go_live_time_publishes_now(
    draft: TierVersion, maya: User, chen: User
) -> None:
    change_set = lifecycle.submit([draft], by=maya, go_live_at=TOMORROW, at=NOON)
    late = TOMORROW + timedelta(hours=1)
    factories.approve(change_set, chen, at=late)
    draft.refresh_from_db()
    assert (draft.status, draft.live_from) == (Status.LIVE, late)


def test_what_is_scheduled_goes_live_once_as_of_its_instant(
    draft: TierVersion, maya: User, chen: User
) -> None:
    change_set = scheduled(draft, maya, chen)
    late = TOMORROW + timedelta(minutes=7)
    assert lifecycle.go_live(change_set, at=late)
    draft.refresh_from_db()
    before = previous(draft)
    assert (draft.status, draft.live_from) == (Status.LIVE, TOMORROW)
    assert before.live_until == TOMORROW
    assert draft.approved_by == chen
    assert events(draft.tier)[-1] == ("go_live", audit.SCHEDULER, "")
    assert fresh(change_set).due_at is None
    assert not lifecycle.go_live(change_set, at=late)
    assert fresh(draft.tier).publications == 2


def test_unscheduling_needs_a_reason_and_makes_a_draft(
    draft: TierVersion, maya: User, chen: User
) -> None:
    change_set = scheduled(draft, maya, chen)
    with pytest.raises(ReasonRequired):
        lifecycle.unschedule(change_set, by=chen, comment=" ")
    lifecycle.unschedule(change_set, by=chen, comment="After the sale.", at=NOON)
    lifecycle.unschedule(change_set, by=chen, comment="After the sale.", at=TOMORROW)
    draft.refresh_from_db()
    assert (draft.status, draft.approved_by) == (Status.DRAFT, None)
    assert fresh(change_set).state == "Called off"
    assert events(draft.tier)[-1] == ("unschedule", "chen", "After the sale.")
    assert notices_of(maya)[-1].startswith("chen called off a scheduled change")
    assert not lifecycle.go_live(change_set, at=TOMORROW)
    factories.approve(lifecycle.submit([draft], by=maya), chen)


def test_what_does_not_wait_for_its_time_is_not_unscheduled(
    draft: TierVersion, maya: User, chen: User
) -> None:
    change_set = lifecycle.submit([draft], by=maya)
    with pytest.raises(InvalidTransition, match="is not scheduled: it is waiting"):
        lifecycle.unschedule(change_set, by=chen, comment="No.")


def test_going_live_on_a_moved_base_fails_and_says_so(
    program: Program, group: TierGroup, maya: User, chen: User
) -> None:
    switch_approval(program, required=False, by=maya, reviewer=chen)
    waiting = draft_of(group, "Gold", maya, threshold=1200)
    change_set = scheduled(waiting, maya, chen)
    direct = lifecycle.draft_change(
        factories.live_tier(group, "Gold"), by=maya, direct=True
    )
    lifecycle.publish_now([direct], by=maya)
    assert not lifecycle.go_live(change_set, at=TOMORROW)
    assert_failed(change_set, waiting, "was published by somebody else")
    assert fresh(direct).status == Status.LIVE
    assert notices_of(chen)[-1].startswith("A scheduled change could not go live: Gold")
    assert notices_of(maya)[-1] == notices_of(chen)[-1]


def test_going_live_into_an_unsound_set_fails_and_says_so(
    group: TierGroup, maya: User, chen: User
) -> None:
    waiting = draft_of(group, "Gold", maya, threshold=1200)
    change_set = scheduled(waiting, maya, chen)
    platinum = drafting.add_tier(group, by=maya, name="Platinum", threshold=1200)
    factories.approve(lifecycle.submit([platinum], by=maya), chen)
    assert not lifecycle.go_live(change_set, at=TOMORROW)
    assert_failed(change_set, waiting, "asks for 1200, as")
    assert not lifecycle.go_live(change_set, at=TOMORROW)


def assert_failed(change_set: ChangeSet, version: Any, words: str) -> None:
    change_set.refresh_from_db()
    version.refresh_from_db()
    assert version.status == Status.PUBLISH_FAILED
    assert version.live_from is None
    assert change_set.state == "Publishing failed"
    assert (change_set.failed_at, change_set.due_at) == (TOMORROW, None)
    assert words in change_set.failure
    verb, actor, reason = events(version.tier)[-1]
    assert (verb, actor) == ("fail", audit.SCHEDULER)
    assert words in reason


def test_trying_again_is_a_new_decision_on_what_is_live_now(
    program: Program, group: TierGroup, maya: User, chen: User, rita: User
) -> None:
    switch_approval(program, required=False, by=maya, reviewer=chen)
    waiting = draft_of(group, "Gold", maya, threshold=1200)
    failed = scheduled(waiting, maya, chen)
    direct = lifecycle.draft_change(
        factories.live_tier(group, "Gold"), by=maya, direct=True
    )
    lifecycle.publish_now([direct], by=maya)
    lifecycle.go_live(failed, at=TOMORROW)
    with pytest.raises(ContentChanged):
        lifecycle.retry(failed, by=rita, fingerprint=failed.fingerprint)
    seen = lifecycle.fresh_fingerprint(failed)
    decision = lifecycle.retry(failed, by=rita, fingerprint=seen, at=TOMORROW)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.live_from) == (Status.LIVE, TOMORROW)
    assert (waiting.approved_by, waiting.based_on_id) == (rita, direct.pk)
    assert fresh(direct).status == Status.SNAPSHOT
    assert decision.change_set == waiting.change_set != failed
    assert decision.fingerprint == waiting.change_set.fingerprint == seen
    assert decision.change_set.created_by == maya
    assert fresh(failed).state == "Publishing failed"
    assert events(waiting.tier)[-1] == ("retry", "rita", "")
    assert notices_of(maya)[-1].startswith("rita approved your change")
    again = lifecycle.retry(failed, by=rita, fingerprint=seen)
    assert again == decision
    with pytest.raises(AlreadyDecided, match="rita took this change back .* again"):
        lifecycle.retry(failed, by=chen, fingerprint=seen)


# Without approval


def test_publishing_at_once_is_waived_only_where_approval_is_off(
    program: Program, group: TierGroup, maya: User, chen: User
) -> None:
    draft = draft_of(group, "Gold", maya, threshold=1200)
    with pytest.raises(ApprovalRequired, match="Gemstone Rewards are approved by a"):
        lifecycle.publish_now([draft], by=maya)
    assert fresh(draft).status == Status.DRAFT
    switch_approval(program, required=False, by=maya, reviewer=chen)
    change_set = lifecycle.publish_now([draft], by=maya, note="Now.", at=NOON)
    assert (draft.status, draft.live_from) == (Status.LIVE, NOON)
    assert draft.approved_by is None
    decision = change_set.decision
    assert (decision.kind, decision.decided_by) == (Decision.Kind.WAIVED, maya)
    assert events(draft.tier)[-1] == ("publish_now", "maya", "Now.")
    assert change_set.state == "Published"


def test_a_program_may_switch_approval_on_without_asking_but_not_off(
    maya: User, chen: User
) -> None:
    program = factories.make_program(maya, approval_required=False)
    on = lifecycle.draft_change(
        program.versions.live().get(), by=maya, changes={"approval_required": True}
    )
    lifecycle.publish_now([on], by=maya)
    off = lifecycle.draft_change(on, by=maya, changes={"approval_required": False})
    with pytest.raises(ApprovalRequired):
        lifecycle.publish_now([off], by=maya)
    factories.approve(lifecycle.submit([off], by=maya), chen)
    assert fresh(off).status == Status.LIVE


# Numbers


def test_serial_numbers_follow_the_order_and_slab_ids_never_change(
    group: TierGroup, maya: User, chen: User
) -> None:
    def numbers() -> dict[str, int | None]:
        live = TierVersion.objects.live().filter(tier__group=group)
        return {v.name: v.tier.serial_number for v in live.select_related("tier")}

    slabs = dict(group.tiers.values_list("pk", "slab_id"))
    assert numbers() == {"Bronze": 1, "Silver": 2, "Gold": 3}
    jade = drafting.add_tier(group, by=maya, name="Jade", threshold=700)
    assert (jade.tier.serial_number, jade.tier.slab_id) == (None, None)
    factories.approve(lifecycle.submit([jade], by=maya), chen)
    assert numbers() == {"Bronze": 1, "Silver": 2, "Jade": 3, "Gold": 4}
    assert fresh(jade.tier).slab_id == 1_000_000 + jade.tier_id
    [end] = drafting.retire(factories.live_tier(group, "Silver").tier, by=maya)
    factories.approve(lifecycle.submit([end], by=maya), chen)
    assert numbers() == {"Bronze": 1, "Jade": 2, "Gold": 3}
    after = dict(group.tiers.values_list("pk", "slab_id"))
    assert {pk: after[pk] for pk in slabs} == slabs


def test_a_tiers_number_is_the_highest_that_is_not_discarded_plus_one(
    group: TierGroup, program: Program, maya: User
) -> None:
    def add(name: str, threshold: int) -> TierVersion:
        return drafting.add_tier(group, by=maya, name=name, threshold=threshold)

    assert sorted(group.tiers.values_list("number", flat=True)) == [1, 2, 3]
    jade, opal = add("Jade", 2000), add("Opal", 3000)
    assert (jade.tier.number, opal.tier.number) == (4, 5)
    assert opal.tier.unique_id == f"ut-{program.pk}-005"
    lifecycle.discard(jade, by=maya)
    assert add("Ruby", 4000).tier.number == 6
    lifecycle.discard(fresh(TierVersion.objects.get(name="Ruby")), by=maya)
    lifecycle.discard(opal, by=maya)
    assert add("Topaz", 4000).tier.number == 4
