"""The vendor's query language: filters, order and cursors over an allowed list.

``{"filter": {...}, "sort": [{"fieldName", "order"}], "cursorPaging": {"limit",
"cursor"}}``. A page after the first names its cursor only, so a cursor carries the
filter and the order, signed, along with the values of the row next to which it goes on.
Nothing is counted or skipped: each page is a condition on those values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.core import signing
from django.db.models import F, Q, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from approvals.text import validate_text

from .fields import WholeField

SALT: Final = "tierwright.api.wix.cursor"
LONGEST_CURSOR: Final = 16_000
MOST_VALUES: Final = 100
MOST_CONDITIONS: Final = 100
MOST_SORTS: Final = 3

Parse = Callable[[Any], Any]


def whole(value: Any) -> int:
    if type(value) is not int or abs(value) > 2**53 - 1:
        raise ValueError("Compare this with a whole number.")
    return value


def text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 256:
        raise ValueError("Compare this with text of at most 256 characters.")
    validate_text(value)
    return value


@dataclass(frozen=True)
class Field:
    """Something that can be asked about, and in which of our columns it is.

    ``missing`` is the condition that there is no value; without one, there always is.
    """

    column: str
    parse: Parse
    missing: Q | None = None
    sortable: bool = True
    #: An annotation that the column stands for, made only where it is asked about.
    made_of: Any = None


Fields = Mapping[str, Field]


@dataclass
class Query:
    """What is wanted: conditions, an order, and where to go on."""

    where: Q
    sort: list[tuple[str, bool]]
    limit: int
    #: What a cursor carries besides the place: as it was sent.
    carried: dict[str, Any]
    names: set[str]
    place: list[Any] | None = None
    backwards: bool = False


class PagingSerializer(serializers.Serializer):
    limit = WholeField(min_value=1, max_value=100, default=50, allow_null=True)
    cursor = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=LONGEST_CURSOR
    )


# Reading


def read_query(
    sent: Any, fields: Fields, *, default: Sequence[tuple[str, bool]], owner: str
) -> Query:
    """Read what was asked; ``owner`` says whose rows a cursor is good for."""
    if not isinstance(sent, dict):
        raise ValidationError("This is an object.")
    paging = PagingSerializer(data=sent.get("cursorPaging") or {})
    if not paging.is_valid():
        raise ValidationError({"cursorPaging": paging.errors})
    limit = paging.validated_data["limit"] or 50
    carried = {
        name: sent[name] for name in ("filter", "sort", "search") if name in sent
    }
    place, backwards = None, False
    if cursor := paging.validated_data.get("cursor"):
        carried, place, backwards = open_cursor(cursor, owner)
    reader = Reader(fields)
    where = reader.read(_given(carried, "filter", {}), "filter")
    sort = reader.order(_given(carried, "sort", []), default)
    return Query(where, sort, limit, carried, reader.names, place, backwards)


def _given(sent: dict[str, Any], name: str, otherwise: Any) -> Any:
    return otherwise if sent.get(name) is None else sent[name]


def open_cursor(cursor: str, owner: str) -> tuple[dict[str, Any], list[Any], bool]:
    try:
        kept = signing.loads(cursor, salt=SALT)
    except signing.BadSignature:
        kept = {}
    if kept.get("owner") != owner:
        raise ValidationError(
            {"cursorPaging": {"cursor": "This is not a cursor of this list."}}
        )
    return kept["query"], kept["place"], kept["backwards"]


@dataclass
class Reader:
    """Turns filters into conditions, and notes which fields they name."""

    fields: Fields
    names: set[str] = field(default_factory=set)
    conditions: int = 0

    def read(self, sent: Any, path: str) -> Q:
        if not isinstance(sent, dict):
            raise ValidationError({path: "A filter is an object."})
        found = Q()
        for key, value in sent.items():
            where = f"{path}.{key}"
            self.conditions += 1
            if self.conditions > MOST_CONDITIONS:
                raise ValidationError(
                    {"filter": f"A filter has at most {MOST_CONDITIONS} conditions."}
                )
            if key in ("$and", "$or"):
                found &= self._joined(value, where, key)
            elif key == "$not":
                parts = value if isinstance(value, list) else [value]
                for part in parts:
                    found &= ~self.read(part, where)
            else:
                found &= self._of_field(self._field(key, path), value, where)
        return found

    def _joined(self, value: Any, path: str, how: str) -> Q:
        if not isinstance(value, list) or not value:
            raise ValidationError({path: "This is a list of filters."})
        found = self.read(value[0], path)
        for part in value[1:]:
            more = self.read(part, path)
            found = found & more if how == "$and" else found | more
        return found

    def _field(self, name: Any, path: str) -> Field:
        known = self.fields.get(name) if isinstance(name, str) else None
        if known is None:
            raise ValidationError(
                {path: f"One can ask about {', '.join(sorted(self.fields))}."}
            )
        self.names.add(name)
        return known

    def _of_field(self, known: Field, value: Any, path: str) -> Q:
        if not isinstance(value, dict):
            return self._compare(known, "$eq", value, path)
        found = Q()
        for operator, operand in value.items():
            found &= self._compare(known, operator, operand, path)
        return found

    def _compare(self, known: Field, operator: str, operand: Any, path: str) -> Q:
        try:
            return _condition(known, operator, operand)
        except ValueError as error:
            raise ValidationError({path: str(error)}) from None

    def order(
        self, sent: Any, default: Sequence[tuple[str, bool]]
    ) -> list[tuple[str, bool]]:
        """Return columns with whether they fall; the key decides between equals."""
        if not isinstance(sent, list) or len(sent) > MOST_SORTS:
            raise ValidationError({"sort": f"Give at most {MOST_SORTS} fields."})
        found = []
        for place, item in enumerate(sent):
            path = f"sort[{place}].fieldName"
            name = item.get("fieldName") if isinstance(item, dict) else None
            known = self._field(name, path)
            if not known.sortable:
                raise ValidationError({path: f"One cannot sort by {name}."})
            order = item.get("order") or "ASC"
            if order not in ("ASC", "DESC"):
                raise ValidationError({f"sort[{place}].order": "ASC or DESC."})
            found.append((known.column, order == "DESC"))
        found = found or list(default)
        return [*found, ("pk", found[-1][1] if found else False)]


RANGES: Final = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}


def _condition(known: Field, operator: str, operand: Any) -> Q:
    """Return the condition of one operator; it is true or false, never unknown."""
    missing = known.missing or Q(pk__in=[])
    if operator == "$exists":
        if not isinstance(operand, bool):
            raise ValueError("$exists is true or false.")
        return ~missing if operand else missing
    if operator in ("$ne", "$nin"):
        return ~_condition(known, "$eq" if operator == "$ne" else "$in", operand)
    if operator == "$eq":
        return _among(known, [operand], missing)
    if operator in ("$in", "$hasSome"):
        if not isinstance(operand, list) or len(operand) > MOST_VALUES:
            raise ValueError(f"Give a list of at most {MOST_VALUES} values.")
        return _among(known, operand, missing)
    if operator == "$startsWith" and known.parse is text:
        return Q(**{f"{known.column}__startswith": text(operand)}) & ~missing
    if operator in RANGES and known.sortable:
        lookup = f"{known.column}__{RANGES[operator]}"
        return Q(**{lookup: known.parse(operand)}) & ~missing
    raise ValueError("One cannot ask about this in that way.")


def _among(known: Field, operands: list[Any], missing: Q) -> Q:
    values = [known.parse(value) for value in operands if value is not None]
    found = Q(**{f"{known.column}__in": values}) & ~missing
    return found | missing if None in operands else found


# Answering


def matching_rows(rows: QuerySet, query: Query, fields: Fields) -> QuerySet:
    """Return the rows that a query's filter keeps."""
    for name in sorted(query.names):
        if (made_of := fields[name].made_of) is not None:
            rows = rows.annotate(**{fields[name].column: made_of})
    return rows.filter(query.where)


