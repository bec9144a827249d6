"""Tiers: the list that managers live in, the page of one, its drafts."""

from typing import Any

from django import forms
from django.db.models import F, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from approvals import changes, ui
from approvals.admin import front
from approvals.admin.things import ThingAdmin
from approvals.admin.versions import VersionAdmin
from approvals.forms import (
    LeastAmountsField,
    ListField,
    PictureField,
    StoredAmountsField,
    StrictCharField,
)
from loyalty.admin.programs import StatusFilter, program_filter
from loyalty.models import BalanceDefinition, BalanceDefinitionVersion, ProgramVersion
from loyalty.wording import names_of_balances, unit_name

from .. import drafting, wording
from ..forms import NewTierForm
from ..models import TierGroup, TierGroupVersion, TierVersion


class GroupFilter(ui.ChoiceFilter):
    title = "group"
    parameter_name = "group"
    path = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        groups = TierGroup.objects.visible_to(request.user).kept().with_live()
        return [(str(group.pk), str(group)) for group in groups]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.value():
            return queryset
        return queryset.filter(**{self.path: self.value()})


def group_filter(path: str) -> type[GroupFilter]:
    return type("GroupFilter", (GroupFilter,), {"path": path})


def unit_of_tier() -> Any:
    """The unit of the balance that a tier's threshold counts: its own, the group's
    or the program's points."""
    units = BalanceDefinitionVersion.objects.live()
    own = TierVersion.objects.live().filter(tier=OuterRef(OuterRef("pk")))
    group = TierGroupVersion.objects.live().filter(group=OuterRef(OuterRef("group")))
    return Coalesce(
        Subquery(
            units.filter(balance_definition__in=own.values("measured_balance")).values(
                "unit"
            )[:1]
        ),
        Subquery(
            units.filter(
                balance_definition__in=group.values("measured_balance")
            ).values("unit")[:1]
        ),
        Subquery(
            units.filter(
                balance_definition__program=OuterRef("program"),
                balance_definition__built_in=BalanceDefinition.BuiltIn.POINTS,
            ).values("unit")[:1]
        ),
        Value(""),
    )


class TierAdmin(ThingAdmin):
    version_model = TierVersion
    new_form = NewTierForm
    program_path = "program"
    list_display = (
        "named",
        "state",
        "live_threshold_shown",
        "open_shown",
        "customers",
        "where",
        "last_change",
    )
    list_filter = (program_filter("program"), group_filter("group"), StatusFilter)
    search_fields = ("versions__name", "slab_id")
    search_help_text = "Name or number of a tier"
    ordering = ("group_id", F("serial_number").asc(nulls_last=True), "pk")

    def get_queryset(self, request: HttpRequest) -> Any:
        programs = ProgramVersion.objects.filter(program=OuterRef("program")).live()
        groups = TierGroupVersion.objects.filter(group=OuterRef("group"))
        live = TierVersion.objects.filter(tier=OuterRef("pk")).live()
        last = TierVersion.objects.filter(tier=OuterRef("pk")).order_by("-updated_at")
        return (
            super()
            .get_queryset(request)
            .kept()
            .with_wording()
            .annotate(
                live_entry=Subquery(live.values("entry")[:1]),
                unit=unit_of_tier(),
                named_program=Subquery(programs.values("name")[:1]),
                named_group=Coalesce(
                    Subquery(groups.live().values("name")[:1]),
                    Subquery(groups.order_by("-number").values("name")[:1]),
                ),
                changed_at=Subquery(last.values("updated_at")[:1]),
                changed_by=Subquery(last.values("updated_by__username")[:1]),
            )
        )

    # The list

    @ui.display(description="Tier", ordering="live_name")
    def named(self, tier: Any) -> Any:
        # Two cells in one: the colour repeats what the name says.
        name = tier.live_name or tier.open_name or "Without a name"
        color = tier.live_color if tier.live_version_id else tier.open_color
        return ui.beside(ui.swatch(color or ""), ui.two_lines(name, tier.unique_id))

    @ui.display(description="Status")
    def state(self, tier: Any) -> Any:
        if tier.live_version_id:
            return ui.badge("Live", "good")
        return ui.badge("Retired" if tier.first_live_at else "Not live yet")

    @ui.display(description="Threshold", ordering="live_threshold")
    def live_threshold_shown(self, tier: Any) -> Any:
        if not tier.live_version_id:
            return ""
        return threshold_cell(tier.live_entry, tier.live_threshold, tier.unit)

    @ui.display(description="Open version", ordering="open_status")
    def open_shown(self, tier: Any) -> Any:
        if not tier.open_version_id:
            return ""
        status = TierVersion.Status(tier.open_status)
        return ui.two_lines(
            ui.status_badge(status.value, status.label), open_differs(tier)
        )

    @ui.display(description="Customers", ordering="customer_count")
    def customers(self, tier: Any) -> Any:
        return customers(tier)

    @ui.display(description="Group", ordering="named_group")
    def where(self, tier: Any) -> Any:
        return ui.two_lines(tier.named_group or "", tier.named_program or "")

    @ui.display(description="Last change", ordering="changed_at")
    def last_change(self, tier: Any) -> Any:
        by = f"by {tier.changed_by}" if tier.changed_by else ""
        return ui.two_lines(ui.when(tier.changed_at), by)

    # The page

    def facts(self, thing: Any, live: Any) -> list[tuple[str, Any]]:
        count = ""
        if thing.customer_count is not None:
            count = f"{thing.customer_count:,}, as of {ui.when(thing.counted_at)}"
        facts = [
            ("Customers", count or "Not counted yet"),
            ("Who gets in", wording.threshold(live, unit_name(thing.unit))),
            ("Group", ui.link(ui.change_url(thing.group), thing.named_group)),
            ("Program", thing.named_program),
            (
                "Place in the group",
                f"{thing.serial_number}, counted from below"
                if thing.serial_number
                else "",
            ),
            ("Lasting number", str(thing.slab_id or "")),
            ("Id for other systems", thing.unique_id),
            ("First live", ui.when(thing.first_live_at)),
        ]
        return [(label, value) for label, value in facts if value]

    def retire(self, thing: Any, *, by: Any) -> list[Any]:
        return drafting.retire(thing, by=by)

    @property
    def retire_promise(self) -> str:  # type: ignore[override]
        return (
            "A draft is made that ends this tier. It is approved like any other; then "
            "whoever holds the tier moves to the one that they qualify for."
        )

    def begin(self, request: HttpRequest, said: dict[str, Any]) -> tuple[str, str]:
        draft = drafting.add_tier(said.pop("group"), by=request.user, **said)
        return (
            f"Drafted {draft.name}. Look it over, save, then submit it.",
            ui.change_url(draft),
        )


