"""Programs, groups, tiers, balances: the page of a thing and how one is begun."""

from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString

from .. import audit, changes, kinds, lifecycle, ui
from ..errors import DraftExists, NotAllowed, Refused
from ..models import AuditEvent, Version
from ..transitions import TRANSITIONS
from . import acts
from .acts import Act, Button
from .drafts import (
    facts_of,
    lifecycle_url,
    lifecycle_urls,
    roll_back_offered,
    verb_button,
)

Status = Version.Status


@dataclass
class Table:
    """A table on a page of ours."""

    title: str
    headers: list[str]
    rows: list[list[Any]] = field(default_factory=list)
    empty: str = "Nothing yet."
    more: Button | None = None
    anchor: str = ""


class Begins:
    """A page of our own on which a new one is begun, through a verb."""

    #: The form that a new one is begun with.
    new_form: type[forms.Form]

    def add_view(
        self: Any,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if not self.has_add_permission(request):
            raise PermissionDenied("You may not add anything here.")
        form = self.new_form_for(request)
        status = 200
        if request.method == "POST" and form.is_valid():
            try:
                message, url = self.begin(request, form.cleaned_data)
            except Refused as refusal:
                if acts.beside_field(form, refusal):
                    form.add_error(None, refusal.message)
                status = acts.status_of(refusal)
            except ValidationError as error:
                add_errors(form, error)
            else:
                messages.success(request, message)
                return redirect(url)
        ui.dress(form)
        return self.page(
            request,
            "admin/begin.html",
            title=f"Add {self.opts.verbose_name}",
            form=form,
            back=ui.list_url(self.model),
            status=status,
        )

    def new_form_for(self, request: HttpRequest) -> forms.Form:
        data = request.POST if request.method == "POST" else None
        new_form: Any = self.new_form
        form: forms.Form = new_form(data, initial=request.GET.dict(), user=request.user)
        return form

    def begin(self, request: HttpRequest, said: dict[str, Any]) -> tuple[str, str]:
        """Call the verb that begins one; return what to tell, and where to go."""
        raise NotImplementedError


class ThingAdmin(Begins, ui.ModelAdmin):
    """Lists things, shows one, begins new ones; subclasses say with which verbs."""

    version_model: type[Version]
    program_path = "program"
    can_retire = True

    # Who may what

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("approvals.make_changes"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A thing is never edited: its versions are.
        return False

    # The list

    def open_and_live(self, thing: Any) -> tuple[Any, Any]:
        versions = list(
            thing.versions.filter(status__in=[*Version.OPEN, Status.LIVE])
            .filter(direct=False)
            .select_related("updated_by", "created_by", "change_set")
        ) + list(thing.versions.filter(status=Status.LIVE, direct=True))
        live = next((v for v in versions if v.status == Status.LIVE), None)
        return live, next((v for v in versions if v.is_open), None)

    # The page of one

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if request.method == "POST":
            raise PermissionDenied("This is changed through its drafts only.")
        if not ui.is_id(object_id):
            raise Http404(f"There is no such {self.opts.verbose_name} here.")
        return self.thing_page(request, self.found(request, int(object_id)))

    def thing_page(self, request: HttpRequest, thing: Any) -> HttpResponse:
        live, open_ = self.open_and_live(thing)
        shown = open_ or live or thing.versions.order_by("-number").first()
        return self.page(
            request,
            "admin/thing.html",
            title=getattr(live or shown, "name", str(thing)),
            thing=thing,
            live=live,
            open=open_,
            color=getattr(live or shown, "color", ""),
            badges=self.badges(thing, live, open_),
            facts=self.facts(thing, live),
            open_facts=facts_of(open_) if open_ else [],
            sections=changes.between(live, shown) if shown else [],
            buttons=self.buttons(request, thing, live, open_),
            open_buttons=self.open_buttons(request, open_),
            tables=[
                *self.tables(request, thing, live),
                versions_table(thing, request.user),
                events_table(self.version_model, thing),
            ],
        )

    def badges(self, thing: Any, live: Any, open_: Any) -> list[SafeString]:
        badges = []
        if live:
            badges.append(ui.badge("Live", "good"))
        elif thing.versions.filter(live_from__isnull=False).exists():
            badges.append(ui.badge("Retired"))
        else:
            badges.append(ui.badge("Never live yet"))
        if open_:
            badges.append(ui.status_badge(open_.status, open_words(open_)))
        return badges

    def facts(self, thing: Any, live: Any) -> list[tuple[str, Any]]:
        return []

    def tables(self, request: HttpRequest, thing: Any, live: Any) -> list[Table]:
        return []

    def buttons(
        self, request: HttpRequest, thing: Any, live: Any, open_: Any
    ) -> list[Button]:
        """What can be done to the thing itself."""
        if not live or open_ or not self._may_make(request, live):
            return []
        buttons = [
            Button(
                "Draft a change",
                lifecycle_url(thing, "draft_change"),
                "primary",
                post=True,
            )
        ]
        if self.can_retire and self.retirable(thing):
            url = lifecycle_url(thing, "retire")
            buttons.append(Button("Retire", url, "danger"))
        return buttons

    def retirable(self, thing: Any) -> bool:
        return True

    def open_buttons(self, request: HttpRequest, open_: Any) -> list[Button]:
        """What can be done to the open version."""
        if open_ is None:
            return []
        verbs = lifecycle.verbs_for(open_, request.user)
        buttons = [
            verb_button(open_, v) for v in TRANSITIONS if v in verbs and v != "revise"
        ]
        if "revise" in verbs and not open_.is_retirement:
            buttons.insert(0, Button("Edit", ui.change_url(open_)))
        return buttons

    def _may_make(self, request: HttpRequest, version: Any) -> bool:
        program_id = kinds.kind_of(version).program_id(version)
        return lifecycle.may(request.user, "maker", program_id)

    # Verbs on things

    def get_urls(self) -> list[Any]:
        return lifecycle_urls(self) + super().get_urls()

    def lifecycle_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        thing = self.found(request, pk)
        act = self.act(request, thing, verb)
        if act is None:
            raise Http404("There is no such page.")
        return acts.confirm(self, request, act)

    def act(self, request: HttpRequest, thing: Any, verb: str) -> Act | None:
        """Describe a verb on a thing, or None for one that there is not."""
        if verb == "draft_change":
            return self.draft_act(request, thing)
        if verb == "retire" and self.can_retire:
            return self.retire_act(request, thing)
        return None

    def draft_act(self, request: HttpRequest, thing: Any) -> Act:
        live, open_ = self.open_and_live(thing)

        def run(said: dict[str, Any]) -> tuple[str, str]:
            if live is None:
                raise Refused("There is nothing live to change: edit the draft.")
            draft = lifecycle.draft_change(live, by=request.user)
            return (
                "This is your draft. Change it, save, then submit it.",
                ui.change_url(draft),
            )

        return Act(
            label="Draft a change",
            about=str(getattr(live, "name", thing)),
            promise="A draft is made. What is live stays until the draft is published.",
            run=run,
            back=ui.change_url(thing),
            why_not=self.why_not_draft(request, thing, live, open_),
        )

    def retire_act(self, request: HttpRequest, thing: Any) -> Act:
        live, open_ = self.open_and_live(thing)

        def run(said: dict[str, Any]) -> tuple[str, str]:
            drafts = self.retire(thing, by=request.user)
            return (
                f"Drafted the end of {changes.labels(drafts)}. Nothing changes until "
                "you submit it and a reviewer approves.",
                ui.change_url(drafts[0]),
            )

        return Act(
            label="Retire",
            about=str(getattr(live, "name", thing)),
            promise=self.retire_promise,
            run=run,
            back=ui.change_url(thing),
            why_not=self.why_not_draft(request, thing, live, open_),
            dangerous=True,
        )

    retire_promise = "A draft is made that ends it. It is approved like any other."

    def retire(self, thing: Any, *, by: Any) -> list[Any]:
        """Open the drafts that end a thing."""
        live = thing.versions.live().first()
        return [lifecycle.draft_change(live, by=by, operation=Version.Operation.RETIRE)]

    def why_not_draft(
        self, request: HttpRequest, thing: Any, live: Any, open_: Any
    ) -> Refused | None:
        if live is None:
            return Refused(f"{thing} is not live, so there is nothing to change.")
        if not self._may_make(request, live):
            return NotAllowed(f"{request.user} may not draft changes here.")
        if open_:
            return DraftExists(
                f"{open_.name} already has an open version, by {open_.created_by} of "
                f"{ui.when(open_.created_at)}."
            )
        return None


def add_errors(form: forms.Form, error: ValidationError) -> None:
    """Put a verb's errors beside the fields that they are about."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, errors in error.error_dict.items():
        form.add_error(name if name in form.fields else None, errors)


def open_words(version: Any) -> str:
    """Say the status of an open version, and that it ends the thing if it does."""
    label = version.get_status_display()
    return (
        f"Retirement: {label.lower()}"
        if version.is_retirement
        else f"Open: {label.lower()}"
    )


def versions_table(thing: Any, user: Any) -> Table:
    versions = thing.versions.select_related("updated_by", "approved_by").order_by(
        "-number"
    )
    # One look at the newest tells whether any other could be rolled back to.
    rows = []
    newest = list(versions[:25])
    idle = next((v for v in newest if v.status == Status.SNAPSHOT), None)
    offered = idle is not None and roll_back_offered(idle, user)
    for version in newest:
        can = (
            offered and version.status == Status.SNAPSHOT and not version.is_retirement
        )
        rows.append(
            [
                ui.link(ui.change_url(version), f"Version {version.number}"),
                version.name,
                ui.status_badge(version.status, version.get_status_display()),
                ui.when(version.live_from),
                ui.when(version.live_until),
                str(version.updated_by or ""),
                ui.link(lifecycle_url(version, "roll_back"), "Roll back to this")
                if can
                else "",
            ]
        )
    return Table(
        "Versions",
        ["Version", "Name", "Status", "Live from", "Until", "Last changed by", ""],
        rows,
        anchor="versions",
    )


def events_table(version_model: type[Version], thing: Any) -> Table:
    kind = next(k for k in kinds.all_kinds() if k.version is version_model)
    events = AuditEvent.objects.about(kind.name, thing.pk)[:25]
    return Table(
        "What happened",
        ["When", "What", "Comment"],
        [[ui.when(e.created_at), audit.in_words(e), e.reason] for e in events],
        anchor="history",
    )
