"""How often a test repeats what it proves."""

import os

#: What part of the full counts ``make proof`` takes: CI, which has minutes, a share.
SHARE = float(os.environ.get("PROOF_SHARE") or 1)


def count(small: int, full: int) -> int:
    """Return ``small`` in every-day runs, and ``full`` or ``PROOF_SHARE`` of it, but
    never fewer than ``small``, under ``make proof``."""
    if os.environ.get("PROOF") != "1":
        return small
    return max(small, round(full * SHARE))
