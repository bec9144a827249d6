"""Validators of the values that versions hold; forms, API and verbs share them."""

import json
import math
import re
import zoneinfo
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from approvals.text import validate_line, validate_text

__all__ = [
    "validate_channels",
    "validate_color",
    "validate_currency",
    "validate_day_and_month",
    "validate_image",
    "validate_json",
    "validate_line",
    "validate_object",
    "validate_text",
    "validate_time_zone",
]

MAX_JSON_DEPTH = 8
MAX_JSON_LENGTH = 8192
MAX_JSON_INTEGER = 2**53 - 1
MAX_KEYS = 50
MAX_KEY_LENGTH = 40

validate_color = RegexValidator(
    r"\A#[0-9A-Fa-f]{6}\Z", "Write a colour as #RRGGBB, for example #FFD700."
)


def validate_time_zone(value: str) -> None:
    if value not in zoneinfo.available_timezones():
        raise ValidationError(
            f"“{value}” is not a time zone. Use a name such as Europe/Berlin.",
            code="unknown_time_zone",
        )


def validate_currency(value: str) -> None:
    """Accept what ISO 4217 could call a currency; XXX is what it calls none."""
    if not re.fullmatch("[A-Z]{3}", value) or value == "XXX":
        raise ValidationError(
            "Write a currency in three capital letters, such as EUR.",
            code="unknown_currency",
        )


def validate_day_and_month(value: str) -> None:
    """Accept DD/MM of a day that exists in some year; 29/02 is one."""
    match = re.fullmatch(r"([0-9]{2})/([0-9]{2})", value)
    longest = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if match:
        day, month = int(match[1]), int(match[2])
        if 1 <= month <= 12 and 1 <= day <= longest[month - 1]:
            return
    raise ValidationError(
        "Write a day of the year as DD/MM, for example 31/12.", code="invalid_day"
    )


def validate_json(value: Any) -> None:
    """Refuse JSON that is too deep, too large, or holds what cannot be stored."""
    _walk(value, 1)
    if len(json.dumps(value)) > MAX_JSON_LENGTH:
        raise ValidationError(
            f"This is too large: at most {MAX_JSON_LENGTH} characters.",
            code="too_large",
        )


def _walk(value: Any, depth: int) -> None:
    if depth > MAX_JSON_DEPTH:
        raise ValidationError(
            f"This is nested too deeply: at most {MAX_JSON_DEPTH} levels.",
            code="too_deep",
        )
    if isinstance(value, str):
        validate_text(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            _walk(key, depth + 1)
            _walk(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _walk(item, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValidationError("This number is not finite.", code="invalid_number")
    elif str(value) == "-0.0":
        # PostgreSQL knows no such number: it would give 0.0 back.
        raise ValidationError("Write 0 without a sign.", code="invalid_number")
    elif isinstance(value, int | float) and abs(value) > MAX_JSON_INTEGER:
        # Others read JSON with floating point, where this is another number; and
        # PostgreSQL gives a whole fraction back as an integer from 1e16 on.
        raise ValidationError(
            f"This number is too large: at most {MAX_JSON_INTEGER}.",
            code="invalid_number",
        )


def validate_object(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValidationError("Write a JSON object: {…}.", code="not_an_object")
    if len(value) > MAX_KEYS or any(len(key) > MAX_KEY_LENGTH for key in value):
        raise ValidationError(
            f"This is too large: at most {MAX_KEYS} names, each of at most "
            f"{MAX_KEY_LENGTH} characters.",
            code="too_large",
        )
    validate_json(value)


def validate_channels(value: Any) -> None:
    """Accept a list of channel names, such as ["SMS", "EMAIL"]."""
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ValidationError("Give a list of channel names.", code="not_channels")
    for name in value:
        validate_line(name)
    validate_json(value)


def validate_image(value: Any) -> None:
    """Accept an image object: an absolute ``url`` and whatever else describes it."""
    if value is None:
        return
    validate_object(value)
    url = value.get("url", "")
    if not isinstance(url, str) or not re.match(r"\A(https?://|wix:image://)", url):
        raise ValidationError(
            "Give the image's full address, beginning with https://.",
            code="invalid_image",
        )
