"""What tiers adds to a program's page, and to the front page."""

from typing import Any

from django.db.models import Count, OuterRef, Subquery, Sum
from django.http import HttpRequest

from approvals import ui
from approvals.admin import front
from approvals.admin.acts import Act, Button
from approvals.admin.things import Table
from loyalty.admin.programs import ProgramAdmin, tiers_badge
from loyalty.models import Program

from ..models import Recalculation, Tier, TierGroup, TierGroupVersion, TierVersion
from .groups import tiers_table
from .recalculation import recalculate_act, recalculate_button


class ProgramWithTiersAdmin(ProgramAdmin):
    def facts(self, thing: Any, live: Any) -> list[tuple[str, Any]]:
        run = Recalculation.objects.filter(program=thing).first()
        up_to = ui.when(run.as_of) if run else ""
        return [
            *super().facts(thing, live),
            ("Members up to date as of", up_to or "Never recalculated"),
        ]

    def tables(self, request: HttpRequest, thing: Any, live: Any) -> list[Table]:
        groups = TierGroup.objects.filter(program=thing).kept().with_live()
        live_ids = set(
            TierGroupVersion.objects.live()
            .filter(group__program=thing)
            .values_list("group_id", flat=True)
        )
        return [
            Table(
                "Groups",
                ["Group", "Status", ""],
                [
                    [
                        ui.link(ui.change_url(group), str(group)),
                        ui.badge("Live", "good")
                        if group.pk in live_ids
                        else ui.badge("Not live"),
                        "The program's main group" if group.is_default else "",
                    ]
                    for group in groups
                ],
                "No group yet: add the first one, then its tiers.",
            ),
            tiers_table(Tier.objects.filter(program=thing).kept(), request),
        ]

    def buttons(
        self, request: HttpRequest, thing: Any, live: Any, open_: Any
    ) -> list[Button]:
        buttons = super().buttons(request, thing, live, open_)
        if live and self._may_make(request, live):
            buttons.append(
                Button("Add a group", ui.add_url(TierGroup, f"program={thing.pk}"))
            )
        return [*buttons, *recalculate_button(request, thing)]

    def act(self, request: HttpRequest, thing: Any, verb: str) -> Act | None:
        if verb == "recalculate":
            return recalculate_act(request, thing, thing)
        return super().act(request, thing, verb)


def programs_panel(request: HttpRequest) -> dict[str, Any] | None:
    """Programs at a glance, or what to do first where there are none."""
    user: Any = request.user
    if not user.has_perm("loyalty.view_program"):
        return None
    live_tiers = (
        TierVersion.objects.live()
        .filter(tier__program=OuterRef("pk"))
        .order_by()
        .values("tier__program")
        .annotate(n=Count("pk"))
        .values("n")
    )
    members = (
        Tier.objects.filter(program=OuterRef("pk"))
        .order_by()
        .values("program")
        .annotate(n=Sum("customer_count"))
        .values("n")
    )
    counted = Recalculation.objects.filter(program=OuterRef("pk"))
    programs = (
        Program.objects.visible_to(user)
        .with_live()
        .annotate(
            live_tiers=Subquery(live_tiers),
            customers=Subquery(members),
            as_of=Subquery(counted.values("as_of")[:1]),
        )
    )
    rows = [
        [
            ui.link(ui.change_url(program), str(program)),
            tiers_badge(program),
            str(program.live_tiers or 0),
            f"{program.customers:,}" if program.customers is not None else "–",
            ui.when(program.as_of, "Not counted yet"),
        ]
        for program in programs[:20]
    ]
    may_make = user.has_perm("approvals.make_changes")
    return {
        "table": Table(
            "Programs at a glance",
            ["Program", "Tiers", "Live tiers", "Customers", "As of"],
            rows,
            "No program yet.",
        ),
        "first": not rows and may_make,
        "next": next_step(programs, may_make),
    }


def next_step(programs: Any, may_make: bool) -> Button | None:
    """What a manager does next in a new installation."""
    if not may_make:
        return None
    first = programs.first()
    if first is None:
        return Button("Add your first program", ui.add_url(Program), "primary")
    if programs.count() > 1:
        return None
    groups = TierGroup.objects.filter(program=first).kept()
    if not groups.exists():
        url = ui.add_url(TierGroup, f"program={first.pk}")
        return Button(f"Add the first group of tiers to {first}", url, "primary")
    if not Tier.objects.filter(program=first).kept().exists():
        url = ui.add_url(Tier, f"group={groups[0].pk}")
        return Button(f"Add the first tier to {first}", url, "primary")
    return None


front.add_panel(programs_panel)
