"""What programs, balance definitions, tier groups and tiers have in common.

Each is a lasting thing with versions, of which at most one is live and at most one is
open: its ``draft``, in whatever state it is. Nothing of a thing is changed but through
that draft, which goes live in a change set.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from approvals import kinds, lifecycle
from approvals.errors import InvalidTransition, StaleEdit
from approvals.lifecycle import guards
from tiers import drafting

from .. import strict
from ..access import sees_drafts
from . import versions
from .conditional import expect_match
from .fields import InstantField
from .protocol import Body, NativeView, NothingBody
from .refusals import PreconditionFailed
from .thing_lists import with_versions

MAKE: Final = "approvals.make_changes"

# What is sent and read


class ThingSerializer(serializers.Serializer):
    """A lasting thing; its kind adds what it is, and its versions."""

    id = serializers.IntegerField()
    uuid = serializers.UUIDField()
    created_at = InstantField()
    changed_at = InstantField(help_text="When something was last done to it.")

    def to_representation(self, thing: Any) -> Any:
        found = {version.is_open: version for version in thing.current}
        thing.live = found.get(False)
        thing.draft = found.get(True) if self.context.get("drafts", True) else None
        return super().to_representation(thing)


class Note(strict.TextField):
    """Why; the reviewer reads it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_blank=True, max_length=5000, **options)


class RollBackBody(Body):
    """Which version to go back to."""

    version = strict.IntegerField(
        min_value=1, help_text="The number of a version that was live."
    )


class DraftReferenceSerializer(serializers.Serializer):
    """A version as a change set names it."""

    kind = serializers.ChoiceField([(word, word) for word in versions.WORDS])
    id = serializers.IntegerField()
    revision = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]


class DraftsSerializer(serializers.Serializer):
    """Drafts that belong together: submit them in one change set."""

    drafts = DraftReferenceSerializer(many=True)


def reference(version: Any) -> dict[str, Any]:
    return {
        "kind": versions.word_of(kinds.kind_of(version)),
        "id": version.pk,
        "revision": version.revision,
        "label": str(getattr(version, "name", "")),
    }


# The view


def carries_out(verb: str) -> Callable[[Any], Any]:
    """Note which verb of the lifecycle an action is; the documentation says it too."""

    def note(function: Any) -> Any:
        function.verb = verb
        return function

    return note


