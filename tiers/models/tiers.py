"""Tiers and what they say."""

import uuid
from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import OuterRef, Q, Subquery

from approvals.models import Version, version_constraints
from loyalty.fields import (
    validate_channels,
    validate_color,
    validate_image,
    validate_json,
    validate_line,
    validate_text,
)
from loyalty.models import BalanceDefinition, Program

from .. import conditions
from .groups import Measure, TierGroup, WindowKind

#: Numbers of tiers published here start above those that imports bring along.
FIRST_SLAB_ID = 1_000_000
#: A hundred years: beyond it dates run out.
MOST_MONTHS = 1200


class TierQuerySet(models.QuerySet["Tier"]):
    def visible_to(self, user: Any) -> "TierQuerySet":
        return self.filter(program__in=Program.objects.visible_to(user))

    def kept(self) -> "TierQuerySet":
        return self.filter(discarded_at__isnull=True)

    def with_wording(self) -> "TierQuerySet":
        """Annotate the live and the open version's id, name, threshold and status."""
        live = TierVersion.objects.filter(tier=OuterRef("pk")).live()
        open_ = TierVersion.objects.filter(tier=OuterRef("pk")).open()
        return self.annotate(
            **{
                f"{word}_{name}": Subquery(versions.values(column)[:1])
                for word, versions in (("live", live), ("open", open_))
                for name, column in (
                    ("version_id", "pk"),
                    ("name", "name"),
                    ("color", "color"),
                    ("threshold", "threshold"),
                    ("status", "status"),
                    ("operation", "operation"),
                    ("updated_at", "updated_at"),
                )
            }
        )


class Tier(models.Model):
    """One lasting level of a group; what it is called and asks for is in versions."""

    class Source(models.TextChoices):
        API = "API", "API"
        ADMIN = "ADMIN", "Admin"
        IMPORT = "IMPORT", "Import"

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    group = models.ForeignKey(TierGroup, on_delete=models.PROTECT, related_name="tiers")
    # The group's; kept here because numbers are unique in a program.
    program = models.ForeignKey(
        Program, on_delete=models.PROTECT, related_name="tiers", editable=False
    )
    number = models.PositiveIntegerField(
        editable=False, help_text="The number in the tier's unique id."
    )
    source = models.CharField(
        max_length=6, choices=Source.choices, default=Source.ADMIN, editable=False
    )
    slab_id = models.PositiveBigIntegerField(
        "slab id",
        null=True,
        unique=True,
        editable=False,
        help_text="The tier's lasting number, given at its first publication.",
    )
    serial_number = models.PositiveIntegerField(
        null=True,
        editable=False,
        help_text="Position among the group's live tiers, 1 at the bottom.",
    )
    publications = models.PositiveIntegerField(default=0, editable=False)
    first_live_at = models.DateTimeField(null=True, editable=False)
    customer_count = models.PositiveIntegerField("customers", null=True, editable=False)
    counted_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="The instant for which the number of customers is true.",
    )
    #: Active members who hold the tier, shown or not: ``customer_count`` reads as
    #: base while the program's tiers are paused.
    holders = models.IntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    discarded_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[Any] = TierQuerySet.as_manager()

    class Meta:
        ordering = ("group_id", "serial_number", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=["program", "number"],
                condition=Q(discarded_at__isnull=True),
                name="tier_number_is_given_once_in_a_program",
            ),
            models.CheckConstraint(
                condition=Q(customer_count__isnull=True, counted_at__isnull=True)
                | Q(customer_count__isnull=False, counted_at__isnull=False),
                name="customer_count_has_its_instant",
            ),
        )

    def __str__(self) -> str:
        named = getattr(self, "live_name", None) or getattr(self, "open_name", None)
        return str(named) if named else f"Tier {self.unique_id}"

    @property
    def unique_id(self) -> str:
        return unique_id(self.program_id, self.number)


def unique_id(program_id: int, number: int) -> str:
    """Word a tier's number as the id by which a tier is known before it is live."""
    return f"ut-{program_id}-{number:03d}"


