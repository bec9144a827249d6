"""The one page that asks "are you sure?", for every verb there is.

A door describes what it is about to do as an ``Act``; the page shows what would
change, asks for a comment where one belongs, and does it on POST. A refusal is a
sentence on the same page, with the status that says whose fault it is.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from .. import kinds, lifecycle, ui
from ..changes import Difference
from ..errors import NotAllowed, Refused, SelfApproval
from ..forms import ActForm, CommentForm, PublishForm, ReasonForm, SubmitForm
from ..transitions import TRANSITIONS

logger = logging.getLogger(__name__)

FORMS: dict[str, type[ActForm]] = {
    "submit": SubmitForm,
    "publish_now": PublishForm,
    "approve": CommentForm,
    "retry": CommentForm,
    "reject": ReasonForm,
    "unschedule": ReasonForm,
}
DANGEROUS = frozenset({"reject", "discard", "unschedule", "retire", "disable"})
SET_VERBS = frozenset({"withdraw", "approve", "reject", "unschedule", "retry"})


@dataclass
class Button:
    """A way on from a page: a link, or with ``post`` a form of one button."""

    label: str
    url: str
    tone: str = ""
    post: bool = False


@dataclass
class Act:
    """Something that a person is about to do."""

    label: str
    about: str
    promise: str
    #: Does it, given what the form says; returns what to tell, and where to go.
    run: Callable[[dict[str, Any]], tuple[str, str]]
    back: str
    form: Callable[..., ActForm] = ActForm
    #: Names what was read on the page; travels in a hidden field.
    seen: str = ""
    differences: list[Difference] = field(default_factory=list)
    facts: list[tuple[str, Any]] = field(default_factory=list)
    #: Why it is not offered now; asked only before the page is shown.
    why_not: Refused | None = None
    dangerous: bool = False
    others: list[Button] = field(default_factory=list)


def confirm(model_admin: Any, request: HttpRequest, act: Act) -> HttpResponse:
    """Show the page, or do what it asks about."""
    refusal: Refused | None = None
    status = 200
    if request.method == "POST":
        form: forms.Form = act.form(request.POST)
        if form.is_valid():
            try:
                message, url = act.run(form.cleaned_data)
            except Refused as error:
                refusal = beside_field(form, error)
                status = status_of(error)
            except ValidationError as error:
                refusal = Refused(" ".join(error.messages))
                status = 409
            else:
                messages.success(request, message)
                return redirect(url)
    else:
        form = act.form(initial={"seen": act.seen})
        refusal = act.why_not
        status = status_of(refusal) if refusal else 200
    ui.dress(form)
    if refusal:
        logger.warning(
            "%s was refused %s of %s: %s",
            request.user.get_username(),
            act.label,
            act.about,
            refusal.code,
        )
    return model_admin.page(
        request,
        "admin/act.html",
        title=f"{act.label}: {act.about}",
        act=act,
        form=form,
        refusal=refusal,
        status=status,
    )


def beside_field(form: forms.Form, refusal: Refused) -> Refused | None:
    """Put a refusal beside the field that it is about, to be written anew there."""
    field = refusal.details.get("field")
    if field not in form.fields:
        return refusal
    form.add_error(field, refusal.message)
    return None


def status_of(refusal: Refused) -> int:
    """403 for who may not, 409 for what cannot be now."""
    return 403 if isinstance(refusal, NotAllowed | SelfApproval) else 409


# Which versions were read, and in which state


def seen_of(versions: Iterable[Any]) -> str:
    """Name versions and their revisions, for a hidden field."""
    return ",".join(
        f"{kinds.kind_of(v).version._meta.label_lower}:{v.pk}:{v.revision}"
        for v in versions
    )


def as_seen(versions: Iterable[Any], seen: str) -> list[Any]:
    """Return those of ``versions`` that were read, as they were read.

    The hidden field chooses among what the person may act on and can add nothing;
    verbs compare the revision with the row's.
    """
    if not seen:
        return list(versions)
    revisions: dict[str, int] = {}
    for part in seen.split(","):
        name, _, revision = part.rpartition(":")
        if revision.isascii() and revision.isdigit() and len(revision) < 10:
            revisions[name] = int(revision)
    chosen = []
    for version in versions:
        name = f"{version._meta.label_lower}:{version.pk}"
        if name in revisions:
            version.revision = revisions[name]
            chosen.append(version)
    return chosen


# What people are told


def why_not(verb: str, version: Any, user: Any) -> Refused | None:
    """Return why a verb on a version is not offered, or None when it is."""
    if lifecycle.is_offered(verb, version, user):
        return None
    transition = TRANSITIONS[verb]
    program_id = kinds.kind_of(version).program_id(version)
    name = user.get_username()
    if not lifecycle.may(user, transition.role, program_id):
        return NotAllowed(
            f"{name} may not do this in {kinds.programs().name(program_id)}."
        )
    label = getattr(version, "name", "") or str(version.thing)
    if version.status not in transition.sources:
        return Refused(
            f"Cannot {transition.label.lower()} {label} version {version.number}: "
            f"it is {version.get_status_display().lower()}."
        )
    if verb == "publish_now":
        return Refused(
            f"Changes to {kinds.programs().name(program_id)} are approved by a "
            "reviewer: submit this one instead."
        )
    if verb == "withdraw":
        return NotAllowed("Only somebody who worked on a change can withdraw it.")
    return SelfApproval(
        f"{name} worked on this change, so somebody else has to approve it."
    )
