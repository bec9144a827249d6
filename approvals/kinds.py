"""What this app is told about the things that it approves.

Each app that has versions registers them when apps are ready. This is how the
lifecycle finds a version's program, takes the locks that its publication needs,
checks that the result would be sound, and lets others follow a publication,
without importing any of them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .models import Version

Versions = Sequence[Any]


@dataclass
class Kind:
    """A table of versions and what the lifecycle has to know of it.

    ``order`` is that of locking and of the reverse of publishing: programs lock
    first and publish last, so that the rules on who must approve are those that
    were in force until this very publication.
    """

    name: str
    word: str
    version: type[Version]
    order: int
    #: The program that a version belongs to.
    program_id: Callable[[Any], int]
    #: Lock what else must stand still while these versions are published, besides
    #: their program: whatever others share while they go by the live versions.
    lock: Callable[[Versions], None]
    #: Each returns a sentence for every rule that would be broken, were the change
    #: set live; called with this kind's versions and with all of the set's.
    checks: list[Callable[[Versions, Versions], list[str]]] = field(
        default_factory=list
    )
    #: Called in the publishing transaction with this kind's published versions.
    followers: list[Callable[[Versions, datetime], None]] = field(default_factory=list)
    #: Called when a version of a thing that was never live is discarded.
    discarded: Callable[[Any, Any, datetime], None] | None = None


@dataclass
class Programs:
    """What the lifecycle asks about programs."""

    name: Callable[[int], str]
    #: All programs' names by id, in one go.
    names: Callable[[], dict[int, str]]
    #: Lock a program: publications in one program go one after the other.
    lock: Callable[[int], None]
    approval_required: Callable[[int], bool]
    #: Ids of the programs that a person may see, or None for all of them.
    visible_to: Callable[[Any], set[int] | None]
    #: SQL that is true while program ``{program}`` publishes without approval.
    waiver_sql: str


_kinds: dict[str, Kind] = {}
_programs: list[Programs] = []


def register(kind: Kind) -> None:
    _kinds[kind.name] = kind


def register_programs(programs: Programs) -> None:
    _programs[:] = [programs]


def programs() -> Programs:
    if not _programs:
        raise LookupError("No app has registered its programs with approvals.")
    return _programs[0]


def all_kinds() -> list[Kind]:
    return sorted(_kinds.values(), key=lambda kind: kind.order)


def kind_named(name: str) -> Kind:
    return _kinds[name]


def kind_of(version: Any) -> Kind:
    for kind in _kinds.values():
        if isinstance(version, kind.version):
            return kind
    raise LookupError(f"{type(version).__name__} is not registered with approvals.")


def by_kind(versions: Iterable[Any]) -> list[tuple[Kind, list[Any]]]:
    """Group versions by kind, kinds in locking order, versions by primary key."""
    versions = list(versions)
    groups = [
        (kind, sorted((v for v in versions if isinstance(v, kind.version)), key=_pk))
        for kind in all_kinds()
    ]
    return [(kind, group) for kind, group in groups if group]


def _pk(version: Any) -> int:
    return version.pk
