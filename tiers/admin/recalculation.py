""" "Recalculate now": bringing members up to this moment, by a person."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from approvals import ui
from approvals.admin.acts import Act, Button
from approvals.admin.drafts import lifecycle_url
from approvals.errors import NotAllowed, Refused
from approvals.forms import CommentForm
from loyalty.admin.member_acts import about, allowed, refusal
from loyalty.models import Program

from .. import recalculating


def recalculate_button(request: HttpRequest, thing: Any) -> list[Button]:
    if not request.user.has_perm("loyalty.operate_programs"):
        return []
    return [Button("Recalculate now", lifecycle_url(thing, "recalculate"))]


def recalculate_act(request: HttpRequest, program: Program, thing: Any) -> Act:
    """Describe recalculating a program; ``thing`` is what the person came from."""
    user: Any = request.user
    refusal: Refused | None = None
    if not user.has_perm("loyalty.operate_programs"):
        refusal = NotAllowed(f"{user.get_username()} may not recalculate programs.")

    def run(said: dict[str, Any]) -> tuple[str, str]:
        if refusal:
            raise refusal
        now = timezone.now()
        report = recalculating.recalculate_now(
            program, by=user, reason=said["comment"], at=now
        )
        return (
            f"Looked at {report.members:,} members; {report.moved:,} changed tier. "
            f"Everything is true as of {ui.when(now)}.",
            ui.change_url(thing),
        )

    return Act(
        label="Recalculate now",
        about=str(Program.objects.with_live().get(pk=program.pk)),
        promise=(
            "Every member that something happened to, or that is due, is brought up "
            "to this moment. It changes no rule, and doing it twice changes nothing."
        ),
        run=run,
        back=ui.change_url(thing),
        form=CommentForm,
        why_not=refusal,
    )


# One member


def recalculate_member_button(request: HttpRequest, member: Any) -> list[Button]:
    if not request.user.has_perm("loyalty.operate_programs"):
        return []
    return [Button("Recalculate now", lifecycle_url(member, "recalculate"))]


def recalculate_member_act(request: HttpRequest, member: Any) -> Act:
    user: Any = request.user
    not_allowed = refusal(user, "loyalty.operate_programs", "recalculate members")

    def run(said: dict[str, Any]) -> tuple[str, str]:
        allowed(not_allowed)
        now = recalculating.recalculate_member(member, by=user, reason=said["comment"])
        return (
            f"Everything about {member.contact} is true as of {ui.when(now)}.",
            ui.change_url(member),
        )

    return Act(
        label="Recalculate now",
        about=about(member),
        promise=(
            "The member is brought up to this moment by the rules as they are. It "
            "changes no rule, and doing it twice changes nothing."
        ),
        run=run,
        back=ui.change_url(member),
        form=CommentForm,
        why_not=not_allowed,
    )
