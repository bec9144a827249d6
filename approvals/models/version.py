"""The abstract version: one wording of a thing, with a status."""

import secrets
import time
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


def new_object_id() -> str:
    """Return 24 hex digits: the creation time in Unix seconds, then 16 random ones."""
    return f"{int(time.time()):08x}{secrets.token_hex(8)}"


# Of any kind of version, each with fields of its own.
class VersionQuerySet(models.QuerySet[Any]):
    def open(self) -> "VersionQuerySet":
        return self.filter(status__in=Version.OPEN)

    def live(self) -> "VersionQuerySet":
        return self.filter(status=Version.Status.LIVE)


class Version(models.Model):
    """One wording of a thing; the thing itself is named by ``THING``.

    What a version says (``CONTENT``) can change in DRAFT only: a trigger freezes
    it in every other status. Statuses change through ``approvals.lifecycle`` only.
    """

    class Status(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        PENDING_APPROVAL = "PENDING_APPROVAL", "Pending approval"
        REJECTED = "REJECTED", "Rejected"
        SCHEDULED = "SCHEDULED", "Scheduled"
        LIVE = "LIVE", "Live"
        SNAPSHOT = "SNAPSHOT", "Replaced"
        PUBLISH_FAILED = "PUBLISH_FAILED", "Publishing failed"
        DELETED = "DELETED", "Discarded"

    class Operation(models.TextChoices):
        SET = "SET", "Set"
        RETIRE = "RETIRE", "Retire"

    OPEN = (
        Status.DRAFT,
        Status.PENDING_APPROVAL,
        Status.REJECTED,
        Status.SCHEDULED,
        Status.PUBLISH_FAILED,
    )

    #: Name of the foreign key to the thing that this is a version of.
    THING: ClassVar[str]
    #: Names of the fields that say what the thing is; all of them are approved.
    CONTENT: ClassVar[tuple[str, ...]]
    #: Number of the layout of CONTENT; raise it when a field's meaning changes.
    SCHEMA: ClassVar[int] = 1

    object_id = models.CharField(
        max_length=24, unique=True, default=new_object_id, editable=False
    )
    number = models.PositiveIntegerField(editable=False)
    status = models.CharField(
        max_length=16, choices=Status.choices, default=Status.DRAFT, editable=False
    )
    operation = models.CharField(
        max_length=6, choices=Operation.choices, default=Operation.SET, editable=False
    )
    based_on = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The version that was live when drafting began.",
    )
    change_set = models.ForeignKey(
        "approvals.ChangeSet",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The submission that this version is, or went live, in.",
    )
    content_hash = models.CharField(
        max_length=64, blank=True, default="", editable=False
    )
    direct = models.BooleanField(
        default=False,
        editable=False,
        help_text="Written straight to live by an API call, past any open version.",
    )
    revision = models.PositiveIntegerField(
        default=1,
        editable=False,
        help_text="Counts the edits, so that a stale page never overwrites.",
    )
    note = models.TextField(
        "note for the reviewer",
        blank=True,
        default="",
        help_text="Why this change is wanted. The reviewer reads it.",
    )
    rejection_comment = models.TextField(blank=True, default="", editable=False)

    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    updated_at = models.DateTimeField(editable=False)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    submitted_at = models.DateTimeField(null=True, editable=False)
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    approved_at = models.DateTimeField(null=True, editable=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    rejected_at = models.DateTimeField(null=True, editable=False)
    rejected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    live_from = models.DateTimeField(null=True, editable=False)
    live_until = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[Any] = VersionQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{getattr(self, 'name', '')} (version {self.number})".strip()

    @property
    def thing(self) -> models.Model:
        return getattr(self, self.THING)

    @property
    def thing_id(self) -> int:
        return getattr(self, f"{self.THING}_id")

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def is_retirement(self) -> bool:
        return self.operation == self.Operation.RETIRE


def version_constraints(thing: str, word: str) -> list[models.BaseConstraint]:
    """Constraints of a concrete version table; ``word`` names the thing in them."""
    status = Version.Status
    return [
        models.UniqueConstraint(
            fields=[thing],
            condition=Q(status=status.LIVE),
            name=f"one_live_version_per_{word}",
        ),
        models.UniqueConstraint(
            fields=[thing],
            condition=Q(status__in=list(Version.OPEN), direct=False),
            name=f"one_open_version_per_{word}",
        ),
        models.CheckConstraint(
            condition=Q(direct=False)
            | Q(status__in=[status.DRAFT, status.LIVE, status.SNAPSHOT]),
            name=f"direct_{word}_version_is_never_reviewed",
        ),
        models.UniqueConstraint(
            fields=[thing, "number"],
            name=f"{word}_versions_are_numbered_once",
        ),
        models.CheckConstraint(
            condition=~Q(status=status.DRAFT)
            | Q(change_set__isnull=True, content_hash=""),
            name=f"{word}_draft_is_not_in_a_change_set",
        ),
        models.CheckConstraint(
            condition=Q(status__in=[status.DRAFT, status.DELETED])
            | (Q(change_set__isnull=False) & ~Q(content_hash="")),
            name=f"{word}_version_past_draft_has_been_submitted",
        ),
        models.CheckConstraint(
            condition=Q(status__in=[status.LIVE, status.SNAPSHOT])
            | Q(live_from__isnull=True),
            name=f"{word}_version_has_live_from_only_once_live",
        ),
        models.CheckConstraint(
            condition=~Q(status=status.LIVE)
            | Q(live_from__isnull=False, live_until__isnull=True),
            name=f"live_{word}_version_has_begun_and_not_ended",
        ),
        models.CheckConstraint(
            condition=~Q(status=status.SNAPSHOT)
            | Q(live_from__isnull=False, live_until__isnull=False),
            name=f"replaced_{word}_version_has_ended",
        ),
    ]
