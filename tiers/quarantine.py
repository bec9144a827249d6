"""Members that cannot be judged, set aside so that they hold up nobody else.

Judging is not supposed to fail. Where it does, by a fault of ours or by a row that was
damaged behind our back, it fails for one member, and a thousand others are judged with
them. So a chunk that breaks is judged again in halves, down to the one who breaks it.
They keep their mark and what they held, are tried again by later ticks, and after
``ATTEMPTS`` wait for a person, who finds them in the admin with what happened.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from loyalty.models import Member

from . import judging
from .models import MemberSetAside
from .models.runs import ATTEMPTS
from .sets import Move

logger = logging.getLogger(__name__)

#: How long a member is left alone before the next try.
PAUSE = timedelta(hours=1)


def catch_up(program_id: int, member_ids: Sequence[int], as_of: datetime) -> list[Move]:
    """Judge members as ``judging.catch_up`` does, all but those who cannot be.

    Call it in a transaction, of which what it writes becomes part.
    """
    try:
        with transaction.atomic():
            return judging.catch_up(program_id, member_ids, as_of)
    except (OperationalError, InterfaceError):
        # A deadlock, or a database that has gone away, says nothing about members.
        raise
    except Exception as error:
        if len(member_ids) == 1:
            set_aside(member_ids[0], error)
            return []
    half = len(member_ids) // 2
    return [
        *catch_up(program_id, member_ids[:half], as_of),
        *catch_up(program_id, member_ids[half:], as_of),
    ]


@transaction.atomic
def set_aside(member_id: int, error: Exception) -> None:
    """Note that a member could not be judged, and when to try again."""
    now = timezone.now()
    logger.error("A member was set aside", exc_info=error, extra={"member": member_id})
    # Marked, they are due for a tick whatever they were judged for.
    Member.objects.filter(pk=member_id, marked_at=None).update(marked_at=now)
    MemberSetAside.objects.get_or_create(member_id=member_id, defaults={"since": now})
    row = MemberSetAside.objects.filter(member_id=member_id)
    row.update(
        attempts=F("attempts") + 1,
        tried_at=now,
        retry_at=now + PAUSE,
        failure=f"{type(error).__name__}: {error}".replace("\0", "")[:500],
    )
    row.filter(attempts__gte=ATTEMPTS).update(retry_at=None)


def left_out(program_id: int, as_of: datetime) -> list[int]:
    """Return the members whom a tick does not try, and forget those who were judged.

    Whoever judges a member takes the mark away, be it a tick or a posting.
    """
    rows = MemberSetAside.objects.filter(member__program=program_id)
    found = list(rows.values_list("member", "retry_at", "member__marked_at"))
    judged = [pk for pk, _, marked_at in found if marked_at is None]
    if judged:
        rows.filter(member__in=judged, member__marked_at=None).delete()
    return [
        pk
        for pk, retry_at, marked_at in found
        if marked_at is not None and (retry_at is None or retry_at > as_of)
    ]
