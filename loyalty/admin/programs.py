"""Programs: their page, their switches, who is limited to some of them."""

from typing import Any

from django import forms
from django.db.models import F, OuterRef, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString

from approvals import kinds, ui
from approvals.admin import acts, front
from approvals.admin.acts import Act, Button
from approvals.admin.drafts import act_on_drafts, lifecycle_url
from approvals.admin.people import OnRecord
from approvals.admin.things import ThingAdmin
from approvals.admin.versions import VersionAdmin
from approvals.errors import NotAllowed, Refused
from approvals.forms import ListField, PictureField, ReasonForm

from .. import programs
from ..forms import NewProgramForm
from ..models import Program, ProgramVersion

CHANNELS = ("renewal_channels", "downgrade_channels", "reminder_channels")
SWITCH_TONES = {"ACTIVE": "good", "PAUSED": "warn", "DRAFT": "info"}
PROMISES = {
    "activate": "From this moment members hold the tiers that they qualify for.",
    "prepare": "Tiers are made ready. Members read as base tier until you activate.",
    "pause": "From this moment every member reads as base tier; nothing is lost.",
    "resume": "Members hold the tiers that they qualify for again, at once.",
    "disable": "Tiers are switched off: every member reads as base tier.",
}


class ProgramFilter(ui.ChoiceFilter):
    """The programs that a person may see."""

    title = "program"
    parameter_name = "program"
    path = "program"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        visible = Program.objects.visible_to(request.user).with_live()
        return [(str(program.pk), str(program)) for program in visible]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.value():
            return queryset
        return queryset.filter(**{self.path: self.value()})


def program_filter(path: str) -> type[ProgramFilter]:
    return type("ProgramFilter", (ProgramFilter,), {"path": path})


