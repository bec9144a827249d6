"""What is sent to lists and to Django's own forms in the admin."""

from typing import Any

from approvals import ui
from tests.approvals.browsing import as_, form_data

from .asking import Question
from .scene import World

NEW_PASSWORD = "quite-a-long-passphrase-7"
#: Models with Django's own form -> what is written into it to add one.
ADDED: dict[str, dict[str, Any]] = {
    "auth.group": {"name": "Another role"},
    "django_celery_beat.intervalschedule": {"every": "7", "period": "days"},
    "django_celery_beat.crontabschedule": {"minute": "7"},
    "django_celery_beat.solarschedule": {
        "event": "sunrise",
        "latitude": "2",
        "longitude": "2",
    },
    "django_celery_beat.clockedschedule": {
        "clocked_time_0": "2031-01-01",
        "clocked_time_1": "00:00:00",
    },
    "django_celery_beat.periodictask": {
        "name": "another",
        "regtask": "loyalty.seal_ledgers",
    },
}
CHANGED: dict[str, dict[str, Any]] = {
    "auth.user": {"first_name": "Norma"},
    "auth.group": {"name": "Deciders"},
    "loyalty.programlimit": {},
    "django_celery_beat.intervalschedule": {"every": "3"},
    "django_celery_beat.crontabschedule": {"minute": "3"},
    "django_celery_beat.solarschedule": {"latitude": "3"},
    "django_celery_beat.clockedschedule": {"clocked_time_0": "2032-01-01"},
    "django_celery_beat.periodictask": {"name": "renamed"},
    "loyalty.programversion": {"note": "Better so."},
    "loyalty.balancedefinitionversion": {"note": "Better so."},
    "tiers.tiergroupversion": {"note": "Better so."},
    "tiers.tierversion": {"note": "Better so."},
}


def forms_for(world: World, row: Any, model: str) -> dict[str, Any]:
    """Return "form": what a browser would send back of the row's page, as changed."""
    if row.pattern.endswith("/add/") and model in ADDED:
        url, changes = ui.add_url(type(world.things[model])), ADDED[model]
        if model.endswith("periodictask"):
            interval = world.things["django_celery_beat.intervalschedule"]
            changes = changes | {"interval": interval.pk}
    elif row.pattern.endswith("/change/") and model in CHANGED:
        url, changes = ui.change_url(world.things[model]), CHANGED[model]
    else:
        return {}
    page = as_(world.people["SUP"]).get(url, headers={"X-Watched": "yes"})
    data = {name: value for name, value in form_data(page).items() if value != ""}
    for inline in page.context.get("inline_admin_formsets") or ():
        counts = dict.fromkeys(("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM"), "0")
        data |= {f"{inline.formset.prefix}-{n}_FORMS": v for n, v in counts.items()}
    return {"form": data | changes}


def said(row: Any, model: str, ids: Any) -> tuple[dict[str, Any], Any]:
    """Return query and body of a request to an address without a verb."""
    words = dict(row.words)
    if "field" in words:
        app, name, field = words["field"].split(".")
        return {"app_label": app, "model_name": name, "field_name": field}, None
    if row.method != "POST":
        return {}, None
    if "form" in ids.things:
        return {}, ids.things["form"]
    if action := words.get("action"):
        return {}, {"action": action, "_selected_action": [ids[model]], "index": "0"}
    if row.pattern.endswith("/delete/"):
        return {}, {"post": "yes"}
    if row.pattern.endswith("/add/"):
        return {}, added(model, ids)
    return {}, SITE.get(row.pattern, {})


#: The site's own forms.
SITE: dict[str, dict[str, Any]] = {
    "admin/login/": {"username": "norm", "password": "demo"},
    "admin/password_change/": {
        "old_password": "demo",
        "new_password1": NEW_PASSWORD,
        "new_password2": NEW_PASSWORD,
    },
    "admin/auth/user/<id>/password/": {
        "password1": NEW_PASSWORD,
        "password2": NEW_PASSWORD,
        "usable_password": "true",
        "set-password": "1",
    },
}


def added(model: str, ids: Any) -> dict[str, Any]:
    """What is written into a form of ours that begins something."""
    said: dict[str, dict[str, Any]] = {
        "auth.user": {
            "username": "nora",
            "usable_password": "true",
            "password1": NEW_PASSWORD,
            "password2": NEW_PASSWORD,
        },
        "loyalty.program": {
            "name": "Another",
            "approval_required": "yes",
            "currency": "EUR",
            "time_zone": "UTC",
            "rolling_window_months": "12",
            "tier_name_rule": "CASEFOLD",
        },
        "loyalty.balancedefinition": {
            "program": ids["program"],
            "name": "Another",
            "scale": "0",
            "unit": "POINTS",
        },
        "loyalty.member": {"program": ids["program"], "name": "Another"},
        "loyalty.programlimit": {"user": ids["auth.user"], "program": ids["corner"]},
        "loyalty.apikey": {
            "name": "Another",
            "owner": ids["auth.user"],
            "scopes": ["read"],
            "program": ids["program"],
            "days": "30",
        },
        "tiers.tiergroup": {"program": ids["program"], "name": "Another"},
        "tiers.tier": {
            "group": ids["tiers.tiergroup"],
            "name": "Another",
            "entry": "MEASURED",
            "threshold": "2000",
        },
    }
    return said.get(model, {})


def deciding(method: str, path: str, verb: str, ids: Any) -> Question:
    """Word a decision on several change sets at once."""
    chosen = ids["approvals.changeset"]
    if method == "GET":
        return Question(method, path, query={"ids": chosen})
    body = {
        "ids": chosen,
        f"fingerprint-{chosen}": ids.things["seen"],
        "comment": "For the test." if verb == "reject" else "",
    }
    return Question(method, path, body=body)
