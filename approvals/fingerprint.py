"""Exactly what was submitted, in a form that two machines agree on."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db import models


def _plain(value: Any) -> Any:
    """Turn a field's value into plain JSON; equal values give equal text."""
    if isinstance(value, models.Model):
        return value.pk
    if isinstance(value, Decimal):
        # 5000, 5000.0 and 5E+3 are one threshold.
        text = format(value.normalize(), "f")
        return "0" if text == "-0" else text
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value


def content_of(version: Any) -> dict[str, Any]:
    """Return what a version says, by field name, as plain JSON values."""
    content = {}
    for name in version.CONTENT:
        field = version._meta.get_field(name)
        content[name] = _plain(getattr(version, field.attname))
    return content


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def content_hash(version: Any) -> str:
    """Return the hash of one version: what it says and what it does."""
    return digest(
        {
            "schema": version.SCHEMA,
            "operation": version.operation,
            "content": content_of(version),
        }
    )


def fingerprint(
    items: Iterable[tuple[str, int, str, int | None]],
    *,
    go_live_at: datetime | None,
    roll_out: str,
) -> str:
    """Return the fingerprint of a change set.

    ``items`` are (kind, version id, content hash, id of the version based on).
    """
    return digest(
        {
            "items": sorted([list(item) for item in items], key=lambda i: (i[0], i[1])),
            "go_live_at": go_live_at and go_live_at.astimezone(UTC).isoformat(),
            "roll_out": roll_out,
        }
    )
