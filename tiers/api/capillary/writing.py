"""From what callers send to the verbs of the lifecycle.

Rules of this voice are looked at here, under the lock where two at once could pass
them together; everything else is for the verbs to refuse. The one order of locks
holds: a change set before its program.
"""

import copy
import re
from datetime import UTC, datetime, time
from typing import Any

from django.db import transaction
from rest_framework.serializers import ValidationError

from approvals import lifecycle
from approvals.errors import DraftExists, InvalidTransition, StaleEdit
from approvals.lifecycle import guards
from approvals.models import ChangeSet
from loyalty.calendar import add_months
from loyalty.models import Program
from tiers import drafting
from tiers.models import Tier, TierGroup, TierVersion
from tiers.registration import TIER

from ..errors import UnknownTier
from .bodies import VALIDITY, merged
from .ladder import IN_PROGRESS, Ladder
from .protocol import PartOfSet, ProgramNeeded, StrategiesMissing
from .records import (
    Record,
    is_object_id,
    record_of,
    tier_with_slab_id,
    unknown,
    version_with_object_id,
)

Entry, Operation, Status = TierVersion.Entry, TierVersion.Operation, TierVersion.Status

NO_REASON = "No reason given."
#: Of two who edit a tier at once, the second lays its edit over that of the first.
ATTEMPTS = 3


# Create


def program_for(program_id: int, *, by: Any) -> Program:
    program: Program | None = (
        Program.objects.visible_to(by).filter(pk=program_id).first()
    )
    if program is None:
        raise UnknownTier(f"There is no program {program_id}.")
    return program


def hold(program_id: int) -> None:
    """Lock a program: what is counted in it now stays so until the transaction ends."""
    Program.objects.select_for_update(no_key=True).get(pk=program_id)


@transaction.atomic
def create(program: Program, sent: dict[str, Any], *, by: Any) -> Record:
    """Draft a new tier, on top of the program's others."""
    # Of two at once one waits here, then finds the tier of the other in progress.
    hold(program.pk)
    group = TierGroup.objects.kept().filter(program=program, is_default=True).first()
    if group is None:
        raise StrategiesMissing(
            "The program has no tier group, and with it no strategies: make one first."
        )
    ladder = Ladder(group)
    ladder.expect_strategies()
    ladder.expect_one_new_tier()
    ladder.expect_room()
    kpi = sent.pop("kpi_type", None)
    wording = ladder.compared(kpi, None) | _written(sent, TierVersion())
    wording |= ladder.entry(sent.get("threshold"), None)
    candidate = TierVersion(**wording)
    _expect_allowed(ladder, candidate, {*wording, "threshold"}, None)
    draft = drafting.add_tier(group, by=by, source=Tier.Source.API, **wording)
    return record_of(draft, visible_to=by)


# Update


