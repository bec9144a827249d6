"""Who holds which tier, since when, and why: read, never changed."""

from typing import Any

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from approvals import ui
from approvals.admin import front
from loyalty.admin.programs import program_filter
from loyalty.admin.search import FoundByMember

from ..models import TierAssignment, TierGroupVersion, TierVersion
from .tiers import group_filter


def with_names(queryset: Any) -> Any:
    """Annotate the names of each row's tier and group, as they are today."""
    tiers = TierVersion.objects.filter(tier=OuterRef("tier"))
    return with_group(queryset).annotate(
        tier_name=Coalesce(
            Subquery(tiers.live().values("name")[:1]),
            Subquery(tiers.order_by("-number").values("name")[:1]),
        ),
        tier_color=Subquery(tiers.live().values("color")[:1]),
    )


def with_group(queryset: Any) -> Any:
    groups = TierGroupVersion.objects.filter(group=OuterRef("group"))
    return queryset.annotate(
        group_name=Coalesce(
            Subquery(groups.live().values("name")[:1]),
            Subquery(groups.order_by("-number").values("name")[:1]),
        ),
    )


def tier_cell(row: Any) -> Any:
    if row.tier_id is None:
        return "No tier"
    return ui.beside(ui.swatch(row.tier_color or ""), row.tier_name or "")


class OfMember:
    """Columns that rows about a member share."""

    @ui.display(description="Member", ordering="member")
    def who(self, row: Any) -> Any:
        member = row.member
        name = ui.link(ui.change_url(member), str(member.contact))
        return ui.two_lines(name, member.subscription_id)

    @ui.display(description="Tier", ordering="tier")
    def held(self, row: Any) -> Any:
        return tier_cell(row)

    @ui.display(description="Group", ordering="group")
    def group_shown(self, row: Any) -> str:
        return str(row.group_name or "")


class ReasonFilter(ui.ChoiceFilter):
    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return TierAssignment.Reason.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(reason=self.value()) if self.value() else queryset


class TierAssignmentAdmin(FoundByMember, OfMember, ui.ReadOnlyAdmin):
    program_path = "member__program"
    list_display = ("who", "held", "group_shown", "since", "until", "why")
    # The first column leads to the member already.
    list_display_links = ("held",)
    list_filter = (
        program_filter("member__program"),
        group_filter("group"),
        ReasonFilter,
    )
    list_select_related = ("member__contact",)
    ordering = ("-pk",)
    fields = (
        "who",
        "held",
        "group_shown",
        "since",
        "until",
        "why",
        "written",
        "wording",
    )
    readonly_fields = fields
    why_read_only = "Assignments follow from points and rules; they are never edited."

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_names(super().get_queryset(request)).select_related(
            "member__contact"
        )

    @ui.display(description="From", ordering="valid_from")
    def since(self, row: Any) -> str:
        return ui.when(row.valid_from)

    @ui.display(description="Until", ordering="valid_until")
    def until(self, row: Any) -> Any:
        if row.superseded_at:
            return ui.two_lines("Replaced", ui.when(row.superseded_at))
        return ui.when(row.valid_until, "Today")

    @ui.display(description="Why", ordering="reason")
    def why(self, row: Any) -> str:
        return str(row.get_reason_display())

    @ui.display(description="Written down")
    def written(self, row: Any) -> str:
        return ui.when(row.recorded_at)

    @ui.display(description="Judged by")
    def wording(self, row: Any) -> Any:
        version = row.tier_version
        return ui.link(ui.change_url(version), str(version))


class StandingAdmin(FoundByMember, OfMember, ui.ReadOnlyAdmin):
    program_path = "member__program"
    list_display = ("who", "held", "group_shown", "since_shown", "ahead", "judged")
    list_display_links = ("held",)
    list_filter = (program_filter("member__program"), group_filter("group"))
    list_select_related = ("member__contact",)
    ordering = ("-pk",)
    fields = ("who", "held", "group_shown", "since_shown", "ahead", "judged")
    readonly_fields = fields
    why_read_only = "Standings are worked out: recalculate instead."

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_names(super().get_queryset(request)).select_related(
            "member__contact"
        )

    @ui.display(description="Since", ordering="since")
    def since_shown(self, row: Any) -> str:
        return ui.when(row.since)

    @ui.display(description="Drops if nothing is earned", ordering="drops_at")
    def ahead(self, row: Any) -> str:
        return ui.when(row.drops_at)

    @ui.display(description="True as of", ordering="evaluated_at")
    def judged(self, row: Any) -> str:
        return ui.when(row.evaluated_at)


front.add_links(
    "Customers",
    (
        "Assignments",
        "assignment_ind",
        "admin:tiers_tierassignment_changelist",
        "tiers.view_tierassignment",
    ),
    (
        "Standings",
        "leaderboard",
        "admin:tiers_standing_changelist",
        "tiers.view_standing",
    ),
)
