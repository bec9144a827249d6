"""Words in which tests tell what people do with the tiers of a group."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from approvals import lifecycle
from approvals.models import (
    AuditEvent,
    ChangeSet,
    Contribution,
    Decision,
    Notice,
    Version,
)
from loyalty.models import Program
from tests import factories
from tiers.models import TierGroup, TierVersion

Status = Version.Status
NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)
TOMORROW = NOON + timedelta(days=1)


def events(thing: Any) -> list[tuple[str, str, str]]:
    """Verb, actor and reason of what was done to a tier, in order."""
    rows = AuditEvent.objects.about("tier", thing.pk).order_by("pk")
    return list(rows.values_list("verb", "actor_name", "reason"))


def notices_of(user: User) -> list[str]:
    rows = Notice.objects.filter(user=user).order_by("pk")
    return list(rows.values_list("subject", flat=True))


def hands(version: Any) -> set[tuple[str, str]]:
    rows = Contribution.objects.filter(kind="tier", version_id=version.pk)
    return set(rows.values_list("user__username", "role"))


def draft_of(group: TierGroup, tier: str, by: User, /, **changes: Any) -> TierVersion:
    version: TierVersion = lifecycle.draft_change(
        factories.live_tier(group, tier), by=by, changes=changes, at=NOON
    )
    return version


def switch_approval(
    program: Program, *, required: bool, by: User, reviewer: User
) -> Any:
    version = lifecycle.draft_change(
        program.versions.live().get(), by=by, changes={"approval_required": required}
    )
    factories.approve(lifecycle.submit([version], by=by), reviewer)
    return version


def reject(change_set: ChangeSet, by: User, **options: Any) -> Decision:
    options.setdefault("comment", "Too much.")
    return lifecycle.reject(
        change_set, by=by, fingerprint=change_set.fingerprint, **options
    )


def fresh(row: Any) -> Any:
    return type(row)._default_manager.get(pk=row.pk)


def previous(version: Any) -> Any:
    """Return the version that a draft was based on."""
    return type(version)._default_manager.get(pk=version.based_on_id)
