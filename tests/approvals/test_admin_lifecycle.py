"""The life of a change, as people lead it through the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from approvals import lifecycle, roles, ui
from approvals.admin.drafts import lifecycle_url
from approvals.models import AuditEvent, ChangeSet, Decision, Notice, Version
from tests import factories
from tiers.models import Tier, TierVersion

from .browsing import as_, buttons, edit, press

Status = Version.Status


@pytest.fixture
def gold(group: Any) -> Tier:
    tier: Tier = factories.live_tier(group, "Gold").tier
    return tier


@pytest.fixture
def waiting(draft: TierVersion, maya: User) -> ChangeSet:
    return lifecycle.submit([draft], by=maya)


def test_a_change_goes_from_draft_to_live(gold: Tier, maya: User, chen: User) -> None:
    response = press(maya, gold, "draft_change")
    draft = TierVersion.objects.open().get()
    assert response["Location"] == ui.change_url(draft)

    edit(maya, draft, threshold="1200", note="Gold is too easy.")
    press(maya, draft, "submit", note="Gold is too easy.")
    change_set = ChangeSet.objects.latest("pk")
    assert change_set.state == "Waiting"

    press(chen, change_set, "reject", comment="Too high.")
    draft.refresh_from_db()
    assert (draft.status, draft.rejection_comment) == (Status.REJECTED, "Too high.")

    edit(maya, draft, threshold="1100")
    press(maya, draft, "submit")
    response = press(chen, ChangeSet.objects.latest("pk"), "approve")
    draft.refresh_from_db()
    assert (draft.status, draft.threshold) == (Status.LIVE, 1100)


def test_looking_at_a_page_changes_nothing(draft: TierVersion, maya: User) -> None:
    for verb in ("submit", "discard"):
        assert as_(maya).get(lifecycle_url(draft, verb)).status_code == 200
    draft.refresh_from_db()
    assert draft.status == Status.DRAFT


def test_saving_without_a_change_keeps_what_the_draft_says(
    draft: TierVersion, maya: User
) -> None:
    before = {name: getattr(draft, name) for name in draft.CONTENT}
    assert edit(maya, draft).status_code == 302
    draft.refresh_from_db()
    assert {name: getattr(draft, name) for name in draft.CONTENT} == before


def test_the_page_shows_before_and_after(waiting: ChangeSet, chen: User) -> None:
    html = as_(chen).get(lifecycle_url(waiting, "approve")).content.decode()
    assert "1,000" in html
    assert "1,200" in html
    assert "maya" in html


def test_a_maker_is_not_offered_to_approve_and_is_refused(
    waiting: ChangeSet, maya: User
) -> None:
    maya.groups.add(*factories.Group.objects.filter(name=roles.REVIEWERS))
    assert "Approve" not in buttons(maya, waiting)
    response = as_(maya).post(
        lifecycle_url(waiting, "approve"), {"seen": waiting.fingerprint}
    )
    assert response.status_code == 403
    assert "somebody else has to approve it" in response.content.decode()
    assert not Decision.objects.filter(change_set=waiting).exists()


def test_a_superuser_who_worked_on_a_change_is_refused_as_well(
    waiting: ChangeSet, maya: User
) -> None:
    User.objects.filter(pk=maya.pk).update(is_superuser=True)
    maya = User.objects.get(pk=maya.pk)
    response = as_(maya).post(
        lifecycle_url(waiting, "approve"), {"seen": waiting.fingerprint}
    )
    assert response.status_code == 403


def test_rejecting_asks_for_a_reason(waiting: ChangeSet, chen: User) -> None:
    for reason in ("", "   "):
        response = press(chen, waiting, "reject", comment=reason)
        assert "Say why" in response.content.decode()
    assert ChangeSet.objects.get(pk=waiting.pk).state == "Waiting"


def test_pressing_approve_twice_decides_once(waiting: ChangeSet, chen: User) -> None:
    """A double click, or Back and Approve again: the same answer."""
    client, url = as_(chen), lifecycle_url(waiting, "approve")
    answers = [client.post(url, {"seen": waiting.fingerprint}) for _ in range(2)]
    assert [a.status_code for a in answers] == [302, 302]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert Decision.objects.filter(change_set=waiting).count() == 1


def test_a_reviewer_approves_what_was_on_the_page_or_nothing(
    waiting: ChangeSet, chen: User
) -> None:
    response = as_(chen).post(lifecycle_url(waiting, "approve"), {"seen": "f" * 64})
    assert response.status_code == 409
    assert "not what was on your page" in response.content.decode()


def test_the_loser_is_told_who_decided(
    waiting: ChangeSet, chen: User, db: None
) -> None:
    factories.approve(waiting, chen)
    dora = factories.make_reviewer("dora")
    response = as_(dora).post(
        lifecycle_url(waiting, "reject"),
        {"seen": waiting.fingerprint, "comment": "No."},
    )
    assert response.status_code == 409
    assert "chen approved this change" in response.content.decode()


def test_a_change_can_be_withdrawn_by_who_worked_on_it(
    waiting: ChangeSet, draft: TierVersion, maya: User
) -> None:
    assert "Withdraw" in buttons(maya, waiting)
    press(maya, waiting, "withdraw")
    draft.refresh_from_db()
    assert draft.status == Status.DRAFT


def test_a_scheduled_change_can_be_called_off(
    draft: TierVersion, maya: User, chen: User
) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    press(
        maya,
        draft,
        "submit",
        go_live_at_0=tomorrow.strftime("%Y-%m-%d"),
        go_live_at_1="06:00:00",
    )
    change_set = ChangeSet.objects.latest("pk")
    press(chen, change_set, "approve")
    draft.refresh_from_db()
    assert draft.status == Status.SCHEDULED
    assert "Unschedule" in buttons(maya, change_set)
    press(chen, change_set, "unschedule", comment="Not before the fair.")
    draft.refresh_from_db()
    assert draft.status == Status.DRAFT


def test_a_change_that_failed_to_go_live_can_be_tried_again(
    draft: TierVersion, group: Any, maya: User, chen: User
) -> None:
    """Gold would rise to 1,200 tomorrow; meanwhile Platinum appears at 1,100."""
    soon = timezone.now() + timedelta(hours=1)
    change_set = lifecycle.submit([draft], by=maya, go_live_at=soon)
    factories.approve(change_set, chen)
    from tiers import drafting

    platinum = drafting.add_tier(group, by=maya, name="Platinum", threshold=1100)
    order = [t.pk for t in group.tiers.order_by("pk")]
    grouped = lifecycle.draft_change(
        group.versions.live().get(), by=maya, changes={"tier_order": order}
    )
    factories.approve(lifecycle.submit([platinum, grouped], by=maya), chen)
    assert not lifecycle.go_live(change_set, at=soon)
    change_set.refresh_from_db()

    page = as_(chen).get(ui.change_url(change_set))
    assert "could not go live" in page.content.decode()
    assert "Try again" in buttons(chen, change_set)
    response = press(chen, change_set, "retry")
    assert response.status_code == 409
    assert "1,100" in response.content.decode() or "1100" in response.content.decode()


def test_a_program_without_approval_publishes_at_once(maya: User, chen: User) -> None:
    program = factories.make_program(maya, "Corner Shop", approval_required=False)
    from tiers import drafting

    draft = drafting.add_group(program, by=maya, name="Main")
    assert "Publish now" in buttons(maya, draft.group)
    press(maya, draft, "publish_now", note="First group.")
    draft.refresh_from_db()
    assert draft.status == Status.LIVE


def test_publish_now_is_neither_offered_nor_done_where_approval_is_asked_for(
    draft: TierVersion, maya: User
) -> None:
    assert "Publish now" not in buttons(maya, draft.tier)
    assert as_(maya).get(lifecycle_url(draft, "publish_now")).status_code == 409
    assert press(maya, draft, "publish_now").status_code == 409


def test_an_earlier_version_can_be_brought_back(
    gold: Tier, waiting: ChangeSet, maya: User, chen: User
) -> None:
    factories.approve(waiting, chen)
    first = gold.versions.get(number=1)
    html = as_(maya).get(ui.change_url(gold)).content.decode()
    assert "Roll back to this" in html
    press(maya, first, "roll_back")
    draft = gold.versions.open().get()
    assert (draft.threshold, draft.number) == (1000, 3)


def test_a_tier_is_retired_through_a_draft(gold: Tier, maya: User, chen: User) -> None:
    press(maya, gold, "retire")
    draft = gold.versions.open().get()
    assert draft.is_retirement
    assert gold.versions.live().exists()
    press(maya, draft, "submit")
    press(chen, ChangeSet.objects.latest("pk"), "approve")
    assert not gold.versions.live().exists()


def test_a_group_is_retired_with_its_tiers(group: Any, maya: User, chen: User) -> None:
    press(maya, group, "retire")
    draft = group.versions.open().get()
    page = as_(maya).get(lifecycle_url(draft, "submit"))
    assert len(page.context["act"].differences) == 4
    press(maya, draft, "submit")
    press(chen, ChangeSet.objects.latest("pk"), "approve")
    assert not TierVersion.objects.live().filter(tier__group=group).exists()


def test_all_drafts_of_a_program_are_submitted_together(
    draft: TierVersion, group: Any, maya: User
) -> None:
    lifecycle.draft_change(factories.live_tier(group, "Silver"), by=maya)
    press(maya, group.program, "submit", note="Both.")
    assert ChangeSet.objects.latest("pk").items.count() == 2


def test_a_draft_edited_since_the_page_was_opened_is_not_submitted(
    draft: TierVersion, maya: User
) -> None:
    client, url = as_(maya), lifecycle_url(draft, "submit")
    seen = client.get(url).context["form"].initial["seen"]
    lifecycle.revise(draft, by=maya, changes={"threshold": 1300})
    response = client.post(url, {"seen": seen})
    assert response.status_code == 409
    draft.refresh_from_db()
    assert draft.status == Status.DRAFT


def test_discarding_leaves_what_is_live(
    draft: TierVersion, gold: Tier, maya: User
) -> None:
    press(maya, draft, "discard")
    draft.refresh_from_db()
    assert draft.status == Status.DELETED
    assert gold.versions.live().exists()


@pytest.mark.parametrize("who", ["maya", "chen", "aude"])
def test_buttons_are_those_of_the_transition_table(
    waiting: ChangeSet, draft: TierVersion, aude: User, who: str
) -> None:
    from approvals.transitions import TRANSITIONS

    user = User.objects.get(username=who)
    draft.refresh_from_db()
    offered = lifecycle.verbs_for(draft, user)
    labels = {TRANSITIONS[verb].label for verb in offered}
    assert buttons(user, draft.tier) == labels
    assert buttons(user, waiting) == labels - {"Edit"}


# Several at once


@pytest.fixture
def three(group: Any, maya: User) -> list[ChangeSet]:
    sets = []
    for name in ("Bronze", "Silver", "Gold"):
        live = factories.live_tier(group, name)
        draft = lifecycle.draft_change(
            live, by=maya, changes={"description": f"{name}, nicer."}
        )
        sets.append(lifecycle.submit([draft], by=maya))
    return sets


def select(user: User, action: str, sets: list[ChangeSet]) -> Any:
    return as_(user).post(
        reverse("admin:approvals_changeset_changelist"),
        {"action": action, "_selected_action": [s.pk for s in sets]},
    )


def test_several_sets_are_approved_each_on_its_own_fingerprint(
    three: list[ChangeSet], maya: User, chen: User
) -> None:
    page = select(chen, "approve_selected", three)
    client = as_(chen)
    opened = client.get(page["Location"])
    said = {"ids": opened.context["ids"], "comment": "Fine."} | {
        f"fingerprint-{s.pk}": s.fingerprint for s in three
    }
    # Meanwhile one is taken back.
    lifecycle.withdraw(three[1], by=maya)
    done = client.post(page["Location"], said)
    outcomes = {s.pk: (ok, why) for s, ok, why in done.context["outcomes"]}
    assert [outcomes[s.pk][0] for s in three] == [True, False, True]
    assert "maya took this change back" in outcomes[three[1].pk][1]
    assert Decision.objects.filter(change_set__in=three).count() == 2


def test_several_sets_are_rejected_with_one_reason(
    three: list[ChangeSet], chen: User
) -> None:
    url = reverse("admin:approvals_changeset_decide", args=["reject"])
    said = {f"fingerprint-{s.pk}": s.fingerprint for s in three}
    ids = ",".join(str(s.pk) for s in three)
    unsaid = as_(chen).post(url, {"ids": ids, "comment": " ", **said})
    assert "Say why" in unsaid.content.decode()
    as_(chen).post(url, {"ids": ids, "comment": "After the summer.", **said})
    assert {
        s.state for s in ChangeSet.objects.filter(pk__in=[s.pk for s in three])
    } == {"Rejected"}


def test_own_changes_stay_undecided_among_several(
    three: list[ChangeSet], maya: User
) -> None:
    maya.groups.add(*factories.Group.objects.filter(name=roles.REVIEWERS))
    url = reverse("admin:approvals_changeset_decide", args=["approve"])
    said = {f"fingerprint-{s.pk}": s.fingerprint for s in three}
    done = as_(maya).post(url, {"ids": ",".join(str(s.pk) for s in three), **said})
    assert not any(ok for _, ok, _ in done.context["outcomes"])


# What people find on the front page


def test_a_reviewer_finds_what_waits_and_a_badge(
    waiting: ChangeSet, chen: User
) -> None:
    page = as_(chen).get(reverse("admin:index"))
    assert [item["title"] for item in page.context["to_decide"]] == ["Gold"]
    inbox = page.context["sidebar_navigation"][0]["items"][0]
    assert inbox["badge"] == "1"


def test_a_maker_finds_what_was_rejected_and_why(
    waiting: ChangeSet, maya: User, chen: User
) -> None:
    lifecycle.reject(
        waiting, by=chen, fingerprint=waiting.fingerprint, comment="Too high."
    )
    html = as_(maya).get(reverse("admin:index")).content.decode()
    assert "Too high." in html


def test_the_link_in_the_e_mail_leads_to_the_change(
    waiting: ChangeSet, chen: User
) -> None:
    notice = Notice.objects.filter(user=chen, subject__startswith="maya").latest("pk")
    page = as_(chen).get(notice.path)
    assert page.status_code == 200
    assert {b.label for b in page.context["buttons"]} == {"Approve", "Reject"}


def test_notices_are_a_persons_own(waiting: ChangeSet, maya: User, chen: User) -> None:
    notice = Notice.objects.filter(user=chen, subject__startswith="maya").latest("pk")
    mine = as_(chen).get(reverse("admin:approvals_notice_changelist"))
    assert notice.subject in mine.content.decode().replace("&#x27;", "'")
    theirs = as_(maya).get(reverse("admin:approvals_notice_changelist"))
    assert notice.subject not in theirs.content.decode().replace("&#x27;", "'")
    as_(maya).post(reverse("admin:approvals_notice_read"))
    notice.refresh_from_db()
    assert notice.read_at is None
    as_(chen).post(reverse("admin:approvals_notice_read"))
    notice.refresh_from_db()
    assert notice.read_at is not None


def test_recalculate_now_is_an_act_on_record(group: Any, maya: User) -> None:
    factories.make_member(group.program)
    response = press(maya, group, "recalculate")
    assert response.status_code == 302
    assert AuditEvent.objects.filter(verb="recalculate", actor=maya).exists()
