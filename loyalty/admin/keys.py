"""API keys: who has which, and the one page on which a secret is ever shown.

The page is the answer to the form itself. It is neither stored nor redirected to: a
message that waits for the next page would wait in a cookie or a session.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework_api_key.models import APIKey

from approvals import audit, ui
from approvals.admin import acts, front
from approvals.admin.acts import Act, Button
from approvals.admin.drafts import lifecycle_url, lifecycle_urls
from approvals.admin.things import Table
from approvals.errors import InvalidTransition, NotAllowed, Refused
from approvals.forms import ReasonForm, StrictCharField, StrictIntegerField
from approvals.models import AuditEvent

from .. import keys
from ..models import ApiKey, Program
from ..models.keys import Scope
from .programs import program_filter

# The package's own table stays empty: nothing asks it.
admin.site.unregister(APIKey)

DAY = timedelta(days=1)


class NewKeyForm(forms.Form):
    """What a key may do, in whose name, and for how long."""

    name = StrictCharField(
        max_length=50, help_text="Which system uses it, for example: Web shop."
    )
    owner = forms.ModelChoiceField(
        User.objects.none(),
        help_text=(
            "In whose name the key acts. It may do nothing that its owner may not, and "
            "neither you nor its owner can approve what it drafts."
        ),
    )
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=Scope.choices,
        initial=[Scope.READ],
        widget=forms.CheckboxSelectMultiple,
        help_text="Nobody can give a key the right to approve.",
    )
    program = forms.ModelChoiceField(
        Program.objects.none(),
        required=False,
        empty_label="All programs that its owner sees",
        help_text="The one program that exists for the key.",
    )
    days = StrictIntegerField(
        label="Good for how many days",
        required=False,
        initial=365,
        min_value=1,
        max_value=3650,
        help_text="Leave it empty for a key without an end.",
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owner: Any = self.fields["owner"]
        owner.queryset = User.objects.filter(is_active=True).order_by("username")
        program: Any = self.fields["program"]
        program.queryset = Program.objects.visible_to(user).with_live()


class RotateForm(forms.Form):
    days = StrictIntegerField(
        label="The old key works for how many days more",
        initial=7,
        min_value=0,
        max_value=keys.LONGEST_OVERLAP.days,
        help_text=(
            "Long enough for whoever runs the system to put in the new key. With 0, "
            "the old one ends now."
        ),
    )


class ApiKeyAdmin(ui.ReadOnlyAdmin):
    program_path = ""
    list_display = ("named", "whose", "may", "where", "state_badge", "used")
    list_filter = (program_filter("program"),)
    list_select_related = ("owner", "replaced_by")
    search_fields = ("name", "prefix", "owner__username")
    ordering = ("-created", "-pk")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Show keys of no one program only to whoever may see all of them."""
        visible = Program.objects.visible_to(request.user)
        queryset = (
            super()
            .get_queryset(request)
            .select_related("owner", "replaced_by")
            .prefetch_related(Prefetch("program", Program.objects.with_live()))
        )
        if request.user.program_limits.exists():  # type: ignore[union-attr]
            return queryset.filter(program__in=visible)
        return queryset

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("loyalty.add_apikey"))

    # The list

    @ui.display(description="Key", ordering="name")
    def named(self, key: Any) -> Any:
        return ui.two_lines(key.name, f"{key.prefix}.…")

    @ui.display(description="Owner", ordering="owner__username")
    def whose(self, key: Any) -> str:
        return str(key.owner.username)

    @ui.display(description="May")
    def may(self, key: Any) -> str:
        return ", ".join(key.scopes) or "nothing"

    @ui.display(description="Program", ordering="program")
    def where(self, key: Any) -> str:
        return str(key.program) if key.program_id else "All of its owner's"

    @ui.display(description="State")
    def state_badge(self, key: Any) -> Any:
        return ui.badge(*_state(key))

    @ui.display(description="Last used", ordering="last_used_at")
    def used(self, key: Any) -> str:
        return ui.when(key.last_used_at, otherwise="Never")

    # A new one

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> Any:
        if not self.has_add_permission(request):
            raise PermissionDenied("You may not make API keys.")
        data = request.POST if request.method == "POST" else None

        def make(said: dict[str, Any]) -> tuple[ApiKey, str]:
            days = said.pop("days")
            ends = timezone.now() + days * DAY if days else None
            return keys.make(by=request.user, expires_at=ends, **said)

        form = NewKeyForm(data, user=request.user)
        return self._show_once(
            request, form, make, title="Add API key", back=ui.list_url(ApiKey)
        )

    # The page of one

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        key = self.get_object(request, object_id or "")
        if request.method != "GET" or key is None:
            return super().changeform_view(
                request, object_id, form_url=form_url, extra_context=extra_context
            )
        self.found(request, key.pk)
        return self.page(
            request,
            "admin/cards.html",
            title=f"API key: {key.name}",
            about="About this key",
            badges=[self.state_badge(key)],
            buttons=self._buttons(request, key),
            facts=_facts(key),
            parts=[("admin/parts/table.html", _what_happened(key))],
        )

    def _buttons(self, request: HttpRequest, key: ApiKey) -> list[Button]:
        if key.why_refused():
            return []
        buttons = []
        if self.has_add_permission(request) and not _replacement(key):
            buttons.append(Button("Replace", lifecycle_url(key, "rotate")))
        if keys.may_revoke(request.user, key):
            buttons.append(Button("Revoke", lifecycle_url(key, "revoke"), "danger"))
        return buttons

    def get_urls(self) -> list[Any]:
        return lifecycle_urls(self) + super().get_urls()

    def lifecycle_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        key = self.found(request, pk)
        if verb == "revoke":
            return acts.confirm(self, request, _revocation(request.user, key))
        if verb != "rotate":
            raise Http404("There is no such page.")
        if not self.has_add_permission(request):
            raise PermissionDenied("You may not make API keys.")

        def rotate(said: dict[str, Any]) -> tuple[ApiKey, str]:
            now = timezone.now()
            ends: datetime = now + said["days"] * DAY
            return keys.rotate(key, by=request.user, ends_at=ends, at=now)

        data = request.POST if request.method == "POST" else None
        form = RotateForm(data)
        return self._show_once(
            request, form, rotate, title=f"Replace {key.name}", back=ui.change_url(key)
        )

    def _show_once(
        self,
        request: HttpRequest,
        form: forms.Form,
        make: Callable[[dict[str, Any]], tuple[ApiKey, str]],
        *,
        title: str,
        back: str,
    ) -> HttpResponse:
        """Ask with a form; answer it with the secret that was made, this once."""
        status = 200
        if form.is_valid():
            try:
                key, secret = make(dict(form.cleaned_data))
            except Refused as refusal:
                if acts.beside_field(form, refusal):
                    form.add_error(None, refusal.message)
                status = acts.status_of(refusal)
            else:
                return self.page(
                    request,
                    "admin/key.html",
                    title=f"The key for {key.name}",
                    secret=secret,
                    back=ui.change_url(key),
                )
        ui.dress(form)
        return self.page(
            request,
            "admin/begin.html",
            title=title,
            form=form,
            back=back,
            status=status,
        )


