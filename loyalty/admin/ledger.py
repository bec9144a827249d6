"""The ledger: read, never changed."""

from functools import partial
from typing import Any

from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Abs, Coalesce
from django.http import Http404, HttpRequest, HttpResponse

from approvals import ui
from approvals.admin import acts, front
from approvals.admin.acts import Act
from approvals.admin.drafts import lifecycle_urls
from approvals.errors import InvalidTransition, NotAllowed, Refused

from .. import adjustments, reversals
from ..forms import ReverseForm
from ..models import BalanceDefinitionVersion, PointsEntry
from ..wording import amount
from .programs import program_filter
from .search import FoundByMember

Kind = PointsEntry.Kind
#: A correction is corrected by a new line, and an expiry follows from the others.
NEVER_REVERSED = frozenset({Kind.REVERSAL, Kind.EXPIRE})
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


def in_words(row: Any, units: int) -> str:
    return amount(units, row.balance_definition.scale, row.balance_unit or "")


def signed(row: Any) -> str:
    """Write an entry's amount with its sign."""
    text = in_words(row, row.amount)
    return f"+{text}" if row.amount > 0 else text


def with_taken_back(entries: Any) -> Any:
    """Annotate ``taken_back``: what was reversed and refunded of each, unsigned."""
    reversals = PointsEntry.objects.filter(reverses=OuterRef("pk"))
    refunds = PointsEntry.objects.filter(concerns=OuterRef("pk"), kind=Kind.REFUND)
    return entries.annotate(
        taken_back=_total(reversals, "reverses") + _total(refunds, "concerns")
    )


def _total(entries: Any, by: str) -> Any:
    totals = entries.order_by().values(by).annotate(total=Abs(Sum("amount")))
    return Coalesce(Subquery(totals.values("total")), 0)


def left_of(entry: Any) -> int:
    """How much of an entry can still be reversed, unsigned."""
    if entry.kind in NEVER_REVERSED:
        return 0
    return abs(entry.amount) - int(entry.taken_back)


class EntryKindFilter(ui.ChoiceFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return PointsEntry.Kind.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class PointsEntryAdmin(FoundByMember, ui.ReadOnlyAdmin):
    """Signed lines; a mistake is corrected by a line of its own."""

    program_path = "member__program"
    list_display = ("happened", "who", "kind_badge", "how_much", "said")
    list_filter = (program_filter("member__program"), EntryKindFilter)
    list_select_related = ("member__contact", "balance_definition")
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

    def found_otherwise(self, queryset: Any, key: str) -> Any:
        return queryset.filter(request__reference=key)

    # Reversing

    def get_urls(self) -> list[Any]:
        return lifecycle_urls(self) + super().get_urls()

    def lifecycle_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        if verb != "reverse":
            raise Http404("There is no such page.")
        found = self.found(request, pk)
        entry = with_taken_back(self.get_queryset(request)).get(pk=found.pk)
        return acts.confirm(self, request, reverse_act(request.user, entry))

    # Columns

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


def reverse_act(user: Any, entry: Any) -> Act:
    member = entry.member
    left = left_of(entry)

    def run(said: dict[str, Any]) -> tuple[str, str]:
        posting = reversals.reverse(
            entry,
            amount=said["amount"],
            reference=said["reference"],
            reason=said["comment"],
            by=user,
        )
        gone = in_words(entry, abs(posting.lines[0].amount))
        return f"Reversed {gone} of {signed(entry)}.", ui.change_url(member)

    why_not: Refused | None = None
    if not user.has_perm(adjustments.POST):
        why_not = NotAllowed(f"{user.get_username()} may not reverse entries.")
    elif not left:
        why_not = InvalidTransition("Nothing of this entry is left to reverse.")
    return Act(
        label="Reverse",
        about=f"{signed(entry)}, {entry.get_kind_display().lower()} "
        f"{ui.when(entry.occurred_at)}",
        promise=(
            "A line of its own takes the amount back; the entry itself stays as it "
            "is. Tiers follow at once, as though it had never counted from now on. "
            "The balance may fall below its lowest: the member is flagged then."
        ),
        run=run,
        back=ui.change_url(member),
        form=partial(
            ReverseForm,
            scale=entry.balance_definition.scale,
            left=left,
            left_in_words=in_words(entry, left),
        ),
        facts=[
            ("Member", f"{member.contact}, {member.subscription_id}"),
            ("Entry", f"{entry.get_kind_display()}: {signed(entry)}"),
            ("Balance", entry.balance_name or ""),
            ("Description", entry.description or "None"),
            ("Can still be reversed", in_words(entry, left)),
        ],
        why_not=why_not,
        dangerous=True,
    )


class BalanceAdmin(FoundByMember, ui.ReadOnlyAdmin):
    program_path = "member__program"
    list_display = ("who", "how_much", "updated")
    list_display_links = ("how_much",)
    list_filter = (program_filter("member__program"),)
    list_select_related = ("member__contact", "balance_definition")
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


front.add_links(
    "Customers",
    (
        "Entries",
        "receipt_long",
        "admin:loyalty_pointsentry_changelist",
        "loyalty.view_pointsentry",
    ),
)