def page(
    rows: QuerySet, query: Query, fields: Fields, *, owner: str
) -> tuple[Any, Any]:
    """Return the rows of one page, and the vendor's words on those around it."""
    rows = matching_rows(rows, query, fields)
    sort = [(column, falls != query.backwards) for column, falls in query.sort]
    if query.place is not None:
        rows = rows.filter(_beyond(sort, query.place))
    ordering = [
        F(column).desc() if falls else F(column).asc() for column, falls in sort
    ]
    found = list(rows.order_by(*ordering)[: query.limit + 1])
    more = len(found) > query.limit
    found = found[: query.limit]
    if query.backwards:
        found.reverse()
    has_next = bool(found) if query.backwards else more
    has_previous = more if query.backwards else query.place is not None
    cursors = {}
    if has_next:
        cursors["next"] = _cursor(query, found[-1], owner, backwards=False)
    if has_previous and found:
        cursors["prev"] = _cursor(query, found[0], owner, backwards=True)
    return found, {"count": len(found), "cursors": cursors, "hasNext": has_next}


def _cursor(query: Query, row: Any, owner: str, *, backwards: bool) -> str:
    place = [_kept(_value(row, column)) for column, _falls in query.sort]
    kept = {
        "owner": owner,
        "query": query.carried,
        "place": place,
        "backwards": backwards,
    }
    return signing.dumps(kept, salt=SALT, compress=True)


def _value(row: Any, column: str) -> Any:
    for name in column.split("__"):
        row = getattr(row, name)
    return row


def _kept(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _beyond(sort: Sequence[tuple[str, bool]], place: Sequence[Any]) -> Q:
    """Return the condition that a row comes after a place in an order."""
    found, equal = Q(), Q()
    for (column, falls), value in zip(sort, place, strict=True):
        found |= equal & Q(**{f"{column}__{'lt' if falls else 'gt'}": value})
        equal &= Q(**{column: value})
    return found