class TierVersion(Version):
    """One wording of a tier; at most one per tier is live.

    The fields from ``period_type`` on are Capillary's ``validity``, ``renewal`` and
    ``downgrade`` under their names in snake case; null is "not set".
    """

    class Entry(models.TextChoices):
        BASE = "BASE", "Everybody who reaches no other tier"
        MEASURED = "MEASURED", "Whoever reaches the threshold"
        MANUAL = "MANUAL", "Only whom somebody puts there"

    class UpgradeType(models.TextChoices):
        EAGER = "EAGER", "Upgrade first, then points at the new rate"
        DYNAMIC = "DYNAMIC", "Old rate up to the threshold, new rate beyond"
        LAZY = "LAZY", "Points at the old rate, then upgrade"

    class Relation(models.TextChoices):
        AND = "AND", "All conditions"
        OR = "OR", "Any condition"

    class PeriodType(models.TextChoices):
        FIXED = "FIXED", "From a fixed date"
        SLAB_UPGRADE = "SLAB_UPGRADE", "From entering the tier"
        SLAB_UPGRADE_CYCLIC = (
            "SLAB_UPGRADE_CYCLIC",
            "From entering the tier, in cycles",
        )
        FIXED_CUSTOMER_REGISTRATION = (
            "FIXED_CUSTOMER_REGISTRATION",
            "From the member's registration, yearly",
        )

    class RenewalWindow(models.TextChoices):
        FIXED_DATE_BASED = "FIXED_DATE_BASED", "Back from the renewal date"
        LAST_CALENDAR_YEAR = "LAST_CALENDAR_YEAR", "The previous calendar year"
        CUSTOM_PERIOD = "CUSTOM_PERIOD", "Between two numbers of months before it"

    class DowngradeTo(models.TextChoices):
        SINGLE = "SINGLE", "One tier down"
        THRESHOLD = "THRESHOLD", "The tier that the member qualifies for"
        LOWEST = "LOWEST", "The base tier"

    THING = "tier"
    CONTENT = (
        "name",
        "description",
        "color",
        "icon",
        "image_ref",
        "entry",
        "threshold",
        "measure",
        "measured_balance",
        "window_kind",
        "window_months",
        "upgrade_type",
        "expression_relation",
        "conditions",
        "access_conditions",
        "reward_refs",
        "upgrade_channels",
        "period_type",
        "period_value",
        "start_date",
        "end_date",
        "is_fixed_type_without_year",
        "renewal_window_type",
        "computation_window_start_value",
        "computation_window_end_value",
        "minimum_duration",
        "downgrade_to",
        "should_downgrade",
        "always",
        "expression_relation_aira",
        "renewal_expression_relation",
        "original_expression",
        "renewal_order_string",
        "renewal_conditions",
        "reevaluate_on_return",
        "daily_enabled",
    )

    tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, related_name="versions", editable=False
    )
    name = models.CharField(
        max_length=128,
        validators=[validate_line],
        help_text="What members see. Some systems allow at most 50 characters.",
    )
    description = models.TextField(
        max_length=500, blank=True, default="", validators=[validate_text]
    )
    color = models.CharField(
        "colour",
        max_length=7,
        blank=True,
        default="",
        validators=[validate_color],
        help_text="As #RRGGBB, for example #FFD700.",
    )
    icon = models.JSONField(null=True, blank=True, validators=[validate_image])
    image_ref = models.CharField(
        "image reference", max_length=200, blank=True, default=""
    )

    entry = models.CharField(
        "who gets in", max_length=8, choices=Entry.choices, default=Entry.MEASURED
    )
    threshold = models.DecimalField(
        max_digits=20,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Reaching it exactly is enough.",
    )
    measure = models.CharField(
        "compared with",
        max_length=8,
        choices=Measure.choices,
        blank=True,
        default="",
        help_text="Empty: as the group measures.",
    )
    measured_balance = models.ForeignKey(
        BalanceDefinition,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name="of",
        help_text="Empty: as the group measures.",
    )
    window_kind = models.CharField(
        max_length=13, choices=WindowKind.choices, blank=True, default=""
    )
    window_months = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(36)],
    )
    upgrade_type = models.CharField(
        "points of the purchase that upgrades",
        max_length=7,
        choices=UpgradeType.choices,
        default=UpgradeType.LAZY,
    )
    expression_relation = models.CharField(
        "conditions combine as",
        max_length=255,
        blank=True,
        default="",
        help_text=(
            "AND, OR, ANY 2, or an expression over their numbers, the threshold being "
            "1: 1 AND (2 OR 3)."
        ),
    )
    conditions = models.JSONField(default=list, blank=True, validators=[validate_json])
    access_conditions = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_json],
        help_text=(
            "Least amounts of several balances that must all be reached: "
            '[{"balance_definition": 5, "minimum": 100}].'
        ),
    )
    reward_refs = models.JSONField(
        "rewards",
        default=list,
        blank=True,
        validators=[validate_json],
        help_text="Ids of rewards that are given on entry.",
    )
    upgrade_channels = models.JSONField(
        "tell about an upgrade by",
        default=list,
        blank=True,
        validators=[validate_channels],
    )

    period_type = models.CharField(
        "the tier is valid",
        max_length=27,
        choices=PeriodType.choices,
        blank=True,
        default="",
    )
    period_value = models.PositiveIntegerField(
        "for months",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_MONTHS)],
    )
    start_date = models.DateTimeField("starting", null=True, blank=True)
    end_date = models.DateTimeField("ending", null=True, blank=True)
    is_fixed_type_without_year = models.BooleanField(
        "every year on that day", null=True, blank=True
    )
    renewal_window_type = models.CharField(
        "what counts for renewal",
        max_length=18,
        choices=RenewalWindow.choices,
        blank=True,
        default="",
    )
    computation_window_start_value = models.PositiveIntegerField(
        "from months before",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_MONTHS)],
    )
    computation_window_end_value = models.PositiveIntegerField(
        "to months before",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_MONTHS)],
    )
    minimum_duration = models.PositiveIntegerField(
        "no downgrade before",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_MONTHS)],
        help_text="Months in the tier before a downgrade can happen.",
    )
    downgrade_to = models.CharField(
        "then move to",
        max_length=9,
        choices=DowngradeTo.choices,
        blank=True,
        default="",
    )
    should_downgrade = models.BooleanField("downgrade at all", null=True, blank=True)
    always = models.BooleanField("always renew", null=True, blank=True)
    expression_relation_aira = models.CharField(
        "renewal expression",
        max_length=255,
        blank=True,
        default="",
        help_text="Over condition numbers, such as (1 AND 2) OR 3.",
    )
    renewal_expression_relation = models.CharField(
        "renewal expression, older form",
        max_length=255,
        blank=True,
        default="",
        help_text="Wins when both are given.",
    )
    original_expression = models.CharField(max_length=255, blank=True, default="")
    renewal_order_string = models.JSONField(
        default=list, blank=True, validators=[validate_json]
    )
    renewal_conditions = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_json],
        help_text="purchase, numVisits, points and tracker; none set renews.",
    )
    reevaluate_on_return = models.BooleanField(
        "look again when a purchase is returned", null=True, blank=True
    )
    daily_enabled = models.BooleanField(
        "check every day rather than at month's end", null=True, blank=True
    )

    class Meta:
        verbose_name = "tier version"
        ordering = ("tier_id", "-number")
        constraints = (
            *version_constraints("tier", "tier"),
            models.CheckConstraint(
                condition=Q(threshold__isnull=True) | Q(threshold__gte=0),
                name="threshold_is_not_negative",
            ),
            models.CheckConstraint(
                condition=~Q(entry="BASE") | Q(threshold__isnull=True),
                name="base_tier_has_no_threshold",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} (version {self.number})"

    def clean(self) -> None:
        errors: dict[str, str] = {}
        measured = self.entry == self.Entry.MEASURED
        if measured and self.threshold is None and not self.access_conditions:
            errors["threshold"] = "Say how much a member must reach."
        if not measured and self.threshold is not None:
            errors["threshold"] = "Only a tier that is reached has a threshold."
        balance = self.measured_balance
        if balance and balance.program_id != self.tier.program_id:
            errors["measured_balance"] = "This balance is of another program."
        error = self._access_conditions_error()
        if error:
            errors["access_conditions"] = error
        errors |= self._conditions_errors()
        if not isinstance(self.reward_refs, list):
            errors["reward_refs"] = "Give a list of reward ids."
        if self.period_type and not self.period_value:
            errors["period_value"] = "Say for how many months."
        if self.period_type == self.PeriodType.FIXED and not self.start_date:
            errors["start_date"] = "Say from which date on."
        start, end = (
            self.computation_window_start_value,
            self.computation_window_end_value,
        )
        if self.renewal_window_type == self.RenewalWindow.CUSTOM_PERIOD and (
            start is None or end is None or start < end
        ):
            errors["computation_window_start_value"] = (
                "A custom period goes from so many months before the renewal date "
                "to fewer or equally many."
            )
        if self.start_date and self.end_date and self.end_date <= self.start_date:
            errors["end_date"] = "The end is not after the start."
        if errors:
            raise ValidationError(errors)

    def _conditions_errors(self) -> dict[str, str]:
        """Read conditions and expressions as the rules will; say what cannot be."""
        renewal_text = (
            "renewal_expression_relation"
            if self.renewal_expression_relation
            else "expression_relation_aira"
        )
        numbered = int(self.threshold is not None)
        errors = {}
        for field, read, text, before in (
            ("conditions", conditions.read, "expression_relation", numbered),
            ("renewal_conditions", conditions.read_renewal, renewal_text, 0),
        ):
            try:
                asked = read(getattr(self, field))
            except conditions.Malformed as error:
                errors[field] = str(error)
                continue
            ids = {a.balance for a in asked if isinstance(a.balance, int)}
            if self._balances(ids).count() != len(ids):
                errors[field] = "A tracker is none of the program's balances."
            try:
                conditions.check(getattr(self, text), before + len(asked))
            except conditions.Malformed as error:
                errors[text] = str(error)
        return errors

    def _balances(self, ids: Iterable[int]) -> models.QuerySet[BalanceDefinition]:
        return BalanceDefinition.objects.filter(
            pk__in=ids, program=self.tier.program_id
        )

    def _access_conditions_error(self) -> str:
        form = 'Give a list such as [{"balance_definition": 5, "minimum": 100}].'
        if not isinstance(self.access_conditions, list):
            return form
        ids = []
        for condition in self.access_conditions:
            if not isinstance(condition, dict) or set(condition) != {
                "balance_definition",
                "minimum",
            }:
                return form
            values = condition.values()
            if not all(type(value) is int for value in values):
                return form
            if condition["minimum"] < 0:
                return "A least amount is not negative."
            ids.append(condition["balance_definition"])
        if len(set(ids)) != len(ids):
            return "A balance is named twice."
        if self._balances(ids).count() != len(ids):
            return "A balance of another program is named, or one that is not there."
        return ""
