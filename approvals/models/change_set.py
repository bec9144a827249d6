"""What is decided on, and the decision."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q


class ChangeSetQuerySet(models.QuerySet["ChangeSet"]):
    def undecided(self) -> "ChangeSetQuerySet":
        return self.filter(decision__isnull=True, voided_at__isnull=True)

    def decidable_by(self, user: Any) -> "ChangeSetQuerySet":
        """Undecided sets that ``user`` had no hand in."""
        hand = Contribution.objects.filter(
            user=user,
            kind=OuterRef("kind"),
            version_id=OuterRef("version_id"),
        )
        touched = ChangeSetItem.objects.filter(change_set=OuterRef("pk")).filter(
            Exists(hand)
        )
        return self.undecided().filter(~Exists(touched))

    def due(self, as_of: Any) -> "ChangeSetQuerySet":
        return self.filter(due_at__lte=as_of)


class ChangeSet(models.Model):
    """The versions that one reviewer decides on together, whole or not at all.

    Each submit makes a new one. Its fingerprint covers what was submitted, what
    that was based on, when it goes live and how it is rolled out.
    """

    class RollOut(models.TextChoices):
        NOW = "NOW", "Everybody at once"

    # A plain number: this app knows of programs only what they register with it.
    program_id = models.BigIntegerField(db_index=True, editable=False)
    note = models.TextField(blank=True, default="", editable=False)
    go_live_at = models.DateTimeField(null=True, editable=False)
    roll_out = models.CharField(
        max_length=8, choices=RollOut.choices, default=RollOut.NOW, editable=False
    )
    fingerprint = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    voided_at = models.DateTimeField(null=True, editable=False)
    voided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    void_reason = models.TextField(blank=True, default="", editable=False)
    due_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When the scheduler looks at it next; set while it is scheduled.",
    )
    published_at = models.DateTimeField(null=True, editable=False)
    failed_at = models.DateTimeField(null=True, editable=False)
    failure = models.TextField(blank=True, default="", editable=False)

    objects: ClassVar[Any] = ChangeSetQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        permissions = (
            ("make_changes", "Can draft, submit, withdraw and discard changes"),
            ("review_changes", "Can approve and reject changes made by others"),
        )
        indexes = (
            models.Index(
                fields=["due_at"],
                condition=Q(due_at__isnull=False),
                name="change_sets_due",
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(published_at__isnull=True) | Q(voided_at__isnull=True),
                name="voided_change_set_is_never_published",
            ),
        )

    def __str__(self) -> str:
        return f"Change set {self.pk}"

    @property
    def state(self) -> str:
        """A word or two for people, derived from the decision and what followed."""
        decision = getattr(self, "decision", None)
        if self.published_at:
            return "Published"
        if decision is None:
            return "Taken back" if self.voided_at else "Waiting"
        if decision.kind == Decision.Kind.REJECTED:
            return "Rejected"
        if self.failed_at:
            return "Publishing failed"
        return "Called off" if self.voided_at else "Scheduled"

    @property
    def contributor_ids(self) -> set[int]:
        """Ids of everybody who had a hand in any of the set's versions."""
        hands = Contribution.objects.to(self).values_list("user_id", flat=True)
        return set(hands)


class ChangeSetItem(models.Model):
    """What one version said when it was submitted; never changes."""

    change_set = models.ForeignKey(
        ChangeSet, on_delete=models.PROTECT, related_name="items"
    )
    kind = models.CharField(max_length=32)
    version_id = models.BigIntegerField()
    based_on_id = models.BigIntegerField(null=True)
    operation = models.CharField(max_length=6)
    label = models.CharField(max_length=200)
    content = models.JSONField()
    schema = models.PositiveSmallIntegerField()
    content_hash = models.CharField(max_length=64)

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(
                fields=["change_set", "kind", "version_id"],
                name="version_is_in_a_change_set_once",
            ),
        )
        indexes = (
            models.Index(fields=["kind", "version_id"], name="items_of_a_version"),
        )

    def __str__(self) -> str:
        return self.label


class ContributionQuerySet(models.QuerySet["Contribution"]):
    def to(self, change_set: ChangeSet) -> "ContributionQuerySet":
        """Everybody's hand in the versions of a change set."""
        item = ChangeSetItem.objects.filter(
            change_set=change_set,
            kind=OuterRef("kind"),
            version_id=OuterRef("version_id"),
        )
        return self.filter(Exists(item))


class Contribution(models.Model):
    """Somebody had a hand in a version, and so may not approve it."""

    class Role(models.TextChoices):
        AUTHOR = "AUTHOR", "Author"
        EDITOR = "EDITOR", "Editor"
        SUBMITTER = "SUBMITTER", "Submitter"
        IMPORTER = "IMPORTER", "Importer"
        KEY_OWNER = "KEY_OWNER", "Owner of the API key"

    kind = models.CharField(max_length=32)
    version_id = models.BigIntegerField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    role = models.CharField(max_length=9, choices=Role.choices)
    created_at = models.DateTimeField()

    objects: ClassVar[Any] = ContributionQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["kind", "version_id", "user", "role"],
                name="person_contributes_to_a_version_in_a_role_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_role_display()} of {self.kind} version {self.version_id}"


class Decision(models.Model):
    """How a change set was settled, by whom and when; never changes.

    ``preview_id`` names the impact preview that the reviewer read, if any.
    """

    class Kind(models.TextChoices):
        APPROVED = "APPROVED", "Approved"
        REJECTED = "REJECTED", "Rejected"
        WAIVED = "WAIVED", "Published without approval"

    change_set = models.OneToOneField(
        ChangeSet, on_delete=models.PROTECT, related_name="decision"
    )
    kind = models.CharField(max_length=8, choices=Kind.choices)
    fingerprint = models.CharField(max_length=64)
    decided_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    comment = models.TextField(blank=True, default="")
    preview_id = models.BigIntegerField(null=True)

    class Meta:
        ordering = ("-decided_at", "-pk")
        constraints = (
            models.CheckConstraint(
                condition=~Q(kind="REJECTED") | ~Q(comment=""),
                name="rejection_says_why",
            ),
            models.CheckConstraint(
                condition=~Q(kind="APPROVED") | Q(decided_by__isnull=False),
                name="approval_is_by_a_person",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} on {self.decided_at:%Y-%m-%d %H:%M}"
