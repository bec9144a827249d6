"""What lists can be narrowed by: django-filter, with values read as strictly as bodies.

A filter's value is read by a strict field, so an id has one spelling and an instant
its offset. Whatever parameter a list does not describe is refused, and no name that
was sent ever reaches the ORM.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, ClassVar

import django_filters
from django import forms
from django.core.exceptions import ValidationError as FormError
from django.db.models import Q, QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.drainage import set_override
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from .. import strict
from .refusals import InvalidQuery

# Values


class StrictFormField(forms.Field):
    """A form's field that reads with a strict field of the API."""

    def __init__(self, *, reads: serializers.Field, **options: Any) -> None:
        # What django-filter hands to every form field, whether it is of use or not.
        for unused in ("lookup_expr", "min_value", "max_value"):
            options.pop(unused, None)
        super().__init__(**options)
        self.reads = reads

    def clean(self, value: Any) -> Any:
        if value is None:
            return None
        try:
            return self.reads.run_validation(value)
        except ValidationError as error:
            details: Any = error.detail
            raise FormError(
                [FormError(str(detail), code=detail.code) for detail in details]
            ) from None


class Strict(django_filters.Filter):
    """A filter whose value is read by a strict field; ``schema`` describes it."""

    field_class = StrictFormField
    schema: ClassVar[dict[str, Any]] = {"type": "string"}

    def __init__(self, *, help_text: str, **options: Any) -> None:
        super().__init__(reads=self.reader(), help_text=help_text, **options)
        set_override(self, "field", {**self.schema, "description": help_text})

    def reader(self) -> serializers.Field:
        return strict.LineField()


class NumberFilter(Strict):
    """A whole number, most often an id."""

    schema: ClassVar = {"type": "integer"}

    def reader(self) -> serializers.Field:
        return strict.NumberParameter()


class AmountFilter(Strict):
    """A decimal number."""

    schema: ClassVar = {"type": "string", "format": "decimal"}

    def reader(self) -> serializers.Field:
        return strict.AmountField(scale=4, min_value=Decimal(0))


class InstantFilter(Strict):
    schema: ClassVar = {"type": "string", "format": "date-time"}

    def reader(self) -> serializers.Field:
        return strict.InstantField()


class DayFilter(Strict):
    schema: ClassVar = {"type": "string", "format": "date"}

    def reader(self) -> serializers.Field:
        return strict.DayField()


class UuidFilter(Strict):
    schema: ClassVar = {"type": "string", "format": "uuid"}

    def reader(self) -> serializers.Field:
        return strict.UuidField()


class FlagFilter(Strict):
    schema: ClassVar = {"type": "boolean"}

    def reader(self) -> serializers.Field:
        return strict.FlagParameter()


class TextFilter(Strict):
    """A text that has to be just so, such as somebody else's id."""

    def reader(self) -> serializers.Field:
        return strict.LineField(max_length=255)


class ChoiceFilter(Strict):
    """One of some words."""

    def __init__(self, *, words: Iterable[str], **options: Any) -> None:
        self.words = list(words)
        super().__init__(**options)
        schema = {"type": "string", "enum": self.words}
        set_override(self, "field", {**schema, "description": options["help_text"]})

    def reader(self) -> serializers.Field:
        return strict.ChoiceField(self.words)


class FilterSet(django_filters.FilterSet):
    """The filters of one list; each names its own help, which the docs print."""


# Backends


class Filters(DjangoFilterBackend):
    """Narrows by the view's ``filterset_class``."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            raise InvalidQuery(
                {
                    name: [
                        ErrorDetail(" ".join(error.messages), error.code or "invalid")
                        for error in errors
                    ]
                    for name, errors in filterset.errors.as_data().items()
                }
            )
        found: QuerySet[Any] = filterset.qs
        return found


class Search(BaseFilterBackend):
    """Narrows by words that stand in one of the view's ``search_fields``."""

    DESCRIPTION = "Words, all of which stand somewhere in: {}."

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        sent = request.query_params.get("search")
        fields = getattr(view, "search_fields", ())
        if sent is None or not fields:
            return queryset
        try:
            words = strict.SearchParameter().run_validation(sent).split()
        except ValidationError as error:
            raise InvalidQuery({"search": error.detail}) from None
        for word in words:
            condition = Q()
            for field in fields:
                found = Q(**{f"{field}__icontains": word})
                if "__" in field:
                    # Of others, of which there may be many: none is found twice.
                    found = Q(pk__in=queryset.model.objects.filter(found).values("pk"))
                condition |= found
            queryset = queryset.filter(condition)
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        fields = getattr(view, "search_fields", ())
        if not fields:
            return []
        said = ", ".join(field.rpartition("__")[2] for field in fields)
        return [
            {
                "name": "search",
                "in": "query",
                "required": False,
                "description": self.DESCRIPTION.format(said),
                "schema": {"type": "string", "maxLength": 100},
            }
        ]


# Names


def expect_parameters(request: Request, known: Iterable[str]) -> None:
    """Refuse parameters that are not described, given twice, or unreadable."""
    if not request.query_params:
        return
    query = strict.QuerySerializer(data=request.query_params)
    for name in known:
        query.fields[name] = serializers.CharField(
            required=False, allow_blank=True, trim_whitespace=False
        )
    try:
        query.is_valid(raise_exception=True)
    except ValidationError as error:
        raise InvalidQuery(error.detail) from None


def number(parameter: str, sent: str) -> int:
    """Read a whole number that is a parameter of something else than a list."""
    try:
        return int(strict.NumberParameter(min_value=1).run_validation(sent))
    except ValidationError as error:
        raise InvalidQuery({parameter: error.detail}) from None
