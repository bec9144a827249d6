"""Every page of the admin opens for who may read, and says no to who may not."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from approvals import checks, lifecycle, roles, ui
from approvals.models import AuditEvent, Notice
from tests import factories

LISTS = [
    f"admin:{m._meta.app_label}_{m._meta.model_name}_changelist"
    for m in admin.site._registry
]
APPS = ("approvals", "loyalty", "tiers")
OURS = [name for name in LISTS if name.split(":")[1].split("_")[0] in APPS]


@pytest.fixture
def a_bit_of_everything(group: Any, draft: Any, maya: User, chen: User) -> Any:
    """A waiting, a rejected and a published change set; a member with a tier."""
    member = factories.make_member(group.program)
    change_set = lifecycle.submit([draft], by=maya)
    lifecycle.reject(
        change_set, by=chen, fingerprint=change_set.fingerprint, comment="Too high."
    )
    lifecycle.revise(draft, by=maya, changes={"threshold": 1100})
    return lifecycle.submit([draft], by=maya), member


ROLES = ["maya", "chen", "aude"]


def test_every_list_opens_for_a_superuser(
    client: Client, a_bit_of_everything: Any, admin_user: User
) -> None:
    client.force_login(admin_user)
    for name in LISTS:
        assert client.get(reverse(name)).status_code == 200, name


@pytest.mark.parametrize("role", ROLES)
def test_people_with_a_role_read_every_list_of_ours(
    client: Client, a_bit_of_everything: Any, aude: User, role: str
) -> None:
    client.force_login(User.objects.get(username=role))
    # Limits to programs are for whoever keeps the list of people.
    for name in OURS:
        assert client.get(reverse(name)).status_code == 200, name


@pytest.mark.parametrize("role", [*ROLES, "admin"])
def test_every_object_page_opens(
    client: Client, a_bit_of_everything: Any, aude: User, admin_user: User, role: str
) -> None:
    client.force_login(User.objects.get(username=role))
    for model in admin.site._registry:
        if role != "admin" and model._meta.app_label not in APPS:
            continue
        if model is Notice:
            continue
        for obj in model._default_manager.all()[:3]:
            assert client.get(ui.change_url(obj)).status_code == 200, obj


@pytest.mark.parametrize("role", [*ROLES, "admin"])
def test_the_front_page_opens(
    client: Client, a_bit_of_everything: Any, aude: User, admin_user: User, role: str
) -> None:
    client.force_login(User.objects.get(username=role))
    assert client.get(reverse("admin:index")).status_code == 200


def test_nobody_reads_a_list_without_signing_in(client: Client, db: None) -> None:
    for name in LISTS:
        response = client.get(reverse(name))
        assert response.status_code == 302, name
        assert "/login/" in response["Location"]


def test_who_has_no_role_reads_nothing(
    client: Client, a_bit_of_everything: Any
) -> None:
    client.force_login(factories.make_user("nora"))
    for name in LISTS:
        expected = 200 if "notice" in name else 403
        assert client.get(reverse(name)).status_code == expected, name


@pytest.mark.parametrize("role", ROLES)
def test_pages_speak_to_people(
    client: Client, a_bit_of_everything: Any, aude: User, role: str
) -> None:
    """No constant, no field name, no None reaches a page that people work with."""
    client.force_login(User.objects.get(username=role))
    tier = factories.live_tier(a_bit_of_everything[1].program.tier_groups.get(), "Gold")
    addresses = [reverse(name) for name in OURS]
    addresses += [ui.change_url(tier), ui.change_url(tier.tier)]
    addresses += [ui.change_url(a_bit_of_everything[0]), reverse("admin:index")]
    for address in addresses:
        html = client.get(address).content.decode()
        words = re.sub(r"<(script|style|select).*?</\1>|<[^>]*>", " ", html, flags=re.S)
        for jargon in (
            "None",
            "PENDING_APPROVAL",
            "SNAPSHOT",
            "MEASURED",
            "_id",
            "_at",
        ):
            assert jargon not in words, (address, jargon)


def test_who_changes_a_role_is_on_record(
    client: Client, admin_user: User, maya: User
) -> None:
    client.force_login(admin_user)
    reviewers = Group.objects.get(name=roles.REVIEWERS)
    data = {"username": "maya", "is_active": "on", "is_staff": "on"}
    response = client.post(ui.change_url(maya), {**data, "groups": [reviewers.pk]})
    assert response.status_code == 302
    event = AuditEvent.objects.latest("pk")
    assert (event.actor, event.verb, event.label) == (
        admin_user,
        "change_person",
        "maya",
    )
    assert "Groups" in event.reason


def test_who_keeps_the_list_of_people_cannot_make_superusers(
    client: Client, maya: User
) -> None:
    keeper = factories.make_user("kim")
    keeper.user_permissions.set(
        Permission.objects.filter(codename__in=("view_user", "change_user"))
    )
    client.force_login(keeper)
    data = {"username": "maya", "is_active": "on", "is_staff": "on"}
    rights = list(Permission.objects.values_list("pk", flat=True))
    client.post(
        ui.change_url(maya), {**data, "is_superuser": "on", "user_permissions": rights}
    )
    maya.refresh_from_db()
    assert not maya.is_superuser
    assert not maya.user_permissions.exists()


def test_who_keeps_the_list_of_people_gives_no_roles_and_takes_nobodys_place(
    client: Client, maya: User
) -> None:
    keeper = factories.make_user("kim")
    keeper.user_permissions.set(
        Permission.objects.filter(content_type__app_label="auth")
    )
    client.force_login(keeper)
    reviewers = Group.objects.get(name=roles.REVIEWERS)
    data = {"username": "kim", "is_active": "on", "is_staff": "on"}
    assert client.post(
        ui.change_url(keeper), {**data, "groups": [reviewers.pk]}
    ).status_code in (200, 302)
    assert not keeper.groups.exists()
    for url in (
        reverse("admin:auth_user_password_change", args=[maya.pk]),
        reverse("admin:auth_group_changelist"),
        ui.change_url(reviewers),
    ):
        assert client.get(url).status_code == 403, url
        assert client.post(url, {}).status_code == 403, url


def test_nobody_changes_their_own_roles(client: Client, admin_user: User) -> None:
    client.force_login(admin_user)
    reviewers = Group.objects.get(name=roles.REVIEWERS)
    data = {"username": "admin", "is_active": "on", "is_staff": "on"}
    said = {**data, "groups": [reviewers.pk], "first_name": "Ada"}
    assert client.post(ui.change_url(admin_user), said).status_code == 302
    admin_user.refresh_from_db()
    assert (admin_user.first_name, admin_user.is_superuser) == ("Ada", True)
    assert not admin_user.groups.exists()


def test_one_account_with_both_roles_is_warned_of(
    client: Client, admin_user: User, maya: User, chen: User
) -> None:
    def warned() -> list[str]:
        found = checks.roles_are_kept_apart(None, databases=["default"])
        return [message.msg for message in found if message.id == "approvals.W001"]

    # Superusers may everything anyway, and are not told of.
    assert warned() == []
    client.force_login(admin_user)
    both = Group.objects.filter(name__in=(roles.MANAGERS, roles.REVIEWERS))
    data = {"username": "maya", "is_active": "on", "is_staff": "on"}
    groups = list(both.values_list("pk", flat=True))
    page = client.post(ui.change_url(maya), {**data, "groups": groups}, follow=True)
    assert "maya may make changes and review them." in page.content.decode()
    assert warned() == ["These may make changes and review them: maya."]
    maya.is_active = False
    maya.save()
    assert warned() == []
