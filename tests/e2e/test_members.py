"""A member's story by hand: added, credited by two, judged, corrected, overridden."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User

from loyalty.models import Balance, Member
from tiers.models import TierGroup

pytestmark = pytest.mark.e2e

#: What the law in most places asks of a page.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def become(page: Any) -> Callable[[str], None]:
    """Sign in as somebody else."""

    def sign_in(name: str) -> None:
        page.context.clear_cookies()
        page.goto("/admin/login/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill("demo")
        page.keyboard.press("Enter")
        page.wait_for_url("**/admin/")

    return sign_in


def expect_accessible(page: Any) -> None:
    report = Axe().run(page, options={"runOnly": RULES}).response
    broken = [(v["id"], v["nodes"][0]["target"]) for v in report["violations"]]
    assert broken == []


def press(page: Any, name: str) -> None:
    """Open an act by its button on the page, and look at what it asks."""
    page.get_by_role("link", name=name, exact=True).first.click()
    expect_accessible(page)


def confirm(page: Any, name: str, reason: str = "") -> None:
    if reason:
        page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name=name, exact=True).click()


def section(page: Any, title: str) -> str:
    # A heading may hold a link on to more.
    heading = page.get_by_role("heading", name=re.compile(f"^{title}"))
    return str(page.locator("section", has=heading).inner_text())


def test_a_manager_and_a_reviewer_look_after_a_member(
    page: Any, become: Callable[[str], None], group: TierGroup, maya: User, chen: User
) -> None:
    # The manager adds somebody.
    become("maya")
    page.goto("/admin/loyalty/member/add/")
    expect_accessible(page)
    page.get_by_label("Program").select_option(label="Gemstone Rewards")
    page.get_by_label("Name", exact=False).first.fill("Ann Lee")
    page.get_by_label("E-mail address").fill("ann@example.org")
    confirm(page, "Add member")
    page.get_by_role("heading", name="Ann Lee").wait_for()
    address = page.url
    expect_accessible(page)
    assert "500 to go until Silver" in section(page, "Main: Bronze")

    # Above the limit she only asks; the page says that it waits.
    press(page, "Adjust points")
    page.get_by_label("Amount").fill("1,500")
    confirm(page, "Adjust points", "Points of the old program.")
    page.get_by_text("Write a number, such as 1000 or 49.90.").wait_for()
    page.get_by_label("Amount").fill("1500")
    confirm(page, "Adjust points")
    page.get_by_text("this waits for a reviewer").wait_for()
    assert "+1,500 points" in section(page, "Balances")
    assert Balance.objects.count() == 0

    # The reviewer finds it on the front page, and agrees.
    become("chen")
    page.get_by_role("link", name="+1,500 points").click()
    expect_accessible(page)
    assert "Points of the old program." in page.content()
    press(page, "Approve")
    confirm(page, "Approve")
    page.get_by_text("Approved and posted: +1,500 points.").wait_for()

    # The member's page shows points, tier and history.
    become("maya")
    page.goto("/admin/loyalty/member/")
    page.get_by_role("searchbox").fill("ann@example.org")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("link", name="Ann Lee").first.click()
    page.wait_for_url(f"{address}**")
    assert "no higher tier" in section(page, "Main: Gold")
    assert "1,500 points" in section(page, "Balances")
    held = section(page, "Tiers held")
    assert "Reached the threshold" in held
    assert "1,000 points asked for" in held
    assert "Placed on joining" in held

    # A part of it is taken back, and the tier follows.
    press(page, "Reverse")
    page.get_by_label("How much of it").fill("800")
    confirm(page, "Reverse", "Counted twice.")
    page.get_by_text("Reversed 800 points of +1,500 points.").wait_for()
    assert "700 of 1,000 points" in section(page, "Main: Silver")
    assert "700 points left" in section(page, "Ledger")

    # An override holds her in Gold, until it ends.
    press(page, "Set an override")
    page.get_by_label("Tier", exact=True).select_option(label="Gold")
    confirm(page, "Set an override", "We counted wrongly.")
    page.get_by_text("holds at least Gold from now on.").wait_for()
    assert "We counted wrongly." in section(page, "Main: Gold")
    expect_accessible(page)
    press(page, "End override")
    confirm(page, "End override", "Long enough.")
    page.get_by_text("The override of Ann Lee has ended.").wait_for()
    assert "300 to go until Gold" in section(page, "Main: Silver")
    done = section(page, "What people did")
    for what in ("set an override for", "ended the override of", "chen approved"):
        assert what in done
    assert Member.objects.get().chain_length == 2
