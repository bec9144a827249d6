"""How often a test repeats what it proves."""

import os

#: What part of the long counts ``make proof`` takes: CI, which has minutes, a share.
SHARE = float(os.environ.get("PROOF_SHARE") or 1)


def count(small: int, full: int) -> int:
    """Return ``small`` in every-day runs and ``full`` under ``make proof``."""
    return full if os.environ.get("PROOF") == "1" else small


def long_count(small: int, full: int) -> int:
    """Return as ``count`` does, for what takes many minutes at full: a share of it
    where ``PROOF_SHARE`` says so."""
    return max(small, round(count(small, full) * SHARE))
