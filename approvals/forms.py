"""Strict form fields, and those for what versions say.

Django's own accept "1_000", full-width digits and years in which no time zone can
be worked with; ours refuse them beside the field. Whatever is not one plain input
(lists of channels, amounts of several balances, an order of things) has a field
here that shows it as people write it.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from .text import validate_line, validate_text

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
#: More than this is refused before it is parsed: nesting costs stack.
MAX_JSON_TEXT = 20_000
MAX_NESTING = 40


class StrictIntegerField(forms.IntegerField):
    """Plain digits, with a sign if any."""

    default_error_messages = {"invalid": "Write a whole number, such as 1000."}

    def to_python(self, value: Any) -> int | None:
        text = str(value).strip() if value is not None else ""
        if text and not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(text)


class StrictDecimalField(forms.DecimalField):
    default_error_messages = {"invalid": "Write a number, such as 1000 or 49.90."}

    def to_python(self, value: Any) -> Any:
        text = str(value).strip() if value is not None else ""
        if text and not re.fullmatch(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?", text):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(text)

    def prepare_value(self, value: Any) -> Any:
        """Show 1000 rather than the 1000.0000 that the database keeps."""
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


class StrictCharField(forms.CharField):
    """One line without controls or characters that cannot be seen."""

    def validate(self, value: str) -> None:
        super().validate(value)
        if value:
            validate_line(value)


class StrictTextField(forms.CharField):
    """Several lines without controls or characters that cannot be seen."""

    def validate(self, value: str) -> None:
        super().validate(value)
        validate_text(value)


class StrictDateTimeField(forms.SplitDateTimeField):
    """A day and a time between the years 1900 and 9000."""

    def compress(self, data_list: Any) -> datetime | None:
        try:
            value = super().compress(data_list)
        except OverflowError:
            raise _out_of_range() from None
        if value is not None and not EARLIEST <= value <= LATEST:
            raise _out_of_range()
        return value


def _out_of_range() -> ValidationError:
    return ValidationError(
        "Give a day between the years 1900 and 9000.", code="out_of_range"
    )


class StrictJSONField(forms.JSONField):
    """JSON that is neither huge nor deeply nested; judged further by its model."""

    default_error_messages = {"invalid": "This is not valid JSON."}

    def to_python(self, value: Any) -> Any:
        if value is None:
            # The field was not in what was sent at all.
            return self.empty_value
        if isinstance(value, str):
            if not value.strip():
                return self.empty_value
            if len(value) > MAX_JSON_TEXT:
                raise ValidationError(
                    f"This is too large: at most {MAX_JSON_TEXT} characters.",
                    code="too_large",
                )
            if _nesting(value) > MAX_NESTING:
                raise ValidationError("This is nested too deeply.", code="too_deep")
            _refuse_lone_surrogates(value)
        try:
            parsed = super().to_python(value)
            # NaN and Infinity parse, and are not JSON to anybody else.
            json.dumps(parsed, allow_nan=False)
            return parsed
        except (RecursionError, ValueError):
            raise ValidationError(
                self.error_messages["invalid"], code="invalid"
            ) from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        # As it was written: parsing it once more could fail, or not print.
        return initial if self.disabled else data

    def prepare_value(self, value: Any) -> Any:
        """Show empty data as an empty box rather than as brackets."""
        if value in ({}, [], None):
            return ""
        if isinstance(value, str):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False)


def _nesting(text: str) -> int:
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _refuse_lone_surrogates(text: str) -> None:
    # "\ud800" alone parses, and then no database can store it.
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValidationError(
            "This holds half of a character, which cannot be stored.",
            code="invalid_text",
        ) from None
    except (RecursionError, ValueError):
        return


class OptionalChoiceField(forms.TypedChoiceField):
    """Yes, no, or not said."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.pop("initial", None)
        super().__init__(
            choices=[("", "Not set"), ("yes", "Yes"), ("no", "No")],
            coerce=lambda value: value == "yes",
            empty_value=None,
            **kwargs,
        )

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return value


class ListField(StrictCharField):
    """Names with commas between, kept as a list; numbers stay numbers."""

    def __init__(self, *, numbers: bool = False, **kwargs: Any) -> None:
        self.numbers = numbers
        kwargs.setdefault("max_length", 2000)
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return ", ".join(str(item) for item in value)
        return value

    def clean(self, value: Any) -> list[Any]:
        text = super().clean(value)
        items = [item.strip() for item in (text or "").split(",") if item.strip()]
        if self.numbers:
            return [int(i) if re.fullmatch(r"[0-9]{1,18}", i) else i for i in items]
        return list(dict.fromkeys(items))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class PictureField(StrictCharField):
    """The address of a picture; what else is stored of an unchanged one stays."""

    def __init__(self, *, stored: Any = None, **kwargs: Any) -> None:
        self.stored = stored
        kwargs.setdefault("max_length", 2000)
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return value.get("url", "") if isinstance(value, dict) else value

    def clean(self, value: Any) -> Any:
        url = super().clean(value)
        if not url:
            return None
        if isinstance(self.stored, dict) and self.stored.get("url") == url:
            return self.stored
        return {"url": url}

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class PartsWidget(forms.MultiWidget):
    """Several labelled inputs that make up one value."""

    template_name = "approvals/widgets/parts.html"

    def __init__(self, labels: Sequence[str], widgets: Sequence[forms.Widget]) -> None:
        self.labels = labels
        super().__init__(widgets)

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        for label, part in zip(
            self.labels, context["widget"]["subwidgets"], strict=True
        ):
            part["label"] = label
        return context

    def decompress(self, value: Any) -> list[Any]:
        return [None] * len(self.widgets)


