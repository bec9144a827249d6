"""Tier groups and what they say."""

from typing import Any, ClassVar
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from approvals.models import Version, version_constraints
from loyalty.fields import validate_day_and_month, validate_line, validate_object
from loyalty.models import BalanceDefinition, Program

#: So many days, weeks, months or years: beyond it dates run out.
MOST_PERIODS = 1000


class Measure(models.TextChoices):
    """How entries become the amount that a threshold is compared with."""

    WINDOW = "WINDOW", "Earned in a rolling window"
    LIFETIME = "LIFETIME", "Earned in a life-time"
    CURRENT = "CURRENT", "The balance as it stands"


class WindowKind(models.TextChoices):
    ROLLING = "ROLLING", "The last so many months"
    CALENDAR_YEAR = "CALENDAR_YEAR", "The calendar year"


class TierGroupQuerySet(models.QuerySet["TierGroup"]):
    def visible_to(self, user: Any) -> "TierGroupQuerySet":
        return self.filter(program__in=Program.objects.visible_to(user))

    def with_live(self) -> "TierGroupQuerySet":
        """Annotate ``live_name``, or the draft's where nothing is live yet."""
        versions = TierGroupVersion.objects.filter(group=OuterRef("pk"))
        latest = versions.order_by("-live_from", "-number")
        return self.annotate(
            live_name=Coalesce(
                Subquery(versions.live().values("name")[:1]),
                Subquery(latest.values("name")[:1]),
            )
        )

    def kept(self) -> "TierGroupQuerySet":
        return self.filter(discarded_at__isnull=True)


class TierGroup(models.Model):
    """The tiers that compete for a member; what it is called is in its versions."""

    uuid = models.UUIDField(unique=True, default=uuid4, editable=False)
    program = models.ForeignKey(
        Program, on_delete=models.PROTECT, related_name="tier_groups"
    )
    is_default = models.BooleanField(
        "the program's main group",
        default=False,
        editable=False,
        help_text="The one that systems without a notion of groups read and write.",
    )
    source = models.CharField(
        max_length=9,
        choices=Program.Source.choices,
        default=Program.Source.ADMIN,
        editable=False,
    )
    #: Counts publications that change how members are judged.
    ruleset = models.PositiveIntegerField(default=0, editable=False)
    #: Names the ruleset for good: a number that was rolled back is given again.
    ruleset_key = models.UUIDField(default=uuid4, editable=False)
    #: The ruleset under which every member has been judged.
    applied_ruleset = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    discarded_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[Any] = TierGroupQuerySet.as_manager()

    class Meta:
        ordering = ("program_id", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=["program"],
                condition=Q(is_default=True),
                name="program_has_one_main_group",
            ),
        )

    def __str__(self) -> str:
        return getattr(self, "live_name", None) or f"Tier group {self.pk}"


