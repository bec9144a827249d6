"""What doors ask before they offer or show something."""

from collections.abc import Iterable
from typing import Any

from .. import kinds
from ..models import ChangeSet, Contribution
from ..transitions import TRANSITIONS

PERMISSIONS = {
    "maker": ("approvals.make_changes",),
    "reviewer": ("approvals.review_changes",),
    "either": ("approvals.make_changes", "approvals.review_changes"),
}
#: Verbs for who had a hand in a change (withdraw), or for who had none.
HANDS = {"approve", "retry", "withdraw"}


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
    return _has_role(user, role) and _sees(user, program_id)


def verbs_for(version: Any, user: Any) -> list[str]:
    """Return the verbs that ``user`` may use on ``version`` now, for buttons."""
    return _offered(TRANSITIONS, version, user)


def is_offered(verb: str, version: Any, user: Any) -> bool:
    """Tell whether ``user`` may use this verb on ``version`` now."""
    return verb in _offered([verb], version, user)


def _offered(verbs: Iterable[str], version: Any, user: Any) -> list[str]:
    """Return those of the verbs that may be used; asks nothing where none fits."""
    fitting = [
        verb
        for verb in verbs
        if version.status in TRANSITIONS[verb].sources
        and TRANSITIONS[verb].role != "scheduler"
        and _has_role(user, TRANSITIONS[verb].role)
    ]
    program_id = kinds.kind_of(version).program_id(version)
    if not fitting or not _sees(user, program_id):
        return []
    if "publish_now" in fitting and kinds.programs().approval_required(program_id):
        fitting.remove("publish_now")
    if not HANDS.isdisjoint(fitting):
        had_a_hand = _had_a_hand(user, version)
        fitting = [
            verb
            for verb in fitting
            if (verb == "withdraw") is had_a_hand or verb not in HANDS
        ]
    return fitting


def _has_role(user: Any, role: str) -> bool:
    return any(user.has_perm(permission) for permission in PERMISSIONS[role])


def _sees(user: Any, program_id: int) -> bool:
    visible = kinds.programs().visible_to(user)
    return visible is None or program_id in visible


def _had_a_hand(user: Any, version: Any) -> bool:
    hands = Contribution.objects.to(version.change_set)
    return bool(hands.filter(user=user).exists())
