"""What single values look like on this wire."""

import re
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from django.core.exceptions import ValidationError as WordingError
from drf_spectacular.drainage import set_override
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from loyalty.fields import validate_image, validate_line, validate_text

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII
)
#: Of 64 bits, with a sign: the type that revisions have.
MOST_REVISIONS: Final = 2**63 - 1


def guid(value: Any) -> uuid.UUID:
    if not isinstance(value, str) or not _GUID.fullmatch(value):
        raise ValueError("This is not a GUID.")
    return uuid.UUID(value)


def instant(value: Any) -> datetime:
    """Read an instant as ISO 8601 writes it, with its offset."""
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("Write an instant such as 2026-03-01T09:30:00.123Z.")


def written(at: datetime) -> str:
    """Write an instant as the vendor does: in UTC, with milliseconds and a Z."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def image(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    """Show an icon in the object form, which is the only one that clients can read."""
    if not stored:
        return None
    empty = {"id": "", "url": "", "height": 0, "width": 0}
    return {**empty, "altText": None, "filename": None, **stored}


class Described(serializers.Serializer):
    """A serializer that the schema knows under the vendor's name and its own."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        set_override(cls, "component_name", f"Wix{cls.__name__}")


@extend_schema_field(OpenApiTypes.UUID)
class GuidField(serializers.Field):
    def to_internal_value(self, data: Any) -> uuid.UUID:
        try:
            return guid(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error), "format") from None

    def to_representation(self, value: Any) -> str:
        return str(value)


class WholeField(serializers.IntegerField):
    """A JSON integer: no text, no truth value, no decimals."""

    default_error_messages = {"invalid": "This is a whole number, without quotes."}

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


@extend_schema_field(OpenApiTypes.STR)
class RevisionField(serializers.Field):
    """A 64-bit number, which JSON carries as text; the reference shows a number too."""

    default_error_messages = {"invalid": 'This is a revision such as "3".'}

    def to_internal_value(self, data: Any) -> int:
        if type(data) is int and 0 <= data <= MOST_REVISIONS:
            return data
        if isinstance(data, str) and re.fullmatch("0|[1-9][0-9]{0,18}", data):
            return int(data)
        self.fail("invalid")

    def to_representation(self, value: Any) -> str:
        return str(value)


class TextField(serializers.CharField):
    """Text that people can read, trimmed; a number is none."""

    def __init__(self, *, lines: bool = False, **options: Any) -> None:
        self.check = validate_text if lines else validate_line
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text: str = super().to_internal_value(data)
        try:
            self.check(text)
        except WordingError as error:
            raise serializers.ValidationError(error.messages) from None
        return text


@extend_schema_field({"type": ["object", "null"]})
class ImageField(serializers.Field):
    """An icon: an object with an absolute ``url``, or the id of one of the vendor's."""

    KEPT = (
        "id",
        "url",
        "height",
        "width",
        "altText",
        "filename",
        "urlExpirationDate",
        "sizeInBytes",
        "focalPoint",
    )
    default_error_messages = {"invalid": "An icon is an object with a url."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        sent = {key: data[key] for key in self.KEPT if data.get(key) is not None}
        if not sent.get("url") and isinstance(sent.get("id"), str) and sent["id"]:
            # What the client makes of an image without a file name has no url.
            size = f"#originWidth={sent.get('width', 0)}&originHeight={sent.get('height', 0)}"
            sent["url"] = f"wix:image://v1/{sent['id']}{size}"
        try:
            validate_image(sent)
        except WordingError as error:
            raise serializers.ValidationError(error.messages) from None
        return sent

    def to_representation(self, value: Any) -> Any:
        return image(value)
