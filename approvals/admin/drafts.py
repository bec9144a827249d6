"""What can be done to versions: addresses, buttons, and the acts behind them."""

from typing import Any

from django.urls import path, reverse

from .. import changes, kinds, lifecycle, ui
from ..errors import NotAllowed, Refused
from ..forms import ActForm
from ..models import Version
from ..transitions import TRANSITIONS
from . import acts
from .acts import Act, Button

Status = Version.Status


def lifecycle_urls(model_admin: Any) -> list[Any]:
    """The pages that ask "are you sure?" below ``<id>/lifecycle/<verb>/``."""
    meta = model_admin.model._meta
    return [
        path(
            "<int:pk>/lifecycle/<slug:verb>/",
            model_admin.admin_site.admin_view(model_admin.lifecycle_view),
            name=f"{meta.app_label}_{meta.model_name}_lifecycle",
        )
    ]


def lifecycle_url(obj: Any, verb: str) -> str:
    meta = obj._meta
    name = f"admin:{meta.app_label}_{meta.model_name}_lifecycle"
    return reverse(name, args=[obj.pk, verb])


def siblings(version: Any) -> Any:
    table = type(version)._default_manager
    return table.filter(**{f"{version.THING}_id": version.thing_id})


def facts_of(version: Any) -> list[tuple[str, Any]]:
    """Who did what to a version, and when."""
    steps = (
        ("Drafted", version.created_at, version.created_by),
        ("Last changed", version.updated_at, version.updated_by),
        ("Submitted", version.submitted_at, version.submitted_by),
        ("Approved", version.approved_at, version.approved_by),
        ("Rejected", version.rejected_at, version.rejected_by),
    )
    facts: list[tuple[str, Any]] = [
        (label, f"{ui.when(at)}{f', by {by}' if by else ''}")
        for label, at, by in steps
        if at
    ]
    if version.rejection_comment:
        facts.append(("Reason for rejecting", version.rejection_comment))
    if version.live_from:
        facts.append(("Live from", ui.when(version.live_from)))
    if version.live_until:
        facts.append(("Live until", ui.when(version.live_until)))
    if version.note:
        facts.append(("Note", version.note))
    return facts


def verb_button(version: Any, verb: str) -> Button:
    tone = "primary" if verb in ("submit", "approve", "publish_now", "retry") else ""
    target = version.change_set if verb in acts.SET_VERBS else version
    return Button(
        TRANSITIONS[verb].label,
        lifecycle_url(target, verb),
        "danger" if verb in acts.DANGEROUS else tone,
    )


def roll_back_offered(version: Any, user: Any) -> bool:
    return (
        version.status == Status.SNAPSHOT
        and not version.is_retirement
        and lifecycle.may(user, "maker", kinds.kind_of(version).program_id(version))
        and not siblings(version).open().filter(direct=False).exists()
    )


def roll_back_refusal(version: Any, user: Any) -> Refused:
    if not lifecycle.may(user, "maker", kinds.kind_of(version).program_id(version)):
        return NotAllowed(f"{user.get_username()} may not draft changes here.")
    if siblings(version).open().exists():
        return Refused(
            f"{version.name} has an open version already. Discard it first, or edit it."
        )
    return Refused(
        "Only a version that was live and has been replaced can be rolled back to; "
        f"this one is {version.get_status_display().lower()}."
    )


def act_on_drafts(drafts: list[Any], verb: str, user: Any, *, back: str) -> Act:
    """Describe submitting, publishing or discarding drafts, one or many."""
    transition = TRANSITIONS[verb]

    def run(said: dict[str, Any]) -> tuple[str, str]:
        chosen = acts.as_seen(drafts, said["seen"])
        if verb == "discard":
            for draft in chosen:
                lifecycle.discard(draft, by=user)
            return f"Discarded the draft of {changes.labels(drafts)}.", back
        if verb == "publish_now":
            lifecycle.publish_now(chosen, by=user, note=said["note"])
            return f"{changes.labels(chosen)}: live now.", back
        change_set = lifecycle.submit(
            chosen, by=user, note=said["note"], go_live_at=said["go_live_at"]
        )
        return (
            f"Submitted {changes.labels(chosen)}. A reviewer is asked to decide.",
            ui.change_url(change_set),
        )

    refusals = [acts.why_not(verb, draft, user) for draft in drafts]
    return Act(
        label=transition.label,
        about=changes.labels(drafts) if drafts else "nothing",
        promise=transition.promise,
        run=run,
        back=back,
        form=acts.FORMS.get(verb, ActForm),
        seen=acts.seen_of(drafts),
        differences=[changes.of_version(draft) for draft in drafts],
        facts=[(f"Drafted: {draft.name}", who_worked_on(draft)) for draft in drafts],
        why_not=next(filter(None, refusals), None)
        if drafts
        else Refused("There is nothing to submit: no draft is waiting."),
        dangerous=verb in acts.DANGEROUS,
    )


def who_worked_on(version: Any) -> str:
    names = [version.created_by, version.updated_by]
    people = list(dict.fromkeys(str(person) for person in names if person))
    return f"by {', '.join(people)}; last changed {ui.when(version.updated_at)}"
