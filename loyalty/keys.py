"""API keys: made, recognised, replaced and revoked.

A secret leaves ``make`` and ``rotate`` once, as what they return. Whoever shows it
shows it once; nobody can read it again.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from approvals import audit
from approvals.errors import InvalidTransition, NotAllowed, Refused

from .models import ApiKey, Program
from .models.keys import Scope

logger = structlog.get_logger(__name__)

#: ``prefix.secret``: what is found by, and what proves it.
FORM = re.compile(r"([0-9A-Za-z]{8})\.([0-9A-Za-z]{32})", re.ASCII)
NOTED_EVERY = timedelta(minutes=1)
LONGEST_OVERLAP = timedelta(days=90)
#: What is compared where there is no such key: then it takes as long.
_NOBODYS = ApiKey.objects.key_generator.hash("00000000." + "0" * 32)


class InvalidKey(Refused):
    """What was asked of a key makes no sense; ``details["field"]`` says which part."""

    code = "invalid_key"


# Recognising


def recognise(presented: str, *, at: datetime | None = None) -> ApiKey | None:
    """Return the usable key that was presented, if it is one; one query."""
    match = FORM.fullmatch(presented)
    key = found(match[1]) if match else None
    stored = key.hashed_key if key else _NOBODYS
    right = ApiKey.objects.key_generator.verify(presented[:64], stored)
    if key is None or not right:
        why = "unknown" if key is None else "wrong_secret"
    else:
        why = key.why_refused(at)
    if why:
        logger.warning("api_key_refused", why=why, prefix=match[1] if match else None)
        return None
    return key


def found(prefix: str) -> ApiKey | None:
    """Return the key of a prefix with its owner, whether it may be used or not."""
    key: ApiKey | None = (
        ApiKey.objects.select_related("owner").filter(prefix=prefix).first()
    )
    return key


def note_use(key: ApiKey, *, at: datetime | None = None) -> None:
    """Write down that a key was used, at most once a minute and waiting for nobody.

    Of many requests at once one writes; a database that is busy hears of the next.
    """
    at = at or timezone.now()
    if key.last_used_at is not None and at - key.last_used_at < NOTED_EVERY:
        return
    first = key.last_used_at is None
    unnoted = ApiKey.objects.filter(pk=key.pk).filter(
        Q(last_used_at=None) | Q(last_used_at__lte=at - NOTED_EVERY)
    )
    if connection.vendor == "sqlite":
        noted = _update_unless_busy(unnoted, at)
    else:
        with transaction.atomic():
            free = unnoted.select_for_update(skip_locked=True, no_key=True)
            noted = ApiKey.objects.filter(
                pk__in=list(free.values_list("pk", flat=True))
            )
            noted = noted.update(last_used_at=at)
    if noted and first:
        logger.info("api_key_first_used", prefix=key.prefix)


def _update_unless_busy(unnoted: Any, at: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        patience = cursor.fetchone()[0]
        cursor.execute("PRAGMA busy_timeout = 0")
    try:
        noted: int = unnoted.update(last_used_at=at)
    except OperationalError:
        return 0
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {int(patience)}")
    return noted


# Making, replacing, revoking


@transaction.atomic
def make(
    *,
    by: Any,
    name: str,
    owner: Any,
    scopes: Iterable[str],
    program: Program | None = None,
    expires_at: datetime | None = None,
    secret: str = "",
    replaces: ApiKey | None = None,
    at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; return it and, this once, what to give to the system that uses it.

    ``secret`` is for the demo, whose key may be agreed on beforehand.
    """
    at = at or timezone.now()
    if expires_at is not None and expires_at <= at:
        raise InvalidKey("A key's last day has to lie ahead.", field="expires_at")
    key = ApiKey(
        name=name.strip(),
        owner_id=owner.pk,
        scopes=[scope for scope in Scope.values if scope in set(scopes)],
        program=program,
        expiry_date=expires_at,
        made_by_id=by.pk,
        replaces=replaces,
    )
    if secret:
        key.prefix = secret.partition(".")[0]
        key.hashed_key = ApiKey.objects.key_generator.hash(secret)
    else:
        secret = ApiKey.objects.assign_key(key)
    if not FORM.fullmatch(secret):
        raise InvalidKey(
            "A key is 8 letters or digits, a dot, and 32 letters or digits.",
            field="secret",
        )
    try:
        key.full_clean(exclude=["hashed_key", "owner"])
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise InvalidKey(" ".join(problems), field=field) from None
    key.save(force_insert=True)
    _record("make_key", key, by=by, at=at, reason=_in_words(key))
    return key, secret


