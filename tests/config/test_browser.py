"""What a browser makes of the pages that Django and Unfold bring along."""

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture
def complaints(page):
    """What the browser's console complains about, the security policy included."""
    found = []
    page.on("console", lambda message: found.append(message.text))
    page.on("requestfailed", lambda request: found.append(request.url))
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def test_signing_in_works_under_the_security_policy(page, complaints, admin_user):
    page.goto("/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("password")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")
    page.wait_for_load_state("networkidle")
    assert complaints == []


def test_the_api_page_shows_its_operations_offline(page, complaints):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/api/docs/")
    page.get_by_role("heading", name="Tierwright").wait_for()
    assert complaints == []
    assert {url.split("/")[2] for url in asked if not url.startswith("data:")} == {
        page.url.split("/")[2]
    }
