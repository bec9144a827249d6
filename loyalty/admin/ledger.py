"""The ledger: read, never changed."""

from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import HttpRequest

from approvals import ui
from approvals.admin import front

from ..models import BalanceDefinitionVersion, PointsEntry, PointsRequest
from ..wording import amount
from .programs import program_filter

KIND_TONES = {"EARN": "good", "REDEEM": "info", "REVERSAL": "warn", "EXPIRE": "bad"}


def with_units(queryset: Any) -> Any:
    """Annotate the name and the unit of each row's balance, as they are today."""
    live = BalanceDefinitionVersion.objects.filter(
        balance_definition=OuterRef("balance_definition")
    ).live()
    return queryset.annotate(
        balance_name=Subquery(live.values("name")[:1]),
        balance_unit=Subquery(live.values("unit")[:1]),
    )


def signed(row: Any) -> str:
    """Write an entry's amount with its sign."""
    text = amount(row.amount, row.balance_definition.scale, row.balance_unit or "")
    return f"+{text}" if row.amount > 0 else text


class EntryKindFilter(ui.ChoiceFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return PointsEntry.Kind.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class PointsEntryAdmin(ui.ReadOnlyAdmin):
    """Signed lines; a mistake is corrected by a line of its own."""

    program_path = "member__program"
    list_display = ("happened", "who", "kind_badge", "how_much", "said")
    list_filter = (program_filter("member__program"), EntryKindFilter)
    list_select_related = ("member__contact", "balance_definition")
    search_fields = (
        "member__subscription_id",
        "member__card",
        "member__contact__email",
        "member__contact__external_id",
        "request__reference",
    )
    ordering = ("-pk",)
    fields = (
        "who",
        "kind_badge",
        "how_much",
        "happened",
        "recorded",
        "reference",
        "said",
        "undoes",
        "sequence",
        "hash",
    )
    readonly_fields = (
        "who",
        "kind_badge",
        "how_much",
        "happened",
        "recorded",
        "reference",
        "said",
        "undoes",
    )
    why_read_only = "The ledger is never changed: a correction is a line of its own."

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_units(super().get_queryset(request)).select_related(
            "member__contact", "balance_definition", "request", "reverses"
        )

    @ui.display(description="When", ordering="occurred_at")
    def happened(self, entry: Any) -> str:
        return ui.when(entry.occurred_at)

    @ui.display(description="Written down")
    def recorded(self, entry: Any) -> str:
        return ui.when(entry.recorded_at)

    @ui.display(description="Member", ordering="member")
    def who(self, entry: Any) -> Any:
        member = entry.member
        name = ui.link(ui.change_url(member), str(member.contact))
        return ui.two_lines(name, member.subscription_id)

    @ui.display(description="Kind", ordering="kind")
    def kind_badge(self, entry: Any) -> Any:
        return ui.badge(entry.get_kind_display(), KIND_TONES.get(entry.kind, ""))

    @ui.display(description="Amount", ordering="amount")
    def how_much(self, entry: Any) -> Any:
        return ui.two_lines(signed(entry), entry.balance_name or "")

    @ui.display(description="Description")
    def said(self, entry: Any) -> str:
        return str(entry.description)

    @ui.display(description="Asked for by")
    def reference(self, entry: Any) -> str:
        return f"{entry.request.source}, reference {entry.request.reference}"

    @ui.display(description="Reverses")
    def undoes(self, entry: Any) -> Any:
        if entry.reverses is None:
            return ""
        return ui.link(ui.change_url(entry.reverses), str(entry.reverses))


class BalanceAdmin(ui.ReadOnlyAdmin):
    program_path = "member__program"
    list_display = ("who", "how_much", "updated")
    list_display_links = ("how_much",)
    list_filter = (program_filter("member__program"),)
    list_select_related = ("member__contact", "balance_definition")
    search_fields = ("member__subscription_id", "member__contact__email")
    ordering = ("-pk",)
    fields = ("who", "how_much", "updated")
    readonly_fields = fields
    why_read_only = "A balance is the sum of its entries: post an entry instead."

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_units(super().get_queryset(request)).select_related(
            "member__contact", "balance_definition"
        )

    @ui.display(description="Member", ordering="member")
    def who(self, balance: Any) -> Any:
        member = balance.member
        name = ui.link(ui.change_url(member), str(member.contact))
        return ui.two_lines(name, member.subscription_id)

    @ui.display(description="Balance", ordering="amount")
    def how_much(self, balance: Any) -> Any:
        text = amount(
            balance.amount, balance.balance_definition.scale, balance.balance_unit or ""
        )
        return ui.two_lines(text, balance.balance_name or "")

    @ui.display(description="Last change", ordering="updated_at")
    def updated(self, balance: Any) -> str:
        return ui.when(balance.updated_at)


class RequestStatusFilter(ui.ChoiceFilter):
    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return PointsRequest.Status.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(status=self.value()) if self.value() else queryset


class PointsRequestAdmin(ui.ReadOnlyAdmin):
    """What callers asked for, and what came of it."""

    program_path = "program"
    list_display = ("asked", "who", "outcome_badge", "at")
    list_filter = (program_filter("program"), RequestStatusFilter)
    list_select_related = ("member__contact",)
    search_fields = ("reference", "member__subscription_id")
    ordering = ("-pk",)
    fields = ("asked", "who", "outcome_badge", "at", "outcome")
    readonly_fields = ("asked", "who", "outcome_badge", "at")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("member__contact")

    @ui.display(description="Reference", ordering="reference")
    def asked(self, asked: Any) -> Any:
        return ui.two_lines(asked.reference, asked.source)

    @ui.display(description="Member")
    def who(self, asked: Any) -> Any:
        if asked.member is None:
            return ""
        return ui.link(ui.change_url(asked.member), str(asked.member.contact))

    @ui.display(description="Outcome", ordering="status")
    def outcome_badge(self, asked: Any) -> Any:
        tones = {"COMPLETED": "good", "REFUSED": "bad", "PENDING": "warn"}
        return ui.badge(asked.get_status_display(), tones.get(asked.status, ""))

    @ui.display(description="When", ordering="created_at")
    def at(self, asked: Any) -> str:
        return ui.when(asked.created_at)


front.add_links(
    "Customers",
    (
        "Entries",
        "receipt_long",
        "admin:loyalty_pointsentry_changelist",
        "loyalty.view_pointsentry",
    ),
)
