"""What is on record: decisions, what was submitted, who had a hand, what happened."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST

from .. import audit, kinds, ui
from ..models import AuditEvent, ChangeSetItem, Contribution, Decision, Notice
from .filters import ProgramFilter as ProgramOfChange


class ProgramNames:
    """Puts the name of each row's program on it, with one query per page."""

    def program_of(self, row: Any) -> int | None:
        return row.program_id

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        change_list = super().get_changelist_instance(request)  # type: ignore[misc]
        names = kinds.programs().names()
        for row in change_list.result_list:
            row.program_name = names.get(self.program_of(row) or 0, "")
        return change_list

    @ui.display(description="Program")
    def program_name(self, row: Any) -> str:
        return str(getattr(row, "program_name", ""))


class DecisionKindFilter(ui.ChoiceFilter):
    title = "decision"
    parameter_name = "decision"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Decision.Kind.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class ProgramOfDecision(ProgramOfChange):
    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.value():
            return queryset
        return queryset.filter(change_set__program_id=self.value())


class DecisionAdmin(ProgramNames, ui.ReadOnlyAdmin):
    program_path = "change_set__program_id"
    list_display = ("settled", "what", "program_name", "by", "said")
    list_filter = (ProgramOfDecision, DecisionKindFilter)
    list_select_related = ("change_set", "decided_by")
    search_fields = (
        "comment",
        "decided_by__username",
        "change_set__items__label",
    )
    fields = ("settled", "by", "set_link", "said", "fingerprint")
    readonly_fields = ("settled", "by", "set_link", "said")

    def program_of(self, row: Any) -> int | None:
        return int(row.change_set.program_id)

    def get_queryset(self, request: HttpRequest) -> Any:
        queryset = super().get_queryset(request)
        return queryset.select_related("change_set", "decided_by").prefetch_related(
            "change_set__items"
        )

    @ui.display(description="Decision", ordering="decided_at")
    def settled(self, decision: Any) -> Any:
        tones = {"APPROVED": "good", "REJECTED": "bad"}
        return ui.two_lines(
            ui.badge(decision.get_kind_display(), tones.get(decision.kind, "")),
            ui.when(decision.decided_at),
        )

    @ui.display(description="Change")
    def what(self, decision: Any) -> Any:
        return ", ".join(item.label for item in decision.change_set.items.all())

    @ui.display(description="By", ordering="decided_by__username")
    def by(self, decision: Any) -> Any:
        return str(decision.decided_by or "Nobody: the program asks for no approval")

    @ui.display(description="Comment")
    def said(self, decision: Any) -> Any:
        return decision.comment

    @ui.display(description="Change")
    def set_link(self, decision: Any) -> Any:
        return ui.link(ui.change_url(decision.change_set), self.what(decision))


class ItemAdmin(ui.ReadOnlyAdmin):
    """What was submitted, word for word; for whoever checks the record."""

    program_path = "change_set__program_id"
    list_display = ("label", "kind_word", "submitted", "ends")
    list_select_related = ("change_set", "change_set__created_by")
    search_fields = ("label",)
    fields = ("label", "kind_word", "submitted", "ends", "content", "content_hash")
    readonly_fields = ("kind_word", "submitted", "ends")

    @ui.display(description="Kind", ordering="kind")
    def kind_word(self, item: Any) -> str:
        return str(item.kind).capitalize()

    @ui.display(description="Submitted", ordering="change_set__created_at")
    def submitted(self, item: Any) -> Any:
        by = item.change_set.created_by
        return ui.two_lines(
            ui.when(item.change_set.created_at), f"by {by}" if by else ""
        )

    @ui.display(description="Ends it")
    def ends(self, item: Any) -> str:
        return "Yes" if item.operation == "RETIRE" else "No"


