"""What members are to be told: an outbox that is filled with each move."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from loyalty.models import Member, Program

from .groups import TierGroup
from .tiers import Tier


class TierEventQuerySet(models.QuerySet["TierEvent"]):
    def visible_to(self, user: Any) -> "TierEventQuerySet":
        return self.filter(member__program__in=Program.objects.visible_to(user))

    def undelivered(self) -> "TierEventQuerySet":
        return self.filter(delivered_at__isnull=True)

    def without_position(self) -> "TierEventQuerySet":
        return self.filter(position__isnull=True)


class TierEvent(models.Model):
    """A member moved, kept or is about to lose a tier; written with the move itself.

    ``occurred_at`` is when that became true, ``recorded_at`` when it was found.
    ``ends_at`` is until when a renewed tier is valid, or when one is lost of which a
    member was reminded.
    """

    class Kind(models.TextChoices):
        UPGRADED = "UPGRADED", "Upgraded"
        RENEWED = "RENEWED", "Renewed"
        DOWNGRADED = "DOWNGRADED", "Downgraded"
        REMINDED = "REMINDED", "Reminded"

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="tier_events"
    )
    group = models.ForeignKey(
        TierGroup, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    from_tier = models.ForeignKey(
        Tier, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    to_tier = models.ForeignKey(
        Tier, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    channels = models.JSONField(default=list)
    delivered_at = models.DateTimeField(null=True)
    #: The place in the order in which events are read; see ``tiers.feed``.
    position = models.BigIntegerField(null=True)

    objects: ClassVar[Any] = TierEventQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=["member", "group", "occurred_at"],
                condition=Q(kind="RENEWED"),
                name="renewal_is_told_once",
            ),
            models.UniqueConstraint(
                fields=["member", "group", "ends_at"],
                condition=Q(kind="REMINDED"),
                name="member_is_reminded_of_a_date_once",
            ),
            models.UniqueConstraint(
                fields=["position"], name="tier_event_has_a_position_of_its_own"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["UPGRADED", "RENEWED", "DOWNGRADED", "REMINDED"]),
                name="tier_event_kind_is_known",
            ),
        )
        indexes = (
            models.Index(
                fields=["id"],
                condition=Q(delivered_at__isnull=True),
                name="tier_events_to_deliver",
            ),
            models.Index(
                fields=["id"],
                condition=Q(position__isnull=True),
                name="tier_events_to_number",
            ),
        )

    def __str__(self) -> str:
        return f"Member {self.member_id}: {self.get_kind_display().lower()}"
