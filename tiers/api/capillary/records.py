"""One version as the vendor's writing endpoints show it, and by which ids it is found.

Records are read like the entries of the list, in one statement of one instant; they
say what was written, without what the engine adds.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import BigIntegerField, F, Q, QuerySet

from loyalty.models import Program
from loyalty.statements import Statement
from tiers.models import Tier, TierVersion

from ..errors import UnknownTier
from .entries import COLUMNS, Entry, entries, matching, read, versions_of
from .words import SAME_AS_ELIGIBILITY

Operation, Status = TierVersion.Operation, TierVersion.Status

_UNIQUE_ID: Final = re.compile(r"ut-([1-9][0-9]{0,18})-[0-9]{3,10}", re.ASCII)
_SLAB_ID: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}")


@dataclass(slots=True)
class Record(Entry):
    """One version as create, update, submit, approve and the queue show it."""

    live_word = "ACTIVE"
    #: What the vendor always sends as null.
    nothing = None

    @property
    def _has_record(self) -> bool:
        return True

    @property
    def _is_as_written(self) -> bool:
        return True

    @property
    def organisation(self) -> int:
        return int(settings.ORG_ID)

    @property
    def number(self) -> int:
        """The vendor's ``version``: 1 for a new tier, then live plus 1."""
        published: int = self.version.tier_publications
        return published if self.is_live else published + 1

    @property
    def parent_id(self) -> str | None:
        imported = self.version.tier_source == Tier.Source.IMPORT
        return None if imported else self.version.based_on_object_id

    @property
    def validity(self) -> dict[str, Any] | None:
        said = self._terms()
        if said is None:
            return None
        return said | {"renewal": said | {"criteria_type": SAME_AS_ELIGIBILITY}}


def _with_base(program_id: int, user_id: int) -> QuerySet[TierVersion]:
    return versions_of(program_id, user_id).annotate(
        based_on_object_id=F("based_on__object_id"),
        tier_publications=F("tier__publications"),
    )


RECORDS: Final = Statement(
    (*COLUMNS, "based_on_object_id", "tier_publications"), _with_base
)


def record_of(version: TierVersion, *, visible_to: User) -> Record:
    """Return a version's record as it is now."""
    program_id = version.tier.program_id
    for record in read(Record, RECORDS, program_id, visible_to=visible_to):
        if record.version.object_id == version.object_id:
            return record
    raise unknown(version.object_id)


def pending(program_id: int, *, visible_to: User) -> list[Record]:
    """Return what waits for a reviewer; what was approved for later does not."""
    found = read(Record, RECORDS, program_id, visible_to=visible_to)
    return [r for r in found if r.version.status == Status.PENDING_APPROVAL]


# By id


def entries_of_tier(tier_id: str, *, visible_to: User) -> list[Entry]:
    """Return the versions of one tier, by its slab id or its unique id.

    Slab ids of imported tiers are for the list, where the program is named.
    """
    if match := _UNIQUE_ID.fullmatch(tier_id):
        found = entries(int(match[1]), visible_to=visible_to)
        of_tier = matching(found, tier_id)
        # An imported tier shows a unique id only while it is being edited.
        if not any(entry.unique_id for entry in of_tier):
            of_tier = []
    else:
        tier = tier_with_slab_id(tier_id, visible_to=visible_to)
        if tier.source == Tier.Source.IMPORT:
            raise unknown(tier_id)
        of_tier = matching(entries(tier.program_id, visible_to=visible_to), tier_id)
    if not of_tier:
        raise unknown(tier_id)
    return of_tier


def tier_with_slab_id(tier_id: str, *, visible_to: User) -> Tier:
    """Return the published tier of a program's main group with that number."""
    if not _SLAB_ID.fullmatch(tier_id) or int(tier_id) > BigIntegerField.MAX_BIGINT:
        raise unknown(tier_id)
    tier: Tier | None = (
        Tier.objects.visible_to(visible_to)
        .filter(slab_id=int(tier_id), first_live_at__isnull=False)
        .filter(group__is_default=True)
        .select_related("group")
        .first()
    )
    if tier is None:
        raise unknown(tier_id)
    return tier


def is_object_id(tier_id: str) -> bool:
    return bool(_OBJECT_ID.fullmatch(tier_id))


def version_with_object_id(tier_id: str, *, visible_to: User) -> TierVersion:
    """Return the version that a record's id stands for.

    Not those that show no record: discarded drafts, retirements, direct writes that
    are not live yet, and what an import brought along.
    """
    if not is_object_id(tier_id):
        raise unknown(tier_id)
    over = [Status.LIVE, Status.SNAPSHOT]
    imported = Q(tier__source=Tier.Source.IMPORT, based_on__isnull=True)
    version: TierVersion | None = (
        TierVersion.objects.filter(object_id=tier_id, operation=Operation.SET)
        .filter(tier__program__in=Program.objects.visible_to(visible_to))
        .filter(tier__group__is_default=True)
        .exclude(status=Status.DELETED)
        .exclude(Q(direct=True) & ~Q(status__in=over))
        .exclude(imported & Q(status__in=over))
        .select_related("tier__group", "change_set")
        .first()
    )
    if version is None:
        raise unknown(tier_id)
    return version


def unknown(tier_id: str) -> UnknownTier:
    return UnknownTier(f"There is no tier {tier_id[:40]}.")
