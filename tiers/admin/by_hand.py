"""What people did to members' tiers: moves, overrides, ordered evaluations."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from approvals import ui
from approvals.admin import acts, front
from approvals.admin.drafts import lifecycle_urls
from loyalty.admin.programs import program_filter
from loyalty.admin.search import FoundByMember

from ..models import Tier
from .acts_by_hand import end_act
from .people import OfMember, with_group, with_names
from .tiers import group_filter


class ActAdmin(FoundByMember, OfMember, ui.ReadOnlyAdmin):
    """Rows that say who did what to a member, and why."""

    program_path = "group__program"
    list_display_links = None
    list_filter: Any = (program_filter("group__program"), group_filter("group"))
    list_select_related = ("member__contact", "made_by")
    ordering = ("-pk",)
    why_read_only = "This is on record: it is done by the buttons on a member's page."

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_names(super().get_queryset(request)).select_related(
            "member__contact", "made_by"
        )

    @ui.display(description="When", ordering="at")
    def done(self, act: Any) -> Any:
        return ui.two_lines(ui.when(act.at), f"by {act.made_by}" if act.made_by else "")

    @ui.display(description="Reason", ordering="reason")
    def why(self, act: Any) -> str:
        return str(act.reason)


class ManualMoveAdmin(ActAdmin):
    list_display = ("who", "held", "group_shown", "done", "why")
    fields = list_display
    readonly_fields = list_display


class OrderedEvaluationAdmin(ActAdmin):
    list_display = ("who", "group_shown", "done", "why")
    fields = list_display
    readonly_fields = list_display

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_group(ui.ReadOnlyAdmin.get_queryset(self, request))

    @ui.display(description="Member", ordering="member")
    def who(self, row: Any) -> Any:
        return super().who(row) if row.member_id else "Everybody"


class InForceFilter(ui.ChoiceFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("in-force", "In force"), ("ended", "Ended by hand")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "in-force":
            return queryset.in_force(timezone.now())
        if self.value() == "ended":
            return queryset.filter(ended_at__isnull=False)
        return queryset


class OverrideAdmin(ActAdmin):
    list_display = ("who", "bounded", "group_shown", "done", "ends", "why")
    list_filter = (*ActAdmin.list_filter, InForceFilter)
    fields = (*list_display, "ended")
    readonly_fields = fields

    @ui.display(description="Holds", ordering="bound")
    def bounded(self, override: Any) -> Any:
        return ui.two_lines(self.held(override), override.get_bound_display())

    @ui.display(description="Until", ordering="until")
    def ends(self, override: Any) -> Any:
        if override.ended_at:
            return ui.two_lines("Ended", ui.when(override.ended_at))
        return ui.when(override.until, "Somebody ends it")

    @ui.display(description="Ended by")
    def ended(self, override: Any) -> str:
        if not override.ended_at:
            return ""
        return f"{override.ended_by}: {override.end_reason}"

    # Ending one

    def get_urls(self) -> list[Any]:
        return lifecycle_urls(self) + super().get_urls()

    def lifecycle_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        if verb != "end_override":
            raise Http404("There is no such page.")
        override = self.found(request, pk)
        override.tier = Tier.objects.with_wording().get(pk=override.tier_id)
        return acts.confirm(self, request, end_act(request.user, override))


front.add_links(
    "Customers",
    (
        "Overrides",
        "push_pin",
        "admin:tiers_override_changelist",
        "tiers.view_override",
    ),
)
