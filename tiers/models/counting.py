"""How many customers hold a tier: what has changed since, and every day's beginning."""

from typing import Any, ClassVar

from django.db import models

from loyalty.models import Program

from .tiers import Tier


class CountChange(models.Model):
    """So many customers more, or fewer, hold a tier since an instant.

    Written in the transaction that moves them, without a lock on the tier; the tick
    adds what happened up to its instant to the tier's count, and removes the rows.
    """

    program = models.ForeignKey(
        Program, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    delta = models.IntegerField()
    at = models.DateTimeField()

    class Meta:
        indexes = (
            models.Index(fields=["program", "at"], name="count_changes_of_a_program"),
        )

    def __str__(self) -> str:
        return f"{self.delta:+d} in tier {self.tier_id}"


class TierSnapshotQuerySet(models.QuerySet["TierSnapshot"]):
    def visible_to(self, user: Any) -> "TierSnapshotQuerySet":
        return self.filter(tier__program__in=Program.objects.visible_to(user))


class TierSnapshot(models.Model):
    """How many customers held a tier when a local day of its program began."""

    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="snapshots")
    day = models.DateField()
    at = models.DateTimeField(help_text="The day's first instant.")
    customers = models.PositiveIntegerField()
    recorded_at = models.DateTimeField(
        help_text="Counted from what was known at this instant."
    )

    objects: ClassVar[Any] = TierSnapshotQuerySet.as_manager()

    class Meta:
        ordering = ("tier_id", "-day")
        constraints = (
            models.UniqueConstraint(
                fields=["tier", "day"], name="tier_is_counted_once_a_day"
            ),
        )

    def __str__(self) -> str:
        return f"{self.customers:,} in tier {self.tier_id} on {self.day}"
