"""Programs, what they say, and who is limited to some of them."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery

from approvals.models import Version, version_constraints

from ..fields import (
    validate_channels,
    validate_image,
    validate_line,
    validate_object,
    validate_text,
    validate_time_zone,
)


class ProgramQuerySet(models.QuerySet["Program"]):
    def visible_to(self, user: Any) -> "ProgramQuerySet":
        """The programs that a person may see: all, or those of their limits.

        Of these, whoever acts through an API key sees the key's own, if it has one.
        """
        if not user.is_authenticated or not user.is_active:
            return self.none()
        limits = ProgramLimit.objects.filter(user=user)
        # Both questions inside whatever statement this becomes part of: a list then
        # needs no query of its own to learn what its reader may see.
        own = limits.filter(program=OuterRef("pk"))
        visible = self.kept().filter(~Exists(limits) | Exists(own))
        only: int | None = getattr(user, "only_program_id", None)
        return visible if only is None else visible.filter(pk=only)

    def kept(self) -> "ProgramQuerySet":
        return self.filter(discarded_at__isnull=True)

    def with_live(self) -> "ProgramQuerySet":
        """Annotate ``live_name``: what the program is called today."""
        live = ProgramVersion.objects.filter(program=OuterRef("pk")).live()
        return self.annotate(live_name=Subquery(live.values("name")[:1]))


class Program(models.Model):
    """A loyalty program; what it is called and how it works is in its versions."""

    class TiersStatus(models.TextChoices):
        DISABLED = "DISABLED", "Off"
        DRAFT = "DRAFT", "In preparation"
        ACTIVE = "ACTIVE", "Active"
        PAUSED = "PAUSED", "Paused"

    class Source(models.TextChoices):
        ADMIN = "ADMIN", "Admin"
        CAPILLARY = "CAPILLARY", "Capillary API"
        BREVO = "BREVO", "Brevo API"
        WIX = "WIX", "Wix API"
        NATIVE = "NATIVE", "Tierwright API"
        IMPORT = "IMPORT", "Import"

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    source = models.CharField(
        max_length=9, choices=Source.choices, default=Source.ADMIN, editable=False
    )
    tiers_status = models.CharField(
        "tiers",
        max_length=8,
        choices=TiersStatus.choices,
        default=TiersStatus.DISABLED,
        editable=False,
        help_text="While tiers are not active, every member reads as base tier.",
    )
    settings_revision = models.PositiveIntegerField(
        default=1,
        editable=False,
        help_text="Counts publications of the program and switches of its tiers.",
    )
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    #: A program that was put away exists for nobody; what happened in it is kept.
    discarded_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[Any] = ProgramQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        permissions = (
            ("operate_programs", "Can activate, pause and recalculate programs"),
            ("post_points", "Can post points by hand"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(tiers_status__in=["DISABLED", "DRAFT", "ACTIVE", "PAUSED"]),
                name="program_tiers_status_is_known",
            ),
        )

    def __str__(self) -> str:
        return getattr(self, "live_name", None) or f"Program {self.pk}"

    @property
    def tiers_are_active(self) -> bool:
        return self.tiers_status == self.TiersStatus.ACTIVE


class ProgramVersion(Version):
    """One wording of a program; at most one per program is live."""

    class NameRule(models.TextChoices):
        CASEFOLD = "CASEFOLD", "Differ by more than letter case"
        EXACT = "EXACT", "Differ in any character"
        NONE = "NONE", "May be the same"

    THING = "program"
    CONTENT = (
        "name",
        "description",
        "time_zone",
        "rolling_window_months",
        "approval_required",
        "tier_name_rule",
        "base_tier_name",
        "base_tier_description",
        "base_tier_icon",
        "renewal_channels",
        "downgrade_channels",
        "reminder_channels",
        "meta",
    )

    program = models.ForeignKey(
        Program, on_delete=models.PROTECT, related_name="versions", editable=False
    )
    name = models.CharField(
        max_length=128,
        validators=[validate_line],
        help_text="What members and colleagues know the program by.",
    )
    description = models.TextField(
        max_length=500, blank=True, default="", validators=[validate_text]
    )
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="Whose midnight begins a day: points count by whole local days.",
    )
    rolling_window_months = models.PositiveSmallIntegerField(
        "rolling window",
        default=12,
        validators=[MinValueValidator(1), MaxValueValidator(36)],
        help_text="For how many months points count towards a tier, 1 to 36.",
    )
    approval_required = models.BooleanField(
        default=True,
        help_text=(
            "When on, every change waits for a reviewer who had no hand in it. When "
            "off, a manager can publish at once. Changing this is itself reviewed "
            "while it is on."
        ),
    )
    tier_name_rule = models.CharField(
        "tier names in a group",
        max_length=8,
        choices=NameRule.choices,
        default=NameRule.CASEFOLD,
    )
    base_tier_name = models.CharField(
        max_length=50,
        blank=True,
        default="",
        help_text="What holding no tier is called, where no tier stands for it.",
    )
    base_tier_description = models.CharField(
        max_length=500, blank=True, default="", validators=[validate_text]
    )
    base_tier_icon = models.JSONField(
        null=True, blank=True, validators=[validate_image]
    )
    renewal_channels = models.JSONField(
        default=list, blank=True, validators=[validate_channels]
    )
    downgrade_channels = models.JSONField(
        default=list, blank=True, validators=[validate_channels]
    )
    reminder_channels = models.JSONField(
        default=list, blank=True, validators=[validate_channels]
    )
    meta = models.JSONField(
        "further data",
        default=dict,
        blank=True,
        validators=[validate_object],
        help_text="Kept for systems that store data of their own with the program.",
    )

    class Meta:
        verbose_name = "program version"
        ordering = ("program_id", "-number")
        constraints = (
            *version_constraints("program", "program"),
            models.CheckConstraint(
                condition=Q(
                    rolling_window_months__gte=1, rolling_window_months__lte=36
                ),
                name="rolling_window_is_1_to_36_months",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} (version {self.number})"


class ProgramLimit(models.Model):
    """A person with limits sees these programs only; without any, all of them."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="program_limits",
    )
    program = models.ForeignKey(
        Program, on_delete=models.CASCADE, related_name="limits"
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["user", "program"], name="person_is_limited_to_a_program_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user_id} sees program {self.program_id}"
