"""Things that need approval and their versions: pages that every app subclasses.

A ``ThingAdmin`` lists things and shows one: what is live, the open version, what
differs, everything that was. A ``VersionAdmin`` edits a draft. Neither writes a
model: they call the verbs.
"""

from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from .. import changes, kinds, lifecycle, ui
from ..errors import Refused
from ..forms import (
    OptionalChoiceField,
    StrictCharField,
    StrictDateTimeField,
    StrictDecimalField,
    StrictIntegerField,
    StrictJSONField,
    StrictTextField,
)
from ..models import Version
from ..transitions import TRANSITIONS
from . import acts, stale
from .acts import Act, Button
from .drafts import (
    act_on_drafts,
    facts_of,
    lifecycle_url,
    lifecycle_urls,
    roll_back_offered,
    roll_back_refusal,
    siblings,
    verb_button,
)

Status = Version.Status

FIELDS: dict[type[models.Field], type[forms.Field]] = {
    models.DecimalField: StrictDecimalField,
    models.DateTimeField: StrictDateTimeField,
    models.IntegerField: StrictIntegerField,
    models.JSONField: StrictJSONField,
}


class WordingForm(forms.ModelForm):
    """What one version says, and the note; nothing else can be posted."""

    revision = forms.CharField(widget=forms.HiddenInput, required=False)

    def clean_revision(self) -> int:
        text = self.cleaned_data["revision"]
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise ValidationError("Open the page again: it is incomplete.")
        return int(text)