def update(
    tier_id: str, sent: dict[str, Any], *, by: Any, program_id: int | None
) -> Record:
    """Lay what was sent over a tier's open version, or over a copy of its live one."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                version = _to_edit(tier_id, by=by, program_id=program_id)
                edited = _edited(version, dict(sent), by=by)
                return record_of(edited, visible_to=by)
        except (DraftExists, StaleEdit):
            # Somebody drafted or edited since we looked: look again.
            if attempt == ATTEMPTS:
                raise
    raise AssertionError


def program_id_in(query: Any) -> int | None:
    """Return the program that an update names, if it names one; it is rarely needed,
    and ignored where it is not."""
    said = query.get("programId", "")
    return int(said) if re.fullmatch(r"[1-9][0-9]{0,18}", said, re.ASCII) else None


def _to_edit(tier_id: str, *, by: Any, program_id: int | None) -> TierVersion:
    """Return the version that an update of ``tier_id`` begins from."""
    if is_object_id(tier_id):
        version = version_with_object_id(tier_id, visible_to=by)
        if version.status == Status.LIVE:
            raise InvalidTransition(
                f"{version.name} is live: update it by its slabId, "
                f"{version.tier.slab_id}.",
                status=version.status,
            )
        return version
    tier = tier_with_slab_id(tier_id, visible_to=by)
    if tier.source == Tier.Source.IMPORT:
        if program_id is None:
            raise ProgramNeeded(
                "programId: send it with the slabId of a tier that was made elsewhere."
            )
        if program_id != tier.program_id:
            raise unknown(tier_id)
    versions = tier.versions.select_related("tier__group", "change_set")
    open_ = versions.open().filter(direct=False).first()
    live = versions.live().first()
    if live is None:
        raise unknown(tier_id)
    if open_ is not None and open_.operation == Operation.RETIRE:
        raise guards.draft_exists(open_)
    return open_ or live


def _edited(version: TierVersion, sent: dict[str, Any], *, by: Any) -> TierVersion:
    tier, was = version.tier, version.status
    ladder = Ladder(tier.group)
    kpi = sent.pop("kpi_type", None)
    changes = _written(sent, version)
    if kpi is not None and kpi != ladder.kpi_of(version):
        changes |= ladder.compared(kpi, tier.pk)
    if "threshold" in sent:
        changes |= ladder.entry(sent["threshold"], version)
    candidate = copy.copy(version)
    for name, value in changes.items():
        setattr(candidate, name, value)
    _expect_allowed(ladder, candidate, set(changes), tier.pk)
    same = all(getattr(version, name) == changes[name] for name in changes)
    if same and was in (Status.LIVE, Status.PENDING_APPROVAL):
        return version
    if was == Status.LIVE:
        draft: TierVersion = lifecycle.draft_change(version, by=by, changes=changes)
        return draft
    lifecycle.revise(
        version, by=by, changes=changes, expected_revision=version.revision
    )
    if tier.first_live_at is None and was not in IN_PROGRESS:
        # It is in progress again. Its change set is locked, so now the program.
        hold(tier.program_id)
        ladder.expect_one_new_tier(besides=tier.pk)
    return version


def _written(sent: dict[str, Any], version: TierVersion) -> dict[str, Any]:
    """Return the fields to write: what was sent, and what follows from it."""
    changes = {name: value for name, value in sent.items() if name != "threshold"}
    if "renewal_conditions" in changes:
        before = version.renewal_conditions
        changes["renewal_conditions"] = merged(before, changes["renewal_conditions"])
    start = changes.get("start_date", version.start_date)
    months = changes.get("period_value", version.period_value)
    if {"start_date", "period_value"} & set(changes) and start and months:
        changes["end_date"] = _end_of(start, months)
    return changes


def _end_of(start: datetime, months: int) -> datetime:
    """Return start plus duration, as the vendor words it, in UTC."""
    start = start.astimezone(UTC)
    day = add_months(start.date(), months)
    return datetime.combine(day, time(start.hour, start.minute, start.second), UTC)


def _expect_allowed(
    ladder: Ladder, wording: TierVersion, changed: set[str], tier_id: int | None
) -> None:
    if "name" in changed:
        ladder.expect_free_name(wording.name, tier_id)
    if "threshold" in changed:
        ladder.expect_between_neighbours(wording, tier_id)
    if changed & VALIDITY:
        _expect_whole_validity(wording)


def _expect_whole_validity(wording: TierVersion) -> None:
    """Refuse half of a validity: neither part means anything without the other."""
    for field, value in (
        ("periodType", wording.period_type),
        ("periodValue", wording.period_value),
    ):
        if not value:
            raise ValidationError({"validity": {field: "This is required."}})


# Delete, submit, decide


@transaction.atomic
def discard(tier_id: str, *, by: Any) -> None:
    version = version_with_object_id(tier_id, visible_to=by)
    if version.status != Status.DRAFT:
        raise guards.wrong_state(version, "delete")
    lifecycle.discard(version, by=by)


@transaction.atomic
def submit(tier_id: str, *, by: Any) -> Record:
    version = version_with_object_id(tier_id, visible_to=by)
    guards.in_state(version, "submit")
    ladder = Ladder(version.tier.group)
    ladder.expect_strategies()
    # The ladder may have moved since the draft was written.
    ladder.expect_between_neighbours(version, version.tier_id)
    lifecycle.submit([version], by=by)
    return record_of(version, visible_to=by)


@transaction.atomic
def decide(tier_id: str, approval_status: str, *, by: Any, comment: str) -> Record:
    """Approve or reject a record exactly as it is read here."""
    version = version_with_object_id(tier_id, visible_to=by)
    if approval_status == "APPROVE" and version.status == Status.PUBLISH_FAILED:
        _try_again(version, by=by, comment=comment)
    else:
        change_set = _waiting_alone(version)
        fingerprint = change_set.fingerprint
        if approval_status == "APPROVE":
            lifecycle.approve(
                change_set, by=by, fingerprint=fingerprint, comment=comment
            )
        else:
            lifecycle.reject(
                change_set,
                by=by,
                fingerprint=fingerprint,
                comment=comment.strip() or NO_REASON,
            )
    return record_of(version, visible_to=by)


def _waiting_alone(version: TierVersion) -> ChangeSet:
    """Return the change set of a pending record that nobody has settled yet."""
    change_set: ChangeSet | None = version.change_set
    if change_set is None:
        raise guards.wrong_state(version, "decide on")
    guards.undecided(change_set)
    if version.status != Status.PENDING_APPROVAL:
        raise guards.wrong_state(version, "decide on")
    _expect_alone(version, change_set)
    return change_set


def _expect_alone(version: TierVersion, change_set: ChangeSet) -> None:
    items = change_set.items.exclude(kind=TIER, version_id=version.pk)
    others = list(items.values_list("label", flat=True))
    if others:
        raise PartOfSet(
            f"{version.name} waits in {change_set} together with {', '.join(others)}: "
            "they are decided on as one, in the admin.",
            change_set_id=change_set.pk,
        )


def _try_again(version: TierVersion, *, by: Any, comment: str) -> None:
    """Approve a record whose publication failed anew, on what is live now."""
    change_set = version.change_set
    assert change_set is not None
    _expect_alone(version, change_set)
    lifecycle.retry(
        change_set,
        by=by,
        fingerprint=lifecycle.fresh_fingerprint(change_set),
        comment=comment,
    )
