"""Keys with which other systems ask, and the people behind them.

What is stored of a key is its prefix, for finding it, and the SHA-512 of the whole.
Its secret is 32 random characters, some 190 bits: nobody can try them out, so a slow
hash, a salt or a pepper would add nothing, and comparing costs a microsecond.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import User, UserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from rest_framework_api_key.models import AbstractAPIKey, BaseAPIKeyManager

from ..fields import validate_line
from .programs import Program


class Scope(models.TextChoices):
    """What a key may do, of what its owner may."""

    READ = "read", "Read programs, tiers, members and points"
    POINTS = "points", "Post points, enrol and move members"
    DRAFTS = "drafts", "Draft and submit changes"
    PUBLISH = "publish", "Publish changes where no approval is required"


#: The permissions that come with a scope; READ comes with whatever only shows.
PERMISSIONS: dict[str, frozenset[str]] = {
    Scope.POINTS: frozenset(
        ("loyalty.post_points", "loyalty.edit_members", "loyalty.move_members")
    ),
    Scope.DRAFTS: frozenset(("approvals.make_changes",)),
    Scope.PUBLISH: frozenset(("approvals.make_changes", "loyalty.operate_programs")),
}
_SHOWN = ("approvals.view_", "loyalty.view_", "tiers.view_")
#: What names people and what they did is read by people.
_FOR_PEOPLE = frozenset(
    f"approvals.view_{record}"
    for record in ("auditevent", "contribution", "decision", "notice")
)


def granted(scopes: Iterable[str], permission: str) -> bool:
    """Tell whether a permission comes with any of the scopes.

    None comes with reviewing: keys never decide. Nor do they read the record of who
    did what.
    """
    if permission in _FOR_PEOPLE:
        return False
    if permission.startswith(_SHOWN):
        return Scope.READ in scopes
    return any(permission in PERMISSIONS.get(scope, ()) for scope in scopes)


def validate_scopes(value: Any) -> None:
    if not isinstance(value, list) or not set(value) <= set(Scope.values):
        raise ValidationError(
            f"A key's scopes are among {', '.join(Scope.values)}.", code="invalid_scope"
        )


class KeyHolder(User):
    """A person as an API key of theirs acts: with its scopes, in its program.

    A verb is given one as ``by``, as it is given a person: permissions, the programs
    that can be seen, the record of who did it and whose hands were in a change follow
    from here, so that no door can forget that it was a key.
    """

    key: "ApiKey | None" = None

    objects: ClassVar[Any] = UserManager()

    class Meta:
        proxy = True
        default_permissions = ()

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        if self.key is not None and not granted(self.key.scopes, perm):
            return False
        return super().has_perm(perm, obj)

    def get_username(self) -> str:
        """Return the name that records show: the person's, and which key it was."""
        if self.key is None:
            return super().get_username()
        return f"{super().get_username()[:128]} (API key {self.key.prefix})"

    @property
    def only_program_id(self) -> int | None:
        """The one program that exists for them, if they are limited to one."""
        return self.key.program_id if self.key else None

    @property
    def may_publish(self) -> bool:
        return self.key is None or Scope.PUBLISH in self.key.scopes

    @property
    def behind_key(self) -> set[int]:
        """Whose hands are in what the key does: its owner's, and who was shown it."""
        return {self.pk, self.key.made_by_id} if self.key else set()


class ApiKeyManager(BaseAPIKeyManager):
    def assign_key(self, obj: Any) -> str:
        # Not the package's: its primary key holds the hash, which pages and records
        # would then show.
        key: str
        key, obj.prefix, obj.hashed_key = self.key_generator.generate()
        return key


class ApiKey(AbstractAPIKey):
    """A key of a system that asks in a person's name; the secret is not stored."""

    # Not the package's, which holds the hash.
    id: Any = models.BigAutoField(primary_key=True)
    name = models.CharField(
        max_length=50,
        validators=[validate_line],
        help_text="Which system uses it, for example: Web shop.",
    )
    scopes = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_scopes],
        help_text="What the key may do.",
    )
    owner = models.ForeignKey(
        KeyHolder,
        on_delete=models.PROTECT,
        related_name="api_keys",
        help_text=(
            "In whose name the key acts. It may do nothing that its owner may not, and "
            "its owner cannot approve what it drafted."
        ),
    )
    program = models.ForeignKey(
        Program,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="api_keys",
        help_text="The one program that exists for the key; empty for all.",
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    replaces = models.OneToOneField(
        "self",
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="replaced_by",
    )
    last_used_at = models.DateTimeField("last used", null=True, editable=False)

    objects: ClassVar[Any] = ApiKeyManager()

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        ordering: ClassVar[Any] = ("-created", "-pk")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    @property
    def holder(self) -> KeyHolder:
        """The owner, acting through this key."""
        owner: KeyHolder = self.owner
        owner.key = self
        return owner

    def why_refused(self, at: datetime | None = None) -> str:
        """Say in a word for the log why the key is of no use; empty if it is."""
        if self.revoked:
            return "revoked"
        if self.expiry_date is not None and self.expiry_date <= (at or timezone.now()):
            return "expired"
        return "" if self.owner.is_active else "owner_inactive"
