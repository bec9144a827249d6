"""A program's draft as one thing: edited piece by piece, published as a whole.

For systems that know one draft of everything. What they write goes to the open version
of a group or tier, or opens one; what they delete is put away, or retired if it is live;
and a publication takes everything that is open, in one change set. Where a reviewer has
to approve, that set is handed in, and the same one answers until somebody decides.

Such systems name no revision. Who meets somebody else's write at the same instant goes
again on top of it, as if they had come a moment later.
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from django.db import transaction
from django.db.models import QuerySet

from approvals import kinds, lifecycle
from approvals.errors import DraftExists, InvalidTransition, StaleEdit
from approvals.models import ChangeSet, Version
from loyalty import programs
from loyalty.models import BalanceDefinitionVersion, Program

from . import drafting, soundness
from .editions import Edition
from .errors import NotAccepted, Taken
from .models import Tier, TierGroup, TierGroupVersion, TierVersion

Status = Version.Status
P = ParamSpec("P")
R = TypeVar("R")
#: How often somebody goes again who was overtaken.
TRIES = 5


def again_if_overtaken(verb: Callable[P, R]) -> Callable[P, R]:
    """Carry a verb out in a transaction, and again if somebody was faster."""

    @functools.wraps(verb)
    def act(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(TRIES - 1):
            try:
                with transaction.atomic():
                    return verb(*args, **kwargs)
            except (StaleEdit, DraftExists, InvalidTransition):
                continue
        with transaction.atomic():
            return verb(*args, **kwargs)

    return act


# Groups and tiers


@again_if_overtaken
def add_group(program: Program, *, by: Any, **wording: Any) -> TierGroupVersion:
    """Draft a new group; its name is its own in the program's draft."""
    draft = drafting.add_group(program, by=by, source=program.source, **wording)
    _expect_own_name(draft)
    return draft


@again_if_overtaken
def change_group(group: TierGroup, *, by: Any, **changes: Any) -> TierGroupVersion:
    version: TierGroupVersion = _edit(group, changes, by=by)
    # After a change set, which the edit may have locked.
    kinds.programs().lock(group.program_id)
    _expect_own_name(version)
    return version


@again_if_overtaken
def add_tier(group: TierGroup, *, by: Any, **wording: Any) -> TierVersion:
    draft = drafting.add_tier(group, by=by, source=Tier.Source.API, **wording)
    # The program is locked: nobody takes the group out of the draft from here on.
    _expect_drafted(group)
    return draft


@again_if_overtaken
def change_tier(tier: Tier, *, by: Any, **changes: Any) -> TierVersion:
    version: TierVersion = _edit(tier, changes, by=by)
    return version


@again_if_overtaken
def end_tier(tier: Tier, *, by: Any) -> None:
    """Take a tier out of the draft."""
    _put_away([tier], by=by)
    if tier.versions.live().exists():
        drafting.retire(tier, by=by)


@again_if_overtaken
def end_group(group: TierGroup, *, by: Any) -> None:
    """Take a group out of the draft, with its tiers."""
    _put_away(group.tiers.order_by("pk"), by=by)
    kinds.programs().lock(group.program_id)
    # And what somebody added before this had the lock.
    _put_away([*group.tiers.order_by("pk"), group], by=by)
    if group.versions.live().exists():
        drafting.retire(group, by=by)


def _open_version(thing: Any) -> Any:
    return thing.versions.open().filter(direct=False).first()


def _edit(thing: Any, changes: dict[str, Any], *, by: Any) -> Any:
    """Write to a thing's open version, or to a draft like what is live.

    What says so already stays as it is, and so does its submission; what was sent
    back becomes a draft again.
    """
    current = _open_version(thing) or thing.versions.live().get()
    sent_back = current.status in (Status.REJECTED, Status.PUBLISH_FAILED)
    same = all(getattr(current, name) == value for name, value in changes.items())
    if current.is_retirement:
        raise InvalidTransition(f"{current.name} is being retired.")
    if same and not sent_back:
        return current
    if not current.is_open:
        return lifecycle.draft_change(current, by=by, changes=changes)
    lifecycle.revise(current, by=by, changes=changes)
    return current


def _put_away(things: Iterable[Any], *, by: Any) -> None:
    for thing in things:
        version = _open_version(thing)
        if version is not None:
            lifecycle.discard(_as_draft(version, by=by), by=by)


