"""Telling people: a row in the admin, and an e-mail with a link to it.

A notice is written in the transaction of what it tells of. Its e-mail is sent
afterwards, by a tick that looks for rows that are due; a mail server that is
down delays it and stops nothing.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage
from django.urls import reverse

from . import kinds
from .models import ChangeSet, Decision, Notice

MAX_ATTEMPTS = 5

logger = logging.getLogger(__name__)


def to_review(change_set: ChangeSet, *, at: datetime) -> None:
    """Ask everybody who may decide on the set."""
    _tell(
        reviewers_of(change_set),
        change_set,
        f"{_who(change_set.created_by)} asks for your approval: {_what(change_set)}",
        change_set.note,
        at,
    )


def decided(change_set: ChangeSet, decision: Decision, *, at: datetime) -> None:
    verdict = decision.get_kind_display().lower()
    _tell(
        _makers_of(change_set),
        change_set,
        f"{_who(decision.decided_by)} {verdict} your change: {_what(change_set)}",
        decision.comment,
        at,
    )


def voided(change_set: ChangeSet, *, by: Any, reason: str, at: datetime) -> None:
    """Tell those who were asked to review that there is nothing to review now."""
    _tell(
        [person for person in reviewers_of(change_set) if person.pk != by.pk],
        change_set,
        f"No need to review any more: {_what(change_set)}",
        f"{_who(by)} took it back. {reason}",
        at,
    )


def called_off(change_set: ChangeSet, *, by: Any, reason: str, at: datetime) -> None:
    decider = change_set.decision.decided_by
    people = {person.pk: person for person in (*_makers_of(change_set), decider)}
    people.pop(by.pk, None)
    _tell(
        people.values(),
        change_set,
        f"{_who(by)} called off a scheduled change: {_what(change_set)}",
        reason,
        at,
    )


def failed(change_set: ChangeSet, *, at: datetime) -> None:
    people = [*_makers_of(change_set), change_set.decision.decided_by]
    _tell(
        people,
        change_set,
        f"A scheduled change could not go live: {_what(change_set)}",
        change_set.failure,
        at,
    )


def reviewers_of(change_set: ChangeSet) -> list[Any]:
    """Return the active people who may decide on the set, superusers aside.

    A superuser may decide as well, but is not asked: it is nobody's daily work.
    """
    return reviewers(change_set.program_id, besides=change_set.contributor_ids)


def reviewers(program_id: int, *, besides: Iterable[int]) -> list[Any]:
    """Return the active people who decide on things of a program, some left out."""
    people = (
        get_user_model()
        .objects.with_perm(
            "approvals.review_changes",
            include_superusers=False,
            backend="django.contrib.auth.backends.ModelBackend",
        )
        .exclude(pk__in=besides)
    )
    sees = kinds.programs().visible_to
    visible = [(person, sees(person)) for person in people]
    return [p for p, ids in visible if ids is None or program_id in ids]


def deliver(*, as_of: datetime) -> int:
    """Send the e-mails that are due; return how many were sent.

    Each row is claimed by moving its due time forward, so that two ticks at once
    send one e-mail, and a tick that dies sends it later.
    """
    sent = 0
    due = Notice.objects.filter(due_at__lte=as_of).select_related("user")
    for notice in due.order_by("due_at", "pk")[:500]:
        attempts = notice.attempts + 1
        again = as_of + timedelta(minutes=5 * attempts)
        claim = Notice.objects.filter(pk=notice.pk, due_at=notice.due_at)
        if not claim.update(due_at=again, attempts=attempts):
            continue
        try:
            _mail(notice)
        except Exception:
            # Whatever a mail backend raises, everybody else still gets their mail.
            logger.exception("A notice could not be sent", extra={"notice": notice.pk})
            if attempts >= MAX_ATTEMPTS:
                Notice.objects.filter(pk=notice.pk).update(due_at=None)
            continue
        Notice.objects.filter(pk=notice.pk).update(due_at=None)
        sent += 1
    return sent


def _mail(notice: Notice) -> None:
    link = settings.SITE_URL.rstrip("/") + notice.path
    body = "\n\n".join(part for part in (notice.body, link) if part)
    # A line break in a subject would start a header of the writer's choice.
    subject = " ".join(notice.subject.split())
    EmailMessage(subject, body, to=[notice.user.email]).send()


def _tell(
    people: Iterable[Any], change_set: ChangeSet, subject: str, body: str, at: datetime
) -> None:
    path = reverse("admin:approvals_changeset_change", args=[change_set.pk])
    tell(people, subject=subject, body=body, path=path, at=at)


def tell(
    people: Iterable[Any], *, subject: str, body: str, path: str, at: datetime
) -> None:
    """Tell people something, each once; ``path`` is where in the admin to look."""
    unique = {person.pk: person for person in people if person}
    Notice.objects.bulk_create(
        Notice(
            user=person,
            subject=subject[:200],
            body=body,
            path=path,
            created_at=at,
            due_at=at if person.email else None,
        )
        for person in unique.values()
    )


def _makers_of(change_set: ChangeSet) -> list[Any]:
    people = get_user_model().objects.filter(pk__in=change_set.contributor_ids)
    return list(people.filter(is_active=True))


def _what(change_set: ChangeSet) -> str:
    labels = list(change_set.items.values_list("label", flat=True))
    program = kinds.programs().name(change_set.program_id)
    listed = ", ".join(labels[:3]) + (
        f" and {len(labels) - 3} more" * (len(labels) > 3)
    )
    return f"{listed} ({program})"


def _who(user: Any) -> str:
    return user.get_username() if user else "Somebody"
