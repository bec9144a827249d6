"""What callers asked to be posted; adjustments by hand wait here for a reviewer."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from approvals import audit, ui
from approvals.admin import acts, front
from approvals.admin.acts import Act, Button
from approvals.admin.drafts import lifecycle_url, lifecycle_urls
from approvals.admin.things import Table
from approvals.errors import InvalidTransition, NotAllowed, Refused, SelfApproval
from approvals.forms import ActForm, ReasonForm

from .. import adjustments
from ..models import PointsRequest
from .programs import program_filter
from .search import FoundByMember

Status = PointsRequest.Status
TONES = {
    "COMPLETED": "good",
    "REFUSED": "bad",
    "PENDING": "warn",
    "CANCELLED": "bad",
}
SHOWN = 10


class RequestStatusFilter(ui.ChoiceFilter):
    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Status.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(status=self.value()) if self.value() else queryset


class OriginFilter(ui.ChoiceFilter):
    title = "asked for by"
    parameter_name = "origin"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("adjustments", "People, as an adjustment"), ("others", "Others")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "adjustments":
            return queryset.filter(source=adjustments.SOURCE)
        if self.value() == "others":
            return queryset.exclude(source=adjustments.SOURCE)
        return queryset


class PointsRequestAdmin(FoundByMember, ui.ReadOnlyAdmin):
    program_path = "program"
    list_display = ("asked", "who", "outcome_badge", "at")
    list_filter = (program_filter("program"), RequestStatusFilter, OriginFilter)
    list_select_related = ("member__contact",)
    ordering = ("-pk",)
    fields = ("asked", "who", "outcome_badge", "at", "outcome")
    readonly_fields = ("asked", "who", "outcome_badge", "at")

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .select_related("member__contact", "created_by")
        )

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
        return ui.badge(asked.get_status_display(), TONES.get(asked.status, ""))

    @ui.display(description="When", ordering="created_at")
    def at(self, asked: Any) -> str:
        return ui.when(asked.created_at)

    def found_otherwise(self, queryset: Any, key: str) -> Any:
        return queryset.filter(reference=key)

    # The page of an adjustment

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        asked = self.get_object(request, object_id or "")
        if (
            request.method != "GET"
            or asked is None
            or asked.source != adjustments.SOURCE
            or asked.status == Status.REFUSED
        ):
            return super().changeform_view(
                request, object_id, form_url=form_url, extra_context=extra_context
            )
        self.found(request, asked.pk)
        what = adjustments.what_of(asked)
        return self.page(
            request,
            "admin/cards.html",
            title=f"Adjustment: {what} for {asked.member.contact}",
            about="About this adjustment",
            badges=[self.outcome_badge(asked)],
            buttons=buttons(request.user, asked),
            facts=facts(asked, what),
            parts=[("admin/parts/table.html", what_happened(asked))],
        )

    # Verbs

    def get_urls(self) -> list[Any]:
        return lifecycle_urls(self) + super().get_urls()

    def lifecycle_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        asked = self.found(request, pk)
        if asked.source != adjustments.SOURCE or verb not in PROMISES:
            raise Http404("There is no such page.")
        return acts.confirm(self, request, decision_act(request.user, asked, verb))


PROMISES = {
    "approve": "The adjustment is posted now, and tiers follow at once.",
    "reject": "Nothing is posted. Whoever asked is told why.",
    "withdraw": "You take your adjustment back. Nothing is posted.",
}


def buttons(user: Any, asked: Any) -> list[Button]:
    if asked.status != Status.PENDING:
        return []
    if asked.created_by_id == user.pk:
        return [Button("Withdraw", lifecycle_url(asked, "withdraw"))]
    if not user.has_perm(adjustments.REVIEW):
        return []
    return [
        Button("Approve", lifecycle_url(asked, "approve"), "primary"),
        Button("Reject", lifecycle_url(asked, "reject"), "danger"),
    ]


def facts(asked: Any, what: adjustments.What) -> list[tuple[str, Any]]:
    member = asked.member
    found = [
        ("Member", ui.link(ui.change_url(member), str(member.contact))),
        ("Membership number", member.subscription_id),
        ("Amount", str(what)),
        ("Reason", what.reason),
        ("Asked for by", str(asked.created_by or "")),
        ("Asked for on", ui.when(asked.created_at)),
    ]
    if asked.status == Status.PENDING:
        now = adjustments.balance_of(asked, what)
        found += [
            ("Balance now", what.words(now)),
            ("Balance afterwards", what.words(now + what.amount)),
            ("Waits until", ui.when(asked.expires_at)),
        ]
    return found


def what_happened(asked: Any) -> Table:
    return Table(
        "What happened",
        ["When", "What", "Comment"],
        [
            [ui.when(e.created_at), audit.in_words(e), e.reason]
            for e in adjustments.events_of(asked)
        ],
    )


def decision_act(user: Any, asked: Any, verb: str) -> Act:
    what = adjustments.what_of(asked) if asked.status != Status.REFUSED else None

    def run(said: dict[str, Any]) -> tuple[str, str]:
        if verb == "reject":
            adjustments.reject(asked, by=user, comment=said["comment"])
            return "Rejected: nothing was posted.", ui.change_url(asked)
        if verb == "withdraw":
            adjustments.withdraw(asked, by=user)
            return "Withdrawn: nothing was posted.", ui.change_url(asked)
        adjustments.approve(asked, by=user)
        return f"Approved and posted: {what}.", ui.change_url(asked)

    return Act(
        label=verb.capitalize(),
        about=f"{what or 'nothing'} for {asked.member.contact}",
        promise=PROMISES[verb],
        run=run,
        back=ui.change_url(asked),
        form=ReasonForm if verb == "reject" else ActForm,
        facts=facts(asked, what) if what else [],
        why_not=why_not(user, asked, verb),
        dangerous=verb == "reject",
    )


def why_not(user: Any, asked: Any, verb: str) -> Refused | None:
    """Why a verb is not offered; the verb itself asks again, under a lock."""
    is_own = asked.created_by_id == user.pk
    if asked.status != Status.PENDING:
        now = asked.get_status_display().lower()
        return InvalidTransition(f"This adjustment is {now} already.")
    if verb == "withdraw":
        if is_own:
            return None
        return NotAllowed("Only who asked for an adjustment can withdraw it.")
    if not user.has_perm(adjustments.REVIEW):
        return NotAllowed(f"{user.get_username()} may not decide on adjustments.")
    if is_own:
        return SelfApproval(
            f"{user.get_username()} asked for this adjustment, so somebody else has "
            "to decide on it."
        )
    return None


def waiting_panel(request: HttpRequest) -> dict[str, Any] | None:
    """What a reviewer finds on the front page; nothing where nothing waits."""
    user: Any = request.user
    if not user.has_perm(adjustments.REVIEW):
        return None
    waiting = adjustments.waiting_for(user).select_related(
        "member__contact", "created_by"
    )
    found = list(waiting[: SHOWN + 1])
    if not found:
        return None
    whats = adjustments.whats_of(found)
    every = ui.list_url(PointsRequest, "outcome=PENDING&origin=adjustments")
    return {
        "table": Table(
            "Adjustments waiting for you",
            ["Adjustment", "Member", "Reason", "Asked for by", "When"],
            [_waiting(asked, whats[asked.pk]) for asked in found[:SHOWN]],
            more=Button("All of them", every) if len(found) > SHOWN else None,
            anchor="adjustments",
        )
    }


def _waiting(asked: Any, what: adjustments.What) -> list[Any]:
    return [
        ui.link(ui.change_url(asked), str(what)),
        str(asked.member.contact),
        what.reason,
        str(asked.created_by),
        ui.when(asked.created_at),
    ]


front.add_panel(waiting_panel)
front.add_links(
    "Customers",
    (
        "Requests",
        "pending_actions",
        "admin:loyalty_pointsrequest_changelist",
        "loyalty.view_pointsrequest",
    ),
)
