"""The stage on which changes of every kind are brought into every state."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from approvals import kinds, lifecycle, roles
from approvals.models import ChangeSet, Version
from loyalty.models import Program, ProgramLimit
from tests import checkers, factories, scenes
from tiers.models import Tier, TierGroup, TierVersion

from .stories import draft_of

Status = Version.Status

#: Kind of version -> a field that every test may change, and two wordings for it.
WORDS = {
    "program": ("description", "For friends.", "For good friends."),
    "balance definition": ("description", "What you earn.", "What you have earned."),
    "tier group": ("name", "Main ladder", "The ladder"),
    "tier": ("description", "For gold.", "For real gold."),
}


@pytest.fixture(autouse=True)
def _nothing_is_live_without_a_right_to(
    request: pytest.FixtureRequest,
) -> Iterator[Any]:
    """After every test here, look at every version in the database."""
    uses_database = {"db", "transactional_db"} & set(request.fixturenames)
    if uses_database:
        request.getfixturevalue(min(uses_database))
    yield
    if uses_database and not request.node.get_closest_marker("forges"):
        assert checkers.unapproved() == []
        assert checkers.crowded() == []


@dataclass
class Stage:
    """A program with a group of tiers, and people who change them.

    Olga stands behind every draft: she drafts, submits and withdraws. Rhea decides.
    Neither is ever the person whose rights a test looks at, so that nobody is
    taken for pressing their own button twice.
    """

    program: Program
    group: TierGroup
    gold: Tier
    olga: User
    rhea: User
    #: Called with a version that is still a draft, to leave traces on it.
    touch: Callable[[Any], None] = field(default=lambda version: None)

    def live(self, kind: str) -> Any:
        things: dict[str, Callable[[], Any]] = {
            "program": lambda: self.program,
            "balance definition": lambda: self.program.balance_definitions.get(
                built_in="POINTS"
            ),
            "tier group": lambda: self.group,
            "tier": lambda: self.gold,
        }
        return things[kind]().versions.live().get()

    def draft(self, kind: str, word: str = "") -> Any:
        field_name, first, _ = WORDS[kind]
        version = lifecycle.draft_change(
            self.live(kind), by=self.olga, changes={field_name: word or first}
        )
        self.touch(version)
        version.refresh_from_db()
        return version

    def submitted(self, *versions: Any, **options: Any) -> ChangeSet:
        return lifecycle.submit(list(versions), by=self.olga, **options)

    def approve(self, change_set: ChangeSet, **options: Any) -> None:
        factories.approve(change_set, self.rhea, **options)

    def reject(self, change_set: ChangeSet) -> None:
        lifecycle.reject(
            change_set,
            by=self.rhea,
            fingerprint=change_set.fingerprint,
            comment="Too low.",
        )

    def fail(self, change_set: ChangeSet) -> None:
        """Let a scheduled change set go live while something forbids it."""
        assert change_set.go_live_at is not None
        kind = kinds.kind_named(change_set.items.all()[0].kind)
        kind.checks.append(lambda versions, every: ["Mercury is in retrograde."])
        try:
            assert not lifecycle.go_live(change_set, at=change_set.go_live_at)
        finally:
            kind.checks.pop()

    def bring(self, kind: str, status: str) -> tuple[Any, ChangeSet]:
        """Return a version in ``status``, and the change set it was last in."""
        version = self.draft(kind)
        later = status in (Status.SCHEDULED, Status.PUBLISH_FAILED)
        change_set = self.submitted(
            version, go_live_at=timezone.now() + timedelta(days=1) if later else None
        )
        if status in (Status.DRAFT, Status.DELETED):
            lifecycle.withdraw(change_set, by=self.olga)
        elif status == Status.REJECTED:
            self.reject(change_set)
        elif status != Status.PENDING_APPROVAL:
            self.approve(change_set)
        version.refresh_from_db()
        if status == Status.DELETED:
            lifecycle.discard(version, by=self.olga)
        elif status == Status.PUBLISH_FAILED:
            self.fail(change_set)
        elif status == Status.SNAPSHOT:
            self.approve(self.submitted(self.draft(kind, WORDS[kind][2])))
        version.refresh_from_db()
        change_set.refresh_from_db()
        assert version.status == status
        return version, change_set


@scenes.kept
def stage() -> Stage:
    olga = factories.make_user("olga", roles.MANAGERS, roles.REVIEWERS)
    rhea = factories.make_reviewer("rhea")
    program = factories.make_program(olga)
    group = factories.make_group(program, by=olga, reviewer=rhea)
    gold = factories.live_tier(group, "Gold").tier
    return Stage(program, group, gold, olga, rhea)


@scenes.kept
def people(stage: Stage) -> dict[str, User]:
    """Everybody whose rights differ, by what sets them apart."""
    elsewhere = factories.make_program(stage.olga, "Elsewhere")
    both = (roles.MANAGERS, roles.REVIEWERS)
    found = {
        "maker": factories.make_maker("mike"),
        "maker who contributed": factories.make_maker("maya"),
        "reviewer": factories.make_reviewer("chen"),
        "both": factories.make_user("bo", *both),
        "both, and contributed": factories.make_user("boa", *both),
        "auditor": factories.make_auditor("aude"),
        "superuser": factories.make_user("sue", is_superuser=True),
        "superuser who contributed": factories.make_user("suzy", is_superuser=True),
        "nobody": factories.make_user("norm"),
        "inactive": factories.make_user("ina", *both, is_active=False),
        "inactive superuser": factories.make_user(
            "iris", is_superuser=True, is_active=False
        ),
        "limited to another program": factories.make_user("lima", *both),
        "limited superuser": factories.make_user("lisa", is_superuser=True),
        "limited to this program": factories.make_user("lola", *both),
    }
    for who in ("limited to another program", "limited superuser"):
        ProgramLimit.objects.create(user=found[who], program=elsewhere)
    ProgramLimit.objects.create(
        user=found["limited to this program"], program=stage.program
    )
    return found


@scenes.kept
def mike() -> User:
    """Another maker."""
    return factories.make_maker("mike")


@scenes.kept
def rita() -> User:
    """Another reviewer."""
    return factories.make_reviewer("rita")


@pytest.fixture
def three(group: TierGroup, maya: User) -> list[TierVersion]:
    """Drafts for all three tiers of the group."""
    return [
        draft_of(group, "Bronze", maya, description="The start."),
        draft_of(group, "Silver", maya, threshold=600),
        draft_of(group, "Gold", maya, threshold=1200),
    ]
