"""Filters of the lists of change sets and records."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest

from .. import kinds, ui
from ..models import Decision


class ProgramFilter(ui.ChoiceFilter):
    title = "program"
    parameter_name = "program"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        visible = kinds.programs().visible_to(request.user)
        return [
            (str(pk), name)
            for pk, name in kinds.programs().names().items()
            if visible is None or pk in visible
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(program_id=self.value()) if self.value() else queryset


class StateFilter(ui.ChoiceFilter):
    title = "state"
    parameter_name = "state"

    CONDITIONS = {
        "mine": ("Waiting for me", None),
        "waiting": ("Waiting", Q(decision__isnull=True, voided_at__isnull=True)),
        "scheduled": ("Scheduled", Q(due_at__isnull=False)),
        "published": ("Published", Q(published_at__isnull=False)),
        "rejected": ("Rejected", Q(decision__kind=Decision.Kind.REJECTED)),
        "failed": (
            "Publishing failed",
            Q(failed_at__isnull=False, voided_at__isnull=True),
        ),
        "taken-back": ("Withdrawn or taken back", Q(voided_at__isnull=False)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(key, label) for key, (label, _) in self.CONDITIONS.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        if self.value() == "mine":
            return queryset.decidable_by(request.user)
        return queryset.filter(self.CONDITIONS[self.value()][1])
