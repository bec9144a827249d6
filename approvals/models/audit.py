"""What happened, and who should hear of it."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def about(self, kind: str, object_id: int) -> "AuditEventQuerySet":
        return self.filter(kind=kind, object_id=object_id)


class AuditEvent(models.Model):
    """One act of a person or of the scheduler; never changes.

    ``kind`` and ``object_id`` name the thing acted on ("tier", its id); the names
    of actor and thing are kept as text, readable when both have changed.
    """

    program_id = models.BigIntegerField(db_index=True, null=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    actor_name = models.CharField(max_length=150)
    verb = models.CharField(max_length=32)
    kind = models.CharField(max_length=32)
    object_id = models.BigIntegerField()
    label = models.CharField(max_length=200)
    reason = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()

    objects: ClassVar[Any] = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(fields=["kind", "object_id"], name="events_of_an_object"),
        )

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.verb} {self.label}"


class NoticeQuerySet(models.QuerySet["Notice"]):
    def unread_by(self, user: Any) -> "NoticeQuerySet":
        return self.filter(user=user, read_at__isnull=True)


class Notice(models.Model):
    """Something that a person should hear of, in the admin and by e-mail."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices"
    )
    subject = models.CharField(max_length=200)
    body = models.TextField(blank=True, default="")
    path = models.CharField(max_length=200, help_text="Where in the admin to look.")
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(
        null=True, help_text="When to try to send the e-mail next; empty once sent."
    )
    attempts = models.PositiveSmallIntegerField(default=0)

    objects: ClassVar[Any] = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(
                fields=["due_at"],
                condition=Q(due_at__isnull=False),
                name="notices_to_send",
            ),
            models.Index(fields=["user", "read_at"], name="notices_of_a_person"),
        )

    def __str__(self) -> str:
        return self.subject
