"""Who holds which tier, since when and why."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from loyalty.models import Member, Program

from .groups import TierGroup, TierGroupVersion
from .tiers import Tier, TierVersion

#: The tier will be lost, and the member has not been told of that date.
NOT_REMINDED = Q(drops_at__isnull=False) & (
    Q(reminded_for__isnull=True) | Q(reminded_for__lt=F("drops_at"))
)


class Standing(models.Model):
    """A member's current state in a group, true as of ``evaluated_at``.

    ``tier`` is empty for who holds none. ``due_at`` is the next instant at which
    anything could change by itself: the least of all that are coming.
    """

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="standings", db_index=False
    )
    group = models.ForeignKey(
        TierGroup, on_delete=models.PROTECT, related_name="standings", db_index=False
    )
    tier = models.ForeignKey(
        Tier, null=True, on_delete=models.PROTECT, related_name="standings"
    )
    qualifying_points = models.BigIntegerField(
        default=0, help_text="The measured amount, in the balance's smallest unit."
    )
    since = models.DateTimeField(null=True)
    evaluated_at = models.DateTimeField()
    ruleset = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    next_exit_at = models.DateTimeField(
        null=True, help_text="When the next amount stops counting."
    )
    drops_at = models.DateTimeField(
        null=True, help_text="When the tier is lost if nothing more is earned."
    )
    term_ends_at = models.DateTimeField(
        null=True, help_text="The first instant at which the running term is over."
    )
    #: The date of losing the tier of which the member was reminded last.
    reminded_for = models.DateTimeField(null=True)
    #: The tier whose customers this member is among; none for who is not active.
    counted_as = models.ForeignKey(
        Tier, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["member", "group"], name="member_stands_in_a_group_once"
            ),
        )
        indexes = (
            models.Index(
                fields=["group", "due_at"],
                condition=Q(due_at__isnull=False),
                name="standings_due",
            ),
            models.Index(fields=["group", "tier"], name="standings_by_tier"),
            models.Index(
                fields=["group", "drops_at"],
                condition=NOT_REMINDED,
                name="standings_to_remind",
            ),
        )

    def __str__(self) -> str:
        return f"Standing of member {self.member_id} in group {self.group_id}"


class TierAssignmentQuerySet(models.QuerySet["TierAssignment"]):
    def visible_to(self, user: Any) -> "TierAssignmentQuerySet":
        return self.filter(member__program__in=Program.objects.visible_to(user))

    def known_now(self) -> "TierAssignmentQuerySet":
        return self.filter(superseded_at__isnull=True)

    def at(self, instant: Any) -> "TierAssignmentQuerySet":
        """The assignments that cover an instant, as known now."""
        return self.known_now().filter(
            Q(valid_until__isnull=True) | Q(valid_until__gt=instant),
            valid_from__lte=instant,
        )


class TierAssignment(models.Model):
    """A member held a tier from, until, and why; superseded, never edited.

    Intervals are half-open. ``amount`` and ``threshold`` are what was compared when
    the interval began, in the balance's smallest unit.
    """

    class Reason(models.TextChoices):
        PLACED = "PLACED", "Placed on joining"
        UPGRADED = "UPGRADED", "Reached the threshold"
        DOWNGRADED = "DOWNGRADED", "Fell below the threshold"
        RULES_CHANGED = "RULES_CHANGED", "The rules changed"
        MOVED = "MOVED", "Moved by hand"
        OVERRIDDEN = "OVERRIDDEN", "An override began or ended"

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="assignments"
    )
    group = models.ForeignKey(
        TierGroup, on_delete=models.PROTECT, related_name="assignments", db_index=False
    )
    tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, related_name="assignments", db_index=False
    )
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=13, choices=Reason.choices)
    amount = models.BigIntegerField(default=0)
    threshold = models.BigIntegerField(null=True)
    tier_version = models.ForeignKey(
        TierVersion, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    group_version = models.ForeignKey(
        TierGroupVersion, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    objects: ClassVar[Any] = TierAssignmentQuerySet.as_manager()

    class Meta:
        ordering = ("member_id", "group_id", "-valid_from", "-pk")
        constraints = (
            models.UniqueConstraint(
                fields=["member", "group"],
                condition=Q(superseded_at__isnull=True, valid_until__isnull=True),
                name="member_holds_one_tier_of_a_group",
            ),
            models.UniqueConstraint(
                fields=["member", "group", "valid_from"],
                condition=Q(superseded_at__isnull=True),
                name="one_assignment_of_a_member_begins_at_an_instant",
            ),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True)
                | Q(valid_until__gt=F("valid_from")),
                name="assignment_ends_after_it_begins",
            ),
        )
        indexes = (
            models.Index(fields=["tier", "valid_from"], name="assignments_of_a_tier"),
        )

    def __str__(self) -> str:
        return f"Member {self.member_id} holds tier {self.tier_id}"
