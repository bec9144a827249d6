"""What happens to an edit when somebody else was faster.

Nothing is saved. The page says who changed what meanwhile, shows both values of
every field that differs, and leaves it to the person to keep what is there or to
save theirs knowingly.
"""

import copy
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from .. import audit, changes, kinds, lifecycle, ui
from ..models import AuditEvent

HANDLED = frozenset({"csrfmiddlewaretoken", "revision"})


def page(model_admin: Any, request: HttpRequest, version: Any) -> HttpResponse | None:
    """Return the page, or None when the posted form was of the version as it is."""
    editable = model_admin.has_change_permission(request, version)
    if editable and request.POST.get("revision") in ("", None, str(version.revision)):
        return None
    program_id = kinds.kind_of(version).program_id(version)
    if not lifecycle.may(request.user, "maker", program_id):
        raise PermissionDenied(f"You may not change {version.name}. Nothing was saved.")
    mine = as_written(model_admin, request, version)
    return model_admin.page(
        request,
        "admin/stale.html",
        title=f"Not saved: {version.name}",
        version=version,
        what_happened=what_happened(version),
        lines=changes.two_edits(mine, version),
        posted=[
            (name, value)
            for name in request.POST
            if name not in HANDLED
            for value in request.POST.getlist(name)
        ],
        editable=editable,
        here=request.path,
        back=ui.change_url(version),
        status=409,
    )


def as_written(model_admin: Any, request: HttpRequest, version: Any) -> Any:
    """Return a copy, not to be saved, that says what the person wrote."""
    form_class = model_admin.get_form(request, version, change=True)
    form = form_class(request.POST, instance=copy.copy(version))
    form.is_valid()
    mine = copy.copy(version)
    for name in version.CONTENT:
        if name in form.cleaned_data:
            setattr(mine, name, form.cleaned_data[name])
    return mine


def what_happened(version: Any) -> list[str]:
    """Say what was last done to the version's thing, latest first."""
    kind = kinds.kind_of(version)
    events = AuditEvent.objects.about(kind.name, version.thing_id)[:3]
    return [
        f"{audit.in_words(event)} on {ui.when(event.created_at)}." for event in events
    ]