def _state(key: ApiKey) -> tuple[str, str]:
    why = key.why_refused()
    if why:
        return why.replace("_", " ").capitalize(), "bad"
    if _replacement(key):
        return "Being replaced", "warn"
    return "In use" if key.last_used_at else "Not used yet", "good"


def _replacement(key: ApiKey) -> Any:
    return getattr(key, "replaced_by", None)


def _facts(key: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [
        ("Begins with", f"{key.prefix}."),
        ("Owner", key.owner.username),
        ("May", ui.lines(Scope(scope).label for scope in key.scopes) or "Nothing"),
        ("Program", str(key.program or "All that its owner sees")),
        ("Made by", str(key.made_by)),
        ("Made", ui.when(key.created)),
        ("Ends", ui.when(key.expiry_date, otherwise="Never")),
        ("Last used", ui.when(key.last_used_at, otherwise="Never")),
    ]
    for label, other in (
        ("Replaces", key.replaces),
        ("Replaced by", _replacement(key)),
    ):
        if other:
            found.append((label, ui.link(ui.change_url(other), other.prefix)))
    return found


def _what_happened(key: ApiKey) -> Table:
    events = AuditEvent.objects.about("API key", key.pk)
    return Table(
        "What happened",
        ["When", "What", "Details"],
        [[ui.when(e.created_at), audit.in_words(e), e.reason] for e in events],
    )


def _revocation(user: Any, key: ApiKey) -> Act:
    def run(said: dict[str, Any]) -> tuple[str, str]:
        keys.revoke(key, by=user, reason=said["comment"])
        return f"Revoked: {key} is refused from now on.", ui.change_url(key)

    refusal: Refused | None = None
    if not keys.may_revoke(user, key):
        refusal = NotAllowed(f"{user.get_username()} may not revoke this key.")
    elif key.revoked:
        refusal = InvalidTransition(f"The key {key} is revoked already.")
    return Act(
        label="Revoke",
        about=str(key),
        promise="From its next request on, the key is refused. This is for good.",
        run=run,
        back=ui.change_url(key),
        form=ReasonForm,
        facts=_facts(key),
        why_not=refusal,
        dangerous=True,
    )


front.add_links(
    "Set-up",
    ("API keys", "key", "admin:loyalty_apikey_changelist", "loyalty.view_apikey"),
)
