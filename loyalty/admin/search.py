"""Searching long lists through indexes, never by reading them from end to end."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest

from approvals import ui

from .. import members

#: What is found by parts of names is cut off here: nobody reads more.
MOST_FOUND = 200


class FoundByMember(ui.ModelAdmin):
    """Rows about members, found by what names a member exactly."""

    search_fields = ("member__subscription_id",)
    search_help_text = "A whole number, e-mail address or card"

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        key = search_term.strip()
        if not key or len(search_term) > ui.MAX_SEARCH:
            return super().get_search_results(request, queryset, search_term)
        named = members.named_by(key, visible_to=request.user)
        found = queryset.filter(member__in=named)
        return (found if named else self.found_otherwise(queryset, key)), False

    def found_otherwise(self, queryset: Any, key: str) -> Any:
        """Return rows that are found by something else of theirs, exactly."""
        return queryset.none()


def first_of(request: HttpRequest, queryset: Any, found: Any) -> Any:
    """Leave the first of what is found by parts of names, and say so if it is more."""
    ids = list(found.order_by("pk").values_list("pk", flat=True)[: MOST_FOUND + 1])
    if len(ids) > MOST_FOUND:
        messages.info(
            request,
            f"These are the first {MOST_FOUND} of many: write more of the name, or a "
            "whole number or address.",
        )
    return queryset.filter(pk__in=ids[:MOST_FOUND])
