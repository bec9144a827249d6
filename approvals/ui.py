"""What the admin looks like: the only module that knows of Unfold.

Everything else imports its base classes, widgets and cells from here, so that
another theme, or none, is a matter of this module, ``templates/`` and the style
sheet. The base classes also hold what every admin page of ours keeps to: people see
the programs they may see and no other, nothing is deleted, and what an address or a
form asks for beyond what is offered is refused.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import FieldListFilter, SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold import widgets as unfold_widgets
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.admin import TabularInline as UnfoldTabularInline
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from . import changes, kinds
from . import forms as our_forms

__all__ = [
    "AdminPasswordChangeForm",
    "ChoiceFilter",
    "ModelAdmin",
    "ReadOnlyAdmin",
    "TabularInline",
    "UserChangeForm",
    "UserCreationForm",
    "action",
    "display",
]

MAX_SEARCH = 100
#: So many things at most are decided on in one go.
MAX_SELECTED = 100

TextInput = unfold_widgets.UnfoldAdminTextInputWidget
Textarea = unfold_widgets.UnfoldAdminTextareaWidget
Select = unfold_widgets.UnfoldAdminSelectWidget
IntegerInput = unfold_widgets.UnfoldAdminIntegerFieldWidget
SplitDateTime = unfold_widgets.UnfoldAdminSplitDateTimeWidget
Radio = unfold_widgets.UnfoldAdminRadioSelectWidget
Switch = unfold_widgets.UnfoldBooleanSwitchWidget

TabularInline = UnfoldTabularInline


class ColorInput(unfold_widgets.UnfoldAdminTextInputWidget):
    """The colour as text, with the browser's own picker beside it."""

    template_name = "approvals/widgets/color.html"


def stylesheet(request: HttpRequest) -> str:
    return static("approvals/admin.css")


# Cells of lists and tables


def badge(text: str, tone: str = "") -> SafeString:
    """A pill with a word in it; the colour only repeats what the word says."""
    return format_html('<span class="tw-badge tw-{}">{}</span>', tone or "plain", text)


STATUS_TONES = {
    "DRAFT": "plain",
    "PENDING_APPROVAL": "warn",
    "REJECTED": "bad",
    "SCHEDULED": "info",
    "LIVE": "good",
    "SNAPSHOT": "plain",
    "PUBLISH_FAILED": "bad",
    "DELETED": "plain",
}


def status_badge(status: str, label: str) -> SafeString:
    return badge(label, STATUS_TONES.get(status, ""))


def swatch(color: str) -> SafeString:
    """A dot in a tier's colour; screen readers are told by the name beside it."""
    # The colour is #RRGGBB by validation; format_html escapes it all the same.
    return format_html(
        '<span class="tw-swatch{}" style="background:{}" aria-hidden="true"></span>',
        "" if color else " tw-swatch-none",
        color or "transparent",
    )


def two_lines(first: Any, second: Any = "") -> SafeString:
    return format_html(
        '<span class="tw-two"><span>{}</span><small>{}</small></span>', first, second
    )


def link(url: str, text: Any) -> SafeString:
    return format_html('<a class="tw-link" href="{}">{}</a>', url, text)


def beside(mark: Any, text: Any) -> SafeString:
    return format_html('<span class="tw-beside">{}<span>{}</span></span>', mark, text)


def when(instant: datetime | None, otherwise: str = "") -> str:
    return changes.instant(instant) or otherwise


def lines(texts: Iterable[Any]) -> SafeString:
    return format_html_join("", "<div>{}</div>", ((text,) for text in texts))


def change_url(obj: Any) -> str:
    meta = obj._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[obj.pk])


def list_url(model: type[models.Model], query: str = "") -> str:
    meta = model._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    return f"{url}?{query}" if query else url


def add_url(model: type[models.Model], query: str = "") -> str:
    meta = model._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_add")
    return f"{url}?{query}" if query else url


# Forms of our own pages


def dress(form: forms.BaseForm) -> None:
    """Give a form's plain widgets the theme's look."""
    for field in form.fields.values():
        field.widget = _dressed(field)


def _dressed(field: forms.Field) -> forms.Widget:
    widget = field.widget
    if widget.is_hidden or type(widget).__module__.startswith(("unfold", __name__)):
        return widget
    dressed: forms.Widget
    if isinstance(field, our_forms.StrictDateTimeField):
        dressed = SplitDateTime()
    elif isinstance(field, forms.BooleanField):
        dressed = Switch()
    elif isinstance(widget, forms.RadioSelect):
        dressed = Radio(choices=widget.choices)
    elif isinstance(widget, forms.Select):
        dressed = Select(choices=widget.choices)
    elif isinstance(widget, forms.Textarea) or isinstance(
        field, our_forms.StrictTextField
    ):
        dressed = Textarea(attrs={"rows": 3})
    elif isinstance(widget, forms.MultiWidget):
        return widget
    else:
        dressed = TextInput(attrs=dict(widget.attrs))
    dressed.is_required = field.required
    return dressed


