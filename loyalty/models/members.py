"""People, and their membership in programs."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from ..fields import validate_line, validate_object
from .programs import Program


class Contact(models.Model):
    """A person, as other systems know them; erasing empties this row only."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=150, blank=True, default="")
    email = models.EmailField(blank=True, default="")
    mobile = models.CharField(max_length=32, blank=True, default="")
    external_id = models.CharField(
        max_length=128,
        blank=True,
        default="",
        help_text="The person's number in your shop or customer system.",
    )
    site_member_id = models.CharField(max_length=50, blank=True, default="")
    attributes = models.JSONField(
        default=dict, blank=True, validators=[validate_object]
    )
    created_at = models.DateTimeField(editable=False)
    erased_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("pk",)
        permissions = (("erase_contacts", "Can erase a person's data for good"),)
        constraints = (
            models.UniqueConstraint(
                fields=["email"], condition=~Q(email=""), name="email_is_of_one_contact"
            ),
            models.UniqueConstraint(
                fields=["external_id"],
                condition=~Q(external_id=""),
                name="external_id_is_of_one_contact",
            ),
        )
        indexes = (
            models.Index(fields=["mobile"], name="contacts_by_mobile"),
            models.Index(
                fields=["site_member_id"],
                condition=~Q(site_member_id=""),
                name="contacts_by_site_member",
            ),
        )

    def __str__(self) -> str:
        return self.name or self.email or self.external_id or f"Contact {self.pk}"


class MemberQuerySet(models.QuerySet["Member"]):
    def visible_to(self, user: Any) -> "MemberQuerySet":
        return self.filter(program__in=Program.objects.visible_to(user))

    def present(self) -> "MemberQuerySet":
        """Those who belong to their program: who has left does not."""
        intervals = Membership.objects.filter(
            member=OuterRef("pk"), ended_at__isnull=True
        )
        return self.filter(Exists(intervals))

    def marked(self) -> "MemberQuerySet":
        return self.filter(marked_at__isnull=False)


class Member(models.Model):
    """A contact's enrolment in a program.

    ``marked_at`` says that something happened which the next tick has to look at;
    it is written in the transaction of what happened.
    """

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        INACTIVE = "INACTIVE", "Inactive"
        CLOSED = "CLOSED", "Closed"

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    program = models.ForeignKey(
        Program, on_delete=models.PROTECT, related_name="members", db_index=False
    )
    contact = models.ForeignKey(
        Contact, on_delete=models.PROTECT, related_name="memberships"
    )
    status = models.CharField(
        max_length=8, choices=Status.choices, default=Status.ACTIVE
    )
    subscription_id = models.CharField(
        "membership number", max_length=64, validators=[validate_line]
    )
    card = models.CharField("card number", max_length=64, blank=True, default="")
    meta = models.JSONField(
        "further data", default=dict, blank=True, validators=[validate_object]
    )
    created_at = models.DateTimeField(editable=False)
    marked_at = models.DateTimeField(null=True, editable=False)
    expires_next_at = models.DateTimeField(
        null=True, editable=False, help_text="When the next of the points expire."
    )
    flagged_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When a reversal took the balance below its floor.",
    )
    # The head of the member's chain of entries: how many, and the last one's hash.
    chain_length = models.PositiveIntegerField(default=0, editable=False)
    chain_head = models.CharField(max_length=64, blank=True, default="", editable=False)

    objects: ClassVar[Any] = MemberQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        permissions = (
            ("edit_members", "Can add, edit and close members"),
            ("move_members", "Can move members and override their tiers by hand"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["program", "contact"], name="contact_is_in_a_program_once"
            ),
            models.UniqueConstraint(
                fields=["program", "subscription_id"],
                name="membership_number_is_given_once_in_a_program",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["ACTIVE", "INACTIVE", "CLOSED"]),
                name="member_status_is_known",
            ),
        )
        indexes = (
            models.Index(
                fields=["program", "id"],
                condition=Q(marked_at__isnull=False),
                name="marked_members",
            ),
            models.Index(fields=["program", "id"], name="members_in_order"),
            models.Index(
                fields=["program", "card"],
                condition=~Q(card=""),
                name="members_by_card",
            ),
            models.Index(
                fields=["program", "expires_next_at"],
                condition=Q(expires_next_at__isnull=False),
                name="members_with_points_to_expire",
            ),
        )

    def __str__(self) -> str:
        return f"Member {self.subscription_id}"


class Membership(models.Model):
    """From when to when a member belonged to the program; leaving ends one."""

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="intervals"
    )
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("started_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["member"],
                condition=Q(ended_at__isnull=True),
                name="member_belongs_to_the_program_once_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gt=F("started_at")),
                name="membership_ends_after_it_starts",
            ),
        )

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d} to {self.ended_at or 'today'}"


class HouseholdMember(models.Model):
    """A contact who shares the membership of somebody else in a program.

    Points and tiers are the owner's alone; this says whom else they are for.
    """

    program = models.ForeignKey(
        Program, on_delete=models.PROTECT, related_name="household_members"
    )
    owner = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="household"
    )
    contact = models.ForeignKey(
        Contact, on_delete=models.PROTECT, related_name="households"
    )
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(
                fields=["program", "contact"],
                name="contact_is_in_one_household_of_a_program",
            ),
        )

    def __str__(self) -> str:
        return f"Contact {self.contact_id} with member {self.owner_id}"
