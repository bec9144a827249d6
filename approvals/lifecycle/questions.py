"""What doors ask before they offer or show something."""

from typing import Any

from .. import kinds
from ..models import ChangeSet, Contribution
from ..transitions import TRANSITIONS

PERMISSIONS = {
    "maker": ("approvals.make_changes",),
    "reviewer": ("approvals.review_changes",),
    "either": ("approvals.make_changes", "approvals.review_changes"),
}


def contributors(change_set: ChangeSet) -> set[int]:
    """Return the ids of everybody who had a hand in any of the set's versions."""
    return change_set.contributor_ids


def versions_of(change_set: ChangeSet) -> list[Any]:
    """Return the set's versions as they are now, in locking order."""
    wanted: dict[str, list[int]] = {}
    for item in change_set.items.all():
        wanted.setdefault(item.kind, []).append(item.version_id)
    versions: list[Any] = []
    for kind in kinds.all_kinds():
        if kind.name in wanted:
            versions += kind.version._default_manager.filter(
                pk__in=wanted[kind.name]
            ).order_by("pk")
    return versions


def may(user: Any, role: str, program_id: int) -> bool:
    """Tell whether ``user`` has a role's permission in a program."""
    if not any(user.has_perm(permission) for permission in PERMISSIONS[role]):
        return False
    visible = kinds.programs().visible_to(user)
    return visible is None or program_id in visible


def verbs_for(version: Any, user: Any) -> list[str]:
    """Return the verbs that ``user`` may use on ``version`` now, for buttons."""
    program_id = kinds.kind_of(version).program_id(version)
    offered = []
    for verb, transition in TRANSITIONS.items():
        if version.status not in transition.sources or transition.role == "scheduler":
            continue
        if not may(user, transition.role, program_id):
            continue
        if verb == "publish_now" and kinds.programs().approval_required(program_id):
            continue
        if verb in ("approve", "retry") and _had_a_hand(user, version):
            continue
        if verb == "withdraw" and not _had_a_hand(user, version):
            continue
        offered.append(verb)
    return offered


def _had_a_hand(user: Any, version: Any) -> bool:
    hands = Contribution.objects.to(version.change_set)
    return bool(hands.filter(user=user).exists())
