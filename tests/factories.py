"""Makers of believable things; every test's story starts with some of these."""

import itertools
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import Group, User
from django.utils import timezone

from approvals import lifecycle, roles
from approvals.models import ChangeSet
from loyalty import keys, points, programs
from loyalty.models import (
    ApiKey,
    BalanceDefinition,
    Contact,
    Member,
    Membership,
    Program,
)
from loyalty.models.keys import Scope
from tiers import drafting
from tiers.models import TierGroup, TierVersion

_numbers = itertools.count(1)

#: A quiet instant long before "now", from which programs in tests exist.
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def make_user(name: str, *role_names: str, **fields: Any) -> User:
    """Make a person of the back office with the password "demo"."""
    user = User.objects.create_user(
        username=name,
        email=f"{name}@example.org",
        password="demo",
        is_staff=True,
        **fields,
    )
    user.groups.set(Group.objects.filter(name__in=role_names))
    return user


def make_maker(name: str = "maya") -> User:
    return make_user(name, roles.MANAGERS)


def make_reviewer(name: str = "chen") -> User:
    return make_user(name, roles.REVIEWERS)


def make_auditor(name: str = "aude") -> User:
    return make_user(name, roles.AUDITORS)


def make_key(owner: User, *scopes: str, **fields: Any) -> tuple[ApiKey, str]:
    """Make a key and its secret; with every scope unless some are named."""
    fields.setdefault("by", owner)
    fields.setdefault("name", "Web shop")
    return keys.make(owner=owner, scopes=scopes or Scope.values, **fields)


def make_program(
    by: User, name: str = "Gemstone Rewards", *, active: bool = True, **wording: Any
) -> Program:
    """Make a program that asks for approval, its tiers active."""
    wording.setdefault("at", LONG_AGO)
    program = programs.create_program(by=by, name=name, **wording)
    if active:
        programs.switch_tiers(program, "activate", by=by, reason="For the test.")
    return program


def approve(change_set: ChangeSet, by: User, **options: Any) -> None:
    lifecycle.approve(change_set, by=by, fingerprint=change_set.fingerprint, **options)


def make_group(
    program: Program,
    *,
    by: User,
    reviewer: User,
    tiers: list[tuple[str, int | None]] | None = None,
    at: datetime = LONG_AGO,
    **wording: Any,
) -> TierGroup:
    """Make a live group with its live tiers, approved by ``reviewer``.

    ``tiers`` are (name, threshold), lowest first; None is the base tier.
    """
    if tiers is None:
        tiers = [("Bronze", None), ("Silver", 500), ("Gold", 1000)]
    wording.setdefault("name", "Main")
    group_draft = drafting.add_group(program, by=by, at=at, **wording)
    drafts: list[Any] = [group_draft]
    for name, threshold in tiers:
        entry = TierVersion.Entry.BASE if threshold is None else None
        drafts.append(
            drafting.add_tier(
                group_draft.group,
                by=by,
                at=at,
                name=name,
                threshold=threshold,
                entry=entry or TierVersion.Entry.MEASURED,
                color="#C0C0C0",
            )
        )
    change_set = lifecycle.submit(drafts, by=by, at=at)
    approve(change_set, reviewer, at=at)
    return TierGroup.objects.get(pk=group_draft.group_id)


def live_tier(group: TierGroup, name: str) -> TierVersion:
    """Return the live version of a group's tier by its name."""
    version: TierVersion = TierVersion.objects.live().get(tier__group=group, name=name)
    return version


def make_member(
    program: Program, *, joined_at: datetime = LONG_AGO, **fields: Any
) -> Member:
    number = next(_numbers)
    contact = Contact.objects.create(
        name=fields.pop("name", f"Member {number}"),
        email=fields.pop("email", f"member{number}@example.org"),
        external_id=fields.pop("external_id", f"M-{number:06d}"),
        created_at=joined_at,
    )
    member = Member.objects.create(
        program=program,
        contact=contact,
        subscription_id=fields.pop("subscription_id", f"S-{number:06d}"),
        created_at=joined_at,
        # Nobody has judged a newcomer yet.
        marked_at=timezone.now(),
        **fields,
    )
    Membership.objects.create(member=member, started_at=joined_at)
    return member


def definition_of(program: Program, built_in: str = "POINTS") -> BalanceDefinition:
    """Return one of a program's built-in balances."""
    definition: BalanceDefinition = program.balance_definitions.get(built_in=built_in)
    return definition


def earn(
    member: Member, amount: int, *, occurred_at: datetime | None = None, **fields: Any
) -> None:
    """Credit a member with points, at once or at an earlier instant."""
    definition = fields.pop("definition", None) or definition_of(member.program)
    points.earn(
        member,
        definition,
        amount,
        reference=f"earn-{next(_numbers)}",
        source="tests",
        by=None,
        occurred_at=occurred_at,
        **fields,
    )
