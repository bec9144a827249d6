"""What was answered to requests that may be sent twice."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

#: For how long an answer is given again.
KEPT = timedelta(hours=24)
#: How many old ones are put away at a time.
PUT_AWAY = 100


class KeptAnswerQuerySet(models.QuerySet["KeptAnswer"]):
    def expired(self, at: datetime) -> "KeptAnswerQuerySet":
        return self.filter(created_at__lte=at - KEPT)

    def put_away(self, at: datetime) -> int:
        """Delete some that have expired; whoever does the same is not waited for."""
        old = self.expired(at).order_by("pk").select_for_update(skip_locked=True)
        chosen = list(old.values_list("pk", flat=True)[:PUT_AWAY])
        deleted, _ = self.filter(pk__in=chosen).delete()
        return deleted


class KeptAnswer(models.Model):
    """The first answer to a request that carried a key of its sender's choice."""

    organisation = models.BigIntegerField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    endpoint = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    #: Of what was asked: the same key with another body is a mistake.
    fingerprint = models.CharField(max_length=64)
    answer: Any = models.JSONField(null=True)
    created_at = models.DateTimeField(db_index=True)

    objects: ClassVar[Any] = KeptAnswerQuerySet.as_manager()

    class Meta:
        constraints = (
            # Of two requests with one key, the second waits here for the first.
            models.UniqueConstraint(
                fields=["organisation", "user", "endpoint", "key"],
                name="key_of_a_request_is_answered_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.key}"
