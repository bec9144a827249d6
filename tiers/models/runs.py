"""Who brings members up to date, up to when, and how far that has come."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q, Sum

from loyalty.models import Member, Program

from .groups import TierGroup

#: How long a worker may take before another looks after its work.
LEASE = timedelta(minutes=2)
#: How often a piece is tried before it is put aside for a person to look at.
ATTEMPTS = 3


class RecalculationQuerySet(models.QuerySet["Recalculation"]):
    def due(self, as_of: datetime) -> "RecalculationQuerySet":
        return self.filter(due_at__lte=as_of)

    def claim(self, as_of: datetime, holder: str = "") -> bool:
        """Take the one row for this worker; whoever comes second gets False.

        The due time moves forward by the lease: a worker that dies is followed by
        another when the lease is over.
        """
        return bool(self.due(as_of).take(as_of, holder))

    def take(self, as_of: datetime, holder: str) -> int:
        """Take the row from whoever has it: that one's next chunk is refused."""
        return self.update(due_at=as_of + LEASE, started_at=as_of, holder=holder)


class Recalculation(models.Model):
    """When a program's standings are next, and were last, brought up to date.

    ``holder`` is the tick that is at work, as "host:pid token". Each of its chunks
    renews the lease where the holder is still the same, so that only one tick of a
    program ever writes.
    """

    program = models.OneToOneField(
        Program, on_delete=models.PROTECT, related_name="recalculation"
    )
    due_at = models.DateTimeField()
    holder = models.CharField(max_length=120, blank=True, default="")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    as_of = models.DateTimeField(
        null=True, help_text="The instant for which every standing is up to date."
    )
    members = models.PositiveIntegerField(
        default=0, help_text="How many members the last run looked at."
    )
    moved = models.PositiveIntegerField(
        default=0, help_text="How many of them changed tier."
    )
    #: The last local day whose beginning customers were counted for.
    snapshot_day = models.DateField(null=True)

    objects: ClassVar[Any] = RecalculationQuerySet.as_manager()

    class Meta:
        indexes = (models.Index(fields=["due_at"], name="recalculations_due"),)

    def __str__(self) -> str:
        return f"Recalculation of program {self.program_id}"


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, user: Any) -> "RunQuerySet":
        return self.filter(program__in=Program.objects.visible_to(user))

    def open(self) -> "RunQuerySet":
        return self.filter(finished_at__isnull=True, failed_at__isnull=True)

    def with_progress(self) -> "RunQuerySet":
        """Annotate ``judged`` and ``changed``: members so far, and how many moved."""
        return self.annotate(
            judged=Sum("pieces__members", default=0),
            changed=Sum("pieces__moved", default=0),
        )


class Run(models.Model):
    """A job over a program's members, in pieces that any number of workers take.

    Pieces are ranges of members' keys, handed out one after the other: ``next_member``
    is where the next one begins, ``last_member`` where the last one ends. Whoever
    joins later is judged by the present rules anyway.
    """

    class Kind(models.TextChoices):
        PUBLISH = "PUBLISH", "The rules changed"
        REBUILD = "REBUILD", "Rebuilt from scratch"
        RECALCULATE = "RECALCULATE", "Recalculated by hand"
        TICK = "TICK", "By the calendar"

    class Rollout(models.TextChoices):
        ALL_AT_ONCE = "ALL_AT_ONCE", "Everybody at once"

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="runs")
    group = models.ForeignKey(
        TierGroup,
        null=True,
        on_delete=models.PROTECT,
        related_name="runs",
        help_text="The one group whose rules changed; none for all of the program.",
    )
    kind = models.CharField(max_length=11, choices=Kind.choices)
    rollout = models.CharField(
        max_length=11, choices=Rollout.choices, default=Rollout.ALL_AT_ONCE
    )
    #: Group -> the ruleset that everybody is judged by once this has finished.
    rulesets = models.JSONField(default=dict)
    as_of = models.DateTimeField(
        null=True, help_text="Judged as of this instant; else each piece as of its own."
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    next_member = models.BigIntegerField(default=0)
    last_member = models.BigIntegerField(default=-1)
    expected = models.PositiveIntegerField(
        default=0, help_text="How many members there were when it began."
    )
    finished_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    members = models.PositiveIntegerField(default=0)
    moved = models.PositiveIntegerField(default=0)
    #: [[tier before, tier after, members], ...], the most frequent move first.
    moves = models.JSONField(default=list)

    objects: ClassVar[Any] = RunQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(failed_at__isnull=True),
                name="run_finishes_or_fails",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["PUBLISH", "REBUILD", "RECALCULATE", "TICK"]),
                name="run_kind_is_known",
            ),
        )
        indexes = (
            models.Index(
                fields=["program"],
                condition=Q(finished_at__isnull=True, failed_at__isnull=True),
                name="open_runs",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.created_at:%Y-%m-%d %H:%M} UTC"

    @property
    def is_open(self) -> bool:
        return self.finished_at is None and self.failed_at is None


class RunPiece(models.Model):
    """A range of members that one worker at a time judges.

    ``reached`` is the last member judged: whoever takes over goes on behind it. A
    piece without an end in ``finished_at`` whose lease is over is taken again, and
    put aside in ``failed_at`` when that has happened too often.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="pieces")
    first_member = models.BigIntegerField()
    last_member = models.BigIntegerField()
    reached = models.BigIntegerField()
    holder = models.CharField(max_length=120, blank=True, default="")
    leased_until = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=1)
    finished_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=500, blank=True, default="")
    members = models.PositiveIntegerField(default=0)
    moved = models.PositiveIntegerField(default=0)
    moves = models.JSONField(default=list)

    class Meta:
        ordering = ("first_member",)
        constraints = (
            models.UniqueConstraint(
                fields=["run", "first_member"], name="range_is_handed_out_once"
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(failed_at__isnull=True),
                name="piece_finishes_or_fails",
            ),
        )

    def __str__(self) -> str:
        return f"Members {self.first_member} to {self.last_member}"


class MemberSetAsideQuerySet(models.QuerySet["MemberSetAside"]):
    def visible_to(self, user: Any) -> "MemberSetAsideQuerySet":
        return self.filter(member__program__in=Program.objects.visible_to(user))


class MemberSetAside(models.Model):
    """A member who could not be judged, and is left out until the next try.

    Who has no mark any more has been judged since; the next tick deletes the row.
    """

    member = models.OneToOneField(Member, on_delete=models.PROTECT, related_name="+")
    since = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(
        null=True, help_text="When a tick tries again; never, until a person has."
    )
    failure = models.CharField(max_length=500, blank=True, default="")

    objects: ClassVar[Any] = MemberSetAsideQuerySet.as_manager()

    class Meta:
        verbose_name = "member set aside"
        verbose_name_plural = "members set aside"

    def __str__(self) -> str:
        return f"Member {self.member_id}, set aside {self.since:%Y-%m-%d %H:%M} UTC"
