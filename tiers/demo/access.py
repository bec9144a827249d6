"""The demo's API keys: one that may everything, and on request one that may nothing."""

import os
from collections.abc import Iterator
from typing import Any

from loyalty import keys
from loyalty.models import ApiKey
from loyalty.models.keys import Scope

KEY, FORBIDDEN_KEY = "DEMO_API_KEY", "DEMO_FORBIDDEN_API_KEY"
NAME, FORBIDDEN_NAME = "Demo", "Demo, without scopes"


def make_keys(owner: Any) -> Iterator[str]:
    """Make the keys that are missing; yield what to tell, each secret once.

    A key that the environment fixes is made as it says. It is known to whoever reads
    that, which is why the demo is loaded only where DEBUG is on.
    """
    fixed = os.environ.get(KEY, "")
    if not _is_there(NAME, fixed):
        _, secret = keys.make(
            by=owner, name=NAME, owner=owner, scopes=Scope.values, secret=fixed
        )
        yield f"API key, shown this once: {secret}"
    forbidden = os.environ.get(FORBIDDEN_KEY, "")
    if forbidden and not _is_there(FORBIDDEN_NAME, forbidden):
        keys.make(
            by=owner, name=FORBIDDEN_NAME, owner=owner, scopes=[], secret=forbidden
        )
        yield f"{FORBIDDEN_KEY} is a valid key now, without any scope."


def _is_there(name: str, fixed: str) -> bool:
    """Tell whether there is such a key: the fixed one, or any that still works."""
    if fixed:
        return keys.recognise(fixed) is not None
    return ApiKey.objects.filter(name=name, revoked=False).exists()
