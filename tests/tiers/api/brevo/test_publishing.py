"""The draft of a program becomes live as a whole, or waits for a reviewer."""

from datetime import timedelta

import pytest
from django.utils import timezone

from approvals import lifecycle
from approvals.models import ChangeSet, Decision
from loyalty.models import Program
from tests import factories
from tests.tiers.api.brevo.conftest import (
    GOLD,
    MEMBER,
    POINTS,
    SILVER,
    STATUS,
    expect,
    make_key,
    refused,
)
from tests.tiers.api.brevo.test_tiers import (
    GROUPS,
    LEVEL,
    PUBLISH,
    REGIONS,
    TIERS,
    asking,
    golden,
)
from tiers.models import TierVersion


def live_name(tier=GOLD):
    return TierVersion.objects.live().get(tier__uuid=tier).name


# Where nobody has to approve


def test_a_publication_is_one_change_set_without_a_reviewer(call, club):
    call("PUT", f"{TIERS}/{GOLD}", golden())
    call("POST", f"{GROUPS}/{STATUS}/tiers", golden(name="P", accessConditions=[]))
    call("DELETE", f"{TIERS}/{SILVER}")
    before = ChangeSet.objects.count()
    expect(call("POST", PUBLISH), 200, "program")
    decision = Decision.objects.latest("pk")
    assert decision.kind == Decision.Kind.WAIVED
    assert decision.change_set.items.count() == 3
    # There is nothing new in the next one.
    expect(call("POST", PUBLISH), 200, "program")
    assert ChangeSet.objects.count() == before + 1


def test_the_first_publication_switches_the_tiers_on(call, maya):
    made = call("POST", "/loyalty/config/programs", {"name": "New"}).json()
    assert made["state"] == "inactive"
    published = call("POST", f"/loyalty/config/programs/{made['id']}/publish")
    assert published.json()["state"] == "active"


def test_who_paused_the_tiers_had_a_reason(call, club):
    Program.objects.update(tiers_status=Program.TiersStatus.PAUSED)
    assert call("POST", PUBLISH).json()["state"] == "inactive"


def test_a_body_or_its_lack_makes_no_difference(call, club):
    expect(call("POST", PUBLISH, "{"), 200, "program")


def test_a_key_that_may_not_publish(call, club, maya):
    drafting = make_key(maya, "read", "drafts")
    call("PUT", f"{TIERS}/{GOLD}", golden(), token=drafting)
    refused(call("POST", PUBLISH, token=drafting), 403, "permission_denied")
    assert live_name() == "Gold"


@pytest.mark.parametrize(
    ("address", "sent", "words"),
    [
        (f"{TIERS}/{GOLD}", golden(accessConditions=asking((POINTS, 500))), "asks for"),
        (
            f"{GROUPS}/{STATUS}",
            LEVEL | {"tierOrder": [str(GOLD), str(SILVER), str(MEMBER)]},
            "stands above",
        ),
    ],
)
def test_one_that_would_break_a_rule_changes_nothing(call, club, address, sent, words):
    call("POST", f"{GROUPS}/{STATUS}/tiers", golden(name="P", accessConditions=[]))
    assert call("PUT", address, sent).status_code == 200
    for _ in range(2):
        document = refused(call("POST", PUBLISH), 422, "invalid_parameter")
        assert words in document["message"]
        expect(call("GET", f"{TIERS}?version=active"), 200, "tiers")


def test_a_name_is_one_groups(call, club):
    taken = {"name": "  Status "}
    expect(call("POST", GROUPS, taken), 409, "refusal_409_group")
    made = call("POST", GROUPS, REGIONS).json()
    answer = call("PUT", f"{GROUPS}/{made['id']}", made | taken)
    expect(answer, 422, "refusal_422_group_name")
    # A name that was given up in the draft is free in it.
    call("PUT", f"{GROUPS}/{STATUS}", LEVEL)
    assert call("POST", GROUPS, taken).status_code == 200


def test_what_was_written_past_the_draft_is_not_overwritten_unseen(call, club, maya):
    """An open draft does not know of what a direct write has changed meanwhile."""
    call("PUT", f"{TIERS}/{GOLD}", golden())
    live = TierVersion.objects.live().get(tier__uuid=GOLD)
    direct = lifecycle.draft_change(
        live, by=maya, changes={"description": "Free delivery."}, direct=True
    )
    lifecycle.publish_now([direct], by=maya)
    refused(call("POST", PUBLISH), 422, "unprocessable_entity")
    assert live_name() == "Gold"
    # Who edits it has looked.
    call("PUT", f"{TIERS}/{GOLD}", golden(name="Goldener"))
    assert call("POST", PUBLISH).status_code == 200
    assert live_name() == "Goldener"


# Where a reviewer has to


@pytest.fixture
def reviewed(group, maya, call):
    """Ask in a program that asks for approval: "Gemstone Rewards"."""
    pid = str(group.program.uuid)

    def ask(method, path, body=None, **options):
        family = "config" if path == "/publish" else "tier"
        return call(method, f"/loyalty/{family}/programs/{pid}{path}", body, **options)

    return ask