class AmountsWidget(PartsWidget):
    """One number per key."""

    def __init__(self, amounts: dict[Any, str], input_: type[forms.Widget]) -> None:
        self.amounts = amounts
        super().__init__(list(amounts.values()), [input_() for _ in amounts])

    def decompress(self, value: Any) -> list[Any]:
        return [(value or {}).get(key) for key in self.amounts]


class AmountsField(forms.MultiValueField):
    """Numbers by key, those left empty aside: what is asked of each balance."""

    def __init__(
        self, *, amounts: dict[Any, str], widget: type[forms.Widget], **kwargs: Any
    ) -> None:
        self.amounts = amounts
        super().__init__(
            fields=[StrictIntegerField(min_value=0, required=False) for _ in amounts],
            widget=AmountsWidget(amounts, widget),
            require_all_fields=False,
            **kwargs,
        )

    def compress(self, data_list: Any) -> dict[Any, int]:
        pairs = zip(self.amounts, data_list or [], strict=False)
        return {key: value for key, value in pairs if value is not None}


class OrderWidget(PartsWidget):
    """One choice per place."""

    def decompress(self, value: Any) -> list[Any]:
        places = list(value or [])
        return [*places, *[None] * (len(self.widgets) - len(places))]


class OrderField(forms.MultiValueField):
    """An order of things, lowest first; places left empty are skipped."""

    def __init__(
        self, *, things: dict[int, str], widget: type[forms.Select], **kwargs: Any
    ) -> None:
        choices = [("", "No tier"), *((str(k), v) for k, v in things.items())]
        places = [f"{index}." for index in range(1, len(things) + 1)]
        super().__init__(
            fields=[
                forms.TypedChoiceField(
                    choices=choices, coerce=int, empty_value=None, required=False
                )
                for _ in places
            ],
            widget=OrderWidget(places, [widget(choices=choices) for _ in places]),
            require_all_fields=False,
            **kwargs,
        )

    def compress(self, data_list: Any) -> list[int]:
        return [value for value in data_list or [] if value is not None]


class StoredAmountsField(AmountsField):
    """Numbers kept beside other things in one object, as Capillary writes them.

    There, "-1" stands for "not set", and what this field does not show stays.
    """

    def __init__(self, *, stored: Any = None, **kwargs: Any) -> None:
        self.stored = stored if isinstance(stored, dict) else {}
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: v for k, v in value.items() if str(v) != "-1"}
        return value

    def compress(self, data_list: Any) -> dict[Any, Any]:
        rest = {k: v for k, v in self.stored.items() if k not in self.amounts}
        given = super().compress(data_list)
        return {**rest, **{key: str(value) for key, value in given.items()}}


class LeastAmountsField(AmountsField):
    """Least amounts by balance, kept as a list of conditions."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(v, dict) for v in value):
            return {c.get("balance_definition"): c.get("minimum") for c in value}
        return value

    def compress(self, data_list: Any) -> list[dict[str, int]]:  # type: ignore[override]
        return [
            {"balance_definition": key, "minimum": value}
            for key, value in super().compress(data_list).items()
        ]


class ActForm(forms.Form):
    """The page that asks "are you sure?"; ``seen`` names what was read on it."""

    seen = forms.CharField(required=False, max_length=4000, widget=forms.HiddenInput)


class CommentForm(ActForm):
    comment = StrictTextField(
        label="Comment",
        required=False,
        max_length=2000,
        help_text="Others can read it later. You may leave it empty.",
    )


class ReasonForm(ActForm):
    comment = StrictTextField(
        label="Reason",
        max_length=2000,
        error_messages={"required": "Say why: others will read it."},
        help_text="Others will read it.",
    )


class SubmitForm(ActForm):
    note = StrictTextField(
        label="Note for the reviewer",
        required=False,
        max_length=2000,
        help_text="Why this change is wanted.",
    )
    go_live_at = StrictDateTimeField(
        label="Go live on",
        required=False,
        help_text="Empty: as soon as it is approved.",
    )

    def clean_go_live_at(self) -> datetime | None:
        instant: datetime | None = self.cleaned_data["go_live_at"]
        if instant and instant <= timezone.now():
            raise ValidationError(
                "This has passed already: choose a later day and time.",
                code="go_live_in_past",
            )
        return instant


class PublishForm(ActForm):
    note = StrictTextField(
        label="Note",
        required=False,
        max_length=2000,
        help_text="Why this change is wanted. It stays in the record.",
    )