class VersionAdmin(ui.ModelAdmin):
    """Edits a draft; shows any other version beside what it replaced."""

    form = WordingForm
    change_form_template = "admin/edit_version.html"
    list_display = ("named", "state", "written", "lived")
    search_fields = ("name",)
    ordering = ("-pk",)
    thing_word = "thing"

    # Who may what

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is None:
            return bool(request.user.has_perm("approvals.make_changes"))
        return lifecycle.is_offered("revise", obj, request.user) and (
            # A retirement says nothing of its own: it is discarded, not edited.
            not obj.is_retirement
        )

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .select_related(self.model.THING, "updated_by", "created_by")
        )

    # The list

    @ui.display(description="Version", ordering="name")
    def named(self, version: Any) -> Any:
        return ui.two_lines(version.name, f"Version {version.number}")

    @ui.display(description="Status", ordering="status")
    def state(self, version: Any) -> Any:
        label = version.get_status_display()
        if version.is_retirement:
            label = f"{label} (ends it)"
        return ui.status_badge(version.status, label)

    @ui.display(description="Last change", ordering="updated_at")
    def written(self, version: Any) -> Any:
        by = f"by {version.updated_by}" if version.updated_by else ""
        return ui.two_lines(ui.when(version.updated_at), by)

    @ui.display(description="Live", ordering="live_from")
    def lived(self, version: Any) -> Any:
        if not version.live_from:
            return ""
        until = ui.when(version.live_until)
        return ui.two_lines(
            f"from {ui.when(version.live_from)}", f"until {until}" if until else ""
        )

    # The form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        sections = changes.wording_of(self.model).sections
        return [
            *((title, {"fields": names}) for title, names in sections),
            ("For the reviewer", {"fields": ("note", "revision")}),
        ]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        kwargs["fields"] = [*self.model.CONTENT, "note"]
        kwargs["formfield_callback"] = partial(self.field_for, request, obj)
        form = super().get_form(request, obj, change, **kwargs)
        form.base_fields["revision"].initial = obj.revision if obj else None
        return form

    def field_for(
        self, request: HttpRequest, obj: Any, db_field: Any, **kwargs: Any
    ) -> Any:
        """Return the form's field for one of the version's, in people's words."""
        words = changes.wording_of(self.model)
        said: dict[str, Any] = {
            "label": changes.label_of(self.model, db_field.name)
            if db_field.name in self.model.CONTENT
            else None,
            "help_text": words.helps.get(db_field.name, db_field.help_text),
            "required": not db_field.blank,
        }
        if said["label"] is None:
            del said["label"]
        own = self.own_field(db_field.name, obj, **said)
        if own is not None:
            return own
        if isinstance(db_field, models.BooleanField) and db_field.null:
            return OptionalChoiceField(widget=ui.Select(), **said)
        if isinstance(db_field, models.BooleanField):
            # Off is an answer too.
            return forms.BooleanField(widget=ui.Switch(), **said | {"required": False})
        if db_field.choices:
            return forms.ChoiceField(
                choices=db_field.get_choices(
                    include_blank=db_field.blank, blank_choice=[("", "Not set")]
                ),
                widget=ui.Select(),
                **said,
            )
        for model_class, field_class in FIELDS.items():
            if isinstance(db_field, model_class):
                return strict_field(db_field, field_class, **said)
        if isinstance(db_field, models.TextField):
            return StrictTextField(
                max_length=db_field.max_length or 2000,
                widget=ui.Textarea(attrs={"rows": 3}),
                **said,
            )
        if isinstance(db_field, models.CharField):
            return StrictCharField(
                max_length=db_field.max_length, widget=ui.TextInput(), **said
            )
        return self.formfield_for_dbfield(db_field, request, **said)

    def own_field(self, name: str, version: Any, **said: Any) -> forms.Field | None:
        """Return a field for what is no plain input; apps override this."""
        return None

    # Editing

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Refused as refusal:
            # Somebody was faster between the form's check and the verb.
            return self.refused(request, object_id, refusal)

    def refused(
        self, request: HttpRequest, object_id: str | None, refusal: Refused
    ) -> HttpResponse:
        return self.page(
            request,
            "admin/sentence.html",
            title="Nothing was saved",
            sentence=refusal.message,
            back=request.path,
            status=acts.status_of(refusal),
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        version = self.get_object(request, object_id)
        if version is None or not self.has_view_permission(request, version):
            return super().change_view(request, object_id, form_url, extra_context)
        if request.method == "POST":
            overtaken = stale.page(self, request, version)
            if overtaken is not None:
                return overtaken
        if not self.has_change_permission(request, version):
            return self.version_page(request, version)
        context = {
            "version": version,
            "title": f"Edit {version.name}",
            "subtitle": None,
            "buttons": self.buttons(request, version),
            "show_save_and_add_another": False,
            "show_delete": False,
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    def save_model(
        self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool
    ) -> None:
        said = {
            name: form.cleaned_data[name]
            for name in (*self.model.CONTENT, "note")
            if name in form.cleaned_data
        }
        lifecycle.revise(
            obj,
            by=request.user,
            changes=said,
            expected_revision=form.cleaned_data["revision"],
        )

    def construct_change_message(self, *args: Any, **kwargs: Any) -> list[Any]:
        return []

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        messages.success(request, f"Saved {obj.name}. It is a draft.")
        if "_continue" in request.POST:
            return redirect(request.path)
        return redirect(ui.change_url(obj.thing))

    # A version that is not edited

    def version_page(self, request: HttpRequest, version: Any) -> HttpResponse:
        return self.page(
            request,
            "admin/version.html",
            title=str(version),
            version=version,
            badge=self.state(version),
            differences=[changes.of_version(version)],
            facts=facts_of(version),
            buttons=self.buttons(request, version),
            thing_url=ui.change_url(version.thing),
        )

    def buttons(self, request: HttpRequest, version: Any) -> list[Button]:
        verbs = lifecycle.verbs_for(version, request.user)
        buttons = [
            verb_button(version, verb)
            for verb in TRANSITIONS
            if verb in verbs and verb != "revise"
        ]
        if roll_back_offered(version, request.user):
            url = lifecycle_url(version, "roll_back")
            buttons.append(Button("Roll back to this", url))
        return buttons

    # Verbs

    def get_urls(self) -> list[Any]:
        return lifecycle_urls(self) + super().get_urls()

    def lifecycle_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        version = self.found(request, pk)
        if verb in acts.SET_VERBS:
            from .change_sets import act_on

            if version.change_set is None:
                refusal = acts.why_not(verb, version, request.user)
                return self.refused(request, None, refusal or Refused("Not now."))
            return acts.confirm(
                self, request, act_on(version.change_set, verb, request.user)
            )
        if verb == "roll_back":
            return acts.confirm(self, request, self.roll_back_act(request, version))
        if verb in ("submit", "publish_now", "discard"):
            return acts.confirm(self, request, self.act(request, version, verb))
        raise Http404("There is no such page.")

    def act(self, request: HttpRequest, version: Any, verb: str) -> Act:
        together = self.companions(version) if verb != "discard" else [version]
        return act_on_drafts(
            together, verb, request.user, back=ui.change_url(version.thing)
        )

    def companions(self, version: Any) -> list[Any]:
        """The drafts that go with this one, itself first; apps override this."""
        return [version]

    def roll_back_act(self, request: HttpRequest, version: Any) -> Act:
        def run(said: dict[str, Any]) -> tuple[str, str]:
            draft = lifecycle.roll_back(version, by=request.user)
            return (
                f"Drafted {draft.name} as it was in version {version.number}. "
                "Submit it when it is right.",
                ui.change_url(draft),
            )

        refusal: Refused | None = None
        if not roll_back_offered(version, request.user):
            refusal = roll_back_refusal(version, request.user)
        live = siblings(version).filter(status=Status.LIVE).first()
        return Act(
            label="Roll back",
            about=f"{version.name}, to version {version.number}",
            promise=(
                "A new draft is made that says what this version said. It is "
                "approved like any other."
            ),
            run=run,
            back=ui.change_url(version),
            differences=[
                changes.Difference(
                    kind=kinds.kind_of(version),
                    version=version,
                    before=live,
                    after=version,
                    sections=changes.between(live, version),
                )
            ],
            why_not=refusal,
        )


def strict_field(db_field: Any, field_class: type[forms.Field], **said: Any) -> Any:
    """Build a strict field with the bounds of the model's, and our widget."""
    options: dict[str, Any] = {}
    widget: Any = ui.TextInput(attrs={"inputmode": "numeric"})
    if field_class is StrictDecimalField:
        options = {
            "max_digits": db_field.max_digits,
            "decimal_places": db_field.decimal_places,
        }
        widget = ui.TextInput(attrs={"inputmode": "decimal"})
    elif field_class is StrictDateTimeField:
        widget = ui.SplitDateTime()
    elif field_class is StrictJSONField:
        widget = ui.Textarea(attrs={"rows": 4, "spellcheck": "false"})
        options = {"empty_value": db_field.get_default()}
    return field_class(widget=widget, **options, **said)
