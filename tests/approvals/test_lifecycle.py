"""What verbs on drafts and submissions leave behind: who, when, events, notices."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from approvals import kinds, lifecycle
from approvals.errors import (
    AlreadyDecided,
    BaseMoved,
    ContentChanged,
    DraftExists,
    GoLiveInPast,
    InvalidText,
    MixedPrograms,
    NotAllowed,
    NothingChosen,
    ReasonRequired,
    SelfApproval,
    StaleEdit,
    Unsound,
)
from approvals.models import AuditEvent, Decision, Notice
from loyalty.models import Program
from tests import factories
from tiers import drafting
from tiers.models import Tier, TierGroup, TierVersion

from .stories import (
    NOON,
    TOMORROW,
    Status,
    draft_of,
    events,
    fresh,
    hands,
    notices_of,
    previous,
    reject,
    switch_approval,
)

# Drafting


def test_a_draft_starts_out_as_what_is_live(draft: TierVersion, maya: User) -> None:
    live = TierVersion.objects.live().get(tier=draft.tier_id)
    assert draft.status == Status.DRAFT
    assert draft.based_on == live
    assert draft.number == live.number + 1 == 2
    assert draft.name == "Gold"
    assert draft.threshold == 1200
    assert (draft.created_by, draft.updated_by) == (maya, maya)
    assert len(draft.object_id) == 24
    assert int(draft.object_id, 16)
    assert hands(draft) == {("maya", "AUTHOR")}
    assert events(draft.tier)[-1] == ("draft", "maya", "")


def test_a_second_draft_is_refused_and_names_the_first(
    draft: TierVersion, mike: User
) -> None:
    live = TierVersion.objects.live().get(tier=draft.tier_id)
    with pytest.raises(DraftExists, match="already has an open version, by maya of"):
        lifecycle.draft_change(live, by=mike)
    with pytest.raises(DraftExists) as refused:
        lifecycle.draft_change(live, by=mike)
    assert refused.value.details == {
        "version_id": draft.pk,
        "object_id": draft.object_id,
        "created_by": "maya",
        "created_at": TierVersion.objects.get(pk=draft.pk).created_at,
    }
    assert TierVersion.objects.filter(tier=draft.tier_id).count() == 2


@pytest.mark.parametrize(
    "status",
    [
        Status.PENDING_APPROVAL,
        Status.REJECTED,
        Status.SCHEDULED,
        Status.PUBLISH_FAILED,
    ],
)
def test_every_open_version_stands_in_the_way_of_another(
    stage: Any, mike: User, status: str
) -> None:
    stage.bring("tier", status)
    with pytest.raises(DraftExists):
        lifecycle.draft_change(stage.live("tier"), by=mike)


def test_a_direct_draft_passes_an_open_version_whose_base_then_moves(
    program: Program, group: TierGroup, maya: User, chen: User
) -> None:
    switch_approval(program, required=False, by=maya, reviewer=chen)
    waiting = draft_of(group, "Gold", maya, threshold=1200)
    held = lifecycle.submit([waiting], by=maya)
    direct = lifecycle.draft_change(
        factories.live_tier(group, "Gold"),
        by=maya,
        changes={"description": "Shines."},
        direct=True,
    )
    lifecycle.publish_now([direct], by=maya)
    waiting.refresh_from_db()
    assert (direct.status, waiting.status) == (Status.LIVE, Status.PENDING_APPROVAL)
    assert waiting.based_on_id != direct.pk
    with pytest.raises(BaseMoved, match="published by somebody else"):
        factories.approve(held, chen)
    lifecycle.revise(waiting, by=maya, changes={"description": "Shines."})
    assert waiting.based_on_id == direct.pk
    factories.approve(lifecycle.submit([waiting], by=maya), chen)
    waiting.refresh_from_db()
    assert waiting.status == Status.LIVE


def test_several_direct_drafts_may_stand_side_by_side(
    group: TierGroup, maya: User
) -> None:
    live = factories.live_tier(group, "Gold")
    first = lifecycle.draft_change(live, by=maya, direct=True)
    second = lifecycle.draft_change(live, by=maya, direct=True)
    third = lifecycle.draft_change(live, by=maya)
    assert [first.number, second.number, third.number] == [2, 3, 4]


def test_a_draft_of_nonsense_is_refused_field_by_field(
    group: TierGroup, maya: User
) -> None:
    with pytest.raises(ValidationError) as refused:
        draft_of(group, "Silver", maya, **{"name": " ", "threshold": -1, "color": "x"})
    assert set(refused.value.message_dict) == {"name", "threshold", "color"}


@pytest.mark.parametrize("note", ["\x00", "\ud800", "quiet\u200b"])
def test_a_note_that_cannot_be_read_is_refused(
    draft: TierVersion, maya: User, note: str
) -> None:
    with pytest.raises(ValidationError, match="not allowed here"):
        lifecycle.revise(draft, by=maya, changes={"note": note})
    with pytest.raises(InvalidText, match="not allowed here"):
        lifecycle.submit([draft], by=maya, note=note)


@pytest.mark.parametrize("name", ["status", "object_id", "number", "direct", "nope"])
def test_a_wording_never_holds_what_the_lifecycle_owns(
    draft: TierVersion, maya: User, name: str
) -> None:
    with pytest.raises(ValueError, match=name):
        lifecycle.revise(draft, by=maya, changes={name: "LIVE"})
    with pytest.raises(ValueError, match=name):
        lifecycle.draft_change(draft, by=maya, changes={name: "LIVE"})


# Revising


def test_revising_counts_the_edit_and_remembers_the_editor(
    draft: TierVersion, mike: User
) -> None:
    lifecycle.revise(draft, by=mike, changes={"threshold": 1300}, at=NOON)
    assert (draft.threshold, draft.revision) == (1300, 2)
    assert (draft.updated_by, draft.updated_at) == (mike, NOON)
    assert hands(draft) == {("maya", "AUTHOR"), ("mike", "EDITOR")}
    assert events(draft.tier)[-1] == ("revise", "mike", "")


def test_an_edit_of_what_somebody_else_changed_says_who_and_when(
    draft: TierVersion, maya: User, mike: User
) -> None:
    seen = draft.revision
    lifecycle.revise(draft, by=mike, changes={"threshold": 1300}, at=NOON)
    with pytest.raises(StaleEdit, match="mike changed Gold on 01 June 2030 at 12:00"):
        lifecycle.revise(
            draft, by=maya, changes={"threshold": 1250}, expected_revision=seen
        )
    draft.refresh_from_db()
    assert draft.threshold == 1300


def test_what_was_edited_since_it_was_read_is_neither_submitted_nor_discarded(
    draft: TierVersion, maya: User, mike: User
) -> None:
    read = TierVersion.objects.get(pk=draft.pk)
    lifecycle.revise(draft, by=mike, changes={"threshold": 1300})
    for verb in (
        lambda: lifecycle.submit([read], by=maya),
        lambda: discard(read, maya),
    ):
        with pytest.raises(StaleEdit, match="mike changed Gold"):
            verb()
    assert TierVersion.objects.get(pk=draft.pk).status == Status.DRAFT


def discard(version: Any, by: User) -> None:
    lifecycle.discard(version, by=by)


def test_what_is_submitted_is_the_row_and_not_what_the_caller_holds(
    draft: TierVersion, maya: User, chen: User
) -> None:
    draft.threshold = 1
    change_set = lifecycle.submit([draft], by=maya)
    assert change_set.items.get().content["threshold"] == "1200"
    assert draft.threshold == 1200
    factories.approve(change_set, chen)


def test_revising_one_of_three_pending_versions_takes_all_of_them_back(
    three: list[TierVersion], maya: User, chen: User
) -> None:
    change_set = lifecycle.submit(three, by=maya)
    lifecycle.revise(three[1], by=maya, changes={"threshold": 650}, at=NOON)
    change_set.refresh_from_db()
    assert change_set.state == "Taken back"
    assert (change_set.voided_by, change_set.voided_at) == (maya, NOON)
    assert change_set.void_reason == "Silver was edited."
    for version in three:
        version.refresh_from_db()
        assert version.status == Status.DRAFT
        assert version.change_set is None
        assert version.content_hash == ""
        assert ("dissolve", "maya", "Silver was edited.") in events(version.tier)
    assert notices_of(chen)[-1].startswith("No need to review any more: Bronze")
    with pytest.raises(AlreadyDecided, match="maya took this change back on 01 June"):
        factories.approve(change_set, chen)


def test_revising_a_rejected_version_reopens_the_others_of_its_set(
    three: list[TierVersion], maya: User, chen: User
) -> None:
    change_set = lifecycle.submit(three, by=maya)
    reject(change_set, chen)
    before = notices_of(chen)
    lifecycle.revise(three[0], by=maya, changes={"description": "Begin."})
    assert {fresh(v).status for v in three} == {Status.DRAFT}
    change_set.refresh_from_db()
    assert change_set.state == "Rejected"
    assert notices_of(chen) == before


# Discarding


def test_discarding_leaves_what_is_live(draft: TierVersion, mike: User) -> None:
    lifecycle.discard(draft, by=mike, at=NOON)
    assert draft.status == Status.DELETED
    assert (draft.updated_by, draft.updated_at) == (mike, NOON)
    assert TierVersion.objects.live().filter(tier=draft.tier_id).exists()
    assert events(draft.tier)[-1] == ("discard", "mike", "")
    assert fresh(draft.tier).discarded_at is None


def test_discarding_one_of_a_rejected_set_reopens_the_others(
    three: list[TierVersion], maya: User, chen: User
) -> None:
    change_set = lifecycle.submit(three, by=maya)
    reject(change_set, chen)
    three[0].refresh_from_db()
    lifecycle.discard(three[0], by=maya)
    assert [fresh(v).status for v in three] == ["DELETED", "DRAFT", "DRAFT"]


def test_a_tier_that_was_never_live_goes_with_its_draft(
    group: TierGroup, maya: User
) -> None:
    draft = drafting.add_tier(group, by=maya, name="Platinum", threshold=5000)
    lifecycle.discard(draft, by=maya, at=NOON)
    assert fresh(draft.tier).discarded_at == NOON
    assert draft.tier not in Tier.objects.kept()


def test_a_tier_stays_while_another_version_of_it_is_open(
    group: TierGroup, maya: User
) -> None:
    draft = drafting.add_tier(group, by=maya, name="Platinum", threshold=5000)
    direct = lifecycle.draft_change(draft, by=maya, direct=True)
    lifecycle.discard(draft, by=maya)
    assert fresh(draft.tier).discarded_at is None
    assert fresh(direct).status == Status.DRAFT


def test_a_group_that_was_never_live_goes_with_the_drafts_of_its_tiers(
    program: Program, maya: User
) -> None:
    group = drafting.add_group(program, by=maya, name="Extra")
    tier = drafting.add_tier(group.group, by=maya, name="Jade", threshold=1)
    assert group.group.is_default
    lifecycle.discard(group, by=maya, at=NOON)
    assert fresh(tier).status == Status.DELETED
    assert fresh(tier.tier).discarded_at == NOON
    assert fresh(group.group).discarded_at == NOON
    assert drafting.add_group(program, by=maya, name="Next").group.is_default


# Submitting


def test_submitting_writes_down_what_was_submitted(
    draft: TierVersion, mike: User, chen: User, aude: User
) -> None:
    change_set = lifecycle.submit([draft], by=mike, note="Gold is too easy.", at=NOON)
    assert draft.status == Status.PENDING_APPROVAL
    assert (draft.submitted_by, draft.submitted_at) == (mike, NOON)
    assert draft.change_set == change_set
    assert change_set.note == "Gold is too easy."
    assert (change_set.created_by, change_set.created_at) == (mike, NOON)
    assert change_set.state == "Waiting"
    item = change_set.items.get()
    assert (item.kind, item.version_id, item.label) == ("tier", draft.pk, "Gold")
    assert (item.based_on_id, item.operation) == (draft.based_on_id, "SET")
    assert item.content["threshold"] == "1200"
    assert item.content_hash == draft.content_hash != ""
    assert hands(draft) == {("maya", "AUTHOR"), ("mike", "SUBMITTER")}
    assert events(draft.tier)[-1] == ("submit", "mike", "Gold is too easy.")
    assert notices_of(chen)[-1] == (
        "mike asks for your approval: Gold (Gemstone Rewards)"
    )
    assert notices_of(mike) == notices_of(aude) == []


def test_submitting_again_forgets_the_rejection_but_not_the_first_set(
    draft: TierVersion, maya: User, chen: User
) -> None:
    first = lifecycle.submit([draft], by=maya)
    reject(first, chen)
    lifecycle.revise(draft, by=maya, changes={"threshold": 1100})
    second = lifecycle.submit([draft], by=maya)
    assert (draft.rejection_comment, draft.rejected_by) == ("", None)
    assert first.pk != second.pk
    assert first.items.get().content["threshold"] == "1200"
    assert fresh(first).decision.comment == "Too much."


def test_drafts_of_two_programs_are_not_one_change_set(
    draft: TierVersion, maya: User
) -> None:
    other = factories.make_program(maya, "Other").versions.live().get()
    wording = lifecycle.draft_change(other, by=maya)
    with pytest.raises(MixedPrograms, match="exactly one program; these are of 2"):
        lifecycle.submit([draft, wording], by=maya)


def test_nothing_is_not_a_change_set(maya: User) -> None:
    for verb in (lifecycle.submit, lifecycle.publish_now):
        with pytest.raises(NothingChosen):
            verb([], by=maya)


def test_the_same_draft_twice_is_submitted_once(draft: TierVersion, maya: User) -> None:
    again = TierVersion.objects.get(pk=draft.pk)
    assert lifecycle.submit([draft, again], by=maya).items.count() == 1


def test_a_go_live_time_lies_ahead(draft: TierVersion, maya: User) -> None:
    for past in (NOON, NOON - timedelta(microseconds=1)):
        with pytest.raises(GoLiveInPast, match="01 June 2030 at .* has passed"):
            lifecycle.submit([draft], by=maya, go_live_at=past, at=NOON)
    soon = NOON + timedelta(microseconds=1)
    lifecycle.submit([draft], by=maya, go_live_at=soon, at=NOON)


# Withdrawing


def test_withdrawing_returns_drafts_and_tells_the_reviewers(
    three: list[TierVersion], maya: User, chen: User
) -> None:
    change_set = lifecycle.submit(three, by=maya)
    lifecycle.withdraw(change_set, by=maya, at=NOON)
    assert {fresh(v).status for v in three} == {Status.DRAFT}
    assert fresh(change_set).voided_at == NOON
    assert events(three[0].tier)[-1] == ("withdraw", "maya", "Withdrawn.")
    assert notices_of(chen)[-1].startswith("No need to review any more")


def test_withdrawing_is_for_those_who_worked_on_it(
    draft: TierVersion, maya: User, mike: User
) -> None:
    change_set = lifecycle.submit([draft], by=maya)
    with pytest.raises(NotAllowed, match="who worked on a change can withdraw it"):
        lifecycle.withdraw(change_set, by=mike)


def test_withdrawing_twice_is_one_withdrawal(
    draft: TierVersion, maya: User, chen: User
) -> None:
    change_set = lifecycle.submit([draft], by=maya)
    lifecycle.withdraw(change_set, by=maya, at=NOON)
    written = AuditEvent.objects.count(), Notice.objects.count()
    lifecycle.withdraw(change_set, by=maya, at=TOMORROW)
    assert (AuditEvent.objects.count(), Notice.objects.count()) == written
    assert fresh(change_set).voided_at == NOON


# Deciding


def test_approving_makes_it_live_and_its_predecessor_a_snapshot(
    draft: TierVersion, maya: User, chen: User
) -> None:
    before = previous(draft)
    change_set = lifecycle.submit([draft], by=maya)
    decision = lifecycle.approve(
        change_set,
        by=chen,
        fingerprint=change_set.fingerprint,
        comment="Good.",
        at=NOON,
    )
    draft.refresh_from_db()
    before.refresh_from_db()
    change_set.refresh_from_db()
    assert draft.status == Status.LIVE
    assert (draft.live_from, draft.live_until) == (NOON, None)
    assert (draft.approved_by, draft.approved_at) == (chen, NOON)
    assert before.status == Status.SNAPSHOT
    assert before.live_until == NOON
    assert change_set.published_at == NOON
    assert change_set.state == "Published"
    assert decision.kind == Decision.Kind.APPROVED
    assert (decision.decided_by, decision.decided_at) == (chen, NOON)
    assert (decision.comment, decision.fingerprint) == ("Good.", change_set.fingerprint)
    assert events(draft.tier)[-1] == ("approve", "chen", "Good.")
    assert notices_of(maya)[-1] == (
        "chen approved your change: Gold (Gemstone Rewards)"
    )


def test_rejecting_needs_a_reason_and_hands_it_to_the_maker(
    draft: TierVersion, maya: User, chen: User
) -> None:
    change_set = lifecycle.submit([draft], by=maya)
    for empty in ("", "  \n\t"):
        with pytest.raises(ReasonRequired, match="Say why"):
            reject(change_set, chen, comment=empty)
    reject(change_set, chen, comment="  Too much.  ", at=NOON)
    draft.refresh_from_db()
    assert draft.status == Status.REJECTED
    assert (draft.rejected_by, draft.rejected_at) == (chen, NOON)
    assert draft.rejection_comment == "Too much."
    assert fresh(change_set).state == "Rejected"
    assert events(draft.tier)[-1] == ("reject", "chen", "Too much.")
    notice = Notice.objects.filter(user=maya).latest("pk")
    assert notice.subject == "chen rejected your change: Gold (Gemstone Rewards)"
    assert notice.body == "Too much."


def test_pressing_the_same_button_twice_gives_the_first_decision(
    draft: TierVersion, maya: User, chen: User
) -> None:
    change_set = lifecycle.submit([draft], by=maya)
    seen = change_set.fingerprint
    first = lifecycle.approve(change_set, by=chen, fingerprint=seen, at=NOON)
    written = AuditEvent.objects.count(), Notice.objects.count()
    again = lifecycle.approve(change_set, by=chen, fingerprint=seen, at=TOMORROW)
    assert again == first
    assert again.decided_at == NOON
    assert (AuditEvent.objects.count(), Notice.objects.count()) == written


def test_rejecting_twice_gives_the_first_rejection(
    draft: TierVersion, maya: User, chen: User
) -> None:
    change_set = lifecycle.submit([draft], by=maya)
    assert reject(change_set, chen) == reject(change_set, chen, comment="Really.")
    assert Decision.objects.get(change_set=change_set).comment == "Too much."


def test_whoever_comes_second_is_told_who_decided_what_and_when(
    draft: TierVersion, maya: User, chen: User, rita: User
) -> None:
    change_set = lifecycle.submit([draft], by=maya)
    factories.approve(change_set, chen, at=NOON)
    for second in (
        lambda: reject(change_set, rita),
        lambda: factories.approve(change_set, rita),
        lambda: lifecycle.withdraw(change_set, by=maya),
        lambda: reject(change_set, chen),
    ):
        with pytest.raises(
            AlreadyDecided, match="chen approved this change on 01 June 2030 at 12:00"
        ) as refused:
            second()
        assert refused.value.details == {
            "decided_by": "chen",
            "decided_at": NOON,
            "kind": "APPROVED",
        }


def test_a_replay_by_somebody_who_lost_the_role_is_refused(
    draft: TierVersion, maya: User, chen: User
) -> None:
    change_set = lifecycle.submit([draft], by=maya)
    factories.approve(change_set, chen)
    chen.groups.clear()
    with pytest.raises(NotAllowed, match="chen may not do this in Gemstone Rewards"):
        factories.approve(change_set, User.objects.get(pk=chen.pk))


def test_approving_something_else_than_what_waits_is_refused(
    draft: TierVersion, maya: User, chen: User
) -> None:
    old = lifecycle.submit([draft], by=maya)
    lifecycle.revise(draft, by=maya, changes={"threshold": 1300})
    new = lifecycle.submit([draft], by=maya)
    with pytest.raises(ContentChanged, match="Read it again") as refused:
        lifecycle.approve(new, by=chen, fingerprint=old.fingerprint)
    assert refused.value.details == {"fingerprint": new.fingerprint}
    with pytest.raises(ContentChanged):
        lifecycle.reject(new, by=chen, fingerprint="", comment="No.")


def test_nobody_approves_what_they_worked_on(draft: TierVersion, maya: User) -> None:
    both = factories.make_user("bo", "Loyalty managers", "Reviewers")
    lifecycle.revise(draft, by=both, changes={"note": "Mine too."})
    change_set = lifecycle.submit([draft], by=maya)
    with pytest.raises(
        SelfApproval, match="bo worked on this change, so somebody else"
    ):
        factories.approve(change_set, both)


def test_a_set_goes_live_whole_or_not_at_all(
    three: list[TierVersion], maya: User, chen: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_set = lifecycle.submit(three, by=maya)
    checks = kinds.kind_named("tier").checks
    monkeypatch.setattr(
        kinds.kind_named("tier"), "checks", [*checks, lambda v, e: ["Not today."]]
    )
    with pytest.raises(Unsound, match="Not today") as refused:
        factories.approve(change_set, chen)
    assert refused.value.details == {"problems": ["Not today."]}
    assert {fresh(v).status for v in three} == {Status.PENDING_APPROVAL}
    assert not Decision.objects.filter(change_set=change_set).exists()
    monkeypatch.undo()
    factories.approve(change_set, chen, at=NOON)
    assert {fresh(v).status for v in three} == {Status.LIVE}
    assert {fresh(v).live_from for v in three} == {NOON}


def test_a_draft_in_hand_shows_what_became_of_it(
    draft: TierVersion, maya: User
) -> None:
    lifecycle.submit([draft], by=maya, at=timezone.now())
    assert draft.status == Status.PENDING_APPROVAL
    assert draft.change_set is not None
