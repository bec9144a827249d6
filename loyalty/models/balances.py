"""What can be earned: points, purchases, visits and a program's own balances."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import OuterRef, Q, Subquery

from approvals.models import Version, version_constraints

from ..fields import (
    validate_day_and_month,
    validate_line,
    validate_object,
    validate_text,
)
from .programs import Program


class BalanceDefinitionQuerySet(models.QuerySet["BalanceDefinition"]):
    def visible_to(self, user: Any) -> "BalanceDefinitionQuerySet":
        return self.filter(program__in=Program.objects.visible_to(user))

    def with_live(self) -> "BalanceDefinitionQuerySet":
        """Annotate ``live_name`` and ``live_unit``, as they are today."""
        live = BalanceDefinitionVersion.objects.filter(
            balance_definition=OuterRef("pk")
        ).live()
        return self.annotate(
            live_name=Subquery(live.values("name")[:1]),
            live_unit=Subquery(live.values("unit")[:1]),
        )


class BalanceDefinition(models.Model):
    """Something that members of a program can have an amount of.

    Amounts are integers in units of 10 to the power of minus ``scale``: cents where
    the scale is 2.
    """

    class BuiltIn(models.TextChoices):
        POINTS = "POINTS", "Points"
        PURCHASES = "PURCHASES", "Purchases"
        VISITS = "VISITS", "Visits"

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    program = models.ForeignKey(
        Program, on_delete=models.PROTECT, related_name="balance_definitions"
    )
    built_in = models.CharField(
        max_length=9, choices=BuiltIn.choices, blank=True, default="", editable=False
    )
    scale = models.PositiveSmallIntegerField(
        "decimals",
        default=0,
        help_text="How many decimals amounts have, 0 to 4. Cannot be changed later.",
    )
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    discarded_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[Any] = BalanceDefinitionQuerySet.as_manager()

    class Meta:
        ordering = ("program_id", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=["program", "built_in"],
                condition=~Q(built_in=""),
                name="program_has_a_built_in_balance_once",
            ),
            models.CheckConstraint(
                condition=Q(scale__gte=0, scale__lte=4),
                name="balance_has_0_to_4_decimals",
            ),
        )

    def __str__(self) -> str:
        named = getattr(self, "live_name", None) or self.get_built_in_display()
        return str(named) if named else f"Balance {self.pk}"


class BalanceDefinitionVersion(Version):
    """One wording of a balance definition."""

    class Overtaking(models.TextChoices):
        STRICT = "STRICT", "Refuse what would pass the maximum"
        PARTIAL = "PARTIAL", "Credit up to the maximum"

    class Rounding(models.TextChoices):
        LOWER = "LOWER", "Down"
        UPPER = "UPPER", "Up"
        NATURAL = "NATURAL", "To the nearest, halves up"

    class Span(models.TextChoices):
        DAY = "DAY", "Days"
        WEEK = "WEEK", "Weeks"
        MONTH = "MONTH", "Months"
        YEAR = "YEAR", "Years"

    class SpanEnd(models.TextChoices):
        EXACT = "EXACT", "To the day"
        START_OF_PERIOD = "START_OF_PERIOD", "At the start of that period"
        END_OF_PERIOD = "END_OF_PERIOD", "At the end of that period"

    THING = "balance_definition"
    CONTENT = (
        "name",
        "description",
        "image_ref",
        "unit",
        "minimum",
        "maximum",
        "credit_limit",
        "debit_limit",
        "overtaking",
        "credit_rounding",
        "debit_rounding",
        "availability_value",
        "availability_unit",
        "availability_end",
        "expires_on",
        "is_internal",
        "meta",
    )

    balance_definition = models.ForeignKey(
        BalanceDefinition,
        on_delete=models.PROTECT,
        related_name="versions",
        editable=False,
    )
    name = models.CharField(max_length=128, validators=[validate_line])
    description = models.TextField(
        max_length=500, blank=True, default="", validators=[validate_text]
    )
    image_ref = models.CharField(max_length=200, blank=True, default="")
    unit = models.CharField(
        max_length=8,
        default="POINTS",
        validators=[validate_line],
        help_text="POINTS, or a currency such as EUR.",
    )
    minimum = models.BigIntegerField(
        "lowest balance",
        default=0,
        null=True,
        blank=True,
        help_text="Redeeming never goes below it, in the smallest unit.",
    )
    maximum = models.BigIntegerField("highest balance", null=True, blank=True)
    credit_limit = models.BigIntegerField(
        "most that one credit may add",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
    )
    debit_limit = models.BigIntegerField(
        "most that one debit may take",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
    )
    overtaking = models.CharField(
        "at the highest balance",
        max_length=7,
        choices=Overtaking.choices,
        default=Overtaking.STRICT,
    )
    credit_rounding = models.CharField(
        max_length=7, choices=Rounding.choices, default=Rounding.LOWER
    )
    debit_rounding = models.CharField(
        max_length=7, choices=Rounding.choices, default=Rounding.LOWER
    )
    availability_value = models.PositiveIntegerField(
        "expires after", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    availability_unit = models.CharField(
        "unit of that span",
        max_length=5,
        choices=Span.choices,
        blank=True,
        default="",
    )
    availability_end = models.CharField(
        "end of that span", max_length=15, choices=SpanEnd.choices, default="EXACT"
    )
    expires_on = models.CharField(
        "expires every year on",
        max_length=5,
        blank=True,
        default="",
        validators=[validate_day_and_month],
        help_text="DD/MM; instead of a span.",
    )
    is_internal = models.BooleanField(
        default=False, help_text="Not shown to members by systems that ask."
    )
    meta = models.JSONField(
        "further data", default=dict, blank=True, validators=[validate_object]
    )

    class Meta:
        verbose_name = "balance definition version"
        ordering = ("balance_definition_id", "-number")
        constraints = (
            *version_constraints("balance_definition", "balance"),
            models.CheckConstraint(
                condition=Q(minimum__isnull=True)
                | Q(maximum__isnull=True)
                | Q(minimum__lte=models.F("maximum")),
                name="lowest_balance_is_not_above_the_highest",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} (version {self.number})"

    def clean(self) -> None:
        if bool(self.availability_value) != bool(self.availability_unit):
            raise ValidationError(
                {"availability_value": "Give both a number and its unit, or neither."}
            )
        if self.availability_value and self.expires_on:
            raise ValidationError(
                {"expires_on": "Give either a span or a day of the year, not both."}
            )
        if (
            self.minimum is not None
            and self.maximum is not None
            and self.minimum > self.maximum
        ):
            raise ValidationError(
                {"maximum": "The highest balance is below the lowest."}
            )
