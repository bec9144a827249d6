"""Tier groups: their page, their ladder, "Recalculate now"."""

from typing import Any

from django import forms
from django.db.models import Count, OuterRef, Subquery
from django.http import HttpRequest

from approvals import ui
from approvals.admin import front
from approvals.admin.acts import Act, Button
from approvals.admin.things import Table, ThingAdmin
from approvals.admin.versions import VersionAdmin
from approvals.forms import OrderField
from loyalty.admin.programs import ProgramFilter, StatusFilter, program_filter
from loyalty.models import ProgramVersion

from .. import drafting
from ..forms import NewGroupForm
from ..models import Tier, TierGroupVersion, TierVersion
from .acts_by_hand import evaluate_all_act, evaluate_all_button
from .recalculation import recalculate_act, recalculate_button
from .tiers import balance_field, customers, open_differs, threshold_cell


class TierGroupAdmin(ThingAdmin):
    version_model = TierGroupVersion
    new_form = NewGroupForm
    program_path = "program"
    list_display = ("named", "program_name", "tiers_in_it", "state", "open_badge")
    list_filter = (ProgramFilter, StatusFilter)
    search_fields = ("versions__name",)

    def get_queryset(self, request: HttpRequest) -> Any:
        programs = ProgramVersion.objects.filter(program=OuterRef("program")).live()
        versions = TierGroupVersion.objects.filter(group=OuterRef("pk"))
        open_ = versions.open().filter(direct=False)
        live_tiers = (
            TierVersion.objects.live()
            .filter(tier__group=OuterRef("pk"))
            .order_by()
            .values("tier__group")
            .annotate(n=Count("pk"))
            .values("n")
        )
        return (
            super()
            .get_queryset(request)
            .kept()
            .with_live()
            .annotate(
                named_program=Subquery(programs.values("name")[:1]),
                live_id=Subquery(versions.live().values("pk")[:1]),
                open_status=Subquery(open_.values("status")[:1]),
                live_tiers=Subquery(live_tiers),
            )
        )

    @ui.display(description="Group", ordering="live_name")
    def named(self, group: Any) -> Any:
        return ui.two_lines(
            str(group), "The program's main group" if group.is_default else ""
        )

    @ui.display(description="Program", ordering="named_program")
    def program_name(self, group: Any) -> str:
        return str(group.named_program or "")

    @ui.display(description="Live tiers", ordering="live_tiers")
    def tiers_in_it(self, group: Any) -> str:
        return str(group.live_tiers or 0)

    @ui.display(description="Status")
    def state(self, group: Any) -> Any:
        return ui.badge("Live", "good") if group.live_id else ui.badge("Not live")

    @ui.display(description="Open version", ordering="open_status")
    def open_badge(self, group: Any) -> Any:
        if not group.open_status:
            return ""
        status = TierGroupVersion.Status(group.open_status)
        return ui.status_badge(status.value, status.label)

    # The page

    def facts(self, thing: Any, live: Any) -> list[tuple[str, Any]]:
        facts = [
            ("Program", ui.link(ui.change_url(thing.program), thing.named_program)),
            ("The program's main group", "Yes" if thing.is_default else "No"),
            ("Made", ui.when(thing.created_at)),
            ("Id for other systems", str(thing.uuid)),
        ]
        return facts

    def tables(self, request: HttpRequest, thing: Any, live: Any) -> list[Table]:
        return [tiers_table(thing.tiers.kept(), request)]

    def buttons(
        self, request: HttpRequest, thing: Any, live: Any, open_: Any
    ) -> list[Button]:
        buttons = super().buttons(request, thing, live, open_)
        shown = open_ or live
        if shown and self._may_make(request, shown):
            add = ui.add_url(Tier, f"group={thing.pk}")
            buttons.append(Button("Add a tier", add))
        if live:
            buttons += recalculate_button(request, thing)
            buttons += evaluate_all_button(request.user, thing)
        return buttons

    def act(self, request: HttpRequest, thing: Any, verb: str) -> Act | None:
        if verb == "recalculate":
            return recalculate_act(request, thing.program, thing)
        if verb == "evaluate":
            return evaluate_all_act(request.user, thing)
        return super().act(request, thing, verb)

    def retire(self, thing: Any, *, by: Any) -> list[Any]:
        return drafting.retire(thing, by=by)

    @property
    def retire_promise(self) -> str:  # type: ignore[override]
        return (
            "Drafts are made that end this group and all of its tiers. They are "
            "approved together, like any other change."
        )

    def begin(self, request: HttpRequest, said: dict[str, Any]) -> tuple[str, str]:
        draft = drafting.add_group(said.pop("program"), by=request.user, **said)
        return (
            f"Drafted the group {draft.name}. Next: add its tiers, then submit all.",
            ui.change_url(draft.group),
        )


def tiers_table(tiers: Any, request: HttpRequest) -> Table:
    """The tiers of a group or program, highest last, as the list shows them."""
    from .tiers import TierAdmin

    rows = TierAdmin(Tier, front_site()).get_queryset(request).filter(pk__in=tiers)
    return Table(
        "Tiers",
        ["Tier", "Status", "Threshold", "Open version", "Customers"],
        [
            [
                ui.beside(
                    ui.swatch(tier.live_color or tier.open_color or ""),
                    ui.link(ui.change_url(tier), str(tier)),
                ),
                ui.badge("Live", "good")
                if tier.live_version_id
                else ui.badge("Retired" if tier.first_live_at else "Not live yet"),
                threshold_cell(tier.live_entry, tier.live_threshold, tier.unit)
                if tier.live_version_id
                else "",
                ui.two_lines(
                    ui.status_badge(
                        tier.open_status, TierVersion.Status(tier.open_status).label
                    ),
                    open_differs(tier),
                )
                if tier.open_version_id
                else "",
                customers(tier),
            ]
            for tier in rows.order_by(*TierAdmin.ordering)
        ],
        "No tier yet: add the first one.",
        anchor="tiers",
    )


def front_site() -> Any:
    from django.contrib import admin

    return admin.site


class TierGroupVersionAdmin(VersionAdmin):
    program_path = "group__program"
    list_filter = (program_filter("group__program"),)

    def own_field(self, name: str, version: Any, **said: Any) -> forms.Field | None:
        if version is None:
            return None
        if name == "measured_balance":
            return balance_field(version.group.program_id, **said)
        if name == "tier_order":
            tiers = version.group.tiers.kept().with_wording().order_by("pk")
            return OrderField(
                things={tier.pk: str(tier) for tier in tiers},
                widget=ui.Select,
                **said,
            )
        return None

    def companions(self, version: Any) -> list[Any]:
        """A group ends together with its tiers."""
        if not version.is_retirement:
            return [version]
        return [
            version,
            *TierVersion.objects.filter(
                tier__group=version.group_id,
                status="DRAFT",
                operation="RETIRE",
                direct=False,
            ).order_by("pk"),
        ]


front.add_links(
    "Work",
    (
        "Groups",
        "stacked_bar_chart",
        "admin:tiers_tiergroup_changelist",
        "tiers.view_tiergroup",
    ),
)
