"""Every page of the admin opens for who may read, and says no to who may not."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from approvals import lifecycle, ui
from tests import factories

LISTS = [
    f"admin:{m._meta.app_label}_{m._meta.model_name}_changelist"
    for m in admin.site._registry
]
OURS = [
    n
    for n in LISTS
    if n.split(":")[1].split("_")[0] in ("approvals", "loyalty", "tiers")
]


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


def sign_in(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


@pytest.mark.parametrize("name", LISTS)
def test_every_list_opens_for_a_superuser(
    client: Client, a_bit_of_everything: Any, admin_user: User, name: str
) -> None:
    assert sign_in(client, admin_user).get(reverse(name)).status_code == 200


@pytest.mark.parametrize("role", ["maya", "chen", "aude"])
@pytest.mark.parametrize("name", OURS)
def test_people_with_a_role_read_every_list_of_ours(
    client: Client, a_bit_of_everything: Any, aude: User, name: str, role: str
) -> None:
    client.force_login(User.objects.get(username=role))
    assert client.get(reverse(name)).status_code == 200


@pytest.mark.parametrize("model", admin.site._registry)
def test_every_object_page_opens_for_a_superuser(
    client: Client, a_bit_of_everything: Any, admin_user: User, model: Any
) -> None:
    client.force_login(admin_user)
    for obj in model._default_manager.all()[:3]:
        response = client.get(ui.change_url(obj), follow=True)
        if model._meta.model_name == "notice":
            assert response.status_code == 404  # somebody else's
        else:
            assert response.status_code == 200


@pytest.mark.parametrize("role", ["maya", "chen", "aude", "admin"])
def test_the_front_page_opens(
    client: Client,
    a_bit_of_everything: Any,
    aude: User,
    admin_user: User,
    role: str,
) -> None:
    client.force_login(User.objects.get(username=role))
    assert client.get(reverse("admin:index")).status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_nobody_reads_a_list_without_signing_in(
    client: Client, db: None, name: str
) -> None:
    response = client.get(reverse(name))
    assert response.status_code == 302
    assert "/login/" in response["Location"]