class TierGroupVersion(Version):
    """One wording of a tier group; at most one per group is live."""

    class Strategy(models.TextChoices):
        REAL_TIME = "REAL_TIME", "At once"
        MEMBERSHIP_ANNIVERSARY = (
            "MEMBERSHIP_ANNIVERSARY",
            "On the anniversary of joining",
        )
        TIER_ANNIVERSARY = "TIER_ANNIVERSARY", "On the anniversary of the present tier"

    class Unit(models.TextChoices):
        DAY = "DAY", "Days"
        WEEK = "WEEK", "Weeks"
        MONTH = "MONTH", "Months"
        YEAR = "YEAR", "Years"

    class Modifier(models.TextChoices):
        START_OF_PERIOD = "START_OF_PERIOD", "At the start of that period"
        END_OF_PERIOD = "END_OF_PERIOD", "At the end of that period"

    THING = "group"
    CONTENT = (
        "name",
        "upgrade_strategy",
        "downgrade_strategy",
        "upgrade_every",
        "upgrade_unit",
        "upgrade_modifier",
        "upgrade_date",
        "downgrade_every",
        "downgrade_unit",
        "downgrade_modifier",
        "downgrade_date",
        "measure",
        "measured_balance",
        "window_kind",
        "window_months",
        "tier_order",
        "meta",
    )

    group = models.ForeignKey(
        TierGroup, on_delete=models.PROTECT, related_name="versions", editable=False
    )
    name = models.CharField(max_length=128, validators=[validate_line])
    upgrade_strategy = models.CharField(
        "members move up",
        max_length=22,
        choices=Strategy.choices,
        default=Strategy.REAL_TIME,
    )
    downgrade_strategy = models.CharField(
        "members move down",
        max_length=22,
        choices=Strategy.choices,
        default=Strategy.REAL_TIME,
    )
    upgrade_every = models.PositiveIntegerField(
        "look every",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_PERIODS)],
    )
    upgrade_unit = models.CharField(
        "unit", max_length=5, choices=Unit.choices, blank=True, default=""
    )
    upgrade_modifier = models.CharField(
        "moved to", max_length=15, choices=Modifier.choices, blank=True, default=""
    )
    upgrade_date = models.CharField(
        "or every year on",
        max_length=5,
        blank=True,
        default="",
        validators=[validate_day_and_month],
        help_text="DD/MM",
    )
    downgrade_every = models.PositiveIntegerField(
        "look every",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_PERIODS)],
    )
    downgrade_unit = models.CharField(
        "unit", max_length=5, choices=Unit.choices, blank=True, default=""
    )
    downgrade_modifier = models.CharField(
        "moved to", max_length=15, choices=Modifier.choices, blank=True, default=""
    )
    downgrade_date = models.CharField(
        "or every year on",
        max_length=5,
        blank=True,
        default="",
        validators=[validate_day_and_month],
        help_text="DD/MM",
    )
    measure = models.CharField(
        "thresholds are compared with",
        max_length=8,
        choices=Measure.choices,
        blank=True,
        default="",
        help_text="Empty: points earned in the program's rolling window.",
    )
    measured_balance = models.ForeignKey(
        BalanceDefinition,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name="of",
        help_text="Empty: points.",
    )
    window_kind = models.CharField(
        max_length=13, choices=WindowKind.choices, default=WindowKind.ROLLING
    )
    window_months = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(36)],
        help_text="1 to 36. Empty: the program's rolling window.",
    )
    tier_order = models.JSONField(
        default=list,
        blank=True,
        help_text="Lowest first. Empty: by threshold.",
    )
    meta = models.JSONField(
        "further data", default=dict, blank=True, validators=[validate_object]
    )

    class Meta:
        verbose_name = "tier group version"
        ordering = ("group_id", "-number")
        constraints = (
            *version_constraints("group", "group"),
            models.CheckConstraint(
                condition=Q(window_months__isnull=True)
                | Q(window_months__gte=1, window_months__lte=36),
                name="group_window_is_1_to_36_months",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} (version {self.number})"

    def clean(self) -> None:
        errors: dict[str, str] = {}
        for way in ("upgrade", "downgrade"):
            every = getattr(self, f"{way}_every")
            unit = getattr(self, f"{way}_unit")
            date = getattr(self, f"{way}_date")
            if bool(every) != bool(unit):
                errors[f"{way}_every"] = "Give both a number and its unit, or neither."
            elif every and date:
                errors[f"{way}_date"] = (
                    "Give either a span or a day of the year, not both."
                )
            elif getattr(self, f"{way}_modifier") and not every:
                errors[f"{way}_modifier"] = "This needs a number and its unit."
        balance = self.measured_balance
        if balance and balance.program_id != self.group.program_id:
            errors["measured_balance"] = "This balance is of another program."
        if not isinstance(self.tier_order, list) or not all(
            isinstance(item, int) and not isinstance(item, bool)
            for item in self.tier_order
        ):
            errors["tier_order"] = "Give a list of tiers."
        elif len(set(self.tier_order)) != len(self.tier_order):
            errors["tier_order"] = "A tier stands in the order twice."
        else:
            known = set(
                self.group.tiers.filter(pk__in=self.tier_order).values_list(
                    "pk", flat=True
                )
            )
            if known != set(self.tier_order):
                errors["tier_order"] = "The order names a tier of another group."
        if errors:
            raise ValidationError(errors)
