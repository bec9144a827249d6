"""ETags: nothing is sent twice, and nobody's change is overwritten unseen.

An answer's ETag is the hash of its body, so it names exactly what was read. A read
with ``If-None-Match`` gets 304 while that is still so; a write with ``If-Match`` gets
412 once it is not.
"""

import hashlib
from typing import Any

from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from .refusals import PreconditionFailed, PreconditionRequired


class PlainRenderer(JSONRenderer):
    """JSON in its one form, so that what is equal has equal ETags."""

    def get_indent(self, accepted_media_type: str, renderer_context: Any) -> None:
        return None


def etag_of(data: Any) -> str:
    """Return the ETag of an answer with this body."""
    return _etag(PlainRenderer().render(data))


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def expect_match(request: Request, current: Any) -> None:
    """Refuse a write unless its If-Match names ``current``, as it would be sent now.

    What is written after this still has to be what was looked at here: verbs compare
    revisions, or fingerprints, in the statement or under the lock that writes.
    """
    sent = request.headers.get("If-Match")
    if sent is None:
        raise PreconditionRequired
    named = parse_etags(sent)
    if named != ["*"] and etag_of(current) not in named:
        raise PreconditionFailed


class Conditional:
    """Puts ETags on answers, and answers 304; goes before ``APIView``."""

    def finalize_response(
        self, request: Any, response: Any, *args: Any, **kwargs: Any
    ) -> Any:
        response = super().finalize_response(  # type: ignore[misc]
            request, response, *args, **kwargs
        )
        if not isinstance(response, Response) or response.status_code not in (200, 201):
            return response
        # Now rather than later: the ETag is of the very bytes.
        response.render()
        etag = _etag(response.content)
        response.headers["ETag"] = etag
        if request.method not in ("GET", "HEAD"):
            return response
        response.headers["Cache-Control"] = "private, no-cache"
        return get_conditional_response(request._request, etag, None, response)
