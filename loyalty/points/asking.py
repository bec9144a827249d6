"""What a caller asks to be posted, checked as far as it can be without a database."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError

from ..errors import InFuture, InvalidPosting
from ..fields import validate_line, validate_object, validate_text
from ..models import PointsEntry

Kind = PointsEntry.Kind

#: JavaScript and JSON tools keep integers exact up to here.
MAX_AMOUNT = 9_007_199_254_740_991
#: How far a sender's clock may be ahead; what it says is then taken for now.
TOLERANCE = timedelta(minutes=5)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
MAX_REFERENCE = 256
MAX_SOURCE = 64
MAX_DESCRIPTION = 255

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Line:
    """An amount of one balance definition, signed: what is redeemed is negative."""

    kind: str
    definition_id: int
    amount: int


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened to one member: all of its lines are posted, or none.

    Without ``occurred_at`` it happens when it is posted.
    """

    member_id: int
    reference: str
    lines: tuple[Line, ...]
    occurred_at: datetime | None = None
    description: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Return what two sendings of the same activity have in common.

        When it is posted, and by whom, is not part of it: a retry comes later.
        """
        occurred_at = self.occurred_at and self.occurred_at.astimezone(UTC)
        content = _encode(
            [
                self.member_id,
                [(line.kind, line.definition_id, line.amount) for line in self.lines],
                occurred_at and occurred_at.isoformat(timespec="microseconds"),
                self.description,
                self.meta,
            ]
        )
        return hashlib.sha256(content.encode()).hexdigest()


def check_amount(amount: Any, *, least: int) -> int:
    """Refuse what is not a whole number of at least ``least``, or is out of range."""
    # A bool is an int to Python, and 1e15 looks like a whole number.
    if type(amount) is not int:
        raise InvalidPosting(
            "An amount is a whole number of the smallest unit.", field="amount"
        )
    if amount < least:
        raise InvalidPosting(f"The amount is at least {least}.", field="amount")
    _check_range(amount)
    return amount


def check_source(source: str) -> None:
    _check_name(source, "source", MAX_SOURCE)


def check(activity: Activity, *, now: datetime) -> None:
    """Refuse an activity that no member of any program could be posted."""
    _check_name(activity.reference, "reference", MAX_REFERENCE)
    if not activity.lines:
        raise InvalidPosting("An activity has at least one line.", field="lines")
    for line in activity.lines:
        _check_line(line)
    _check_instant(activity, now)
    if not activity.description and not activity.meta:
        return
    if len(activity.description) > MAX_DESCRIPTION:
        raise InvalidPosting(
            f"A description has at most {MAX_DESCRIPTION} characters.",
            field="description",
        )
    try:
        validate_text(activity.description)
    except ValidationError as error:
        raise InvalidPosting(error.messages[0], field="description") from None
    try:
        validate_object(activity.meta)
        json.dumps(activity.meta, allow_nan=False)
    except ValidationError as error:
        raise InvalidPosting(error.messages[0], field="meta") from None
    except (TypeError, ValueError):
        raise InvalidPosting("Further data is JSON.", field="meta") from None


def _check_name(value: str, name: str, longest: int) -> None:
    if not isinstance(value, str) or len(value) > longest:
        raise InvalidPosting(
            f"The {name} is text of at most {longest} characters.", field=name
        )
    try:
        validate_line(value)
    except ValidationError as error:
        raise InvalidPosting(
            f"The {name} cannot be used: {error.messages[0]}", field=name
        ) from None


def _check_line(line: Line) -> None:
    amount = line.amount
    if type(amount) is not int:
        check_amount(amount, least=0)
    _check_range(amount)
    if line.kind == Kind.EARN:
        if amount < 0:
            raise InvalidPosting("What is earned is not negative.", field="amount")
    elif line.kind == Kind.ADJUST:
        if amount == 0:
            raise InvalidPosting("An adjustment changes something.", field="amount")
    elif line.kind == Kind.REDEEM:
        if amount >= 0:
            raise InvalidPosting("What is redeemed is negative.", field="amount")
    else:
        raise InvalidPosting(f"{line.kind} is not for callers to post.", field="kind")


def _check_range(amount: int) -> None:
    if abs(amount) > MAX_AMOUNT:
        raise InvalidPosting(
            f"An amount is between -{MAX_AMOUNT} and {MAX_AMOUNT}.", field="amount"
        )


def _check_instant(activity: Activity, now: datetime) -> None:
    occurred_at = activity.occurred_at
    if occurred_at is None:
        return
    if occurred_at.tzinfo is None:
        raise InvalidPosting(
            "The instant needs a time zone, such as 2026-03-01T12:00:00Z.",
            field="occurred_at",
        )
    if occurred_at < EARLIEST:
        raise InvalidPosting("That is too long ago.", field="occurred_at")
    if occurred_at > now + TOLERANCE:
        raise InFuture(
            f"{occurred_at:%Y-%m-%d %H:%M %Z} has not come yet: points are posted "
            "when something has happened.",
            field="occurred_at",
        )
    if any(line.kind == Kind.REDEEM for line in activity.lines):
        raise InvalidPosting(
            "Redeeming happens when it is posted; it cannot be given another date.",
            field="occurred_at",
        )
