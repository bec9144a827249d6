"""What people do to members beside the ledger: moves, overrides, evaluations.

They are rows of their own, so that everything can be computed anew from rows alone.
"""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from loyalty.models import Member, Program

from .groups import TierGroup
from .tiers import Tier


class ActQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> "ActQuerySet":
        return self.filter(group__program__in=Program.objects.visible_to(user))


class Act(models.Model):
    """Somebody did something to a member of a group, for a reason."""

    group = models.ForeignKey(TierGroup, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=255)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField()

    objects: ClassVar[Any] = ActQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering: ClassVar[Any] = ("-at", "-pk")


class ManualMove(Act):
    """A member was put into a tier; it stands until the next due evaluation."""

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="moves", db_index=False
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+")

    class Meta(Act.Meta):
        indexes = (models.Index(fields=["member", "group"], name="moves_of_a_member"),)

    def __str__(self) -> str:
        return f"Member {self.member_id} moved to tier {self.tier_id}"


class OrderedEvaluation(Act):
    """Somebody had a member, or everybody in the group, evaluated out of turn."""

    member = models.ForeignKey(
        Member,
        null=True,
        on_delete=models.PROTECT,
        related_name="ordered_evaluations",
    )

    class Meta(Act.Meta):
        indexes = (
            models.Index(fields=["group", "member"], name="evaluations_of_a_member"),
        )

    def __str__(self) -> str:
        who = f"member {self.member_id}" if self.member_id else "everybody"
        return f"Evaluation of {who} in group {self.group_id}"


class OverrideQuerySet(ActQuerySet):
    def in_force(self, instant: Any) -> "OverrideQuerySet":
        return self.filter(
            Q(until__isnull=True) | Q(until__gt=instant), at__lte=instant
        )


class Override(Act):
    """What a member reads as is bounded, from an instant until another or for good.

    A member has at most one at a time in a group. Ending one early fills ``until``;
    the reason that was given for that is kept beside.
    """

    class Bound(models.TextChoices):
        FLOOR = "FLOOR", "At least"
        CEILING = "CEILING", "At most"
        PIN = "PIN", "Exactly"

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="overrides", db_index=False
    )
    bound = models.CharField(max_length=7, choices=Bound.choices)
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+")
    until = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=255, blank=True, default="")

    objects: ClassVar[Any] = OverrideQuerySet.as_manager()

    class Meta(Act.Meta):
        constraints = (
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gt=F("at")),
                name="override_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(until=F("ended_at")),
                name="override_ended_early_ends_then",
            ),
            models.CheckConstraint(
                condition=Q(bound__in=["FLOOR", "CEILING", "PIN"]),
                name="override_bound_is_known",
            ),
        )
        indexes = (
            models.Index(fields=["member", "group"], name="overrides_of_a_member"),
        )

    def __str__(self) -> str:
        return f"{self.get_bound_display()} tier {self.tier_id}"
