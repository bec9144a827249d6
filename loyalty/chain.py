"""The chain that makes a change to a member's ledger show.

The hash of an entry covers what the entry says and the hash of the entry before.
Whoever edits, removes, adds or swaps a line has to write every later hash anew, and
the head that the member's row keeps. Plain Python: values in, hash out.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False
).encode


class Link(NamedTuple):
    """What an entry says, as far as its hash vouches for it."""

    member_id: int
    sequence: int
    uuid: UUID
    balance_definition_id: int
    kind: str
    amount: int
    occurred_at: datetime
    window_at: datetime
    recorded_at: datetime
    request: UUID
    reverses: UUID | None
    description: str
    meta: Any
    concerns: UUID | None = None


@dataclass(frozen=True)
class Break:
    """Where a chain does not hold: the number of the line, and why."""

    sequence: int
    reason: str


def hash_of(link: Link, previous: str) -> str:
    """Return the hash of ``link`` behind the entry whose hash is ``previous``."""
    said: list[Any] = [
        link.member_id,
        link.sequence,
        str(link.uuid),
        link.balance_definition_id,
        link.kind,
        link.amount,
        _instant(link.occurred_at),
        _instant(link.window_at),
        _instant(link.recorded_at),
        str(link.request),
        link.reverses and str(link.reverses),
        link.description,
        _exact(link.meta),
    ]
    if link.concerns:
        said.append(str(link.concerns))
    content = _encode(said)
    return hashlib.sha256(f"{previous}\n{content}".encode()).hexdigest()


def first_break(
    links: Iterable[tuple[Link, str]], *, length: int, head: str
) -> Break | None:
    """Return the first place where a member's lines and their hashes disagree.

    ``links`` are all of the member's entries in order, each with its stored hash;
    ``length`` and ``head`` are what the member's row says of them.
    """
    previous = ""
    sequence = 0
    for sequence, (link, stored) in enumerate(links, start=1):
        if link.sequence != sequence:
            return Break(sequence, f"Line {sequence} is missing.")
        if hash_of(link, previous) != stored:
            return Break(sequence, f"Line {sequence} is not what was written.")
        previous = stored
    if sequence < length:
        return Break(sequence + 1, f"Line {sequence + 1} is missing.")
    if sequence > length:
        return Break(length + 1, f"Line {length + 1} was added past the member.")
    if previous != head:
        return Break(length, f"Line {length} is not the one that the member ended on.")
    return None


@lru_cache(maxsize=4096)
def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def _exact(value: Any) -> Any:
    """Return JSON as any database gives it back: to PostgreSQL, 1e16 is an integer."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    return value
