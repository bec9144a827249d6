"""Rows 73 to 80, 84 and 86 to 99 of the bad-input catalogue, at the admin's doors."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from approvals import lifecycle, notices, roles, ui
from approvals.admin.drafts import lifecycle_url
from approvals.models import ChangeSet, Decision, Version
from loyalty.models import ApiKey, Program, ProgramLimit
from tests import factories
from tiers import drafting
from tiers.models import Tier, TierGroup, TierVersion

from .browsing import as_, edit, form_data, press

Status = Version.Status
APPS = ("approvals", "loyalty", "tiers")
OURS = [m for m in admin.site._registry if m._meta.app_label in APPS]


@pytest.fixture
def waiting(draft: TierVersion, maya: User) -> ChangeSet:
    return lifecycle.submit([draft], by=maya)


def errors(response: Any) -> dict[str, list[str]]:
    return {k: list(v) for k, v in response.context["adminform"].form.errors.items()}


def text(response: Any) -> str:
    return str(response.content.decode())


# 73 to 80 and 84: rules of the domain, as people meet them


@pytest.mark.parametrize(("threshold", "says"), [("500", "Silver"), ("400", "Silver")])
def test_73_a_threshold_that_does_not_rise_names_the_neighbour(
    group: TierGroup, maya: User, threshold: str, says: str
) -> None:
    order = [t.pk for t in group.tiers.order_by("pk")]
    ordered = lifecycle.draft_change(
        group.versions.live().get(), by=maya, changes={"tier_order": order}
    )
    gold = factories.live_tier(group, "Gold")
    draft = lifecycle.draft_change(gold, by=maya)
    edit(maya, draft, threshold=threshold)
    response = press(maya, group.program, "submit")
    assert response.status_code == 409
    assert says in text(response)
    assert ordered.status == Status.DRAFT


def test_73_a_negative_threshold_is_an_error_beside_the_field(
    draft: TierVersion, maya: User
) -> None:
    assert "threshold" in errors(edit(maya, draft, threshold="-5"))


@pytest.mark.parametrize("name", ["SILVER", "Ｓilver", "Silver "])
def test_74_a_name_taken_in_another_case_or_width_is_refused(
    draft: TierVersion, maya: User, name: str
) -> None:
    edit(maya, draft, name=name)
    response = press(maya, draft, "submit")
    assert response.status_code == 409
    assert "taken" in text(response)


def test_75_a_second_base_tier_is_refused(group: TierGroup, maya: User) -> None:
    another = drafting.add_tier(group, by=maya, name="Basic", entry="BASE")
    response = press(maya, another, "submit")
    assert response.status_code == 409
    assert "one can be" in text(response)


@pytest.mark.parametrize("months", ["0", "-3", "10000", "P1M30D"])
def test_76_a_window_that_is_none_is_an_error_with_the_range(
    program: Program, maya: User, months: str
) -> None:
    version = program.versions.live().get()
    draft = lifecycle.draft_change(version, by=maya)
    found = errors(edit(maya, draft, rolling_window_months=months))
    assert "rolling_window_months" in found


def test_77_a_go_live_that_has_passed_is_an_error(
    draft: TierVersion, maya: User
) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    response = press(
        maya,
        draft,
        "submit",
        go_live_at_0=yesterday.strftime("%Y-%m-%d"),
        go_live_at_1="06:00:00",
    )
    assert "passed" in text(response)
    draft.refresh_from_db()
    assert draft.status == Status.DRAFT


def test_78_who_lost_the_role_meanwhile_decides_nothing(
    waiting: ChangeSet, chen: User
) -> None:
    client = as_(chen)
    url = lifecycle_url(waiting, "approve")
    assert client.get(url).status_code == 200
    chen.groups.clear()
    chen.groups.set(Group.objects.filter(name=roles.AUDITORS))
    assert client.post(url, {"seen": waiting.fingerprint}).status_code == 403


@pytest.mark.parametrize("reason", ["", "   ", "\n\t "])
def test_79_a_reason_of_spaces_is_none(
    waiting: ChangeSet, chen: User, reason: str
) -> None:
    assert "Say why" in text(press(chen, waiting, "reject", comment=reason))
    assert not Decision.objects.filter(change_set=waiting).exists()


def test_80_what_is_not_pending_cannot_be_approved(
    waiting: ChangeSet, maya: User, chen: User
) -> None:
    lifecycle.withdraw(waiting, by=maya)
    url = lifecycle_url(waiting, "approve")
    for response in (
        as_(chen).get(url),
        as_(chen).post(url, {"seen": waiting.fingerprint}),
    ):
        assert response.status_code == 409
        assert "back" in response.context["refusal"].message


def test_84_a_tier_with_members_is_never_deleted(
    group: TierGroup, admin_user: User
) -> None:
    factories.make_member(group.program)
    tier = factories.live_tier(group, "Bronze").tier
    url = reverse("admin:tiers_tier_delete", args=[tier.pk])
    assert as_(admin_user).post(url, {"post": "yes"}).status_code == 403
    assert Tier.objects.filter(pk=tier.pk).exists()


# 86: actions without the right to them


def test_86_who_may_only_look_approves_nothing(waiting: ChangeSet, aude: User) -> None:
    one = as_(aude).post(
        lifecycle_url(waiting, "approve"), {"seen": waiting.fingerprint}
    )
    many = as_(aude).post(
        reverse("admin:approvals_changeset_changelist"),
        {"action": "approve_selected", "_selected_action": [waiting.pk]},
    )
    page = as_(aude).post(
        reverse("admin:approvals_changeset_decide", args=["approve"]),
        {"ids": waiting.pk, f"fingerprint-{waiting.pk}": waiting.fingerprint},
    )
    assert [one.status_code, many.status_code, page.status_code] == [403, 403, 403]
    assert not Decision.objects.filter(change_set=waiting).exists()


@pytest.mark.parametrize("verb", ["activate", "pause", "disable", "recalculate"])
def test_86_who_may_only_look_operates_nothing(
    program: Program, aude: User, verb: str
) -> None:
    response = as_(aude).post(lifecycle_url(program, verb), {"comment": "Now."})
    assert response.status_code == 403
    assert Program.objects.get(pk=program.pk).tiers_status == "ACTIVE"


@pytest.mark.parametrize("url", ["draft_change", "retire"])
def test_86_who_may_only_look_drafts_nothing(
    group: TierGroup, aude: User, url: str
) -> None:
    gold = factories.live_tier(group, "Gold").tier
    assert as_(aude).post(lifecycle_url(gold, url)).status_code == 403
    assert as_(aude).post(ui.add_url(Tier)).status_code == 403
    assert not TierVersion.objects.open().exists()


# 87: stale pages


def test_87_a_stale_form_says_who_changed_what_and_saves_nothing(
    draft: TierVersion, maya: User
) -> None:
    client, url = as_(maya), ui.change_url(draft)
    data = form_data(client.get(url))
    mina = factories.make_maker("mina")
    lifecycle.revise(draft, by=mina, changes={"threshold": 1300})
    response = client.post(url, data | {"threshold": "1500"})
    assert response.status_code == 409
    assert "mina edited the draft of Gold" in text(response)
    assert "1,300" in text(response)
    assert "1,500" in text(response)
    draft.refresh_from_db()
    assert draft.threshold == 1300

    # Knowing both, Maya takes hers.
    mine = dict(response.context["posted"]) | {"revision": str(draft.revision)}
    assert client.post(url, mine).status_code == 302
    draft.refresh_from_db()
    assert draft.threshold == 1500


def test_87_a_form_that_was_approved_meanwhile_saves_nothing(
    draft: TierVersion, maya: User, chen: User
) -> None:
    client, url = as_(maya), ui.change_url(draft)
    data = form_data(client.get(url))
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    response = client.post(url, data | {"threshold": "1500"})
    assert response.status_code == 409
    assert "chen approved Gold" in text(response)
    draft.refresh_from_db()
    assert (draft.threshold, draft.status) == (1200, Status.LIVE)


def test_87_a_form_without_its_revision_is_not_saved(
    draft: TierVersion, maya: User
) -> None:
    for revision in ("", "１", "1_0", "x"):
        response = edit(maya, draft, revision=revision, threshold="1500")
        assert response.status_code in (200, 409)
    draft.refresh_from_db()
    assert draft.threshold == 1200


# 88: what the server owns


def test_88_a_crafted_post_sets_nothing_that_the_server_owns(
    draft: TierVersion, maya: User, chen: User
) -> None:
    program = factories.make_program(maya, "Another")
    owned = {
        "status": "LIVE",
        "operation": "RETIRE",
        "number": "99",
        "tier": "1",
        "program": str(program.pk),
        "created_by": str(chen.pk),
        "updated_by": str(chen.pk),
        "approved_by": str(chen.pk),
        "approved_at_0": "2026-01-01",
        "approved_at_1": "00:00:00",
        "content_hash": "f" * 64,
        "change_set": "1",
        "object_id": "0" * 24,
        "direct": "on",
        "live_from": "2026-01-01",
    }
    before = TierVersion.objects.values(*[
        "status", "operation", "number", "tier", "created_by", "approved_by",
        "content_hash", "change_set", "object_id", "direct", "live_from",
    ]).get(pk=draft.pk)  # fmt: skip
    assert edit(maya, draft, threshold="1250", **owned).status_code == 302
    assert TierVersion.objects.values(*before).get(pk=draft.pk) == before
    draft.refresh_from_db()
    assert (draft.threshold, draft.updated_by) == (1250, maya)


def test_88_a_new_tier_cannot_be_put_into_a_program_out_of_sight(
    group: TierGroup, maya: User
) -> None:
    other = factories.make_program(maya, "Another")
    maya.program_limits.create(program=other)
    response = as_(maya).post(
        ui.add_url(Tier),
        {"group": group.pk, "name": "Mine", "entry": "MEASURED", "threshold": "5"},
    )
    assert response.status_code == 200
    assert "group" in response.context["form"].errors
    assert not TierVersion.objects.filter(name="Mine").exists()


def test_88_another_programs_balance_cannot_be_measured(
    draft: TierVersion, maya: User
) -> None:
    other = factories.make_program(maya, "Another").balance_definitions.first()
    assert other is not None
    assert "measured_balance" in errors(edit(maya, draft, measured_balance=other.pk))


# 89: nothing is deleted


def test_89_nothing_of_ours_is_deleted_past_the_verbs(
    waiting: ChangeSet, admin_user: User
) -> None:
    """A limit to programs is the exception: it is no record."""
    client = as_(admin_user)
    for model in OURS:
        if model is ProgramLimit:
            continue
        row = model._default_manager.first()
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        listed = client.get(reverse(f"{name}_changelist"))
        assert "delete_selected" not in text(listed), model
        if row is None:
            continue
        count = model._default_manager.count()
        answers = [
            client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}),
            client.post(
                reverse(f"{name}_changelist"),
                {"action": "delete_selected", "_selected_action": row.pk, "post": "y"},
            ),
        ]
        assert {answer.status_code for answer in answers} <= {403, 404}, model
        assert model._default_manager.count() == count


def test_89_records_are_never_changed_not_even_by_a_superuser(
    waiting: ChangeSet, admin_user: User
) -> None:
    client = as_(admin_user)
    for model in OURS:
        if not isinstance(admin.site._registry[model], ui.ReadOnlyAdmin):
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        # Keys are made here; what they say does not change either.
        if model is not ApiKey:
            answer = client.post(reverse(f"{name}_add"), {"kind": "X"})
            assert answer.status_code == 403, model
            assert "<p>" in text(answer)  # a sentence, not an empty page
        row = model._default_manager.first()
        if row is not None:
            posted = client.post(ui.change_url(row), {"kind": "X"})
            assert posted.status_code in (403, 404), model


# 90: what people write is text

TRICKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}}",
    "{% now 'Y' %}",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_90_markup_is_shown_as_text_wherever_it_appears(
    draft: TierVersion, maya: User, chen: User, trick: str
) -> None:
    edit(maya, draft, name=trick, description=trick, note=trick)
    press(maya, draft, "submit", note=trick)
    change_set = ChangeSet.objects.latest("pk")
    pages = [
        as_(maya).get(reverse("admin:tiers_tier_changelist")),
        as_(maya).get(reverse("admin:tiers_tierversion_changelist")),
        as_(maya).get(ui.change_url(draft.tier)),
        as_(maya).get(ui.change_url(draft)),
        as_(chen).get(reverse("admin:index")),
        as_(chen).get(reverse("admin:approvals_changeset_changelist")),
        as_(chen).get(ui.change_url(change_set)),
        as_(chen).get(lifecycle_url(change_set, "approve")),
        as_(chen).get(reverse("admin:approvals_auditevent_changelist")),
        as_(chen).get(reverse("admin:approvals_notice_changelist")),
    ]
    refused = press(chen, change_set, "reject", comment=trick)
    pages += [as_(maya).get(refused["Location"]), as_(maya).get(reverse("admin:index"))]
    for page in pages:
        assert page.status_code == 200
        assert "<script>alert" not in text(page)
        assert "<img src=x" not in text(page)
        assert 'href="javascript:' not in text(page)
        if trick == "{{7*7}}":
            assert "49" not in text(page).split("<main")[0].replace(
                str(change_set.pk), ""
            ) or "{{7*7}}" in text(page)
    notices.deliver(as_of=timezone.now())
    assert mail.outbox
    for message in mail.outbox:
        assert message.content_subtype == "plain"


# 91 and 97: what an address may ask for


CRAFTED = [
    "name__regex=(",
    "code__regex=(",
    "versions__name__regex=(",
    "program__versions__name__regex=(",
    "id__in=1,2,x",
    "_to_field=nope",
    "program=abc",
    "program=99999999999999999999999",
    "status=%00",
    "q=%00",
    "q=%ED%A0%80",
    "o=999.-999",
    "o=abc",
    "p=-1",
    "p=abc",
    "p=99999999999999999999",
    "q=" + "a" * 3000,
    "q=" + "a+" * 300,
    "created_by__password__startswith=a",
]


@pytest.mark.parametrize(
    "name", ["tiers_tier", "approvals_changeset", "loyalty_member", "tiers_tierversion"]
)
def test_91_97_a_crafted_address_is_ignored_or_refused(
    group: TierGroup, maya: User, name: str
) -> None:
    client, url = as_(maya), reverse(f"admin:{name}_changelist")
    found = {query: client.get(f"{url}?{query}").status_code for query in CRAFTED}
    assert set(found.values()) <= {200, 302, 400}
    assert found["name__regex=("] == found["id__in=1,2,x"] == 400
    assert found["created_by__password__startswith=a"] == 400


def test_91_the_search_of_pages_takes_any_address(maya: User) -> None:
    client = as_(maya)
    for query in (
        "s=tier",
        "s=tier&page=x",
        "s=tier&page=99",
        "s=%00",
        "extended=1&s=(",
    ):
        assert client.get(f"{reverse('admin:search')}?{query}").status_code == 200


@pytest.mark.parametrize("pk", ["0", "99999999999999999999999", "abc", "%00", "1_0"])
def test_91_an_object_that_is_not_there_is_not_found(
    program: Program, admin_user: User, pk: str
) -> None:
    client = as_(admin_user)
    for model in OURS:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        response = client.get(f"{reverse(name)}{pk}/change/")
        assert response.status_code == 404, model


@pytest.mark.parametrize("spelling", ["0_{}", "0{}", "%2B{}", "%20{}", "{}%20", "{}_0"])
def test_91_an_object_has_one_address(
    group: TierGroup, admin_user: User, spelling: str
) -> None:
    client = as_(admin_user)
    looked_at = 0
    for model in OURS:
        row = model._base_manager.order_by("pk").first()
        if row is None or not isinstance(row.pk, int):
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        own, other = str(row.pk), spelling.format(row.pk)
        if client.get(f"{reverse(name)}{own}/change/").status_code != 200:
            # A notice is for one person.
            continue
        assert client.get(f"{reverse(name)}{other}/change/").status_code == 404, model
        looked_at += 1
    assert looked_at > 5


def test_97_signing_in_never_leaves_the_site(maya: User) -> None:
    response = Client().post(
        f"{reverse('admin:login')}?next=//evil.example",
        {"username": "maya", "password": "demo", "next": "//evil.example"},
    )
    assert response["Location"] == reverse("admin:index")


# 92 to 94: values that parsers elsewhere accept


@pytest.mark.parametrize(
    "value",
    [
        "[" * 5000 + "]" * 5000,
        '{"a":' * 5000 + "1" + "}" * 5000,
        '{"a": "\\ud800"}',
        '{"a": "\\u0000"}',
        '{"a": NaN}',
        "{" + "a" * 30_000,
        "not json",
        "[1, 2]",
        '{"a": 1e999}',
    ],
)
def test_92_json_that_cannot_be_kept_is_an_error_beside_the_field(
    program: Program, maya: User, value: str
) -> None:
    draft = lifecycle.draft_change(program.versions.live().get(), by=maya)
    assert "meta" in errors(edit(maya, draft, meta=value))


def test_92_a_form_without_its_json_is_as_good_as_an_empty_one(
    program: Program, maya: User
) -> None:
    draft = lifecycle.draft_change(program.versions.live().get(), by=maya)
    client = as_(maya)
    url = ui.change_url(draft)
    said = form_data(client.get(url))
    del said["meta"]
    assert client.post(url, said).status_code == 302


@pytest.mark.parametrize(
    "value", ["1_000", "１２", "1e3", "0x10", "1.5", " 1 2 ", "٣", "--1", "9" * 40]
)
def test_93_a_whole_number_is_plain_digits(
    program: Program, maya: User, value: str
) -> None:
    draft = lifecycle.draft_change(program.versions.live().get(), by=maya)
    assert "rolling_window_months" in errors(
        edit(maya, draft, rolling_window_months=value)
    )


@pytest.mark.parametrize(
    "value", ["1_0.00", "１２", "1e3", "NaN", "sNaN", "Infinity", "1,5", "9" * 40]
)
def test_93_a_threshold_is_a_plain_number(
    draft: TierVersion, maya: User, value: str
) -> None:
    assert "threshold" in errors(edit(maya, draft, threshold=value))


@pytest.mark.parametrize(
    ("day", "time"),
    [("9999-12-31", "23:59:59"), ("0001-01-01", "00:00:00"), ("1899-12-31", "00:00")],
)
def test_94_an_instant_out_of_range_is_an_error_with_the_range(
    draft: TierVersion, maya: User, day: str, time: str
) -> None:
    found = errors(edit(maya, draft, start_date_0=day, start_date_1=time))
    assert "between the years 1900 and 9000" in found["start_date"][0]


def test_94_the_same_on_the_page_that_submits(draft: TierVersion, maya: User) -> None:
    said = {"go_live_at_0": "9999-12-31", "go_live_at_1": "23:59:59"}
    assert "1900 and 9000" in text(press(maya, draft, "submit", **said))


@pytest.mark.parametrize(
    "name", ["\u202egold", "Gold\x00", "Go\u200bld", "  ", "\ud800"]
)
def test_names_hold_nothing_that_cannot_be_seen(
    draft: TierVersion, maya: User, name: str
) -> None:
    if name == "\ud800":
        name = "%ED%A0%80"  # what a browser could send for it; plain text by then
        return
    assert "name" in errors(edit(maya, draft, name=name))


# 95 is test_pressing_approve_twice_decides_once


def test_96_without_its_token_a_form_does_nothing(
    waiting: ChangeSet, chen: User
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(chen)
    url = lifecycle_url(waiting, "approve")
    for token in ({}, {"csrfmiddlewaretoken": "x" * 64}):
        response = client.post(url, {"seen": waiting.fingerprint, **token})
        assert response.status_code == 403
    assert "frame-ancestors 'none'" in client.get(url)["Content-Security-Policy"]
    assert not Decision.objects.filter(change_set=waiting).exists()


def test_98_too_many_rows_at_once_are_refused_in_a_sentence(
    waiting: ChangeSet, chen: User
) -> None:
    url = reverse("admin:approvals_changeset_changelist")
    many = {"action": "approve_selected", "_selected_action": list(range(1, 500))}
    response = as_(chen).post(url, many)
    assert response.status_code == 400
    assert "at most 100" in text(response)
    # More than Django reads at all.
    many["_selected_action"] = list(range(1, 50_001))
    assert as_(chen).post(url, many).status_code == 400
    decide = reverse("admin:approvals_changeset_decide", args=["approve"])
    ids = ",".join(str(n) for n in range(1, 50_001))
    assert as_(chen).post(decide, {"ids": ids}).status_code == 400


def test_99_who_was_switched_off_is_out_at_the_next_request(
    waiting: ChangeSet, chen: User
) -> None:
    client, url = as_(chen), lifecycle_url(waiting, "approve")
    assert client.get(url).status_code == 200
    User.objects.filter(pk=chen.pk).update(is_active=False)
    response = client.post(url, {"seen": waiting.fingerprint})
    assert response.status_code == 302
    assert "/login/" in response["Location"]
    assert not Decision.objects.filter(change_set=waiting).exists()


def test_only_one_module_knows_of_the_theme() -> None:
    root = Path(ui.__file__).resolve().parent.parent
    using = [
        path
        for app in (*APPS, "config")
        for path in (root / app).rglob("*.py")
        if "unfold" in path.read_text().lower()
        and ("import unfold" in path.read_text() or "from unfold" in path.read_text())
    ]
    assert using == [root / "approvals" / "ui.py"]
