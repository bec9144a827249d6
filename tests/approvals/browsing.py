"""Steps that people take in the admin, without a browser."""

from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from approvals import ui
from approvals.admin.drafts import lifecycle_url


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def edit(user: User, version: Any, **fields: Any) -> Any:
    """Open a draft's form, change some fields, save; return the answer."""
    client = as_(user)
    url = ui.change_url(version)
    return client.post(url, form_data(client.get(url)) | fields)


def form_data(response: Any) -> dict[str, Any]:
    """Return what a browser would post back from a page, unchanged."""
    form = response.context["adminform"].form
    data: dict[str, Any] = {}
    for bound in form:
        value = bound.value()
        widget = bound.field.widget
        if hasattr(widget, "decompress"):
            for index, part in enumerate(widget.decompress(value)):
                data[f"{bound.html_name}_{index}"] = "" if part is None else part
        elif isinstance(value, bool):
            if value:
                data[bound.html_name] = "on"
        else:
            data[bound.html_name] = "" if value is None else value
    return data


def press(user: User, target: Any, verb: str, **said: Any) -> Any:
    """Open the page that asks "are you sure?", and press its button."""
    client = as_(user)
    url = lifecycle_url(target, verb)
    page = client.get(url)
    seen = (
        page.context["form"].initial.get("seen", "") if page.status_code == 200 else ""
    )
    return client.post(url, {"seen": seen, **said})


def buttons(user: User, obj: Any) -> set[str]:
    """The labels of everything that can be pressed on an object's page."""
    context = as_(user).get(ui.change_url(obj)).context
    both = [*context.get("buttons", []), *(context.get("open_buttons") or [])]
    return {button.label.split(" (")[0] for button in both}