def threshold_cell(entry: str, threshold: Any, unit: str) -> Any:
    if entry == TierVersion.Entry.BASE:
        return ui.two_lines("Everybody", "who reaches no other")
    if entry == TierVersion.Entry.MANUAL:
        return ui.two_lines("By hand only")
    if threshold is None:
        return ui.two_lines("Several conditions")
    return ui.two_lines(changes.number(threshold), unit_name(unit))


def open_differs(tier: Any) -> str:
    """Say in a few words what the open version would change."""
    if tier.open_operation == TierVersion.Operation.RETIRE:
        return "ends the tier"
    said = []
    if tier.live_version_id and tier.open_name != tier.live_name:
        said.append(tier.open_name)
    if tier.open_threshold is not None and tier.open_threshold != tier.live_threshold:
        said.append(f"from {changes.number(tier.open_threshold)}")
    return ", ".join(said)


def customers(tier: Any) -> Any:
    if tier.customer_count is None:
        return "Not counted yet" if tier.live_version_id else ""
    return ui.two_lines(f"{tier.customer_count:,}", f"as of {ui.when(tier.counted_at)}")


class TierVersionAdmin(VersionAdmin):
    program_path = "tier__program"
    list_filter = (program_filter("tier__program"), group_filter("tier__group"))

    def own_field(self, name: str, version: Any, **said: Any) -> forms.Field | None:
        program_id = version.tier.program_id if version else 0
        if name == "color":
            said["required"] = False
            return StrictCharField(max_length=7, widget=ui.ColorInput(), **said)
        if name == "icon":
            stored = version.icon if version else None
            return PictureField(stored=stored, widget=ui.TextInput(), **said)
        if name == "upgrade_channels":
            return ListField(widget=ui.TextInput(), **said)
        if name in ("reward_refs", "renewal_order_string"):
            numbers = name == "reward_refs"
            return ListField(numbers=numbers, widget=ui.TextInput(), **said)
        if name == "measured_balance":
            return balance_field(program_id, **said)
        if name == "access_conditions":
            amounts = names_of_balances(program_id)
            return LeastAmountsField(amounts=amounts, widget=ui.TextInput, **said)
        if name == "renewal_conditions":
            return StoredAmountsField(
                amounts=wording.RENEWAL_AMOUNTS,
                stored=version.renewal_conditions if version else None,
                widget=ui.TextInput,
                **said,
            )
        return None


def balance_field(program_id: int, **said: Any) -> forms.Field:
    """Choose one of the program's balances, or leave it to the group."""
    return forms.ModelChoiceField(
        queryset=BalanceDefinition.objects.filter(
            program=program_id, discarded_at__isnull=True
        ).with_live(),
        empty_label="Not set",
        widget=ui.Select(),
        **said,
    )


front.add_links(
    "Work",
    ("Tiers", "military_tech", "admin:tiers_tier_changelist", "tiers.view_tier"),
)
