"""How often a test repeats what it proves."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

#: What part of the full counts ``make proof`` takes: CI, which has minutes, a share.
SHARE = float(os.environ.get("PROOF_SHARE") or 1)
#: Where random histories begin: the same ones again, or with another number others.
SEED = int(os.environ.get("PROOF_SEED") or 0)
FULL = os.environ.get("PROOF") == "1"
#: So many histories are a part of their own: two workers share the parts.
PART = 2_500


def count(small: int, full: int) -> int:
    """Return ``small`` in every-day runs, and ``full`` or ``PROOF_SHARE`` of it, but
    never fewer than ``small``, under ``make proof``."""
    return max(small, round(full * SHARE)) if FULL else small


def whole(small: int, full: int) -> int:
    """Return ``full`` under ``make proof``, whatever the share, and else ``small``."""
    return full if FULL else small


@dataclass(frozen=True)
class Part:
    """Some of the random histories that a test looks at, the same in every run."""

    number: int
    examples: int

    def run(self, check: Callable[..., None], **drawn: st.SearchStrategy[Any]) -> None:
        """Let ``check`` look at all of them; a fault is made as small as it gets."""
        look = seed(self.seed)(plainly(self.examples)(given(**drawn)(check)))
        look()

    @property
    def seed(self) -> int:
        return 1000 * SEED + self.number


def plainly(examples: int, **options: Any) -> settings:
    """Settings for slow checks: nobody is in a hurry, and one fault is enough."""
    return settings(
        max_examples=examples,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        **options,
    )


def in_parts(examples: int, size: int = PART) -> pytest.MarkDecorator:
    """Give a test as ``part`` so many histories at a time, until there are enough."""
    parts = [
        Part(number, min(size, examples - number * size))
        for number in range(-(-examples // size))
    ]
    return pytest.mark.parametrize("part", parts, ids=lambda part: str(part.number))
