"""What is said of change sets, and what is read of whoever settles one."""

from typing import Any, Final

from django.db.models import Exists, OuterRef, Q
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from approvals import kinds, lifecycle
from approvals.models import ChangeSet, ChangeSetItem, Contribution, Decision, Version

from .. import strict
from .fields import InstantField, PersonField
from .protocol import Body
from .things import Note
from .versions import WORDS, word_of

#: How many versions one change set may hold when it is handed in here.
MOST: Final = 200

#: What ``ChangeSet.state`` says to people, for programs; and in SQL.
STATES: Final[dict[str, tuple[str, Q]]] = {
    "Waiting": ("WAITING", Q(decision__isnull=True, voided_at__isnull=True)),
    "Scheduled": ("SCHEDULED", Q(due_at__isnull=False)),
    "Published": ("PUBLISHED", Q(published_at__isnull=False)),
    "Rejected": ("REJECTED", Q(decision__kind=Decision.Kind.REJECTED)),
    "Publishing failed": (
        "PUBLISH_FAILED",
        Q(failed_at__isnull=False, published_at__isnull=True),
    ),
    "Taken back": ("TAKEN_BACK", Q(decision__isnull=True, voided_at__isnull=False)),
    "Called off": (
        "CALLED_OFF",
        Q(
            decision__kind=Decision.Kind.APPROVED,
            voided_at__isnull=False,
            failed_at__isnull=True,
        ),
    ),
}
WORDS_OF_STATES: Final = [word for word, _ in STATES.values()]

# What is sent


class ItemSerializer(serializers.Serializer):
    """What one version said when it was handed in; never changes."""

    kind = serializers.SerializerMethodField()
    version = serializers.IntegerField(source="version_id")
    based_on = serializers.IntegerField(source="based_on_id", allow_null=True)
    operation = serializers.ChoiceField(Version.Operation.choices)
    label = serializers.CharField()  # type: ignore[assignment]
    content = serializers.DictField(help_text="By field, as it is hashed.")
    content_hash = serializers.CharField(help_text="SHA-256 of the content.")

    @extend_schema_field({"type": "string", "enum": list(WORDS)})
    def get_kind(self, item: ChangeSetItem) -> str:
        return word_of(kinds.kind_named(item.kind))


class DecisionSerializer(serializers.Serializer):
    """How a change set was settled; never changes."""

    kind = serializers.ChoiceField(Decision.Kind.choices)
    fingerprint = serializers.CharField(help_text="Exactly what was decided on.")
    decided_at = InstantField()
    decided_by = PersonField(allow_null=True)
    comment = serializers.CharField()


class ChangeSetSerializer(serializers.Serializer):
    """The versions that are decided on together."""

    id = serializers.IntegerField()
    program = serializers.IntegerField(source="program_id")
    state = serializers.SerializerMethodField()
    note = serializers.CharField()
    go_live_at = InstantField(
        allow_null=True, help_text="Null: as soon as it is approved."
    )
    fingerprint = serializers.CharField(
        help_text="Names exactly what was handed in, on top of what, and for when."
    )
    created_at = InstantField()
    created_by = PersonField(allow_null=True)
    contributors = serializers.SerializerMethodField()
    decision = DecisionSerializer(allow_null=True)
    published_at = InstantField(allow_null=True)
    voided_at = InstantField(allow_null=True)
    voided_by = PersonField(allow_null=True)
    void_reason = serializers.CharField()
    failed_at = InstantField(allow_null=True)
    failure = serializers.CharField()
    items = ItemSerializer(many=True)

    def to_representation(self, change_set: Any) -> Any:
        if not hasattr(change_set, "decision"):
            change_set.decision = None
        return super().to_representation(change_set)

    @extend_schema_field({"type": "string", "enum": WORDS_OF_STATES})
    def get_state(self, change_set: ChangeSet) -> str:
        return STATES[change_set.state][0]

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_contributors(self, change_set: ChangeSet) -> list[str]:
        """Name everybody who had a hand in it, and so may not approve it."""
        return self.context["contributors"].get(change_set.pk, [])


class OneChangeSetSerializer(ChangeSetSerializer):
    """A change set with what has to be named to try it again."""

    fresh_fingerprint = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["string", "null"]})
    def get_fresh_fingerprint(self, change_set: ChangeSet) -> str | None:
        """Name it on top of what is live now; null unless its publication failed."""
        if STATES[change_set.state][0] != "PUBLISH_FAILED" or change_set.voided_at:
            return None
        return lifecycle.fresh_fingerprint(change_set)


def contributors_to(change_sets: list[ChangeSet]) -> dict[int, list[str]]:
    """Return the names of whose hands were in each change set; one query."""
    items: dict[tuple[str, int], list[int]] = {}
    for change_set in change_sets:
        for item in change_set.items.all():
            items.setdefault((item.kind, item.version_id), []).append(change_set.pk)
    touched = ChangeSetItem.objects.filter(
        change_set__in=change_sets,
        kind=OuterRef("kind"),
        version_id=OuterRef("version_id"),
    )
    names: dict[int, list[str]] = {}
    hands = Contribution.objects.filter(Exists(touched)).select_related("user")
    for hand in hands.order_by("created_at", "pk"):
        for pk in items.get((hand.kind, hand.version_id), ()):
            said = names.setdefault(pk, [])
            if (name := hand.user.get_username()) not in said:
                said.append(name)
    return names


# What is read


class VersionReferenceBody(Body):
    """A draft, as it was read."""

    kind = strict.ChoiceField(list(WORDS))
    id = strict.IntegerField(min_value=1)
    revision = strict.IntegerField(
        min_value=1, help_text="As it was read: an edit since then is refused."
    )


class ReferencesField(serializers.ListField):
    """The drafts that go together."""

    child = VersionReferenceBody()

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_empty=False, max_length=MOST, **options)


class SubmitBody(Body):
    """Drafts of one program, to be decided on together."""

    versions = ReferencesField()
    note = Note()
    go_live_at = InstantField(
        required=False, allow_null=True, help_text="Null: as soon as it is approved."
    )


class PublishBody(Body):
    """Drafts of one program, to be live at once."""

    versions = ReferencesField()
    note = Note()


class ApproveBody(Body):
    """On what a decision is, unless If-Match says so; and why."""

    fingerprint = strict.LineField(
        required=False, max_length=64, help_text="As it was read."
    )
    comment = Note()


class RejectBody(Body):
    """On what a decision is, unless If-Match says so; and why."""

    fingerprint = strict.LineField(
        required=False, max_length=64, help_text="As it was read."
    )
    comment = strict.TextField(
        allow_blank=True, max_length=5000, help_text="Why: its maker reads it."
    )


class ReasonBody(Body):
    """Why."""

    comment = strict.TextField(
        allow_blank=True, max_length=5000, help_text="Why: its maker reads it."
    )
