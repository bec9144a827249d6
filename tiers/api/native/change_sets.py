"""Change sets: drafts are handed in together, and settled whole.

Whoever decides says on what: by the ``fingerprint`` that they read, in the body, or by
``If-Match`` with the ETag of the change set that shows it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from approvals import kinds, lifecycle
from approvals.models import ChangeSet
from loyalty.models import Program

from .. import strict
from . import filters
from .change_set_messages import (
    STATES,
    WORDS_OF_STATES,
    ApproveBody,
    ChangeSetSerializer,
    OneChangeSetSerializer,
    PublishBody,
    ReasonBody,
    RejectBody,
    SubmitBody,
    contributors_to,
)
from .conditional import expect_match
from .protocol import NativeView, NothingBody
from .refusals import PreconditionRequired
from .things import MAKE, carries_out
from .versions import word_of

READ: Final = "approvals.view_changeset"
REVIEW: Final = "approvals.review_changes"

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
