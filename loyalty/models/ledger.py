"""The points ledger: append-only lines, and what makes posting safe to repeat."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from .balances import BalanceDefinition
from .members import Member
from .programs import Program


class PointsRequest(models.Model):
    """One posting that a caller asked for, kept for ever with its outcome.

    The same reference with the same content replays the outcome, refusals too. A
    pending one is not in the ledger: it waits to be completed, cancelled, or for
    ``expires_at`` to pass.
    """

    class Status(models.TextChoices):
        COMPLETED = "COMPLETED", "Completed"
        REFUSED = "REFUSED", "Refused"
        PENDING = "PENDING", "Pending"
        CANCELLED = "CANCELLED", "Cancelled"
        EXPIRED = "EXPIRED", "Expired"

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    program = models.ForeignKey(
        Program,
        on_delete=models.PROTECT,
        related_name="points_requests",
        db_index=False,
    )
    source = models.CharField(max_length=64)
    reference = models.CharField(max_length=256)
    fingerprint = models.CharField(max_length=64)
    status = models.CharField(max_length=9, choices=Status.choices)
    outcome = models.JSONField(default=dict)
    #: What a pending request will post when it is completed, and a refused one asked.
    content = models.JSONField(default=dict)
    member = models.ForeignKey(
        Member, null=True, on_delete=models.PROTECT, related_name="points_requests"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=["program", "source", "reference"],
                name="points_request_is_made_once",
            ),
            models.CheckConstraint(
                condition=Q(
                    status="PENDING", settled_at__isnull=True, expires_at__isnull=False
                )
                | (
                    Q(status__in=["COMPLETED", "REFUSED", "CANCELLED", "EXPIRED"])
                    & Q(settled_at__isnull=False)
                ),
                name="only_a_pending_points_request_is_not_settled",
            ),
        )
        indexes = (
            models.Index(
                fields=["expires_at"],
                condition=Q(status="PENDING"),
                name="pending_points_requests",
            ),
        )

    def __str__(self) -> str:
        return f"{self.source} {self.reference}"


class PointsEntryQuerySet(models.QuerySet["PointsEntry"]):
    def visible_to(self, user: Any) -> "PointsEntryQuerySet":
        return self.filter(member__program__in=Program.objects.visible_to(user))


class PointsEntry(models.Model):
    """One signed line of the ledger; corrections are new lines.

    ``amount`` counts the smallest unit of the balance definition. ``window_at`` is
    the instant whose local day decides how long the line counts: its own, or for a
    reversal the original's. ``hash`` chains the member's lines together.
    ``concerns`` is the credit that an expiry ends, or the redemption that a refund
    gives back.
    """

    class Kind(models.TextChoices):
        EARN = "EARN", "Earned"
        ADJUST = "ADJUST", "Adjusted"
        REDEEM = "REDEEM", "Redeemed"
        REFUND = "REFUND", "Refunded"
        EXPIRE = "EXPIRE", "Expired"
        REVERSAL = "REVERSAL", "Reversed"

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    # Looked up by the indexes below; one each of their own would slow every posting.
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="entries", db_index=False
    )
    balance_definition = models.ForeignKey(
        BalanceDefinition,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
    )
    kind = models.CharField(max_length=8, choices=Kind.choices)
    amount = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    window_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    request = models.ForeignKey(
        PointsRequest, on_delete=models.PROTECT, related_name="entries"
    )
    reverses = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="reversed_by",
    )
    concerns = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="concerned_by",
        # Few lines have one; the index below holds only those.
        db_index=False,
    )
    description = models.CharField(max_length=255, blank=True, default="")
    meta = models.JSONField(default=dict, blank=True)
    sequence = models.PositiveIntegerField()
    hash = models.CharField(max_length=64)

    objects: ClassVar[Any] = PointsEntryQuerySet.as_manager()

    class Meta:
        ordering = ("member_id", "sequence")
        verbose_name_plural = "points entries"
        constraints = (
            models.UniqueConstraint(
                fields=["member", "sequence"], name="entries_of_a_member_are_in_order"
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "EARN",
                        "ADJUST",
                        "REDEEM",
                        "REFUND",
                        "EXPIRE",
                        "REVERSAL",
                    ]
                ),
                name="entry_kind_is_known",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["EARN", "REFUND"]) | Q(amount__gte=0),
                name="earned_and_refunded_amounts_are_not_negative",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["REDEEM", "EXPIRE"]) | Q(amount__lt=0),
                name="redeemed_and_expired_amounts_are_negative",
            ),
            models.CheckConstraint(
                condition=Q(kind="REVERSAL", reverses__isnull=False)
                | (~Q(kind="REVERSAL") & Q(reverses__isnull=True)),
                name="only_reversals_reverse",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["EXPIRE", "REFUND"], concerns__isnull=False)
                | (~Q(kind__in=["EXPIRE", "REFUND"]) & Q(concerns__isnull=True)),
                name="only_expiries_and_refunds_concern_a_line",
            ),
        )
        indexes = (
            models.Index(
                fields=["concerns"],
                condition=Q(concerns__isnull=False),
                name="entries_that_concern_another",
            ),
            models.Index(fields=["recorded_at"], name="entries_by_day"),
            # All that a window is summed from: a member's lines lie together here,
            # and in the table far apart, in the order in which they came.
            models.Index(
                fields=["member", "balance_definition", "window_at"],
                include=["occurred_at", "amount", "kind", "reverses"],
                name="entries_in_a_window",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount:+d}"


class Balance(models.Model):
    """How much a member has of one balance definition: the sum of their entries."""

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="balances", db_index=False
    )
    balance_definition = models.ForeignKey(
        BalanceDefinition, on_delete=models.PROTECT, related_name="balances"
    )
    amount = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["member", "balance_definition"],
                name="member_has_one_balance_per_definition",
            ),
        )

    def __str__(self) -> str:
        return str(self.amount)


class LedgerSeal(models.Model):
    """What a program's ledger said when a day had ended, as one hash.

    It covers the heads of the members' chains that grew in ``[starts_at, ends_at)``,
    and the seal before: who rewrites a chain has to rewrite every later seal, too.
    Days on which nothing was recorded have none.
    """

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="seals")
    day = models.DateField(help_text="In the program's time zone.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    members = models.PositiveIntegerField(help_text="How many chains grew.")
    hash = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    class Meta:
        ordering = ("program_id", "day")
        constraints = (
            models.UniqueConstraint(
                fields=["program", "day"], name="day_of_a_ledger_is_sealed_once"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("starts_at")),
                name="sealed_day_ends_after_it_starts",
            ),
        )

    def __str__(self) -> str:
        return f"{self.day}"
