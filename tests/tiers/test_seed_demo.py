"""The demo: what a newcomer finds, made by the verbs that people use."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from approvals.models import Decision, Notice
from loyalty import cdnow, keys, members, points, programs
from loyalty.models import ApiKey, Balance, Member, PointsEntry, Program
from tests import scenes
from tiers.demo import gemstone, people, vinyl
from tiers.models import Tier, TierAssignment, TierVersion

pytestmark = pytest.mark.django_db


@pytest.fixture
def seed(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    settings.DEBUG = True

    def run(*only: int) -> str:
        out = StringIO()
        call_command("seed_demo", only=list(only) or None, stdout=out)
        return out.getvalue()

    return run


@scenes.kept
def gemstones() -> str:
    """Gemstone Rewards; what the command said when it was made."""
    out = StringIO()
    with scenes.at_present(), override_settings(DEBUG=True):
        call_command("seed_demo", only=[973], stdout=out)
    return out.getvalue()


@pytest.fixture
def small_vinyl(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first hundred customers stand for all of them."""
    few = [p for p in cdnow.purchases() if p.customer <= 100]
    monkeypatch.setattr(cdnow, "purchases", lambda: iter(few))


def rows() -> dict[str, int]:
    """Count the rows of all of our tables."""
    return {
        model._meta.label: model._default_manager.count()
        for label in ("approvals", "loyalty", "tiers", "auth")
        for model in apps.get_app_config(label).get_models()
    }


def counts(program: int) -> list[int | None]:
    tiers = Tier.objects.filter(program=program, serial_number__isnull=False)
    return list(
        tiers.order_by("serial_number").values_list("customer_count", flat=True)
    )


def test_outside_debug_the_demo_is_refused_in_a_sentence() -> None:
    with pytest.raises(CommandError, match="only where DEBUG is on") as refused:
        call_command("seed_demo")
    assert refused.value.returncode == 2
    assert not User.objects.exists()


def test_a_key_is_shown_once_and_may_everything(seed: Callable[..., str]) -> None:
    (line,) = [line for line in seed(2).splitlines() if "API key" in line]
    secret = line.split()[-1]
    key = keys.recognise(secret)
    assert key is not None
    assert key.scopes == ["read", "points", "drafts", "publish"]
    assert key.program is None
    assert "API key" not in seed(2)
    assert ApiKey.objects.count() == 1


