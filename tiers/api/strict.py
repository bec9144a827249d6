"""Strict fields: what was sent is what is kept, or it is refused with a sentence.

REST framework's own fields are kind: they take ``"1_000"`` for a number, ``5`` for a
name, a date without a zone for an instant in the server's. A caller who makes such a
mistake learns of it here. The rules themselves are those of the forms and of the
commands: ``loyalty.fields`` and ``loyalty.amounts``.

A serializer refuses fields that it does not know, unless its voice's vendor ignores
them (``ignores_unknown``). Codes of errors are stable; messages are sentences.
"""

import re
import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from django.http import QueryDict
from django.urls import register_converter
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from loyalty import amounts
from loyalty.fields import (
    MAX_JSON_INTEGER,
    validate_json,
    validate_line,
    validate_object,
    validate_text,
)

# Fields of bodies


class IntegerField(serializers.IntegerField):
    """A JSON integer; in range for every client, in 64 bits and in JavaScript."""

    default_error_messages: ClassVar = {
        "invalid": "Send a whole number, in digits only and without quotes.",
        "out_of_range": "Send a whole number from {least} to {most}.",
    }

    def __init__(self, **options: Any) -> None:
        self.least: int = options.pop("min_value", -MAX_JSON_INTEGER)
        self.most: int = options.pop("max_value", MAX_JSON_INTEGER)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            raise _error(self, "invalid", code="invalid_integer")
        if not self.least <= data <= self.most:
            raise _error(self, "out_of_range", least=self.least, most=self.most)
        return data


class AmountField(serializers.Field):
    """A decimal number as a string, of at most ``scale`` decimals.

    Not as a JSON number: most readers make a binary fraction of that. A voice whose
    vendor sends numbers sets ``numbers``.
    """

    default_error_messages: ClassVar = {
        "invalid": "Send the amount as a string, such as “12.50”.",
        "decimals": "Send at most {scale} decimals.",
        "out_of_range": "Send an amount from {least} to {most}.",
    }

    def __init__(
        self,
        *,
        scale: int = 2,
        min_value: Decimal | None = None,
        max_value: Decimal | None = None,
        numbers: bool = False,
        **options: Any,
    ) -> None:
        self.scale, self.numbers = scale, numbers
        widest = Decimal(MAX_JSON_INTEGER).scaleb(-scale)
        self.least = -widest if min_value is None else min_value
        self.most = widest if max_value is None else max_value
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Decimal:
        if self.numbers and type(data) in (int, float):
            data = format(Decimal(repr(data)), "f")
        if not isinstance(data, str):
            raise _error(self, "invalid", code="invalid_decimal")
        try:
            amount = amounts.parse(data)
        except amounts.NotAnAmount as problem:
            raise ValidationError(str(problem), code="invalid_decimal") from None
        if amount != (kept := round(amount, self.scale)):
            raise _error(self, "decimals", code="too_many_decimals", scale=self.scale)
        if not self.least <= kept <= self.most:
            raise _error(self, "out_of_range", least=self.least, most=self.most)
        # Nothing is nothing, whatever sign it was sent with.
        return kept if kept else abs(kept)

    def to_representation(self, value: Decimal) -> str:
        return format(value, "f")


