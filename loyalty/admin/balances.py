"""What can be earned: the balances of a program."""

from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import HttpRequest

from approvals import ui
from approvals.admin import front
from approvals.admin.things import ThingAdmin
from approvals.admin.versions import VersionAdmin

from .. import programs
from ..forms import NewBalanceForm
from ..models import BalanceDefinitionVersion, ProgramVersion
from .programs import ProgramFilter, StatusFilter, program_filter


class BalanceDefinitionAdmin(ThingAdmin):
    version_model = BalanceDefinitionVersion
    new_form = NewBalanceForm
    list_display = ("named", "program_name", "unit", "scale", "open_badge")
    list_filter = (ProgramFilter, StatusFilter)
    search_fields = ("versions__name",)

    def get_queryset(self, request: HttpRequest) -> Any:
        versions = BalanceDefinitionVersion.objects.filter(
            balance_definition=OuterRef("pk")
        )
        names = ProgramVersion.objects.filter(program=OuterRef("program")).live()
        open_ = versions.open().filter(direct=False)
        return (
            super()
            .get_queryset(request)
            .with_live()
            .annotate(
                named_program=Subquery(names.values("name")[:1]),
                live_unit=Subquery(versions.live().values("unit")[:1]),
                open_name=Subquery(open_.values("name")[:1]),
                open_status=Subquery(open_.values("status")[:1]),
            )
            .filter(discarded_at__isnull=True)
        )

    @ui.display(description="Balance", ordering="live_name")
    def named(self, balance: Any) -> Any:
        name = balance.live_name or balance.open_name or str(balance)
        return ui.two_lines(name, "Built in" if balance.built_in else "")

    @ui.display(description="Program", ordering="named_program")
    def program_name(self, balance: Any) -> str:
        return str(balance.named_program or "")

    @ui.display(description="Unit", ordering="live_unit")
    def unit(self, balance: Any) -> str:
        return str(balance.live_unit or "")

    @ui.display(description="Open version", ordering="open_status")
    def open_badge(self, balance: Any) -> Any:
        if not balance.open_status:
            return ""
        status = BalanceDefinitionVersion.Status(balance.open_status)
        return ui.status_badge(status.value, status.label)

    def facts(self, thing: Any, live: Any) -> list[tuple[str, Any]]:
        program = thing.program
        return [
            ("Program", ui.link(ui.change_url(program), thing.named_program)),
            ("Decimals", str(thing.scale)),
            ("Built in", "Yes" if thing.built_in else "No"),
            ("Made", ui.when(thing.created_at)),
        ]

    def retirable(self, thing: Any) -> bool:
        return not thing.built_in

    def begin(self, request: HttpRequest, said: dict[str, Any]) -> tuple[str, str]:
        draft = programs.add_balance_definition(
            said.pop("program"), by=request.user, **said
        )
        return (
            f"Drafted {draft.name}. Look it over, save, then submit it.",
            ui.change_url(draft),
        )


class BalanceDefinitionVersionAdmin(VersionAdmin):
    program_path = "balance_definition__program"
    list_filter = (program_filter("balance_definition__program"),)


front.add_links(
    "Work",
    (
        "Balances",
        "account_balance_wallet",
        "admin:loyalty_balancedefinition_changelist",
        "loyalty.view_balancedefinition",
    ),
)
