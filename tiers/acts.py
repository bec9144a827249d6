"""What a person does to a member's tier by hand, each with a reason.

A row says what was done; the fold reads it like any other thing that happened. The
member is judged in the same transaction, so that the page that follows shows it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from approvals import audit
from approvals.errors import InvalidText
from approvals.lifecycle.guards import reason_given
from loyalty import evaluators
from loyalty.errors import NotAMember
from loyalty.models import Member, Membership

from . import rulesets
from .errors import (
    AlreadyInTier,
    EndInPast,
    OverrideInForce,
    OverrideOver,
    TierNotLive,
)
from .models import (
    ManualMove,
    OrderedEvaluation,
    Override,
    Standing,
    Tier,
    TierGroup,
    TierVersion,
)


def move(
    member: Member, tier: Tier, *, by: Any, reason: str, at: datetime | None = None
) -> ManualMove:
    """Put a member into a tier; it stands until the next due evaluation."""
    with _act("move", member, by=by, reason=reason, at=at) as act:
        _expect_live(tier, member)
        # Where the member stands now, not when a tick came by last.
        evaluators.evaluate(member.program_id, [member.pk], act.at)
        held = Standing.objects.filter(member=member, group=tier.group_id, tier=tier)
        if held.exists() and not _overridden(member, tier, act.at):
            raise AlreadyInTier(f"{member} is in that tier already.")
        return ManualMove.objects.create(
            member=member,
            group_id=tier.group_id,
            tier=tier,
            reason=act.reason,
            made_by=by,
            at=act.at,
        )


def override(
    member: Member,
    tier: Tier,
    *,
    bound: str,
    by: Any,
    reason: str,
    until: datetime | None = None,
    at: datetime | None = None,
) -> Override:
    """Bound what a member reads as: at least, at most or exactly this tier.

    Without ``until`` it holds until somebody ends it.
    """
    with _act("override", member, by=by, reason=reason, at=at) as act:
        _expect_live(tier, member)
        if until is not None and until <= act.at:
            raise EndInPast("The end has to lie ahead.", field="until")
        ending_later = Q(until__isnull=True) | Q(until__gt=act.at)
        others = Override.objects.filter(
            ending_later, member=member, group=tier.group_id
        )
        other = others.first()
        if other is not None:
            raise OverrideInForce(
                f"Another override holds {member} there; end it first.",
                override_id=other.pk,
            )
        return Override.objects.create(
            member=member,
            group_id=tier.group_id,
            tier=tier,
            bound=bound,
            until=until,
            reason=act.reason,
            made_by=by,
            at=act.at,
        )


def end_override(
    override: Override, *, by: Any, reason: str, at: datetime | None = None
) -> None:
    """End an override before its time; what lies beneath shows again at once."""
    member = override.member
    with _act("end_override", member, by=by, reason=reason, at=at) as act:
        # One second of two that press the button at once finds it ended.
        running = Override.objects.in_force(act.at).filter(
            pk=override.pk, ended_at__isnull=True, at__lt=act.at
        )
        if not running.update(
            until=act.at, ended_at=act.at, ended_by=by, end_reason=act.reason
        ):
            raise OverrideOver("This override is over already.")
    override.refresh_from_db()


def order_evaluation(
    member: Member,
    group: TierGroup,
    *,
    by: Any,
    reason: str,
    at: datetime | None = None,
) -> OrderedEvaluation:
    """Evaluate a member in both directions now, whatever the strategies say."""
    with _act("evaluate", member, by=by, reason=reason, at=at) as act:
        return OrderedEvaluation.objects.create(
            member=member, group=group, reason=act.reason, made_by=by, at=act.at
        )


@transaction.atomic
def order_evaluation_of_all(
    group: TierGroup, *, by: Any, reason: str, at: datetime | None = None
) -> OrderedEvaluation:
    """Evaluate everybody in a group, as a change of the rules would."""
    reason = _reason(reason)
    rulesets.lock_groups([group.pk])
    at = at or timezone.now()
    ordered = OrderedEvaluation.objects.create(
        group=group, reason=reason, made_by=by, at=at
    )
    audit.record(
        "evaluate",
        by=by,
        program_id=group.program_id,
        kind="tier group",
        object_id=group.pk,
        label=str(group),
        reason=reason,
        at=at,
    )
    rulesets.rules_changed({group.pk})
    return ordered


# Steps that acts share


@dataclass
class _Act:
    reason: str
    at: datetime


@contextmanager
def _act(
    verb: str, member: Member, *, by: Any, reason: str, at: datetime | None
) -> Iterator[_Act]:
    """Hold a member, let the act be written, put it on record and judge."""
    reason = _reason(reason)
    with transaction.atomic():
        evaluators.prepare(member.program_id)
        Member.objects.select_for_update(no_key=True).get(pk=member.pk)
        at = at or timezone.now()
        _expect_present(member, at)
        yield _Act(reason, at)
        audit.record(
            verb,
            by=by,
            program_id=member.program_id,
            kind="member",
            object_id=member.pk,
            label=str(member),
            reason=reason,
            at=at,
        )
        evaluators.evaluate(member.program_id, [member.pk], at)


def _overridden(member: Member, tier: Tier, at: datetime) -> bool:
    """Whether the member only reads as what an override says."""
    held = Override.objects.in_force(at).filter(member=member, group=tier.group_id)
    return held.exists()


def _reason(reason: str) -> str:
    reason = reason_given(reason, "changing somebody's tier by hand")
    longest = ManualMove._meta.get_field("reason").max_length
    if longest and len(reason) > longest:
        raise InvalidText(f"A reason has at most {longest} characters.")
    return reason


def _expect_present(member: Member, at: datetime) -> None:
    present = Membership.objects.filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=at), member=member, started_at__lte=at
    )
    if not present.exists():
        raise NotAMember(f"{member} does not belong to the program.")


def _expect_live(tier: Tier, member: Member) -> None:
    live = TierVersion.objects.live().filter(tier=tier)
    if tier.program_id != member.program_id or not live.exists():
        raise TierNotLive("That is not one of the program's live tiers.")