class StatusFilter(ui.ChoiceFilter):
    """Things by the status of their versions."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [
            ("live", "Live"),
            ("open", "With an open version"),
            *((s, ProgramVersion.Status(s).label) for s in ProgramVersion.OPEN),
            ("none", "Not live"),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        if value is None:
            return queryset
        versions = self.versions_of(queryset)
        if value == "live":
            return queryset.filter(
                pk__in=versions.filter(status="LIVE").values("thing")
            )
        if value == "none":
            return queryset.exclude(
                pk__in=versions.filter(status="LIVE").values("thing")
            )
        statuses = ProgramVersion.OPEN if value == "open" else [value]
        wanted = versions.filter(status__in=list(statuses))
        return queryset.filter(pk__in=wanted.values("thing"))

    @staticmethod
    def versions_of(queryset: Any) -> Any:
        """Versions of the list's things, with the thing's id as ``thing``."""
        versions = queryset.model._meta.get_field("versions").related_model
        return versions._default_manager.annotate(thing=F(f"{versions.THING}_id"))


class TiersStatusFilter(ui.ChoiceFilter):
    title = "tiers"
    parameter_name = "tiers"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Program.TiersStatus.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(tiers_status=self.value()) if self.value() else queryset


class ProgramAdmin(ThingAdmin):
    version_model = ProgramVersion
    new_form = NewProgramForm
    program_path = "pk"
    can_retire = False
    list_display = ("named", "tiers_badge", "window", "zone", "approval", "open_badge")
    list_filter = (TiersStatusFilter, StatusFilter)
    search_fields = ("versions__name", "uuid")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> Any:
        versions = ProgramVersion.objects.filter(program=OuterRef("pk"))
        live = versions.live()
        open_ = versions.open().filter(direct=False)
        return (
            super()
            .get_queryset(request)
            .with_live()
            .annotate(
                live_zone=Subquery(live.values("time_zone")[:1]),
                live_window=Subquery(live.values("rolling_window_months")[:1]),
                live_approval=Subquery(live.values("approval_required")[:1]),
                open_status=Subquery(open_.values("status")[:1]),
                open_id=Subquery(open_.values("pk")[:1]),
            )
        )

    # The list

    @ui.display(description="Program", ordering="live_name")
    def named(self, program: Any) -> Any:
        return ui.two_lines(str(program), f"No. {program.pk}")

    @ui.display(description="Tiers", ordering="tiers_status")
    def tiers_badge(self, program: Any) -> SafeString:
        return tiers_badge(program)

    @ui.display(description="Rolling window", ordering="live_window")
    def window(self, program: Any) -> str:
        return f"{program.live_window} months" if program.live_window else ""

    @ui.display(description="Time zone", ordering="live_zone")
    def zone(self, program: Any) -> str:
        return (program.live_zone or "").replace("_", " ")

    @ui.display(description="Changes", ordering="live_approval")
    def approval(self, program: Any) -> str:
        return "Need approval" if program.live_approval else "Published at once"

    @ui.display(description="Open version", ordering="open_status")
    def open_badge(self, program: Any) -> Any:
        if not program.open_status:
            return ""
        status = ProgramVersion.Status(program.open_status)
        return ui.status_badge(status.value, status.label)

    # The page

    def badges(self, thing: Any, live: Any, open_: Any) -> list[SafeString]:
        return [tiers_badge(thing, "Tiers "), *super().badges(thing, live, open_)]

    def facts(self, thing: Any, live: Any) -> list[tuple[str, Any]]:
        return [
            ("Number", str(thing.pk)),
            ("Tiers", thing.get_tiers_status_display()),
            (
                "Changes",
                "Need approval"
                if live and live.approval_required
                else "Are published at once",
            ),
            ("Made", ui.when(thing.created_at)),
            ("Made by", str(thing.created_by or thing.get_source_display())),
            ("Id for other systems", str(thing.uuid)),
        ]

    def buttons(
        self, request: HttpRequest, thing: Any, live: Any, open_: Any
    ) -> list[Button]:
        buttons = super().buttons(request, thing, live, open_)
        if self._may_operate(request):
            buttons += [
                Button(
                    label,
                    lifecycle_url(thing, verb),
                    "danger" if verb in acts.DANGEROUS else "",
                )
                for verb, (label, sources, _) in programs.SWITCHES.items()
                if thing.tiers_status in sources
            ]
        if len(drafts := drafts_in(thing)) > 1 and self._may_make(request, drafts[0]):
            waived = not kinds.programs().approval_required(thing.pk)
            verb = "publish_now" if waived else "submit"
            label = "Publish all drafts" if waived else "Submit all drafts"
            url = lifecycle_url(thing, verb)
            buttons.append(Button(f"{label} ({len(drafts)})", url))
        return buttons

    def _may_operate(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("loyalty.operate_programs"))

    def act(self, request: HttpRequest, thing: Any, verb: str) -> Act | None:
        if verb in programs.SWITCHES:
            return self.switch_act(request, thing, verb)
        if verb in ("submit", "publish_now"):
            return act_on_drafts(
                drafts_in(thing), verb, request.user, back=ui.change_url(thing)
            )
        return super().act(request, thing, verb)

    def switch_act(self, request: HttpRequest, program: Program, verb: str) -> Act:
        label, sources, _ = programs.SWITCHES[verb]

        def run(said: dict[str, Any]) -> tuple[str, str]:
            programs.switch_tiers(
                program, verb, by=request.user, reason=said["comment"]
            )
            now = program.get_tiers_status_display().lower()
            return f"Done: the tiers of {program} are {now}.", ui.change_url(program)

        refusal: Refused | None = None
        if not self._may_operate(request):
            refusal = NotAllowed(f"{request.user} may not switch this program's tiers.")
        elif program.tiers_status not in sources:
            refusal = Refused(
                f"Cannot {label.lower()}: they are "
                f"{program.get_tiers_status_display().lower()}."
            )
        return Act(
            label=label,
            about=str(program),
            promise=f"{PROMISES[verb]} This happens at once and needs no reviewer.",
            run=run,
            back=ui.change_url(program),
            form=ReasonForm,
            facts=[("Tiers are now", program.get_tiers_status_display())],
            why_not=refusal,
            dangerous=verb in acts.DANGEROUS,
        )

    # A new one

    def begin(self, request: HttpRequest, said: dict[str, Any]) -> tuple[str, str]:
        program = programs.create_program(by=request.user, **said)
        return (
            f"{said['name']} is made, with points, purchases and visits to count. "
            "Next: add its first group of tiers.",
            ui.change_url(program),
        )


def tiers_badge(program: Any, before: str = "") -> SafeString:
    label = program.get_tiers_status_display()
    return ui.badge(
        f"{before}{label.lower()}" if before else label,
        SWITCH_TONES.get(program.tiers_status, ""),
    )


def drafts_in(program: Program) -> list[Any]:
    """Every draft of a program, of whatever kind."""
    drafts: list[Any] = []
    for kind in kinds.all_kinds():
        own = kind.version._default_manager.filter(status="DRAFT", direct=False)
        path = kinds_path(kind.version)
        drafts += own.filter(**{path: program.pk}).select_related(
            kind.version.THING, "created_by", "updated_by", "based_on"
        )
    return drafts


def kinds_path(version_model: Any) -> str:
    """Return the path from a version to its program."""
    thing = version_model.THING
    return thing if thing == "program" else f"{thing}__program"


class ProgramVersionAdmin(VersionAdmin):
    program_path = "program"
    list_filter = (program_filter("program"),)

    def own_field(self, name: str, version: Any, **said: Any) -> forms.Field | None:
        if name in CHANNELS:
            return ListField(widget=ui.TextInput(), **said)
        if name == "base_tier_icon":
            stored = version.base_tier_icon if version else None
            return PictureField(stored=stored, widget=ui.TextInput(), **said)
        return None


class ProgramLimitAdmin(OnRecord, ui.ModelAdmin):
    """Who sees some programs only; for whoever keeps the list of people."""

    kind = "limit"
    program_path = "program"
    list_display = ("user", "program_name")
    list_select_related = ("user", "program")
    search_fields = ("user__username",)
    autocomplete_fields = ("user",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Taking a limit away is how somebody gets to see more again.
        return bool(request.user.has_perm("loyalty.delete_programlimit"))

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super(ui.ModelAdmin, self).delete_view(request, *args, **kwargs)

    def get_queryset(self, request: HttpRequest) -> Any:
        names = ProgramVersion.objects.filter(program=OuterRef("program")).live()
        return (
            super()
            .get_queryset(request)
            .annotate(named=Subquery(names.values("name")[:1]))
        )

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "program":
            kwargs["queryset"] = Program.objects.visible_to(request.user).with_live()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @ui.display(description="Sees program", ordering="named")
    def program_name(self, limit: Any) -> str:
        return str(limit.named or limit.program)


front.add_links(
    "Work",
    ("Programs", "loyalty", "admin:loyalty_program_changelist", "loyalty.view_program"),
)
front.add_links(
    "Set-up",
    (
        "Limits to programs",
        "visibility_off",
        "admin:loyalty_programlimit_changelist",
        "loyalty.add_programlimit",
    ),
)
