"""Members and the people behind them. ``tiers`` adds what they hold."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Subquery
from django.http import Http404, HttpRequest

from approvals import kinds, ui
from approvals.admin import front
from approvals.admin.acts import Button
from approvals.admin.things import Table

from ..models import Member, PointsEntry, ProgramVersion
from ..wording import amount
from .ledger import signed, with_units
from .programs import program_filter

STATUS_TONES = {"ACTIVE": "good", "INACTIVE": "warn", "CLOSED": "bad"}


class MemberStatusFilter(ui.ChoiceFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Member.Status.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(status=self.value()) if self.value() else queryset


class MemberAdmin(ui.ReadOnlyAdmin):
    """Found by e-mail, card, membership number, or the shop's own number."""

    program_path = "program"
    list_display = ("named", "number", "program_name", "status_badge", "joined")
    list_filter = (program_filter("program"), MemberStatusFilter)
    list_select_related = ("contact",)
    search_fields = (
        "contact__email",
        "contact__name",
        "contact__external_id",
        "card",
        "subscription_id",
    )
    search_help_text = "Name, e-mail, card, membership number or your shop's number"
    ordering = ("pk",)
    why_read_only = "Members are changed by what they do, and by other systems."

    def get_queryset(self, request: HttpRequest) -> Any:
        names = ProgramVersion.objects.filter(program=OuterRef("program")).live()
        return (
            super()
            .get_queryset(request)
            .select_related("contact")
            .annotate(named_program=Subquery(names.values("name")[:1]))
        )

    @ui.display(description="Member", ordering="contact__name")
    def named(self, member: Any) -> Any:
        return ui.two_lines(str(member.contact), member.contact.email)

    @ui.display(description="Membership number", ordering="subscription_id")
    def number(self, member: Any) -> Any:
        return ui.two_lines(
            member.subscription_id, f"Card {member.card}" if member.card else ""
        )

    @ui.display(description="Program", ordering="named_program")
    def program_name(self, member: Any) -> str:
        return str(member.named_program or "")

    @ui.display(description="Status", ordering="status")
    def status_badge(self, member: Any) -> Any:
        return ui.badge(
            member.get_status_display(), STATUS_TONES.get(member.status, "")
        )

    @ui.display(description="Joined", ordering="created_at")
    def joined(self, member: Any) -> str:
        return ui.when(member.created_at)

    # The page of one

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if request.method == "POST":
            raise PermissionDenied(self.why_read_only)
        if not (object_id.isascii() and object_id.isdigit()):
            raise Http404("There is no such member here.")
        member = self.found(request, int(object_id))
        return self.page(
            request,
            "admin/member.html",
            title=str(member.contact),
            member=member,
            badges=[self.status_badge(member)],
            facts=self.facts(member),
            tables=self.tables(member),
        )

    def facts(self, member: Any) -> list[tuple[str, Any]]:
        contact = member.contact
        facts = [
            ("Program", ui.link(ui.change_url(member.program), member.named_program)),
            ("Membership number", member.subscription_id),
            ("Card", member.card),
            ("E-mail", contact.email),
            ("Mobile", contact.mobile),
            ("Your shop's number", contact.external_id),
            ("Joined", ui.when(member.created_at)),
            ("Flagged", ui.when(member.flagged_at)),
        ]
        return [(label, value) for label, value in facts if value]

    def tables(self, member: Any) -> list[Table]:
        balances = with_units(member.balances.select_related("balance_definition"))
        entries = with_units(
            member.entries.select_related("balance_definition").order_by("-sequence")
        )[:20]
        more = ui.list_url(PointsEntry, f"q={member.subscription_id}")
        return [
            Table(
                "Balances",
                ["Balance", "Amount", "Last change"],
                [
                    [
                        b.balance_name,
                        amount(
                            b.amount, b.balance_definition.scale, b.balance_unit or ""
                        ),
                        ui.when(b.updated_at),
                    ]
                    for b in balances.order_by("balance_definition")
                ],
                "Nothing earned yet.",
            ),
            Table(
                "Latest entries",
                ["When", "Kind", "Amount", "Balance", "Description"],
                [
                    [
                        ui.link(ui.change_url(e), ui.when(e.occurred_at)),
                        ui.badge(e.get_kind_display()),
                        signed(e),
                        e.balance_name,
                        e.description,
                    ]
                    for e in entries
                ],
                "Nothing posted yet.",
                more=Button("All entries", more),
            ),
            Table(
                "Membership",
                ["From", "Until"],
                [
                    [ui.when(i.started_at), ui.when(i.ended_at, "Today")]
                    for i in member.intervals.all()
                ],
            ),
        ]


class ContactAdmin(ui.ReadOnlyAdmin):
    list_display = ("named", "email", "mobile", "external_id")
    search_fields = ("email", "name", "external_id", "mobile")
    fields = ("name", "email", "mobile", "external_id", "made")
    readonly_fields = ("made",)

    def get_queryset(self, request: HttpRequest) -> Any:
        queryset = super().get_queryset(request)
        visible = kinds.programs().visible_to(request.user)
        if visible is None:
            return queryset
        members = Member.objects.filter(contact=OuterRef("pk"), program__in=visible)
        return queryset.filter(Exists(members))

    @ui.display(description="Contact", ordering="name")
    def named(self, contact: Any) -> str:
        return str(contact)

    @ui.display(description="Known since", ordering="created_at")
    def made(self, contact: Any) -> str:
        return ui.when(contact.created_at)


front.add_links(
    "Customers",
    ("Members", "groups", "admin:loyalty_member_changelist", "loyalty.view_member"),
    (
        "Contacts",
        "contact_page",
        "admin:loyalty_contact_changelist",
        "loyalty.view_contact",
    ),
)