# Filters


class ChoiceFilter(SimpleListFilter):
    """A drop-down above the list; a value that is not offered is ignored."""

    def value(self) -> Any:
        value = super().value()
        offered = {str(key) for key, _ in self.lookup_choices}
        return value if value in offered else None

    def has_output(self) -> bool:
        return True


# Base classes


def is_id(text: str) -> bool:
    """Tell whether text is a number as addresses spell it; Python reads more as one."""
    return bool(re.fullmatch(r"[1-9][0-9]{0,17}", text))


class ModelAdmin(UnfoldModelAdmin):
    """An admin that shows a person their programs only, and deletes nothing."""

    #: Path from a row to the id of its program; empty where rows have none.
    program_path = ""
    list_fullwidth = True
    list_per_page = 50
    show_full_result_count = False
    compressed_fields = True
    warn_unsaved_form = True
    empty_value_display = "–"
    actions: Any = ()

    # What is visible

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        if isinstance(self.opts.pk, models.IntegerField) and not is_id(object_id):
            return None
        return super().get_object(request, object_id, from_field)

    def get_queryset(self, request: HttpRequest) -> Any:
        return scope(super().get_queryset(request), request.user, self.program_path)

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        # Django goes to the front page with a message; what is not there, or not
        # for this person, is simply not found.
        raise Http404(f"There is no such {opts.verbose_name} here.")

    def found(self, request: HttpRequest, pk: int) -> Any:
        """Return an object that the person may look at, or answer 404 or 403."""
        if not self.has_view_permission(request):
            raise PermissionDenied("You may not look at this.")
        obj = self.get_queryset(request).filter(pk=pk).first()
        if obj is None:
            raise Http404(f"There is no such {self.opts.verbose_name} here.")
        return obj

    # What is offered

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        raise PermissionDenied("Nothing is deleted here: the record is kept.")

    def history_view(self, request: HttpRequest, object_id: str, **kwargs: Any) -> Any:
        return redirect("..", permanent=False)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def lookup_allowed(
        self, lookup: str, value: Any, request: HttpRequest | None = None
    ) -> bool:
        """Allow what the list's own filters ask for; Django allows any own field."""
        offered = set()
        for item in self.list_filter:
            if isinstance(item, type) and issubclass(item, SimpleListFilter):
                offered.add(item.parameter_name)
            elif isinstance(item, tuple) and issubclass(item[1], FieldListFilter):
                offered.update((f"{item[0]}__exact", f"{item[0]}__id__exact"))
        return lookup in offered

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        if len(search_term) > MAX_SEARCH:
            messages.warning(
                request, f"Search for at most {MAX_SEARCH} characters at a time."
            )
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        if request.method == "POST":
            self._refuse_what_is_not_offered(request)
            if len(request.POST.getlist(ACTION_CHECKBOX_NAME)) > MAX_SELECTED:
                return too_many(self, request)
        return super().changelist_view(request, extra_context)

    def _refuse_what_is_not_offered(self, request: HttpRequest) -> None:
        # Django answers an action that is not offered with a hint to choose one.
        for name in filter(None, request.POST.getlist("action")):
            if name not in self.get_actions(request):
                raise PermissionDenied("You may not do this to what you chose.")

    # Nothing is written into Django's own log: ours is complete, and append-only.

    def log_addition(self, *args: Any, **kwargs: Any) -> None:
        return None

    def log_change(self, *args: Any, **kwargs: Any) -> None:
        return None

    def page(
        self,
        request: HttpRequest,
        template: str,
        *,
        title: str,
        status: int = 200,
        **context: Any,
    ) -> TemplateResponse:
        """Answer with a page of our own in the admin's frame."""
        return TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "title": title,
                "opts": self.opts,
                **context,
            },
            status=status,
        )


class ReadOnlyAdmin(ModelAdmin):
    """An admin of what is only ever looked at: records, and what is worked out."""

    why_read_only = "This is a record: it is read, never changed."

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method == "POST":
            raise PermissionDenied(self.why_read_only)
        return super().changeform_view(request, *args, **kwargs)


def scope(queryset: Any, user: Any, program_path: str) -> Any:
    """Leave only rows of programs that the person may see."""
    if not program_path:
        return queryset
    ids = kinds.programs().visible_to(user)
    return queryset if ids is None else queryset.filter(**{f"{program_path}__in": ids})


def too_many(model_admin: ModelAdmin, request: HttpRequest) -> TemplateResponse:
    return model_admin.page(
        request,
        "admin/sentence.html",
        title="Too many at once",
        sentence=f"Choose at most {MAX_SELECTED} at a time. Nothing was done.",
        back=request.path,
        status=400,
    )
