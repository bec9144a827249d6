"""Addresses with and without a slash at the end.

Both are answered: a redirect would turn a POST into a GET.
"""

from typing import Any

from django.urls import URLPattern, path


def both(address: str, view: Any) -> list[URLPattern]:
    """Return the routes of a view; the schema knows it without the slash."""
    return [
        path(address, view.as_view()),
        path(f"{address}/", view.as_view(schema=None)),
    ]
