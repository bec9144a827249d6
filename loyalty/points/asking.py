"""What a caller asks to be posted, checked as far as it can be without a database."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

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
#: The source of lines that nobody asked for: what has expired.
EXPIRY = "expiry"

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Line:
    """An amount of one balance definition, signed: what is redeemed is negative.

    With ``is_target`` an adjustment leads to ``amount``, whatever there is now.
    """

    kind: str
    definition_id: int
    amount: int
    is_target: bool = False

    def content(self) -> list[Any]:
        said = [self.kind, self.definition_id, self.amount]
        return [*said, "target"] if self.is_target else said


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened to one member: all of its lines are posted, or none.

    Without ``occurred_at`` it happens when it is posted. With ``waits`` it is only
    announced: another thing than posting it.
    """

    member_id: int
    reference: str
    lines: tuple[Line, ...]
    occurred_at: datetime | None = None
    description: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    waits: bool = False

    def fingerprint(self) -> str:
        """Return what two sendings of the same activity have in common.

        When it is posted, and by whom, is not part of it: a retry comes later.
        """
        return _hash(
            self.member_id,
            [line.content() for line in self.lines],
            _written(self.occurred_at),
            self.description,
            self.meta,
            *(["waits"] if self.waits else ()),
        )


@dataclass(frozen=True, slots=True)
class Correction:
    """Something posted before is taken back (REVERSAL) or given back (REFUND).

    It is of all lines of the posting ``request``, or of its line ``entry`` alone.
    ``amount`` is how much of that line, or of what was paid in the posting; without
    one it is all that is left.
    """

    kind: str
    member_id: int
    reference: str
    request: UUID
    entry: UUID | None = None
    amount: int | None = None
    occurred_at: datetime | None = None
    description: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    def fingerprint(self) -> str:
        return _hash(
            self.kind,
            self.member_id,
            [str(self.request), str(self.entry or ""), self.amount],
            _written(self.occurred_at),
            self.description,
            self.meta,
        )


Asked = Activity | Correction


def _hash(*content: Any) -> str:
    return hashlib.sha256(_encode(content).encode()).hexdigest()


def _written(instant: datetime | None) -> str | None:
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


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
    if source == EXPIRY:
        raise InvalidPosting(
            "The source “expiry” is for what expires by itself.", field="source"
        )


def check(asked: Asked, *, now: datetime) -> None:
    """Refuse what no member of any program could be posted."""
    _check_name(asked.reference, "reference", MAX_REFERENCE)
    _check_instant(asked.occurred_at, now)
    if isinstance(asked, Activity):
        _check_lines(asked)
    elif asked.amount is not None:
        check_amount(asked.amount, least=1)
    if asked.description or asked.meta:
        _check_words(asked.description, asked.meta)


def _check_lines(activity: Activity) -> None:
    if not activity.lines:
        raise InvalidPosting("An activity has at least one line.", field="lines")
    for line in activity.lines:
        _check_line(line)
    if activity.occurred_at and any(
        line.kind == Kind.REDEEM for line in activity.lines
    ):
        raise InvalidPosting(
            "Redeeming happens when it is posted; it cannot be given another date.",
            field="occurred_at",
        )


def _check_words(description: str, meta: Any) -> None:
    if len(description) > MAX_DESCRIPTION:
        raise InvalidPosting(
            f"A description has at most {MAX_DESCRIPTION} characters.",
            field="description",
        )
    try:
        validate_text(description)
    except ValidationError as error:
        raise InvalidPosting(error.messages[0], field="description") from None
    try:
        validate_object(meta)
        json.dumps(meta, allow_nan=False)
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
        if line.is_target:
            return
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


def _check_instant(occurred_at: datetime | None, now: datetime) -> None:
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