class InstantField(serializers.Field):
    """An instant as RFC 3339 writes it, with its offset; in UTC from here on."""

    default_error_messages: ClassVar = {
        "invalid": "Send an instant such as 2026-03-01T09:30:00Z (RFC 3339).",
        "offset": "Say in which zone: 2026-03-01T09:30:00Z, or +01:00 in place of Z.",
        "out_of_range": "Send an instant between the years {least} and {most}.",
    }
    FORM: Final = re.compile(
        r"(?P<seconds>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})"
        r"(?P<fraction>\.[0-9]{1,9})?"
        r"(?P<offset>Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
    )
    #: Years that the zones' rules and both databases handle, with room to both sides.
    YEARS: Final = (1900, 2200)

    def to_internal_value(self, data: Any) -> datetime:
        match = self.FORM.fullmatch(data.upper()) if isinstance(data, str) else None
        if match is None:
            raise _error(self, "invalid", code="invalid_instant")
        if match["offset"] is None:
            raise _error(self, "offset", code="offset_required")
        # To the microsecond, which is what databases keep.
        fraction = (match["fraction"] or "")[:7]
        try:
            instant = datetime.fromisoformat(
                match["seconds"] + fraction + match["offset"]
            ).astimezone(UTC)
        except OverflowError:
            raise self._out_of_range() from None
        except ValueError:
            raise _error(self, "invalid", code="invalid_instant") from None
        if not self.YEARS[0] <= instant.year < self.YEARS[1]:
            raise self._out_of_range()
        return instant

    def _out_of_range(self) -> ValidationError:
        least, most = self.YEARS
        return _error(self, "out_of_range", least=least, most=most)

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class DayField(serializers.Field):
    """A calendar day: YYYY-MM-DD and nothing else."""

    default_error_messages: ClassVar = {"invalid": "Send a day such as 2026-03-01."}

    def to_internal_value(self, data: Any) -> date:
        if isinstance(data, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", data):
            try:
                return date.fromisoformat(data)
            except ValueError:
                pass
        raise _error(self, "invalid", code="invalid_day")

    def to_representation(self, value: date) -> str:
        return value.isoformat()


class UuidField(serializers.Field):
    """A uuid in its one canonical form: lower case, with hyphens."""

    default_error_messages: ClassVar = {
        "invalid": "Send a uuid such as 11111111-1111-4111-8111-111111111111."
    }
    FORM: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

    def to_internal_value(self, data: Any) -> uuid.UUID:
        if not isinstance(data, str) or not self.FORM.fullmatch(data):
            raise _error(self, "invalid", code="invalid_uuid")
        return uuid.UUID(data)

    def to_representation(self, value: uuid.UUID) -> str:
        return str(value)


class LineField(serializers.CharField):
    """One line of text without anything that hides, reorders or cannot be stored."""

    default_error_messages: ClassVar = {"invalid": "Send text, in quotes."}
    readable: ClassVar[Any] = staticmethod(validate_line)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise _error(self, "invalid", code="invalid_text")
        text: str = super().to_internal_value(data)
        return text

    def get_validators(self) -> list[Any]:
        return [*super().get_validators(), self._validate_unless_blank]

    def _validate_unless_blank(self, value: str) -> None:
        if value:
            self.readable(value)


class TextField(LineField):
    """Text of several lines."""

    readable = staticmethod(validate_text)


class FlagField(serializers.BooleanField):
    """``true`` or ``false``."""

    default_error_messages: ClassVar = {"invalid": "Send true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise _error(self, "invalid", code="invalid_flag")
        return data


class ChoiceField(serializers.ChoiceField):
    """One of some words, written exactly so."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            words = ", ".join(str(choice) for choice in self.choices)
            raise ValidationError(f"Send one of: {words}.", code="invalid_choice")
        return data


class ObjectField(serializers.JSONField):
    """A JSON object of somebody else's, small enough to keep with ours."""

    def to_internal_value(self, data: Any) -> Any:
        validate_object(data)
        return data


class JsonField(serializers.JSONField):
    """Any JSON, small enough to keep."""

    def to_internal_value(self, data: Any) -> Any:
        validate_json(data)
        return data


# Serializers


class StrictSerializer(serializers.Serializer):
    """Refuses what it does not know, and what is not the caller's to set."""

    #: For voices whose vendor ignores fields it does not know; the outermost decides.
    ignores_unknown = False
    unknown = ("unknown_field", "There is no such field.")

    def to_internal_value(self, data: Any) -> Any:
        refused: dict[str, list[ErrorDetail]] = {}
        if isinstance(data, Mapping) and not getattr(
            self.root, "ignores_unknown", False
        ):
            refused = self._strangers(data)
        try:
            value = super().to_internal_value(data)
        except ValidationError as error:
            if refused and isinstance(error.detail, dict):
                raise ValidationError({**error.detail, **refused}) from None
            raise
        if refused:
            raise ValidationError(refused)
        return value

    def _strangers(self, data: Mapping[str, Any]) -> dict[str, list[ErrorDetail]]:
        code, sentence = self.unknown
        refused = {}
        for name in data:
            if name not in self.fields:
                refused[str(name)] = [ErrorDetail(sentence, code=code)]
            elif self.fields[name].read_only:
                refused[name] = [
                    ErrorDetail("This field is not yours to set.", "read_only_field")
                ]
        return refused


# Queries


class QuerySerializer(StrictSerializer):
    """The parameters of an address: each known, given once, and readable."""

    unknown = ("unknown_filter", "There is no such parameter.")

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, QueryDict):
            self._expect_once_and_readable(data)
            data = data.dict()
        return super().to_internal_value(data)

    def _expect_once_and_readable(self, data: QueryDict) -> None:
        problems = {}
        for name, values in data.lists():
            if len(values) > 1:
                problems[name] = [
                    ErrorDetail("Give this parameter once.", "repeated_parameter")
                ]
            elif "\0" in values[0] or "\ufffd" in values[0]:
                # Django puts U+FFFD where bytes are no UTF-8.
                problems[name] = [
                    ErrorDetail("Send text in UTF-8, percent-encoded.", "invalid_text")
                ]
        if problems:
            raise ValidationError(problems)


class NumberParameter(IntegerField):
    """A whole number in an address, in its one canonical form."""

    FORM: Final = re.compile("0|-?[1-9][0-9]{0,18}")

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str) or not self.FORM.fullmatch(data):
            raise _error(self, "invalid", code="invalid_integer")
        return super().to_internal_value(int(data))


class LimitParameter(NumberParameter):
    """How many of a list at once."""

    def __init__(self, *, most: int = 200, default: int = 50, **options: Any) -> None:
        super().__init__(min_value=1, max_value=most, default=default, **options)

    def to_internal_value(self, data: Any) -> int:
        try:
            return super().to_internal_value(data)
        except ValidationError:
            raise ValidationError(
                f"Send a number from 1 to {self.most}.", code="invalid_limit"
            ) from None


class FlagParameter(FlagField):
    """``true`` or ``false`` in an address."""

    def to_internal_value(self, data: Any) -> bool:
        return super().to_internal_value({"true": True, "false": False}.get(data))


class SearchParameter(LineField):
    """A few words to look for."""

    def __init__(self, *, longest: int = 100, **options: Any) -> None:
        self.longest = longest
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, str) and len(data) > self.longest:
            raise ValidationError(
                f"Search for at most {self.longest} characters.",
                code="search_too_long",
            )
        return super().to_internal_value(data)


# Paths


class NumberConverter:
    """``<number:pk>``: an id in its one canonical form, so that no id has two."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(NumberConverter, "number")


# Batches


def many(batch: Any, *, most: int = 1000) -> list[Any]:
    """Return a batch, if it is a list of a size that can be handled at once."""
    if not isinstance(batch, list) or not 1 <= len(batch) <= most:
        raise ValidationError(f"Send a list of 1 to {most}.", code="batch_size")
    return batch


def repeated(names: list[Any]) -> list[int]:
    """Return the places of what stands in a batch more than once."""
    counted = Counter(names)
    return [place for place, name in enumerate(names) if counted[name] > 1]


def _error(
    field: serializers.Field, message: str, *, code: str = "", **values: Any
) -> ValidationError:
    text = field.error_messages[message].format(**values)
    return ValidationError(text, code=code or message)
