"""What members may be given; tiers name it."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from ..fields import validate_line, validate_text
from .programs import Program


class RewardQuerySet(models.QuerySet["Reward"]):
    def visible_to(self, user: Any) -> "RewardQuerySet":
        return self.filter(program__in=Program.objects.visible_to(user))


class Reward(models.Model):
    """Something that comes with a tier; who hands it out is another system."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    program = models.ForeignKey(
        Program, on_delete=models.PROTECT, related_name="rewards"
    )
    name = models.CharField(max_length=128, validators=[validate_line])
    public_name = models.CharField(
        max_length=128, blank=True, default="", validators=[validate_line]
    )
    public_description = models.TextField(
        max_length=500, blank=True, default="", validators=[validate_text]
    )
    public_image = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )

    objects: ClassVar[Any] = RewardQuerySet.as_manager()

    class Meta:
        ordering = ("program_id", "pk")

    def __str__(self) -> str:
        return self.name