@pytest.fixture
def raise_gold(group, reviewed):
    gold = factories.live_tier(group, "Gold")
    points = factories.definition_of(group.program).uuid

    def raise_to(least, name="Gold"):
        sent = {"name": name, "accessConditions": asking((points, least))}
        answer = reviewed("PUT", f"/tiers/{gold.tier.uuid}", sent)
        assert answer.status_code == 200, answer.content

    return raise_to


def test_a_draft_is_handed_in_and_the_same_set_answers_again(
    reviewed, raise_gold, chen
):
    raise_gold(1200)
    first = reviewed("POST", "/publish")
    waiting = ChangeSet.objects.latest("pk")
    link = f"http://testserver/admin/approvals/changeset/{waiting.pk}/change/"
    sentence = (
        "Changes to this program are approved by a reviewer. The draft was handed in "
        f"as change set {waiting.pk} and waits for a decision."
    )
    expect(first, 422, "refusal_approval", sentence=sentence, link=link)
    for _ in range(2):
        assert reviewed("POST", "/publish").json() == first.json()
    assert ChangeSet.objects.latest("pk") == waiting
    # What is sent again as it is keeps the submission.
    raise_gold(1200)
    assert reviewed("POST", "/publish").json() == first.json()
    factories.approve(waiting, chen)
    assert reviewed("POST", "/publish").status_code == 200


def test_what_is_new_joins_what_waits(reviewed, raise_gold, group):
    raise_gold(1200)
    reviewed("POST", "/publish")
    first = ChangeSet.objects.latest("pk")
    silver = factories.live_tier(group, "Silver").tier
    assert reviewed("DELETE", f"/tiers/{silver.uuid}").status_code == 204
    refused(reviewed("POST", "/publish"), 422, "approval_required")
    waiting = ChangeSet.objects.latest("pk")
    assert waiting.items.count() == 2
    first.refresh_from_db()
    assert first.voided_at


def test_what_somebody_else_handed_in_stays_as_it_is(reviewed, group, chen, call):
    other = factories.make_maker("otto")
    silver = factories.live_tier(group, "Silver")
    draft = lifecycle.draft_change(silver, by=other, changes={"threshold": 600})
    theirs = lifecycle.submit([draft], by=other)
    assert reviewed("POST", "/tier-groups", REGIONS).status_code == 200
    refused(reviewed("POST", "/publish"), 422, "approval_required")
    theirs.refresh_from_db()
    assert not theirs.voided_at
    assert ChangeSet.objects.latest("pk").items.count() == 1
    factories.approve(theirs, chen)


def test_what_is_to_go_live_at_a_time_of_its_own_stays(reviewed, group, maya):
    silver = factories.live_tier(group, "Silver")
    draft = lifecycle.draft_change(silver, by=maya, changes={"threshold": 600})
    later = timezone.now() + timedelta(days=1)
    timed = lifecycle.submit([draft], by=maya, go_live_at=later)
    reviewed("POST", "/tier-groups", REGIONS)
    refused(reviewed("POST", "/publish"), 422, "approval_required")
    timed.refresh_from_db()
    assert not timed.voided_at
    assert ChangeSet.objects.latest("pk").items.count() == 1


def test_what_was_sent_back_is_not_handed_in_as_it_was(reviewed, raise_gold, chen):
    raise_gold(1200)
    reviewed("POST", "/publish")
    waiting = ChangeSet.objects.latest("pk")
    lifecycle.reject(
        waiting, by=chen, fingerprint=waiting.fingerprint, comment="Too much at once."
    )
    answer = refused(reviewed("POST", "/publish"), 422, "unprocessable_entity")
    assert "Gold was sent back: Too much at once." in answer["message"]
    assert ChangeSet.objects.latest("pk") == waiting
    raise_gold(1100)
    refused(reviewed("POST", "/publish"), 422, "approval_required")
    assert ChangeSet.objects.latest("pk") != waiting


def test_the_owner_of_the_key_cannot_approve(reviewed, raise_gold, maya):
    raise_gold(1200)
    reviewed("POST", "/publish")
    waiting = ChangeSet.objects.latest("pk")
    assert maya.pk in lifecycle.contributors(waiting)


def test_a_key_that_may_only_draft_hands_in(reviewed, raise_gold, maya):
    raise_gold(1200)
    drafting = make_key(maya, "drafts")
    refused(reviewed("POST", "/publish", token=drafting), 422, "approval_required")


def test_what_waits_for_its_time_cannot_be_changed(reviewed, group, maya, chen):
    gold = factories.live_tier(group, "Gold")
    draft = lifecycle.draft_change(gold, by=maya, changes={"threshold": 1200})
    later = timezone.now() + timedelta(days=1)
    waiting = lifecycle.submit([draft], by=maya, go_live_at=later)
    factories.approve(waiting, chen)
    sent = golden(accessConditions=[])
    answer = reviewed("PUT", f"/tiers/{gold.tier.uuid}", sent)
    assert "scheduled" in refused(answer, 422, "unprocessable_entity")["message"]
    answer = reviewed("DELETE", f"/tier-groups/{group.uuid}")
    assert "scheduled" in refused(answer, 409, "duplicate_parameter")["message"]
    # And goes live then, whatever is published before.
    assert reviewed("POST", "/publish").status_code == 200
    draft.refresh_from_db()
    assert draft.status == "SCHEDULED"