@transaction.atomic
def rotate(
    key: ApiKey, *, by: Any, ends_at: datetime, at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a key that takes another's place; the old one still works until ``ends_at``.

    The system that uses it changes over in between, without a failed request.
    """
    at = at or timezone.now()
    held = _held(key)
    if why := held.why_refused(at):
        raise InvalidTransition(
            f"The key {held} cannot be replaced: it is {why.replace('_', ' ')}. "
            "Make a new one instead."
        )
    if ApiKey.objects.filter(replaces=held).exists():
        raise InvalidTransition(f"The key {held} has been replaced already.")
    if not at <= ends_at <= at + LONGEST_OVERLAP:
        raise InvalidKey(
            "The old key can work for at most "
            f"{LONGEST_OVERLAP.days} days more, and not end in the past.",
            field="ends_at",
        )
    # As long a life as the old one was given.
    life = held.expiry_date - held.created if held.expiry_date else None
    made, secret = make(
        by=by,
        name=held.name,
        owner=held.owner,
        scopes=held.scopes,
        program=held.program,
        expires_at=at + life if life else None,
        replaces=held,
        at=at,
    )
    held.expiry_date = min(held.expiry_date or ends_at, ends_at)
    held.save(update_fields=["expiry_date"])
    _record("rotate_key", held, by=by, at=at, reason=f"Ends {held.expiry_date:%c} UTC.")
    key.expiry_date = held.expiry_date
    return made, secret


@transaction.atomic
def revoke(
    key: ApiKey, *, by: Any, reason: str = "", at: datetime | None = None
) -> None:
    """Refuse a key from its next request on, for good."""
    at = at or timezone.now()
    if not may_revoke(by, key):
        raise NotAllowed(f"{by.get_username()} may not revoke this key.")
    held = _held(key)
    if held.revoked:
        raise InvalidTransition(f"The key {held} is revoked already.")
    held.revoked = True
    held.save(update_fields=["revoked"])
    _record("revoke_key", held, by=by, at=at, reason=reason)
    key.revoked = True


def may_revoke(user: Any, key: ApiKey) -> bool:
    """Tell whether somebody may revoke a key: their own, or one of their program."""
    if getattr(user, "key", None) is not None:
        return False
    if user.pk == key.owner_id or user.has_perm("loyalty.change_apikey"):
        return True
    return (
        key.program_id is not None
        and user.has_perm("loyalty.operate_programs")
        and Program.objects.visible_to(user).filter(pk=key.program_id).exists()
    )


def _held(key: ApiKey) -> ApiKey:
    held: ApiKey = ApiKey.objects.select_for_update(of=("self",), no_key=True).get(
        pk=key.pk
    )
    return held


def _in_words(key: ApiKey) -> str:
    scopes = ", ".join(key.scopes) or "no scopes"
    ends = f", until {key.expiry_date:%d %B %Y}" if key.expiry_date else ""
    return f"For {key.owner.get_username()}: {scopes}{ends}."


def _record(verb: str, key: ApiKey, *, by: Any, at: datetime, reason: str) -> None:
    audit.record(
        verb,
        by=by,
        program_id=key.program_id,
        kind="API key",
        object_id=key.pk,
        label=str(key),
        reason=reason,
        at=at,
    )
