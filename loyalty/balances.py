"""Verbs on balance definitions, and what they say with and without what is open.

Callers name no revision: who meets somebody else's edit at the same instant is told so
(``StaleEdit``, ``DraftExists``), and may go again on top of it.
"""

from typing import Any

from django.db import transaction
from django.db.models import Q

from approvals import lifecycle
from approvals.errors import InvalidTransition
from approvals.models import Version

from .models import BalanceDefinition, BalanceDefinitionVersion, Program

Status = Version.Status


def wordings(program: Program, *, with_drafts: bool) -> list[BalanceDefinitionVersion]:
    """Return what each balance definition says: the version that is live.

    With drafts it is the latest edit where there is one, and what is about to end is
    left out. One query, in the order in which the definitions were made.
    """
    wanted = Q(status=Status.LIVE)
    if with_drafts:
        wanted |= Q(status__in=Version.OPEN, direct=False)
    versions = BalanceDefinitionVersion.objects.filter(
        wanted, balance_definition__program=program
    ).select_related("balance_definition")
    found: dict[int, BalanceDefinitionVersion] = {}
    for version in versions.order_by("balance_definition", "number"):
        if version.is_open or version.balance_definition_id not in found:
            found[version.balance_definition_id] = version
    return [version for version in found.values() if not version.is_retirement]


@transaction.atomic
def reword(
    definition: BalanceDefinition, wording: dict[str, Any], *, by: Any
) -> BalanceDefinitionVersion:
    """Edit the open draft of a definition, or open one.

    What says so already stays as it is, and so does its submission; what was sent back
    becomes a draft again.
    """
    version = _open(definition) or _live(definition)
    if version.is_retirement:
        raise InvalidTransition(f"{version.name} is being deleted.")
    same = all(getattr(version, name) == said for name, said in wording.items())
    if same and version.status not in (Status.REJECTED, Status.PUBLISH_FAILED):
        return version
    if version.is_open:
        lifecycle.revise(version, by=by, changes=wording)
        return version
    draft: BalanceDefinitionVersion = lifecycle.draft_change(
        version, by=by, changes=wording
    )
    return draft


@transaction.atomic
def retire(definition: BalanceDefinition, *, by: Any) -> None:
    """Draft the end of a definition; one that was never live is put away at once."""
    if definition.built_in:
        raise InvalidTransition(
            f"{definition.get_built_in_display()} are built in and cannot be deleted."
        )
    if open_ := _open(definition):
        if open_.is_retirement:
            return
        if open_.status != Status.DRAFT:
            # What waits for a reviewer is taken back first.
            lifecycle.revise(open_, by=by, changes={})
        lifecycle.discard(open_, by=by)
        if open_.based_on_id is None:
            return
    lifecycle.draft_change(_live(definition), by=by, operation=Version.Operation.RETIRE)


def _open(definition: BalanceDefinition) -> BalanceDefinitionVersion | None:
    versions: Any = definition.versions
    found: BalanceDefinitionVersion | None = (
        versions.open().filter(direct=False).first()
    )
    return found


def _live(definition: BalanceDefinition) -> BalanceDefinitionVersion:
    versions: Any = definition.versions
    live: BalanceDefinitionVersion | None = versions.live().first()
    if live is None:
        raise InvalidTransition(f"{definition} is not there any more.")
    return live