def test_keys_can_be_agreed_on(
    seed: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed, forbidden = "demo0001." + "k" * 32, "demo0002." + "f" * 32
    monkeypatch.setenv("DEMO_API_KEY", agreed)
    monkeypatch.setenv("DEMO_FORBIDDEN_API_KEY", forbidden)
    for _ in range(2):
        seed(2)
    assert ApiKey.objects.count() == 2
    known = [keys.recognise(secret) for secret in (agreed, forbidden)]
    assert [key.scopes if key else None for key in known] == [
        ["read", "points", "drafts", "publish"],
        [],
    ]


def test_a_key_of_another_form_is_refused_in_a_sentence(
    seed: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO_API_KEY", "secret")
    with pytest.raises(CommandError, match="8 letters or digits, a dot, and 32"):
        seed(2)


def test_the_people_can_log_in_and_have_their_roles(seed: Callable[..., str]) -> None:
    seed(2)
    roles = {
        user.username: sorted(user.groups.values_list("name", flat=True))
        for user in User.objects.all()
    }
    assert roles == {
        "admin": [],
        "auditor": ["Auditors"],
        "manager": ["Loyalty managers"],
        "reviewer": ["Reviewers"],
    }
    for user in User.objects.all():
        client = Client()
        answer = client.post(
            "/admin/login/?next=/admin/",
            {"username": user.username, "password": "demo"},
        )
        assert answer.status_code == 302, user
        assert user.email == f"{user.username}@example.org"
        assert user.is_superuser == (user.username == "admin")


def test_gemstone_rewards_has_exactly_these_tiers_and_members(gemstones: str) -> None:
    assert "Program 973, Gemstone Rewards: 409 members" in gemstones
    assert counts(973) == [350, 13, 16, 3, 3, 1, 8, 15, 0]
    assert Member.objects.count() == 409
    live = TierVersion.objects.live().order_by("tier__serial_number")
    for version, level in zip(live, gemstone.LEVELS, strict=True):
        assert version.name == level.name
        assert version.tier.slab_id == level.slab_id
        assert version.tier.source == Tier.Source.IMPORT
        assert version.created_at == version.updated_at == level.published_at
        assert version.live_from == version.tier.first_live_at == level.published_at
    draft = TierVersion.objects.open().get()
    assert (draft.name, draft.created_by.username) == ("Super Platinum", "manager")
    assert draft.tier.unique_id == "ut-973-010"
    approved = Decision.objects.filter(kind="APPROVED")
    assert set(approved.values_list("decided_by__username", flat=True)) == {"reviewer"}
    assert approved.count() == len(gemstone.LEVELS)


def test_the_ledger_of_the_demo_adds_up(gemstones: str) -> None:
    for member in Member.objects.all()[:50]:
        assert points.verify(member) is None
    total: dict[tuple[int, int], int] = {}
    for member_id, definition, amount in PointsEntry.objects.values_list(
        "member_id", "balance_definition_id", "amount"
    ):
        key = (member_id, definition)
        total[key] = total.get(key, 0) + amount
    kept = {
        (balance.member_id, balance.balance_definition_id): balance.amount
        for balance in Balance.objects.all()
    }
    assert kept == total
    assert min(kept.values()) >= 0
    assert PointsEntry.objects.filter(kind="REDEEM").exists()


def test_nobody_finds_notices_about_the_past(gemstones: str) -> None:
    assert not Notice.objects.filter(read_at__isnull=True).exists()
    assert not Notice.objects.filter(due_at__isnull=False).exists()


def test_the_programs_for_brevo_and_wix_ask_for_no_approval(
    seed: Callable[..., str],
) -> None:
    seed(2, 4)
    found = {
        (
            program.pk,
            str(program.uuid),
            program.source,
            program.versions.live().get().approval_required,
            program.tiers_status,
        )
        for program in Program.objects.all()
    }
    assert found == {
        (2, "11111111-1111-4111-8111-111111111111", "BREVO", False, "ACTIVE"),
        (4, "22222222-2222-4222-8222-222222222222", "WIX", False, "ACTIVE"),
    }
    for program in (2, 4):
        assert all(counts(program)), "A tier of a small program is empty."
        held = TierAssignment.objects.filter(member__program=program)
        assert held.values("member").distinct().count() < (
            Member.objects.filter(program=program).count()
        ), "Nobody is below the lowest tier."


@pytest.mark.parametrize(
    "now",
    [
        # Noon of the day has not been yet; has been; the clocks change that night.
        datetime(2026, 11, 22, 4, 0, tzinfo=UTC),
        datetime(2026, 3, 9, 23, 0, tzinfo=UTC),
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
    ],
    ids=str,
)
def test_vinyl_circle_ends_in_the_past_week(
    seed: Callable[..., str],
    small_vinyl: None,
    time_machine: Any,
    now: datetime,
) -> None:
    time_machine.move_to(now, tick=False)
    seed(3)
    shift = timedelta(
        weeks=cdnow.shift_weeks(now.astimezone(vinyl.ZONE).date() - timedelta(days=1))
    )
    last = datetime.combine(cdnow.LAST_DAY + shift, datetime.min.time(), vinyl.ZONE)
    noon = last.replace(hour=12)
    assert now - timedelta(days=7, hours=12) < noon < now
    entries = PointsEntry.objects.order_by("occurred_at")
    assert {
        entry.occurred_at.astimezone(ZoneInfo("America/New_York")).hour
        for entry in entries
    } == {12}
    assert sum(n or 0 for n in counts(3)) == Member.objects.count() == 100
    first = entries.first()
    assert first is not None
    assert first.member.intervals.get().started_at == first.occurred_at


def test_a_second_run_changes_nothing(
    seed: Callable[..., str], small_vinyl: None
) -> None:
    first = seed()
    before = rows()
    again = seed()
    assert rows() == before
    assert again.count("there already") == 4
    # A key is shown once.
    told = [line for line in first.splitlines() if not line.startswith("API key")]
    assert len(told) == len(first.splitlines()) - 1
    assert [line.split(":")[0] for line in again.splitlines()] == [
        line.split(":")[0] for line in told
    ]
    assert [(program.pk, str(program)) for program in Program.objects.with_live()] == [
        (2, "Corner Shop Club"),
        (3, "Vinyl Circle"),
        (4, "Lakeside Store"),
        (973, "Gemstone Rewards"),
    ]


def test_the_next_program_gets_an_id_of_its_own(gemstones: str) -> None:
    manager = User.objects.get(username="manager")
    assert programs.create_program(by=manager, name="Next").pk > 973


def test_names_are_the_same_each_time_and_addresses_never_twice() -> None:
    def some() -> list[tuple[str, str]]:
        return [found for found, _ in zip(people.names(3), range(5000), strict=False)]

    assert some() == some()
    addresses = [address for _, address in some()]
    assert len(set(addresses)) == 5000
    assert all(address.isascii() for address in addresses)


def test_members_are_found_as_in_a_shop(seed: Callable[..., str]) -> None:
    seed(2)
    program = Program.objects.get(pk=2)
    member = members.find(program, "CS-00001")
    assert member is not None
    assert members.find(program, member.contact.email) == member
