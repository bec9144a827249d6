"""Every address of the project, and the methods that it answers."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, QueryDict
from django.urls import URLPattern, URLResolver, get_resolver
from django.views.generic import RedirectView

#: Answered before any address is looked up.
PROBES = (("GET", "livez"), ("GET", "readyz"))
READS = frozenset({"HEAD", "OPTIONS", "TRACE"})


def routes(resolver: Any = None) -> set[tuple[str, str]]:
    """Return (method, pattern) of all there is; HEAD and OPTIONS are asked nowhere."""
    return {
        (method, pattern)
        for pattern, view in walk(resolver or get_resolver())
        for method in methods_of(view)
    } | set(PROBES)


def walk(resolver: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from walk(each, before + str(each.pattern))
        elif isinstance(each, URLPattern):
            yield before + str(each.pattern), each.callback


def methods_of(view: Any) -> set[str]:
    cls = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if cls is RedirectView:
        # To any method it says the same.
        return {"GET"}
    if cls is None:
        # A page of the admin: it reads whatever is not POST as GET.
        return {"GET", "POST"}
    actions = getattr(view, "actions", None) or {
        name: name for name in cls.http_method_names if hasattr(cls, name)
    }
    return {name.upper() for name in actions} - READS


def actions() -> set[tuple[str, str]]:
    """Return (address of the list, name) of every action on what was chosen there."""
    everything: Any = HttpRequest()
    # Somebody who may everything is offered everything.
    everything.user = User(is_active=True, is_staff=True, is_superuser=True)
    everything.GET = everything.POST = QueryDict()
    return {
        (f"admin/{model._meta.app_label}/{model._meta.model_name}/", name)
        for model, model_admin in admin.site._registry.items()
        for name in model_admin.get_actions(everything)
    }


def autocompleted() -> set[str]:
    """Return "app.model.field" of every field that is completed as one writes."""
    return {
        f"{model._meta.label_lower}.{name}"
        for model, model_admin in admin.site._registry.items()
        for name in model_admin.autocomplete_fields
    }
