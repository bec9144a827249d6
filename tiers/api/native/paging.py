"""Pages that hold still while rows come and go: each begins after a row, not a number.

A cursor names the row that a page begins after and the list that it belongs to. It is
signed, so that nobody writes one, and of use for the list that it was made for only.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from django.core import signing
from django.db.models import F, Q, QuerySet
from rest_framework import pagination
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ..strict import LimitParameter
from .refusals import InvalidQuery

MOST: Final = 200
DEFAULT: Final = 50
PARAMETERS: Final = ("limit", "cursor", "ordering")
# Without a time: the same page has the same cursors, and so the same ETag.
_signer: Final = signing.Signer(salt="tierwright.api.native.cursor")
_BACK: Final = "back"


def invalid(parameter: str, code: str, sentence: str) -> InvalidQuery:
    return InvalidQuery({parameter: [ErrorDetail(sentence, code)]})


class CursorPaging(pagination.BasePagination):
    """Keyset pages of the view's ``orderings``, each with the id as its last word.

    ``orderings`` are {word: name of a column or annotation that is never null, or an
    expression}. The first is the default, unless ``default_ordering`` says another.
    """

    def paginate_queryset(
        self, queryset: Any, request: Request, view: Any = None
    ) -> list[Any]:
        self.request, self.view = request, view
        self.limit = _limit(request)
        self.word, self.descending = _ordering(request, view)
        cursor = self._cursor()
        back = bool(cursor) and cursor[_BACK]
        rows = self._rows(queryset, cursor, back)
        more = len(rows) > self.limit
        rows = rows[: self.limit]
        if back:
            rows.reverse()
        self.next_row = rows[-1] if rows and (more or back) else None
        self.previous_row = (
            rows[0] if rows and (more if back else bool(cursor)) else None
        )
        return rows

    def _rows(
        self, queryset: QuerySet[Any], cursor: dict[str, Any], back: bool
    ) -> list[Any]:
        expression = self.view.orderings[self.word]
        if isinstance(expression, str):
            expression = F(expression)
        queryset = queryset.annotate(sort_key=expression)
        down = self.descending != back
        if cursor:
            way = "lt" if down else "gt"
            value = _unpack(cursor["value"])
            beyond = Q(**{f"sort_key__{way}": value})
            beyond |= Q(sort_key=value, **{f"pk__{way}": cursor["pk"]})
            queryset = queryset.filter(beyond)
        sign = "-" if down else ""
        ordered = queryset.order_by(f"{sign}sort_key", f"{sign}pk")
        return list(ordered[: self.limit + 1])

    # Cursors

    def _cursor(self) -> dict[str, Any]:
        sent = self.request.query_params.get("cursor")
        if sent is None:
            return {}
        sentence = (
            "Take the cursor from “next” or “previous” of this very list, with the "
            "same filters and ordering."
        )
        try:
            cursor: dict[str, Any] = _signer.unsign_object(sent)
        except signing.BadSignature:
            raise invalid("cursor", "invalid_cursor", sentence) from None
        if cursor["list"] != self._list():
            raise invalid("cursor", "invalid_cursor", sentence)
        return cursor

    def _list(self) -> str:
        """Return what a cursor is good for: the address without the page."""
        asked = sorted(
            (name, value)
            for name, value in self.request.query_params.items()
            if name not in ("cursor", "limit")
        )
        text = f"{self.request.path}?{urlencode(asked)}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _link(self, row: Any, *, back: bool) -> str | None:
        if row is None:
            return None
        cursor = {
            "list": self._list(),
            "value": _pack(row.sort_key),
            "pk": row.pk,
            _BACK: back,
        }
        query = self.request.query_params.dict()
        query["cursor"] = _signer.sign_object(cursor, compress=True)
        return self.request.build_absolute_uri(
            f"{self.request.path}?{urlencode(query)}"
        )

    # Answers

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "next": self._link(self.next_row, back=False),
                "previous": self._link(self.previous_row, back=True),
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**link, "description": "The page after this one."},
                "previous": {**link, "description": "The page before this one."},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        words = [f"{sign}{word}" for word in view.orderings for sign in ("", "-")]
        limit = {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT}
        return [
            _parameter("limit", limit, "How many on a page."),
            _parameter(
                "cursor",
                {"type": "string"},
                "From “next” or “previous” of a page; never made by hand.",
            ),
            _parameter(
                "ordering",
                {"type": "string", "enum": words, "default": _default(view)},
                "What comes first; “-” turns the order round.",
            ),
        ]


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


def _limit(request: Request) -> int:
    sent = request.query_params.get("limit")
    if sent is None:
        return DEFAULT
    try:
        return LimitParameter(most=MOST).to_internal_value(sent)
    except ValidationError as error:
        raise InvalidQuery({"limit": error.detail}) from None


def _ordering(request: Request, view: Any) -> tuple[str, bool]:
    orderings: Mapping[str, Any] = view.orderings
    sent = request.query_params.get("ordering", _default(view))
    word = sent.removeprefix("-")
    if word not in orderings:
        raise invalid(
            "ordering",
            "unknown_ordering",
            f"Order by one of: {', '.join(orderings)}; with “-” in front to turn it "
            "round.",
        )
    return word, sent != word


def _default(view: Any) -> str:
    return view.default_ordering or next(iter(view.orderings))


def _pack(value: Any) -> list[Any]:
    match value:
        case datetime():
            return ["instant", value.isoformat()]
        case Decimal():
            return ["decimal", str(value)]
    return ["plain", value]


def _unpack(packed: list[Any]) -> Any:
    kind, value = packed
    match kind:
        case "instant":
            return datetime.fromisoformat(value)
        case "decimal":
            return Decimal(value)
    return value
