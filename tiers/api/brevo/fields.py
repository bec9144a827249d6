"""What single values look like on this wire, and how bodies and queries are read."""

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from drf_spectacular.drainage import set_override
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from .. import strict

_UUID: Final = strict.UuidField.FORM
_CONTACT: Final = re.compile("[1-9][0-9]{0,18}")
MOST_CONTACTS: Final = 2**63 - 1


def written(at: datetime) -> str:
    """Write an instant as RFC 3339, in UTC, with milliseconds and a Z."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def read_uuid(value: str) -> uuid.UUID:
    if not _UUID.fullmatch(value):
        raise ValueError("Send a uuid in lower case, with its hyphens.")
    return uuid.UUID(value)


def read_contact_id(value: str) -> int:
    if not _CONTACT.fullmatch(value) or int(value) > MOST_CONTACTS:
        raise ValueError("Send the contact's id, a whole number from 1.")
    return int(value)


class Described(serializers.Serializer):
    """A serializer that the schema knows under the vendor's name and its own."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        set_override(cls, "component_name", f"Brevo{cls.__name__}")


class Body(Described, strict.StrictSerializer):
    """A body, or an object in one: what it does not know is passed over.

    ``null`` is "not sent", unless a field takes it for something (``allow_null``).
    """

    ignores_unknown = True

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            data = {
                name: value
                for name, value in data.items()
                if value is not None or self._takes_null(name)
            }
        return super().to_internal_value(data)

    def _takes_null(self, name: str) -> bool:
        field = self.fields.get(name)
        return field is not None and field.allow_null


class Query(strict.QuerySerializer):
    """The parameters of an address; the vendor passes over those it does not know."""

    ignores_unknown = True


@extend_schema_field(OpenApiTypes.UUID)
class UuidField(strict.UuidField):
    pass


@extend_schema_field({"type": "object", "additionalProperties": True})
class ObjectField(strict.ObjectField):
    pass
