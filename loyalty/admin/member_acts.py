"""What a person can do to a member: who may, what it says, which verb it calls."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings

from approvals import ui
from approvals.admin.acts import Act, Button
from approvals.admin.drafts import lifecycle_url
from approvals.errors import InvalidTransition, NotAllowed, Refused
from approvals.forms import ReasonForm

from .. import adjustments, members
from ..forms import AdjustForm, EditMemberForm, EraseForm
from ..models import (
    BalanceDefinition,
    Member,
    PointsRequest,
)
from .ledger import in_words, with_units

EDIT = "loyalty.edit_members"
POST = adjustments.POST
ERASE = "loyalty.erase_contacts"

Status = Member.Status


@dataclass(frozen=True)
class Step:
    """A verb on a membership that asks for nothing but a reason."""

    label: str
    promise: str
    done: str
    verb: Callable[..., None]
    sources: frozenset[str]
    #: Whether the member has to belong to the program; None where it is all one.
    belongs: bool | None = None
    dangerous: bool = False


STEPS = {
    "deactivate_member": Step(
        "Set inactive",
        "The member is left out of the number of customers of every tier. Points and "
        "tiers go on as before.",
        "is inactive now",
        members.deactivate,
        frozenset({Status.ACTIVE}),
    ),
    "activate_member": Step(
        "Set active",
        "The member counts as a customer of their tiers again.",
        "is active again",
        members.activate,
        frozenset({Status.INACTIVE}),
    ),
    "leave": Step(
        "End membership",
        "The person leaves the program now and holds no tier any more. What was "
        "earned stays in the ledger, and coming back is possible.",
        "has left the program",
        members.leave,
        frozenset({Status.ACTIVE, Status.INACTIVE}),
        belongs=True,
    ),
    "rejoin": Step(
        "Take back",
        "The person belongs to the program again from now on. What was earned before "
        "still counts; both anniversaries begin anew.",
        "belongs to the program again",
        members.rejoin,
        frozenset({Status.ACTIVE, Status.INACTIVE}),
        belongs=False,
    ),
    "close": Step(
        "Close",
        "The account is closed for good: the person leaves the program, and nothing "
        "can be posted to the account any more. This cannot be undone.",
        "is closed",
        members.close,
        frozenset({Status.ACTIVE, Status.INACTIVE}),
        dangerous=True,
    ),
}


def buttons(user: Any, member: Any) -> list[Button]:
    found = []
    if user.has_perm(EDIT) and not member.contact.erased_at:
        found.append(Button("Edit details", lifecycle_url(member, "edit")))
    if user.has_perm(POST) and member.status != Status.CLOSED:
        found.append(Button("Adjust points", lifecycle_url(member, "adjust")))
    return found


def membership_buttons(user: Any, member: Any) -> list[Button]:
    """What can be done to the membership itself."""
    found = []
    if user.has_perm(EDIT):
        found += [
            Button(
                step.label,
                lifecycle_url(member, verb),
                "danger" if step.dangerous else "",
            )
            for verb, step in STEPS.items()
            if member.status in step.sources
            and step.belongs in (None, member.now_belongs)
        ]
    if user.has_perm(ERASE) and not member.contact.erased_at:
        url = lifecycle_url(member, "erase")
        found.append(Button("Erase personal data", url, "danger"))
    return found


def act(user: Any, member: Any, verb: str) -> Act | None:
    if verb in STEPS:
        return step_act(user, member, STEPS[verb])
    if verb == "edit":
        return edit_act(user, member)
    if verb == "erase":
        return erase_act(user, member)
    if verb == "adjust":
        return adjust_act(user, member)
    return None


def refusal(user: Any, permission: str, doing: str) -> Refused | None:
    if user.has_perm(permission):
        return None
    return NotAllowed(f"{user.get_username()} may not {doing}.")


def allowed(refused: Refused | None) -> None:
    """Refuse again when the button is pressed: a page may be older than a role."""
    if isinstance(refused, NotAllowed):
        raise refused


def about(member: Any) -> str:
    return f"{member.contact}, {member.subscription_id}"


def step_act(user: Any, member: Any, step: Step) -> Act:
    not_allowed = refusal(user, EDIT, "change members")

    def run(said: dict[str, Any]) -> tuple[str, str]:
        allowed(not_allowed)
        step.verb(member, by=user, reason=said["comment"])
        return f"{member.contact} {step.done}.", ui.change_url(member)

    why_not = not_allowed
    if why_not is None and member.status not in step.sources:
        now = member.get_status_display().lower()
        why_not = InvalidTransition(f"{member} is {now}.")
    return Act(
        label=step.label,
        about=about(member),
        promise=step.promise,
        run=run,
        back=ui.change_url(member),
        form=ReasonForm,
        why_not=why_not,
        dangerous=step.dangerous,
    )


def edit_act(user: Any, member: Any) -> Act:
    details = members.details_of(member)
    not_allowed = refusal(user, EDIT, "change members")

    def run(said: dict[str, Any]) -> tuple[str, str]:
        allowed(not_allowed)
        changed = members.edit(member, said["details"], by=user, seen=said["seen"])
        told = f"Changed: {', '.join(changed)}." if changed else "Nothing was changed."
        return told, ui.change_url(member)

    why_not = not_allowed
    if why_not is None and member.contact.erased_at:
        why_not = InvalidTransition("This person's data was erased.")
    return Act(
        label="Edit details",
        about=about(member),
        promise=(
            "The person is the same in every program, so a new name or address is "
            "theirs everywhere. That something was changed goes on record; what it "
            "said before does not."
        ),
        run=run,
        back=ui.change_url(member),
        form=partial(EditMemberForm, details=details),
        seen=details.digest,
        facts=[
            ("Name now", details.name or "Not set"),
            ("E-mail now", details.email or "Not set"),
            ("Mobile now", details.mobile or "Not set"),
            ("Card now", details.card or "Not set"),
        ],
        why_not=why_not,
    )


def erase_act(user: Any, member: Any) -> Act:
    not_allowed = refusal(user, ERASE, "erase anybody's data")

    def run(said: dict[str, Any]) -> tuple[str, str]:
        members.erase(member, by=user, reason=said["comment"])
        return (
            f"The personal data behind {member.subscription_id} is erased. Points, "
            "tiers and their history are kept.",
            ui.change_url(member),
        )

    why_not = not_allowed
    if why_not is None and member.contact.erased_at:
        why_not = InvalidTransition("This person's data was erased already.")
    return Act(
        label="Erase personal data",
        about=about(member),
        promise=(
            "Name, e-mail, mobile, card and every other number of the person are "
            "emptied, in every program, for good: this cannot be undone. "
            "The ledger, the tiers and the membership number stay. Who asks for it "
            "should know that points can hardly be used any more."
        ),
        run=run,
        back=ui.change_url(member),
        form=partial(EraseForm, number=member.subscription_id),
        why_not=why_not,
        dangerous=True,
    )


def adjust_act(user: Any, member: Any) -> Act:
    balances = live_balances(member.program_id)

    def run(said: dict[str, Any]) -> tuple[str, str]:
        chosen = next(b for b in balances if b.pk == said["balance"])
        request = adjustments.adjust(
            member,
            chosen,
            said["units"],
            reference=said["reference"],
            reason=said["comment"],
            by=user,
        )
        what = adjustments.what_of(request)
        if request.status == PointsRequest.Status.PENDING:
            told = f"{what}: this waits for a reviewer, and is not posted yet."
        else:
            told = f"Posted: {what}."
        return told, ui.change_url(member)

    why_not = refusal(user, POST, "adjust points")
    if why_not is None and member.status == Status.CLOSED:
        why_not = InvalidTransition(f"{member} is closed.")
    return Act(
        label="Adjust points",
        about=about(member),
        promise=(
            "What you add counts towards tiers from now on; what you take away "
            f"counts against them. Up to {settings.POINTS_ADJUSTMENT_LIMIT:,} of the "
            "balance's unit are posted at once. Above that, or after "
            f"{settings.POINTS_ADJUSTMENTS_A_DAY} adjustments of yours in 24 hours, a "
            "reviewer has to agree first."
        ),
        run=run,
        back=ui.change_url(member),
        form=partial(AdjustForm, balances=balances),
        facts=[
            (b.balance_name, in_words(b, b.amount))
            for b in with_units(member.balances.select_related("balance_definition"))
        ],
        why_not=why_not,
    )


def live_balances(program_id: int) -> list[Any]:
    """The balances that can be posted to, with their names and units of today."""
    balances: Any = BalanceDefinition.objects.filter(program=program_id).with_live()
    return list(balances.filter(live_unit__isnull=False).order_by("pk"))
