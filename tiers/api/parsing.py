"""One way of reading bodies: JSON that means the same to whoever reads it.

What RFC 7493 (I-JSON) warns of is refused rather than guessed at: two values under one
key, numbers that are none, text that cannot be stored. So are bodies that cost more
to read than to send: large ones and deep ones.
"""

import json
import math
import re
from typing import Any, Final

from django.conf import settings
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

_UTF_8: Final = ("utf-8", "utf8")
_UNPAIRED: Final = re.compile("[\ud800-\udfff]")
_BOM: Final = b"\xef\xbb\xbf"


class BodyTooLarge(APIException):
    """More was sent than anybody needs to say at once."""

    status_code = 413
    default_code = "too_large"


class StrictJSONParser(BaseParser):
    """Parses a JSON body; a subclass may allow a voice deeper ones."""

    media_type = "application/json"
    max_depth = 8

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Any = None,
    ) -> Any:
        request = (parser_context or {}).get("request")
        self._expect_plain_utf_8(media_type or "", request)
        text = self._decode(self._read(stream, request))
        try:
            value = json.loads(
                text,
                object_pairs_hook=_object,
                parse_constant=_no_constant,
                parse_float=_finite,
            )
        except RecursionError:
            raise self._too_deep() from None
        except json.JSONDecodeError as error:
            raise ParseError(
                f"The body is not JSON: {error.msg.lower()}, in line {error.lineno}, "
                f"column {error.colno}.",
                code="malformed_json",
            ) from None
        except ValueError:
            # Python reads no number of thousands of digits, and says so in its own way.
            raise ParseError(
                "The body holds a number that is too long.", code="malformed_json"
            ) from None
        # Nothing but an escape can put half a surrogate pair or U+0000 into text.
        self._look_into(value, 1, text_too="\\u" in text)
        return value

    def _expect_plain_utf_8(self, media_type: str, request: Request | None) -> None:
        _, parameters = parse_header_parameters(media_type)
        if parameters.get("charset", _UTF_8[0]).lower() not in _UTF_8:
            raise UnsupportedMediaType(
                media_type, detail="Send application/json in UTF-8."
            )
        encoding = request.headers.get("Content-Encoding", "") if request else ""
        if encoding.lower() not in ("", "identity"):
            raise UnsupportedMediaType(
                media_type, detail="Send the body as it is, without Content-Encoding."
            )

    def _read(self, stream: Any, request: Request | None) -> bytes:
        largest = settings.API_LARGEST_BODY
        body: bytes = stream.read(largest + 1)
        if len(body) > largest:
            raise BodyTooLarge(f"The body is too large: at most {largest:,} bytes.")
        return body

    def _decode(self, body: bytes) -> str:
        if body.startswith(_BOM):
            raise ParseError(
                "Send UTF-8 without a byte order mark.", code="malformed_json"
            )
        try:
            return body.decode()
        except UnicodeDecodeError as error:
            raise ParseError(
                f"Send UTF-8: byte {error.start} of the body is none.",
                code="malformed_json",
            ) from None

    def _look_into(self, value: Any, depth: int, *, text_too: bool) -> None:
        """Refuse depth, and text that a database or a reader would stumble over."""
        kind = type(value)
        if kind is dict or kind is list:
            if depth > self.max_depth:
                raise self._too_deep()
            for item in value.values() if kind is dict else value:
                if text_too or type(item) in (dict, list):
                    self._look_into(item, depth + 1, text_too=text_too)
            if text_too and kind is dict:
                for key in value:
                    _expect_storable(key)
        elif kind is str:
            _expect_storable(value)

    def _too_deep(self) -> ParseError:
        return ParseError(
            f"The body is nested too deeply: at most {self.max_depth} levels.",
            code="too_deep",
        )


def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object that was sent, where one has to be.

    REST framework takes a request without a body for an empty object.
    """
    data = request.data
    sent_nothing = not data and request.META.get("CONTENT_LENGTH") in (None, "", "0")
    if sent_nothing or not isinstance(data, dict):
        raise ParseError("Send a JSON object: {…}.", code="malformed_json")
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ParseError(
            f"The key {_shown(twice)} stands there twice.", code="duplicate_key"
        )
    return made


def _no_constant(name: str) -> None:
    raise ParseError(f"{name} is no number in JSON.", code="malformed_json")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ParseError(
            "The body holds a number that is too large.", code="malformed_json"
        )
    return number


def _expect_storable(text: str) -> None:
    if "\0" in text or _UNPAIRED.search(text):
        raise ParseError(
            f"{_shown(text)} holds a character that is no text: U+0000, or half of a "
            "surrogate pair.",
            code="invalid_text",
        )


def _shown(text: str) -> str:
    """Quote somebody's text in a sentence: short, in ASCII, on one line."""
    return json.dumps(text[:40])