class ContributionAdmin(ui.ReadOnlyAdmin):
    list_display = ("user", "role_word", "kind_word", "version_id", "since")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = ("user", "role_word", "kind_word", "version_id", "since")
    readonly_fields = ("role_word", "kind_word", "since")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Hands in versions of programs that the person may see."""
        queryset = super().get_queryset(request)
        visible = kinds.programs().visible_to(request.user)
        if visible is None:
            return queryset
        submitted = ChangeSetItem.objects.filter(change_set__program_id__in=visible)
        allowed = queryset.none()
        for kind in kinds.all_kinds():
            ids = submitted.filter(kind=kind.name).values("version_id")
            allowed |= queryset.filter(kind=kind.name, version_id__in=ids)
        return allowed

    @ui.display(description="As", ordering="role")
    def role_word(self, hand: Any) -> str:
        return str(hand.get_role_display())

    @ui.display(description="Of a version of a", ordering="kind")
    def kind_word(self, hand: Any) -> str:
        return str(hand.kind)

    @ui.display(description="Since", ordering="created_at")
    def since(self, hand: Any) -> str:
        return ui.when(hand.created_at)


class VerbFilter(ui.ChoiceFilter):
    title = "what was done"
    parameter_name = "verb"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(verb, words.capitalize()) for verb, words in audit.PAST.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(verb=self.value()) if self.value() else queryset


class AuditEventAdmin(ProgramNames, ui.ReadOnlyAdmin):
    program_path = "program_id"
    list_display = ("at", "sentence", "program_name", "said")
    list_filter = (ProgramOfChange, VerbFilter)
    search_fields = ("actor_name", "label", "reason")
    fields = ("at", "sentence", "said")
    readonly_fields = ("at", "sentence", "said")

    @ui.display(description="When", ordering="created_at")
    def at(self, event: Any) -> str:
        return ui.when(event.created_at)

    @ui.display(description="What happened")
    def sentence(self, event: Any) -> str:
        return audit.in_words(event)

    @ui.display(description="Comment")
    def said(self, event: Any) -> str:
        return str(event.reason)


class ReadFilter(ui.ChoiceFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("unread", "Not read yet"), ("read", "Read")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        return queryset.filter(read_at__isnull=self.value() == "unread")


class NoticeAdmin(ui.ReadOnlyAdmin):
    """A person's own notices; nobody reads another's, superusers included."""

    list_display = ("about", "at", "state")
    list_display_links = None
    list_filter = (ReadFilter,)
    search_fields = ("subject", "body")
    ordering = ("-created_at", "-pk")
    actions = ("mark_read",)
    why_read_only = "Notices are read here; marking one as read has a button."
    change_list_template = "admin/notices.html"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(user=request.user)

    def get_urls(self) -> list[Any]:
        every = path(
            "read/",
            self.admin_site.admin_view(require_POST(self.read_all)),
            name="approvals_notice_read",
        )
        return [every, *super().get_urls()]

    def read_all(self, request: HttpRequest) -> HttpResponse:
        count = Notice.objects.unread_by(request.user).update(read_at=timezone.now())
        messages.success(request, f"Marked {count} as read.")
        return redirect(ui.list_url(Notice))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        notice = self.get_object(request, object_id)
        if notice is not None and request.method == "GET":
            return redirect(notice.path)
        return super().change_view(request, object_id, form_url, extra_context)

    @ui.action(description="Mark as read", permissions=["view"])
    def mark_read(self, request: HttpRequest, queryset: Any) -> None:
        count = queryset.filter(read_at__isnull=True).update(read_at=timezone.now())
        messages.success(request, f"Marked {count} as read.")

    @ui.display(description="Notice", ordering="subject")
    def about(self, notice: Any) -> Any:
        return ui.two_lines(ui.link(notice.path, notice.subject), notice.body[:200])

    @ui.display(description="When", ordering="created_at")
    def at(self, notice: Any) -> str:
        return ui.when(notice.created_at)

    @ui.display(description="State", ordering="read_at")
    def state(self, notice: Any) -> Any:
        return ui.badge("Read") if notice.read_at else ui.badge("New", "info")


REGISTERED = (
    (Decision, DecisionAdmin),
    (ChangeSetItem, ItemAdmin),
    (Contribution, ContributionAdmin),
    (AuditEvent, AuditEventAdmin),
    (Notice, NoticeAdmin),
)