def _as_draft(version: Any, *, by: Any) -> Any:
    """Return an open version as a draft; its submission is voided."""
    if version.status != Status.DRAFT:
        lifecycle.revise(version, by=by, changes={})
    return version


def _expect_own_name(version: TierGroupVersion) -> None:
    """Refuse a name that another group of the draft has; under the program's lock."""
    edition = Edition(version.group.program, draft=True)
    for other in edition.groups:
        if other.group_id == version.group_id:
            continue
        if other.name.strip() == version.name.strip():
            raise Taken(f"Another tier group is called {other.name}.", field="name")


def _expect_drafted(group: TierGroup) -> None:
    edition = Edition(group.program, draft=True)
    if edition.group(group.uuid) is None:
        raise InvalidTransition("The tier group has just been deleted.")


# Publishing


@dataclass
class Publication:
    """What became of a draft: it is live, or ``waiting`` is to be decided on."""

    waiting: ChangeSet | None = None


@again_if_overtaken
def publish(program: Program, *, by: Any) -> Publication:
    """Make everything that is open live, or hand it in; then switch the tiers on.

    What is scheduled was approved for its own time and waits for it.
    """
    open_ = [v for v in _open_versions(program) if v.status != Status.SCHEDULED]
    if kinds.programs().approval_required(program.pk):
        waiting = _hand_in(program, open_, by=by)
        if waiting is not None:
            return Publication(waiting)
    elif open_:
        lifecycle.publish_now(_ready(program, open_, by=by), by=by)
    _activate(program, by=by)
    return Publication()


def _hand_in(program: Program, open_: list[Any], *, by: Any) -> ChangeSet | None:
    """Submit what is new; what the same person handed in before joins it, so that one
    set holds all of the draft, but for what is to go live at a time of its own."""
    new = [v for v in open_ if v.status == Status.DRAFT]
    waiting = [v for v in open_ if v.status == Status.PENDING_APPROVAL]
    if not new and waiting:
        latest = max(version.change_set_id for version in waiting)
        return ChangeSet.objects.get(pk=latest)
    if not new and open_:
        raise NotAccepted(
            " ".join(f"{v.name} was sent back: {_why(v)}" for v in open_)
            + " Change the draft, then publish again."
        )
    if not new:
        return None
    held = {version.change_set_id for version in waiting}
    untimed = ChangeSet.objects.filter(pk__in=held, go_live_at__isnull=True)
    own = {
        change_set.pk
        for change_set in untimed.order_by("pk")
        if by.pk in lifecycle.contributors(change_set)
    }
    joining = [v for v in open_ if v not in waiting or v.change_set_id in own]
    return lifecycle.submit(_ready(program, joining, by=by), by=by)


def _why(version: Any) -> str:
    return version.rejection_comment or version.change_set.failure


def _ready(program: Program, versions: list[Any], *, by: Any) -> list[Any]:
    """Return versions as drafts, and with them the orders that they rest on."""
    for version in versions:
        version.refresh_from_db()
        _as_draft(version, by=by)
    drafts = {(type(version), version.pk): version for version in versions}
    for ordered in _write_orders(program, by=by):
        drafts[type(ordered), ordered.pk] = ordered
    return list(drafts.values())


def _write_orders(program: Program, *, by: Any) -> list[TierGroupVersion]:
    """Write the order down where amounts of several balances give none.

    It is the one that the draft has shown.
    """
    edition = Edition(program, draft=True)
    written = []
    for group in edition.groups:
        tiers = edition.tiers_of(group)
        if soundness.unranked(group, tiers):
            order = {"tier_order": [tier.tier_id for tier in tiers]}
            written.append(_edit(group.group, order, by=by))
    return written


def _open_versions(program: Program) -> list[Any]:
    """Return what is open of the program's balances, groups and tiers."""
    tables: tuple[QuerySet[Any], ...] = (
        BalanceDefinitionVersion.objects.filter(balance_definition__program=program),
        TierGroupVersion.objects.filter(group__program=program),
        TierVersion.objects.filter(tier__program=program),
    )
    return [
        version
        for table in tables
        for version in table.filter(status__in=Version.OPEN, direct=False).order_by(
            "pk"
        )
    ]


def _activate(program: Program, *, by: Any) -> None:
    """Switch the tiers on that were never on; who paused them had a reason."""
    program.refresh_from_db(fields=["tiers_status"])
    _label, sources, _status = programs.SWITCHES["activate"]
    if program.tiers_status in sources:
        programs.switch_tiers(
            program, "activate", by=by, reason="The program was published."
        )
