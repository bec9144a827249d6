"""Lists of tiers, groups and who holds them: what they show, and what they cost."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from approvals import lifecycle, ui
from approvals.admin.drafts import lifecycle_url
from loyalty.models import Member, PointsEntry, PointsRequest, Program
from tests import factories, scenes
from tiers import assignment, drafting
from tiers.models import Tier, TierGroup, TierVersion

SIGNED_IN = 4  # session, person, the person's own permissions, those of the roles
FRAME = 2  # limits to programs, unread notices for the badge


@pytest.fixture
def manager(client: Client, maya: User) -> Client:
    client.force_login(maya)
    return client


def list_of(model: Any, query: str = "") -> str:
    return ui.list_url(model, query)


def test_a_manager_sees_live_and_open_wording_side_by_side(
    manager: Client, draft: TierVersion
) -> None:
    Tier.objects.filter(pk=draft.tier_id).update(
        customer_count=1234, counted_at=timezone.now()
    )
    html = manager.get(list_of(Tier)).content.decode()
    for words in ("Gold", "1,000", "points", "from 1,200", "Draft", "1,234", "as of"):
        assert words in html
    assert "background:#C0C0C0" in html
    assert "1000.0000" not in html


def test_tiers_stand_in_the_order_of_their_ladder(
    manager: Client, group: TierGroup
) -> None:
    page = manager.get(list_of(Tier))
    names = [tier.live_name for tier in page.context["cl"].result_list]
    assert names == ["Bronze", "Silver", "Gold"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("status=open", ["Gold"]),
        ("status=DRAFT", ["Gold"]),
        ("status=PENDING_APPROVAL", []),
        ("status=live", ["Bronze", "Silver", "Gold"]),
        ("status=none", []),
        ("q=silv", ["Silver"]),
    ],
)
def test_tiers_are_found_by_status_and_name(
    manager: Client, draft: TierVersion, query: str, names: list[str]
) -> None:
    page = manager.get(list_of(Tier, query))
    assert [tier.live_name for tier in page.context["cl"].result_list] == names


def test_tiers_are_found_by_program_and_group(
    manager: Client, group: TierGroup, maya: User, chen: User
) -> None:
    other = factories.make_program(maya, "Another")
    elsewhere = factories.make_group(other, by=maya, reviewer=chen, tiers=[("One", 5)])
    for query in (f"program={other.pk}", f"group={elsewhere.pk}"):
        page = manager.get(list_of(Tier, query))
        assert [t.live_name for t in page.context["cl"].result_list] == ["One"]


# What lists cost


def add_tiers(group: TierGroup, maya: User, count: int) -> None:
    for number in range(count):
        drafting.add_tier(
            group, by=maya, name=f"Tier {number}", threshold=2000 + number
        )


def add_members(group: TierGroup, count: int) -> None:
    for _ in range(count):
        factories.make_member(group.program)
    assignment.recalculate(group.program, as_of=timezone.now())


def cost(client: Client, url: str) -> int:
    from django.db import connection

    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def test_the_list_of_tiers_costs_the_same_for_ten_and_for_many(
    manager: Client, group: TierGroup, maya: User, django_assert_num_queries: Any
) -> None:
    url = list_of(Tier, f"program={group.program_id}")
    add_tiers(group, maya, 7)
    manager.get(url)
    # Programs and groups for the filters, how many rows there are, the rows.
    with django_assert_num_queries(SIGNED_IN + FRAME + 4):
        assert len(manager.get(url).context["cl"].result_list) == 10
    add_tiers(group, maya, 30)
    with django_assert_num_queries(SIGNED_IN + FRAME + 4):
        assert len(manager.get(url).context["cl"].result_list) == 40


@pytest.mark.parametrize(
    "name",
    [
        "loyalty_member",
        "loyalty_contact",
        "loyalty_balance",
        "loyalty_pointsentry",
        "loyalty_pointsrequest",
        "tiers_tierassignment",
        "tiers_standing",
    ],
)
def test_lists_of_customers_cost_the_same_for_ten_and_for_forty(
    manager: Client, group: TierGroup, name: str
) -> None:
    url = reverse(f"admin:{name}_changelist")
    add_members(group, 10)
    post_points(group.program)
    few = cost(manager, url)
    add_members(group, 30)
    post_points(group.program)
    assert cost(manager, url) == few


def post_points(program: Program) -> None:
    """One line of points for every member, past the verbs: only reading is tested."""
    now = timezone.now()
    points = program.balance_definitions.get(built_in="POINTS")
    for member in Member.objects.filter(program=program, entries__isnull=True):
        request = PointsRequest.objects.create(
            program=program,
            source="test",
            reference=f"for {member.pk}",
            fingerprint="f",
            status="COMPLETED",
            member=member,
            created_at=now,
            settled_at=now,
        )
        PointsEntry.objects.create(
            member=member,
            balance_definition=points,
            kind="EARN",
            amount=100,
            occurred_at=now,
            window_at=now,
            recorded_at=now,
            request=request,
            sequence=1,
            hash="h",
        )
        member.balances.create(balance_definition=points, amount=100, updated_at=now)


LISTS_OF_WORK = [
    "approvals_changeset",
    "approvals_changesetitem",
    "approvals_contribution",
    "approvals_decision",
    "approvals_auditevent",
    "approvals_notice",
    "tiers_tierversion",
    "tiers_tiergroup",
    "tiers_tiergroupversion",
    "loyalty_program",
    "loyalty_programversion",
    "loyalty_balancedefinition",
    "loyalty_balancedefinitionversion",
]


@scenes.kept
def cost_of_few(program: Program, maya: User, chen: User) -> dict[str, int]:
    """What each list costs where there is some work; then there is five times that."""
    client = Client()
    client.force_login(maya)
    some_work(maya, chen, "first")
    few = {name: cost(client, address_of(name)) for name in LISTS_OF_WORK}
    for number in range(4):
        some_work(maya, chen, f"no. {number}")
    return few


def address_of(name: str) -> str:
    return reverse(f"admin:{name}_changelist")


@pytest.mark.parametrize("name", LISTS_OF_WORK)
def test_lists_of_work_cost_the_same_for_few_and_for_many(
    manager: Client, cost_of_few: dict[str, int], name: str
) -> None:
    assert cost(manager, address_of(name)) == cost_of_few[name]


def some_work(maya: User, chen: User, word: str) -> None:
    program = factories.make_program(maya, f"Program {word}")
    group = factories.make_group(program, by=maya, reviewer=chen)
    silver = factories.live_tier(group, "Silver")
    draft = lifecycle.draft_change(silver, by=maya, changes={"threshold": 600})
    change_set = lifecycle.submit([draft], by=maya)
    lifecycle.reject(
        change_set, by=chen, fingerprint=change_set.fingerprint, comment="No."
    )


# Programs out of sight


@pytest.fixture
def limited(client: Client, group: TierGroup, maya: User) -> Client:
    """Nora, who manages another program only."""
    from approvals import roles

    nora = factories.make_user("nora", roles.MANAGERS, roles.REVIEWERS)
    nora.program_limits.create(program=factories.make_program(maya, "Another"))
    client.force_login(nora)
    return client


def test_a_program_out_of_sight_is_not_found_anywhere(
    limited: Client, group: TierGroup, draft: TierVersion, maya: User
) -> None:
    add_members(group, 2)
    change_set = lifecycle.submit([draft], by=maya)
    member = Member.objects.latest("pk")
    hidden: list[Any] = [
        group.program,
        group.program.versions.get(),
        group,
        group.versions.get(),
        draft.tier,
        draft,
        group.program.balance_definitions.first(),
        member,
        member.contact,
        member.standings.get(),
        member.assignments.get(),
        change_set,
        change_set.items.get(),
    ]
    for obj in hidden:
        assert limited.get(ui.change_url(obj)).status_code == 404, obj
        listed = limited.get(ui.list_url(type(obj)))
        assert obj not in listed.context["cl"].result_list, obj
        assert "Gemstone Rewards" not in listed.content.decode(), obj
    for obj, verb in (
        (change_set, "approve"),
        (draft, "withdraw"),
        (draft.tier, "draft_change"),
        (group, "recalculate"),
        (group.program, "pause"),
    ):
        assert limited.post(lifecycle_url(obj, verb)).status_code == 404
    front = limited.get(reverse("admin:index"))
    assert front.context["to_decide"] == []
    assert "Gemstone" not in front.content.decode()


def test_several_at_once_leave_out_what_is_out_of_sight(
    limited: Client, draft: TierVersion, maya: User
) -> None:
    change_set = lifecycle.submit([draft], by=maya)
    url = reverse("admin:approvals_changeset_decide", args=["approve"])
    said = {f"fingerprint-{change_set.pk}": change_set.fingerprint}
    done = limited.post(url, {"ids": change_set.pk, **said})
    assert done.context["outcomes"] == []
    draft.refresh_from_db()
    assert draft.status == "PENDING_APPROVAL"
