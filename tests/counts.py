"""How often a test repeats what it proves."""

import os


def count(small: int, full: int) -> int:
    """Return ``small`` in every-day runs and ``full`` under ``make proof``."""
    return full if os.environ.get("PROOF") == "1" else small
