"""Programs, balances and members in the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from approvals import ui
from approvals.admin.drafts import lifecycle_url
from approvals.models import AuditEvent, ChangeSet
from loyalty.models import BalanceDefinition, Member, Program, ProgramLimit
from tests import factories
from tests.approvals.browsing import as_, buttons, edit, press
from tiers.models import Tier, TierGroup, TierVersion

NEW = {
    "name": "Book Friends",
    "description": "For readers.",
    "approval_required": "yes",
    "currency": "chf",
    "time_zone": "Europe/Zurich",
    "rolling_window_months": "24",
    "tier_name_rule": "CASEFOLD",
    "base_tier_name": "Reader",
}


def test_from_an_empty_database_a_manager_sets_everything_up(
    maya: User, chen: User
) -> None:
    client = as_(maya)
    front = client.get("/admin/")
    assert front.context["panels"][0]["next"].label == "Add your first program"

    client.post(ui.add_url(Program), NEW)
    program = Program.objects.get()
    said = program.versions.live().get()
    assert (said.name, said.time_zone, said.approval_required) == (
        "Book Friends",
        "Europe/Zurich",
        True,
    )
    purchases = program.balance_definitions.get(built_in="PURCHASES")
    assert purchases.versions.live().get().unit == "CHF"

    front = client.get("/admin/")
    client.post(
        front.context["panels"][0]["next"].url,
        {"program": program.pk, "name": "Readers"},
    )
    group = TierGroup.objects.get()
    front = client.get("/admin/")
    assert "first tier" in front.context["panels"][0]["next"].label
    for name, threshold in (("Fan", "100"), ("Bookworm", "500")):
        tier = {"group": group.pk, "name": name, "threshold": threshold}
        client.post(ui.add_url(Tier), {**tier, "entry": "MEASURED", "color": "#336699"})
    assert press(maya, program, "submit", note="To begin with.").status_code == 302
    change_set = ChangeSet.objects.latest("pk")
    assert change_set.items.count() == 3
    press(chen, change_set, "approve")
    assert TierVersion.objects.live().count() == 2
    press(maya, program, "activate", comment="Opening day.")
    program.refresh_from_db()
    assert program.tiers_are_active


def test_a_program_can_be_made_that_needs_no_approval(maya: User) -> None:
    page = as_(maya).get(ui.add_url(Program)).content.decode()
    assert "nobody else" in page
    as_(maya).post(ui.add_url(Program), NEW | {"approval_required": "no"})
    assert not Program.objects.get().versions.live().get().approval_required


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "Book\u202e"),
        ("currency", "E1R"),
        ("currency", "ＥＵＲ"),
        ("time_zone", "Mars/Olympus"),
        ("rolling_window_months", "37"),
        ("rolling_window_months", "1_2"),
        ("approval_required", "perhaps"),
        ("tier_name_rule", "ANY"),
    ],
)
def test_a_program_is_not_made_from_nonsense(
    maya: User, field: str, value: str
) -> None:
    response = as_(maya).post(ui.add_url(Program), NEW | {field: value})
    assert field in response.context["form"].errors
    assert not Program.objects.exists()


def test_a_crafted_post_decides_nothing_about_a_new_program(maya: User) -> None:
    owned = {"pk": "4711", "id": "4711", "source": "IMPORT", "created_by": "1"}
    as_(maya).post(ui.add_url(Program), NEW | owned | {"tiers_status": "ACTIVE"})
    program = Program.objects.get()
    assert program.pk != 4711
    assert (program.source, program.created_by) == ("ADMIN", maya)
    assert program.tiers_status == "DISABLED"


def test_a_balance_is_drafted_then_approved(
    program: Program, maya: User, chen: User
) -> None:
    as_(maya).post(
        ui.add_url(BalanceDefinition),
        {"program": program.pk, "name": "Nights", "scale": "0", "unit": "NIGHTS"},
    )
    definition = BalanceDefinition.objects.latest("pk")
    draft = definition.versions.open().get()
    assert edit(maya, draft, maximum="365").status_code == 302
    press(maya, draft, "submit")
    press(chen, ChangeSet.objects.latest("pk"), "approve")
    assert definition.versions.live().get().maximum == 365


@pytest.mark.parametrize(
    ("verbs", "offered"),
    [
        ([], {"Activate tiers", "Prepare tiers"}),
        (["prepare"], {"Activate tiers", "Disable tiers"}),
        (["activate"], {"Pause tiers", "Disable tiers"}),
        (["activate", "pause"], {"Resume tiers", "Disable tiers"}),
        (["activate", "disable"], {"Activate tiers", "Prepare tiers"}),
    ],
)
def test_switches_are_those_that_work_now(
    maya: User, verbs: list[str], offered: set[str]
) -> None:
    program = factories.make_program(maya, active=False)
    for verb in verbs:
        assert press(maya, program, verb, comment="Because.").status_code == 302
    shown = {label for label in buttons(maya, program) if label.endswith("tiers")}
    assert shown == offered
    assert AuditEvent.objects.filter(kind="program", reason="Because.").count() == len(
        verbs
    )


def test_switching_asks_for_a_reason(program: Program, maya: User) -> None:
    assert "Say why" in press(maya, program, "pause", comment=" ").content.decode()
    program.refresh_from_db()
    assert program.tiers_are_active


def test_switching_twice_says_what_is_the_case(program: Program, maya: User) -> None:
    press(maya, program, "pause", comment="Stocktaking.")
    response = as_(maya).post(lifecycle_url(program, "pause"), {"comment": "Again."})
    assert response.status_code == 409
    assert "paused" in response.content.decode()


@pytest.mark.parametrize(
    "sought", ["ann@example.org", "SHOP-77", "CARD-123", "S-ANN", "Ann"]
)
def test_a_member_is_found_by_what_people_have_at_hand(
    program: Program, maya: User, sought: str
) -> None:
    factories.make_member(program)
    ann = factories.make_member(
        program,
        name="Ann",
        email="ann@example.org",
        external_id="SHOP-77",
        card="CARD-123",
        subscription_id="S-ANN",
    )
    page = as_(maya).get(ui.list_url(Member, f"q={sought}"))
    assert list(page.context["cl"].result_list) == [ann]


def test_a_members_page_shows_balances_entries_and_tiers(
    group: Any, program: Program, maya: User
) -> None:
    from django.utils import timezone

    from tiers import assignment

    member = factories.make_member(program, name="Ann")
    assignment.recalculate(program, as_of=timezone.now())
    page = as_(maya).get(ui.change_url(member))
    titles = [part.title for _, part in page.context["parts"]]
    assert titles == [
        "Main",
        "Balances",
        "Ledger",
        "Tiers held",
        "Tiers by hand",
        "Membership",
        "What people did",
    ]
    assert "Bronze" in page.content.decode()


def test_only_superusers_change_schedules(client: Client, maya: User) -> None:
    from django.urls import reverse

    url = reverse("admin:django_celery_beat_periodictask_changelist")
    assert as_(maya).get(url).status_code == 403
    add = reverse("admin:django_celery_beat_periodictask_add")
    assert as_(maya).post(add, {}).status_code == 403


def test_limits_to_programs_come_and_go_on_record(
    program: Program, maya: User, admin_user: User
) -> None:
    client = as_(admin_user)
    client.post(ui.add_url(ProgramLimit), {"user": maya.pk, "program": program.pk})
    limit = ProgramLimit.objects.get()
    client.post(f"{ui.list_url(ProgramLimit)}{limit.pk}/delete/", {"post": "yes"})
    assert not ProgramLimit.objects.exists()
    verbs = AuditEvent.objects.order_by("pk").values_list("verb", flat=True)
    assert list(verbs)[-2:] == ["add_limit", "remove_limit"]
