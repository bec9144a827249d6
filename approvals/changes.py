"""What differs between two versions of a thing, field by field, in people's words.

Each app puts its versions in words when apps are ready: which fields belong
together, what they are called, and how values that mean nothing to a person (ids,
lists of ids) are read out. Pages and letters take what they show from here.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils import timezone

from . import kinds
from .models import ChangeSet, ChangeSetItem, Version

NOT_SET = "Not set"


@dataclass(frozen=True)
class Wording:
    """How a kind of version is read out.

    ``sections`` are (title, names of fields); ``labels`` replace the fields' own
    names; ``values`` hold a function of the version for fields that need one.
    """

    sections: tuple[tuple[str, tuple[str, ...]], ...]
    labels: dict[str, str] = field(default_factory=dict)
    helps: dict[str, str] = field(default_factory=dict)
    values: dict[str, Callable[[Any], str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """One field before and after; an empty text is "not set"."""

    name: str
    label: str
    before: str
    after: str
    #: Whether the texts are colours, to be shown as such.
    is_color: bool = False

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class Section:
    title: str
    lines: list[Line]

    @property
    def changed(self) -> list[Line]:
        return [line for line in self.lines if line.changed]


@dataclass(frozen=True)
class Difference:
    """One version beside what it replaces."""

    kind: kinds.Kind
    #: The version's row as it is now; ``after`` is what is compared.
    version: Any
    before: Any
    after: Any
    sections: list[Section]

    @property
    def label(self) -> str:
        return getattr(self.after, "name", "") or str(self.version.thing)

    @property
    def is_new(self) -> bool:
        return self.before is None

    @property
    def is_retirement(self) -> bool:
        return self.version.is_retirement

    @property
    def changed(self) -> list[Line]:
        return [line for section in self.sections for line in section.changed]


_wordings: dict[type[Version], Wording] = {}


def put_in_words(version_class: type[Version], wording: Wording) -> None:
    named = [name for _, names in wording.sections for name in names]
    if sorted(named) != sorted(version_class.CONTENT):
        raise ValueError(f"Each field of {version_class.__name__} is worded once.")
    _wordings[version_class] = wording


def wording_of(version_class: type[Version]) -> Wording:
    return _wordings[version_class]


def label_of(version_class: type[Version], name: str) -> str:
    """Return what people call a field."""
    own = _wordings[version_class].labels.get(name)
    if own:
        return own
    model_field: Any = version_class._meta.get_field(name)
    text = str(model_field.verbose_name)
    return text[:1].upper() + text[1:]


def between(before: Any, after: Any) -> list[Section]:
    """Compare two versions of one kind; ``before`` is None for something new."""
    version_class = type(after)
    return [
        Section(
            title,
            [
                Line(
                    name=name,
                    label=label_of(version_class, name),
                    before=read_out(before, name) if before is not None else "",
                    after=read_out(after, name),
                    is_color=name == "color",
                )
                for name in names
            ],
        )
        for title, names in _wordings[version_class].sections
    ]


def read_out(version: Any, name: str) -> str:
    """Return the value of a field in words; empty where it is not set."""
    custom = _wordings[type(version)].values.get(name)
    if custom:
        return custom(version)
    model_field = version._meta.get_field(name)
    value = getattr(version, name)
    if getattr(model_field, "choices", None):
        return str(dict(model_field.flatchoices).get(value, value or ""))
    return in_words(value)


def in_words(value: Any) -> str:
    """Read out a plain value."""
    match value:
        case None | "":
            return ""
        case bool():
            return "Yes" if value else "No"
        case int() | Decimal():
            return number(value)
        case datetime():
            return instant(value)
        case list() if all(isinstance(item, str | int) for item in value):
            return ", ".join(str(item) for item in value)
        case dict() | list():
            text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
            return text if value else ""
        case models.Model():
            return str(value)
    return str(value)


def number(value: int | Decimal) -> str:
    """Write a number with thousands apart and without zeros that say nothing."""
    if isinstance(value, int):
        return f"{value:,}"
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def instant(value: datetime | None) -> str:
    """Write an instant in the installation's time zone, with its name."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    return f"{local.day} {local:%b %Y, %H:%M} {local.tzname()}"


def of_version(version: Any) -> Difference:
    """Compare a version with what it replaces: what was live when it was begun."""
    before = version.based_on
    return Difference(
        kind=kinds.kind_of(version),
        version=version,
        before=before,
        after=version,
        sections=between(before, version),
    )


def of_set(change_set: ChangeSet) -> list[Difference]:
    """Compare what was submitted, item by item, with what it was based on.

    The item keeps what was submitted for ever; the version itself may have been
    edited since, if the set was taken back.
    """
    return [_of_item(item) for item in change_set.items.all()]


def _of_item(item: ChangeSetItem) -> Difference:
    kind = kinds.kind_named(item.kind)
    version = kind.version._default_manager.get(pk=item.version_id)
    before = kind.version._default_manager.filter(pk=item.based_on_id).first()
    after = as_submitted(item, version)
    return Difference(
        kind=kind,
        version=version,
        before=before,
        after=after,
        sections=between(before, after),
    )


def as_submitted(item: ChangeSetItem, version: Any) -> Any:
    """Return a version, not to be saved, that says what was submitted."""
    said = type(version)(
        **{f"{version.THING}_id": version.thing_id},
        number=version.number,
        operation=item.operation,
    )
    for name in version.CONTENT:
        # A field that came later than the submission keeps its default.
        if name in item.content:
            model_field = version._meta.get_field(name)
            value = model_field.to_python(item.content[name])
            setattr(said, model_field.attname, value)
    return said


def two_edits(mine: Any, theirs: Any) -> list[Line]:
    """Return the fields in which two wordings of one version differ."""
    return [
        line
        for section in between(theirs, mine)
        for line in section.lines
        if line.changed
    ]


def labels(versions: Sequence[Any]) -> str:
    """Name up to three versions in a sentence."""
    names = [getattr(v, "name", "") or str(v.thing) for v in versions]
    if len(names) <= 3:
        return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f"{', '.join(names[:3])} and {len(names) - 3} more"