class Things(NativeView):
    """Lists, reads, drafts; the subclass of each kind says what is said of it."""

    model: ClassVar[Any]
    version_model: ClassVar[Any]
    search_fields = ("current_name",)
    orderings: ClassVar = {
        "id": "pk",
        "name": "current_name",
        "changed_at": "changed_at",
    }
    conditional = frozenset({"revise_draft", "discard_draft"})
    repeatable = frozenset({"create", "open_draft", "roll_back"})
    creates = frozenset({"create", "open_draft", "roll_back"})
    shows_drafts = frozenset({"draft"})

    def things(self) -> Any:
        """Return what exists for the caller."""
        return self.model.objects.visible_to(self.request.user)

    def get_queryset(self) -> QuerySet[Any]:
        return with_versions(self.things(), self.version_model, self.request.user)

    def sends(self, thing: Any) -> Any:
        """Return a thing as the caller gets it."""
        user: Any = self.request.user
        drafts = sees_drafts(user)
        kind: Any = self.serializer_class
        sender = versions.sender(kind, drafts=drafts)
        return sender.to_representation(thing)

    # Reading

    def list(self, request: Request) -> Response:
        """List what the caller may see, with what is live and what is drafted."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([self.sends(thing) for thing in page or ()])

    def retrieve(self, request: Request, pk: int) -> Response:
        """Read one, with what is live and what is drafted."""
        return Response(self.shown(pk))

    def shown(self, pk: int) -> Any:
        return self.sends(get_object_or_404(self.get_queryset(), pk=pk))

    def thing(self) -> Any:
        """Return what the address names, for a verb."""
        return get_object_or_404(self.things(), pk=self.kwargs["pk"])

    def program_id(self) -> int:
        """Return the program of what the address names."""
        thing = self.thing()
        return int(getattr(thing, "program_id", thing.pk))

    def open_version(self) -> Any:
        """Return the open version of what the address names, if there is one."""
        found = self.thing().versions.open().filter(direct=False)
        return found.select_related(*versions.PEOPLE).first()

    # Its draft

    @action(detail=True, methods=["get"], url_path="draft")
    def draft(self, request: Request, pk: int) -> Response:
        """Read the open version, in whatever state it is."""
        return Response(versions.shown(self.expect_open()))

    @carries_out("draft")
    @draft.mapping.post
    def open_draft(self, request: Request, pk: int) -> Response:
        """Draft a change to what is live: it starts out equal, but for what is sent."""
        sent = self.read(context={"program_id": self.program_id()})
        changes = {**sent.get("content", {}), "note": sent.get("note", "")}

        def act() -> Any:
            return lifecycle.draft_change(
                self.expect_live(), by=request.user, changes=changes
            )

        return self.answer_with_draft(act)

    @carries_out("revise")
    @draft.mapping.patch
    def revise_draft(self, request: Request, pk: int) -> Response:
        """Edit the open version: what is sent replaces its field, the rest stays.

        An edit of what waits for approval takes its whole change set back.
        """
        version = self.expect_read()
        sent = self.read(context={"program_id": self.program_id()})
        changes = dict(sent.get("content", {}))
        if "note" in sent:
            changes["note"] = sent["note"]
        with too_late_is_412():
            lifecycle.revise(
                version,
                by=request.user,
                changes=changes,
                expected_revision=version.revision,
            )
        return Response(fresh(version))

    @carries_out("discard")
    @draft.mapping.delete
    def discard_draft(self, request: Request, pk: int) -> Response:
        """Put the open version away; what is live stays."""
        version = self.expect_read()
        with too_late_is_412():
            lifecycle.discard(version, by=request.user)
        return Response(status=204)

    @action(detail=True, methods=["post"], url_path="roll-back")
    def roll_back(self, request: Request, pk: int) -> Response:
        """Draft a version equal to one that was live earlier."""
        number = self.read()["version"]

        def act() -> Any:
            snapshot = get_object_or_404(self.thing().versions, number=number)
            return lifecycle.roll_back(snapshot, by=request.user)

        return self.answer_with_draft(act)

    # Steps

    def expect_open(self) -> Any:
        version = self.open_version()
        if version is None:
            raise NotFound
        return version

    def expect_live(self) -> Any:
        """Return the live version, to draft a change to."""
        live = self.thing().versions.live().first()
        if live is not None:
            return live
        if open_ := self.open_version():
            raise guards.draft_exists(open_)
        raise InvalidTransition("It has ended: roll it back to an earlier version.")

    def expect_read(self) -> Any:
        """Return the open version, if it is what If-Match says was read."""
        version = self.expect_open()
        expect_match(self.request, versions.shown(version))
        return version

    def answer_with_draft(self, act: Callable[[], Any]) -> Response:
        """Carry out what opens a draft, and answer with it."""
        return self.created(
            self.once(lambda: fresh(act())),
            f"/api/v1/{self.basename}/{self.kwargs['pk']}/draft",
        )


class Retirable(Things):
    """Things that can be ended, with whatever stands on them."""

    repeatable = Things.repeatable | {"retire"}
    creates = Things.creates | {"retire"}
    may_be_bodiless = frozenset({"retire"})

    @action(detail=True, methods=["post"])
    def retire(self, request: Request, pk: int) -> Response:
        """Draft the end of it; a group's drafts are those of its live tiers too."""
        self.read()

        def act() -> Any:
            drafts = drafting.retire(self.thing(), by=request.user)
            return {"drafts": [reference(draft) for draft in drafts]}

        return self.created(self.once(act), f"/api/v1/{self.basename}/{pk}/draft")


def asks_of(permission: str, kind: type[Things] = Retirable) -> dict[str, Any]:
    """Return what the actions of a kind of thing ask for, given who may read it."""
    reading = dict.fromkeys(("list", "retrieve", "draft"), permission)
    return {**dict.fromkeys((*kind.repeatable, *kind.conditional), MAKE), **reading}


def describing(
    version: Any, changes: Any, body: Any = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the actions of a kind of thing read, and what they answer."""
    bodies = {
        "open_draft": changes,
        "revise_draft": changes,
        "roll_back": RollBackBody,
        "retire": NothingBody,
        "create": body,
    }
    answers = {
        **dict.fromkeys(("draft", "open_draft", "revise_draft", "roll_back"), version),
        "discard_draft": None,
        "retire": DraftsSerializer,
    }
    return bodies, answers


def fresh(version: Any) -> Any:
    """Return a version as it is sent, read anew: as any reader would get it."""
    table = type(version).objects.select_related(*versions.PEOPLE)
    return versions.shown(table.get(pk=version.pk))


@contextmanager
def too_late_is_412() -> Iterator[None]:
    """Word what happened between If-Match and the write as what it is."""
    try:
        yield
    except StaleEdit as late:
        raise PreconditionFailed(late.message) from None
