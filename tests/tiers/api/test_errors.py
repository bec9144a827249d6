from collections.abc import Iterator

import pytest

from approvals.errors import InvalidTransition, Refused
from tiers.api import errors


def refusals(kind: type[Refused] = Refused) -> Iterator[type[Refused]]:
    for narrower in kind.__subclasses__():
        yield narrower
        yield from refusals(narrower)


@pytest.mark.parametrize("kind", [*refusals()], ids=lambda kind: kind.__name__)
def test_every_refusal_has_a_status(kind):
    if kind.__module__.startswith("tiers.api.") and kind not in errors.STATUSES:
        return  # a voice's own, which it words by itself
    named = [k for k in kind.__mro__ if k in errors.STATUSES and k is not Refused]
    assert named, "Say in tiers/api/errors.py what this means over HTTP."


def test_a_refusal_without_a_line_of_its_own_has_that_of_its_kind():
    class Odd(InvalidTransition):
        """For this test only."""

    assert errors.status_of(Odd("Not now.")) == 409
    assert errors.status_of(Refused("No.")) == 400
