"""Change sets: drafts are handed in together, and settled whole.

Whoever decides says on what: by the ``fingerprint`` that they read, in the body, or by
``If-Match`` with the ETag of the change set that shows it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from approvals import kinds, lifecycle
from approvals.models import ChangeSet, ChangeSetItem, Contribution, Decision, Version
from loyalty.models import Program

from .. import strict
from . import filters
from .conditional import expect_match
from .fields import InstantField, PersonField
from .protocol import Body, NativeView
from .refusals import PreconditionRequired
from .things import MAKE, Note, carries_out
from .versions import WORDS, word_of

READ: Final = "approvals.view_changeset"
REVIEW: Final = "approvals.review_changes"
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


class NothingBody(Body):
    """Nothing."""


class ReasonBody(Body):
    """Why."""

    comment = strict.TextField(
        allow_blank=True, max_length=5000, help_text="Why: its maker reads it."
    )


# What is asked


class ChangeSetFilters(filters.FilterSet):
    """Which change sets."""

    program = filters.NumberFilter(
        field_name="program_id", help_text="Of this program."
    )
    state = filters.ChoiceFilter(
        words=WORDS_OF_STATES, method="in_state", help_text="In this state."
    )
    decidable = filters.FlagFilter(
        method="is_decidable",
        help_text="Undecided, and without the caller's hand in it; or the opposite.",
    )
    created_since = filters.InstantFilter(
        field_name="created_at",
        lookup_expr="gte",
        help_text="Handed in at this instant or later.",
    )
    created_by = filters.TextFilter(
        field_name="created_by__username", help_text="Handed in by this person."
    )

    def in_state(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(dict(STATES.values())[value])

    def is_decidable(self, queryset: Any, name: str, value: bool) -> Any:
        mine = ChangeSet.objects.decidable_by(self.request.user).values("pk")
        return queryset.filter(pk__in=mine) if value else queryset.exclude(pk__in=mine)


class ChangeSets(NativeView):
    """What reviewers decide on."""

    tag = "Change sets"
    queryset = ChangeSet.objects.all()
    serializer_class = ChangeSetSerializer
    filterset_class = ChangeSetFilters
    search_fields = ("items__label", "note")
    orderings: ClassVar = {"id": "pk"}
    default_ordering = "-id"
    asks: ClassVar = {
        "list": READ,
        "retrieve": READ,
        "create": MAKE,
        "publish_now": MAKE,
        "withdraw": MAKE,
        "approve": REVIEW,
        "reject": REVIEW,
        "unschedule": (MAKE, REVIEW),
        "retry": REVIEW,
    }
    decisions = frozenset({"approve", "reject", "retry"})
    may_be_conditional = decisions
    publishes = frozenset({"publish_now"})
    shows_drafts = frozenset({"list", "retrieve"})
    repeatable = frozenset(asks) - shows_drafts
    creates = frozenset({"create", "publish_now"})
    may_be_bodiless = frozenset({"approve", "retry", "withdraw"})
    bodies: ClassVar = {
        "create": SubmitBody,
        "publish_now": PublishBody,
        "withdraw": NothingBody,
        "approve": ApproveBody,
        "reject": RejectBody,
        "unschedule": ReasonBody,
        "retry": ApproveBody,
    }
    answers: ClassVar = dict.fromkeys(set(asks) - {"list"}, OneChangeSetSerializer)
    examples: ClassVar = {
        "create": [
            OpenApiExample(
                "Two drafts that belong together",
                {
                    "versions": [
                        {"kind": "tier_group", "id": 12, "revision": 1},
                        {"kind": "tier", "id": 45, "revision": 3},
                    ],
                    "note": "Platinum, for the autumn.",
                    "go_live_at": "2026-09-01T00:00:00Z",
                },
                request_only=True,
            )
        ]
    }

    # Reading

    def get_queryset(self) -> QuerySet[Any]:
        programs = Program.objects.visible_to(self.request.user)
        return (
            ChangeSet.objects.filter(program_id__in=programs.values("pk"))
            .select_related("created_by", "voided_by", "decision__decided_by")
            .prefetch_related("items")
        )

    def list(self, request: Request) -> Response:
        """List what was handed in, the latest first."""
        page: Any = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        context = {"contributors": contributors_to(page)}
        shown = ChangeSetSerializer(page, many=True, context=context)
        return self.get_paginated_response(shown.data)

    def retrieve(self, request: Request, pk: int) -> Response:
        """Read what was handed in, what became of it, and who had a hand in it."""
        return Response(self.shown(pk))

    def shown(self, pk: int) -> Any:
        change_set = get_object_or_404(self.get_queryset(), pk=pk)
        context = {"contributors": contributors_to([change_set])}
        return OneChangeSetSerializer(change_set, context=context).data

    # Handing in

    @carries_out("submit")
    def create(self, request: Request) -> Response:
        """Hand drafts of one program to the reviewers."""
        sent = self.read()

        def act() -> Any:
            change_set = lifecycle.submit(
                drafts(sent["versions"], visible_to=request.user),
                by=request.user,
                note=sent.get("note", ""),
                go_live_at=sent.get("go_live_at"),
            )
            return self.shown(change_set.pk)

        return self.created_once(act)

    @carries_out("publish_now")
    @action(detail=False, methods=["post"], url_path="publish-now")
    def publish_now(self, request: Request) -> Response:
        """Make drafts live at once, where the program asks for no approval."""
        sent = self.read()

        def act() -> Any:
            change_set = lifecycle.publish_now(
                drafts(sent["versions"], visible_to=request.user),
                by=request.user,
                note=sent.get("note", ""),
            )
            return self.shown(change_set.pk)

        return self.created_once(act)

    def created_once(self, act: Callable[[], Any]) -> Response:
        made = self.once(act)
        return self.created(made, f"/api/v1/change-sets/{made['id']}")

    @carries_out("withdraw")
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: int) -> Response:
        """Take a submission back; its versions are drafts again."""
        self.read()
        return self.settled(
            lambda held, seen: lifecycle.withdraw(held, by=request.user), {}
        )

    # Deciding

    @carries_out("approve")
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: int) -> Response:
        """Approve exactly what was read; it goes live, at once or at its time."""
        sent = self.read()

        def act(held: ChangeSet, seen: str) -> None:
            said = sent.get("comment", "")
            lifecycle.approve(held, by=request.user, fingerprint=seen, comment=said)

        return self.settled(act, sent, name="fingerprint")

    @carries_out("reject")
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: int) -> Response:
        """Send it back to its makers, with a reason."""
        sent = self.read()

        def act(held: ChangeSet, seen: str) -> None:
            said = sent["comment"]
            lifecycle.reject(held, by=request.user, fingerprint=seen, comment=said)

        return self.settled(act, sent, name="fingerprint")

    @carries_out("unschedule")
    @action(detail=True, methods=["post"])
    def unschedule(self, request: Request, pk: int) -> Response:
        """Call off what is approved and has not gone live; its versions are drafts."""
        sent = self.read()

        def act(held: ChangeSet, seen: str) -> None:
            lifecycle.unschedule(held, by=request.user, comment=sent["comment"])

        return self.settled(act, sent)

    @carries_out("retry")
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: int) -> Response:
        """Approve what could not go live anew, on what is live by now.

        Name its ``fresh_fingerprint``. The answer is the new change set that it is in.
        """
        sent = self.read()
        again: deque[int] = deque()

        def act(held: ChangeSet, seen: str) -> None:
            said = sent.get("comment", "")
            decision = lifecycle.retry(
                held, by=request.user, fingerprint=seen, comment=said
            )
            again.append(decision.change_set_id)

        return self.settled(act, sent, name="fresh_fingerprint", instead=again)

    def settled(
        self,
        act: Callable[[ChangeSet, str], Any],
        sent: dict[str, Any],
        *,
        name: str = "",
        instead: Sequence[int] = (),
    ) -> Response:
        """Settle what the address names, on what the caller read; answer with it.

        ``name`` is the field that says what was read, if the verb wants to know.
        """
        pk = self.kwargs["pk"]

        def settle() -> Any:
            held = get_object_or_404(self.get_queryset(), pk=pk)
            act(held, self.seen(sent, name) if name else "")
            return self.shown(instead[0] if instead else pk)

        return Response(self.once(settle))

    def seen(self, sent: dict[str, Any], name: str) -> str:
        """Return the fingerprint of what was read: as sent, or by If-Match."""
        if "If-Match" in self.request.headers:
            current = self.shown(self.kwargs["pk"])
            expect_match(self.request, current)
            if "fingerprint" not in sent:
                return current[name] or ""
        if "fingerprint" not in sent:
            raise PreconditionRequired(
                "Say what you read: its fingerprint in the body, or its ETag in "
                "If-Match."
            )
        return str(sent["fingerprint"])


def drafts(references: Sequence[dict[str, Any]], *, visible_to: Any) -> list[Any]:
    """Return the versions that were named, each as the caller read it."""
    found: dict[tuple[str, int], Any] = {}
    programs = Program.objects.visible_to(visible_to).values("pk")
    for kind in kinds.all_kinds():
        word = word_of(kind)
        ids = [each["id"] for each in references if each["kind"] == word]
        if ids:
            thing = kind.version.THING
            path = thing if thing == "program" else f"{thing}__program"
            named = kind.version._default_manager.filter(
                pk__in=ids, direct=False, **{f"{path}__in": programs}
            )
            found |= {(word, version.pk): version for version in named}
    places = [(each["kind"], each["id"]) for each in references]
    problems: dict[Any, Any] = {
        place: {"id": [ErrorDetail("There is no such version.", "not_found")]}
        for place, named in enumerate(places)
        if named not in found
    }
    for place in strict.repeated(places):
        problems[place] = {"id": [ErrorDetail("Name each version once.", "repeated")]}
    if problems:
        raise ValidationError({"versions": problems})
    for each in references:
        # What the verb compares with the row: an edit since then is refused.
        found[each["kind"], each["id"]].revision = each["revision"]
    return [found[place] for place in places]
