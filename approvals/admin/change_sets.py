"""Change sets: what a reviewer reads and decides on, one or many."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse

from .. import changes, kinds, lifecycle, ui
from ..errors import NotAllowed, Refused, SelfApproval
from ..forms import CommentForm, ReasonForm
from ..models import ChangeSet, ChangeSetItem, Contribution
from ..transitions import TRANSITIONS
from . import acts
from .acts import Act, Button
from .drafts import lifecycle_url, lifecycle_urls
from .filters import ProgramFilter, StateFilter

STATE_TONES = {
    "Waiting": "warn",
    "Scheduled": "info",
    "Published": "good",
    "Rejected": "bad",
    "Publishing failed": "bad",
}


def act_on(change_set: ChangeSet, verb: str, user: Any) -> Act:
    """Describe a verb on a change set."""
    transition = TRANSITIONS[verb]
    seen = change_set.fingerprint
    if verb == "retry" and change_set.failed_at:
        seen = lifecycle.fresh_fingerprint(change_set)

    def run(said: dict[str, Any]) -> tuple[str, str]:
        fingerprint = said["seen"]
        if verb in ("approve", "retry"):
            act = lifecycle.approve if verb == "approve" else lifecycle.retry
            decision = act(
                change_set, by=user, fingerprint=fingerprint, comment=said["comment"]
            )
            decided = decision.change_set
            message = f"Approved. {after_approval(decided)}"
            return message, ui.change_url(decided)
        if verb == "reject":
            lifecycle.reject(
                change_set, by=user, fingerprint=fingerprint, comment=said["comment"]
            )
            message = "Rejected. Its maker reads your reason and can submit it again."
        elif verb == "withdraw":
            lifecycle.withdraw(change_set, by=user)
            message = "Withdrawn. It is a draft again."
        else:
            lifecycle.unschedule(change_set, by=user, comment=said["comment"])
            message = "Called off. It is a draft again."
        return message, ui.change_url(change_set)

    return Act(
        label=transition.label,
        about=set_title(change_set),
        promise=transition.promise,
        run=run,
        back=ui.change_url(change_set),
        form=acts.FORMS.get(verb, acts.ActForm),
        seen=seen,
        differences=changes.of_set(change_set),
        facts=set_facts(change_set),
        why_not=why_not(change_set, verb, user),
        dangerous=verb in acts.DANGEROUS,
    )


def after_approval(change_set: ChangeSet) -> str:
    fresh = ChangeSet.objects.get(pk=change_set.pk)
    if fresh.published_at:
        return "It is live."
    return f"It goes live on {ui.when(fresh.go_live_at)}."


def why_not(change_set: ChangeSet, verb: str, user: Any) -> Refused | None:
    """Return why a verb on a set is not offered; None when it is."""
    if verb in verbs_on(change_set, user):
        return None
    transition = TRANSITIONS[verb]
    if not lifecycle.may(user, transition.role, change_set.program_id):
        return NotAllowed(
            f"{user.get_username()} may not do this in "
            f"{kinds.programs().name(change_set.program_id)}."
        )
    state = change_set.state
    wanted = {"unschedule": "Scheduled", "retry": "Publishing failed"}
    if state != wanted.get(verb, "Waiting"):
        decision = getattr(change_set, "decision", None)
        by = f" by {decision.decided_by}" if decision and decision.decided_by else ""
        return Refused(
            f"Cannot {transition.label.lower()} this change: it is {state.lower()}{by}."
        )
    if verb == "withdraw":
        return NotAllowed("Only somebody who worked on a change can withdraw it.")
    return SelfApproval(
        f"{user.get_username()} worked on this change, so somebody else has to "
        "approve it."
    )


def verbs_on(change_set: ChangeSet, user: Any) -> list[str]:
    """Return the verbs that are offered on a set: those on each of its versions."""
    if change_set.voided_at or change_set.published_at:
        return []
    versions = lifecycle.versions_of(change_set)
    if not versions or versions[0].change_set_id != change_set.pk:
        return []
    offered = lifecycle.verbs_for(versions[0], user)
    return [verb for verb in TRANSITIONS if verb in offered and verb in acts.SET_VERBS]


def set_title(change_set: ChangeSet) -> str:
    labels = [item.label for item in change_set.items.all()]
    shown = ", ".join(labels[:3])
    return shown if len(labels) <= 3 else f"{shown} and {len(labels) - 3} more"


def set_facts(change_set: ChangeSet) -> list[tuple[str, Any]]:
    facts: list[tuple[str, Any]] = [
        ("Program", kinds.programs().name(change_set.program_id)),
        (
            "Submitted",
            f"{ui.when(change_set.created_at)}"
            + (f", by {change_set.created_by}" if change_set.created_by else ""),
        ),
        ("Worked on by", ", ".join(people_of(change_set)) or "Nobody"),
        (
            "Goes live",
            ui.when(change_set.go_live_at, "As soon as it is approved"),
        ),
    ]
    if change_set.note:
        facts.append(("Note", change_set.note))
    decision = getattr(change_set, "decision", None)
    if decision:
        who = f", by {decision.decided_by}" if decision.decided_by else ""
        facts.append(
            (decision.get_kind_display(), f"{ui.when(decision.decided_at)}{who}")
        )
        if decision.comment:
            facts.append(("Comment", decision.comment))
    if change_set.published_at:
        facts.append(("Live since", ui.when(change_set.published_at)))
    if change_set.voided_at:
        who = f", by {change_set.voided_by}" if change_set.voided_by else ""
        facts.append(("Taken back", f"{ui.when(change_set.voided_at)}{who}"))
        facts.append(("Why", change_set.void_reason))
    if change_set.failure:
        facts.append(("Why it could not go live", change_set.failure))
    return facts


def people_of(change_set: ChangeSet) -> list[str]:
    hands = (
        Contribution.objects.to(change_set)
        .select_related("user")
        .order_by("created_at")
    )
    return list(dict.fromkeys(str(hand.user) for hand in hands))


class ChangeSetAdmin(ui.ReadOnlyAdmin):
    """The reviewer's table: read, decide, see what was decided."""

    why_read_only = "A change set is decided on through its buttons only."
    program_path = "program_id"
    list_display = ("what", "program_name", "state_badge", "asked", "decided")
    list_filter = (ProgramFilter, StateFilter)
    search_fields = ("items__label", "note", "created_by__username")
    list_select_related = ("created_by", "decision__decided_by", "voided_by")
    ordering = ("-created_at", "-pk")
    actions = ("approve_selected", "reject_selected")

    def get_queryset(self, request: HttpRequest) -> Any:
        first = ChangeSetItem.objects.filter(change_set=OuterRef("pk")).order_by("pk")
        return (
            super()
            .get_queryset(request)
            .annotate(
                first_label=Subquery(first.values("label")[:1]),
                # A subquery, since searching joins the items.
                size=Subquery(
                    ChangeSetItem.objects.filter(change_set=OuterRef("pk"))
                    .order_by()
                    .values("change_set")
                    .annotate(n=Count("pk"))
                    .values("n")
                ),
            )
        )

    def has_review_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("approvals.review_changes"))

    # The list

    @ui.display(description="Change")
    def what(self, change_set: Any) -> Any:
        more = (change_set.size or 1) - 1
        text = change_set.first_label + (f" and {more} more" if more else "")
        return ui.two_lines(text, change_set.note[:80])

    @ui.display(description="Program", ordering="program_id")
    def program_name(self, change_set: Any) -> Any:
        return change_set.program_name

    @ui.display(description="State")
    def state_badge(self, change_set: Any) -> Any:
        state = change_set.state
        return ui.badge(state, STATE_TONES.get(state, ""))

    @ui.display(description="Submitted", ordering="created_at")
    def asked(self, change_set: Any) -> Any:
        by = f"by {change_set.created_by}" if change_set.created_by else ""
        return ui.two_lines(ui.when(change_set.created_at), by)

    @ui.display(description="Decided")
    def decided(self, change_set: Any) -> Any:
        decision = getattr(change_set, "decision", None)
        if decision is None:
            return ""
        by = f"by {decision.decided_by}" if decision.decided_by else ""
        return ui.two_lines(ui.when(decision.decided_at), by)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        change_list = super().get_changelist_instance(request)
        # Read once per page: programs are few, rows are many.
        names = kinds.programs().names()
        for change_set in change_list.result_list:
            change_set.program_name = names.get(change_set.program_id, "")
        return change_list

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
        if not ui.is_id(object_id):
            raise Http404("There is no such change here.")
        change_set = self.found(request, int(object_id))
        return self.page(
            request,
            "admin/change_set.html",
            title=set_title(change_set),
            change_set=change_set,
            badge=self.state_badge(change_set),
            differences=changes.of_set(change_set),
            facts=set_facts(change_set),
            buttons=[
                Button(
                    TRANSITIONS[verb].label,
                    lifecycle_url(change_set, verb),
                    "primary"
                    if verb in ("approve", "retry")
                    else "danger"
                    if verb in acts.DANGEROUS
                    else "",
                )
                for verb in verbs_on(change_set, request.user)
            ],
        )

    # Verbs

    def get_urls(self) -> list[Any]:
        bulk = path(
            "decide/<slug:verb>/",
            self.admin_site.admin_view(self.decide_view),
            name="approvals_changeset_decide",
        )
        return [bulk, *lifecycle_urls(self), *super().get_urls()]

    def lifecycle_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        change_set = self.found(request, pk)
        if verb not in acts.SET_VERBS:
            raise Http404("There is no such page.")
        return acts.confirm(self, request, act_on(change_set, verb, request.user))

    # Many at once

    @ui.action(description="Approve…", permissions=["review"])
    def approve_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return self._to_decide(request, queryset, "approve")

    @ui.action(description="Reject…", permissions=["review"])
    def reject_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return self._to_decide(request, queryset, "reject")

    def _to_decide(self, request: HttpRequest, queryset: Any, verb: str) -> Any:
        ids = list(queryset.values_list("pk", flat=True)[: ui.MAX_SELECTED + 1])
        if len(ids) > ui.MAX_SELECTED:
            return ui.too_many(self, request)
        url = reverse("admin:approvals_changeset_decide", args=[verb])
        return redirect(f"{url}?ids={','.join(map(str, ids))}")

    def decide_view(self, request: HttpRequest, verb: str) -> HttpResponse:
        """Ask about several sets, then decide each on its own fingerprint."""
        if verb not in ("approve", "reject"):
            raise Http404("There is no such page.")
        if not self.has_review_permission(request):
            raise PermissionDenied("You may not approve or reject changes.")
        asked = request.POST if request.method == "POST" else request.GET
        ids = [int(part) for part in asked.get("ids", "").split(",") if ui.is_id(part)]
        if len(ids) > ui.MAX_SELECTED:
            return ui.too_many(self, request)
        chosen = list(
            self.get_queryset(request)
            .filter(pk__in=ids)
            .select_related("created_by", "decision__decided_by")
            .prefetch_related("items")
        )
        form_class = ReasonForm if verb == "reject" else CommentForm
        form: forms.Form = form_class(request.POST or None)
        outcomes: list[tuple[ChangeSet, bool, str]] = []
        if request.method == "POST" and form.is_valid():
            comment = form.cleaned_data["comment"]
            outcomes = [
                (s, *self._decide_one(request, s, verb, comment)) for s in chosen
            ]
            went = sum(1 for _, done, _ in outcomes if done)
            tell = messages.success if went == len(outcomes) else messages.warning
            tell(request, f"{went} of {len(outcomes)} went through.")
        ui.dress(form)
        return self.page(
            request,
            "admin/decide.html",
            title=f"{TRANSITIONS[verb].label} {len(chosen)} changes",
            verb=TRANSITIONS[verb],
            dangerous=verb in acts.DANGEROUS,
            form=form,
            ids=",".join(str(s.pk) for s in chosen),
            chosen=[
                (s, why_not(s, verb, request.user), changes.of_set(s))
                for s in (chosen if not outcomes else [])
            ],
            outcomes=outcomes,
            back=ui.list_url(ChangeSet),
        )

    def _decide_one(
        self, request: HttpRequest, change_set: ChangeSet, verb: str, comment: str
    ) -> tuple[bool, str]:
        decide = lifecycle.approve if verb == "approve" else lifecycle.reject
        fingerprint = request.POST.get(f"fingerprint-{change_set.pk}", "")
        try:
            decide(
                change_set, by=request.user, fingerprint=fingerprint, comment=comment
            )
        except Refused as refusal:
            return False, refusal.message
        if verb == "approve":
            return True, f"Approved. {after_approval(change_set)}"
        return True, "Rejected."
