"""Real purchase histories for the demo: the customers of CDNOW, 1997 to 1998.

The file holds whole days and whole cents, so totals are exact. Its source and licence
are in ``data/README.md``. The purchases are old; ``shift_weeks`` says how far to move
them so that they end this week and every purchase keeps its day of the week.
"""

import csv
import lzma
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

PATH = Path(__file__).with_name("data") / "cdnow.csv.xz"
LAST_DAY = date(1998, 6, 30)


class Purchase(NamedTuple):
    """One purchase by one customer; a customer may have several on one day."""

    customer: int
    day: date
    cds: int
    cents: int


def purchases() -> Iterator[Purchase]:
    """Read all purchases, by customer and then by day."""
    with lzma.open(PATH, "rt", encoding="ascii", newline="") as file:
        rows = csv.reader(file)
        next(rows)  # the header
        for customer, day, cds, cents in rows:
            yield Purchase(int(customer), date.fromisoformat(day), int(cds), int(cents))


def shift_weeks(today: date) -> int:
    """Weeks to add so that the last purchase falls on today or the six days before."""
    return (today - LAST_DAY) // timedelta(weeks=1)
