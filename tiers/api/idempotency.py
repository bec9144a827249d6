"""A request with a key of its sender's choice is carried out once.

The key's row is the first thing that a request writes, in the transaction of all that
it does. Of two at once the second waits for the first: then it finds its answer, or,
where the first was refused and left nothing, is the first itself. Refusals are not
kept: they changed nothing, so asking again is judged again.
"""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from approvals.errors import Refused
from tiers.models import KeptAnswer

#: Printable ASCII without spaces; and without commas, which join repeated headers.
_KEY: Final = re.compile(r"[!-+\--~]{1,255}")


class InvalidKey(Refused):
    """The key of a request is not one that can be kept."""

    code = "idempotency_key_invalid"


class KeyReused(Refused):
    """The same key came with another request before."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key came with another body before: send a new key with "
            "each new request."
        )


def once(
    answer: Callable[[], Any],
    *,
    key: str | None,
    by: Any,
    endpoint: str,
    asked: Any,
) -> Any:
    """Return what ``answer`` returns, or returned when this was asked before.

    ``asked`` is the body as it was read: JSON that is written differently is the same.
    """
    if key is None:
        return answer()
    expect_usable(key)
    at = timezone.now()
    row = {
        "organisation": settings.ORG_ID,
        "user_id": by.pk,
        "endpoint": endpoint,
        "key": key,
    }
    with transaction.atomic():
        KeptAnswer.objects.expired(at).filter(**row).delete()
        kept, is_first = KeptAnswer.objects.get_or_create(
            **row, defaults={"fingerprint": _fingerprint(asked), "created_at": at}
        )
        if is_first:
            # As text: PostgreSQL would put an object's keys into an order of its own.
            kept.answer = json.dumps(answer())
            kept.save(update_fields=["answer"])
        elif kept.fingerprint != _fingerprint(asked):
            raise KeyReused
    if is_first:
        with transaction.atomic():
            KeptAnswer.objects.put_away(at)
    return json.loads(kept.answer)


def expect_usable(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise InvalidKey(
            "Idempotency-Key: send one key of 1 to 255 visible ASCII characters."
        )


def _fingerprint(asked: Any) -> str:
    # Escaped to ASCII: fields that nobody reads may hold what has no UTF-8.
    text = json.dumps(asked, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
