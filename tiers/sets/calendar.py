"""When local days begin, and when what was earned on them leaves a window.

The database looks instants up in these lists; it counts no local days by itself.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from loyalty.calendar import first_instant, leaving_day, local_date

DAY = 86_400


@lru_cache(maxsize=64)
def calendar_text(
    zone: str, months: int | None, first: date, last: date
) -> tuple[str, str]:
    """Return the calendar as the database reads it: text that is made once."""
    starts, exits = calendar(zone, months, first, last)
    return _instants(starts), _instants(exits)


def _instants(instants: Sequence[datetime]) -> str:
    return f"{{{','.join(instant.isoformat() for instant in instants)}}}"


@lru_cache(maxsize=64)
def calendar(
    zone: str, months: int | None, first: date, last: date
) -> tuple[list[datetime], list[datetime]]:
    """Return when local days begin, and when lines of each leave their window.

    A day may begin twice: where clocks go back over midnight, its first minutes
    belong to it, then an hour to the day before.
    """
    starts: list[datetime] = []
    exits: list[datetime] = []
    previous = None
    for instant in _midnights(zone, first, last):
        day = local_date(instant, zone)
        if day != previous:
            starts.append(instant)
            leaving = leaving_day(day, months)
            exits.append(first_instant(leaving, zone))
        previous = day
    return starts, exits


def _midnights(zone: str, first: date, last: date) -> list[datetime]:
    """Return the instants at which the local date may change."""
    place = ZoneInfo(zone)

    def offset(second: int) -> int:
        shift = datetime.fromtimestamp(second, place).utcoffset()
        assert shift is not None
        return round(shift.total_seconds())

    begin, end = (
        int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp())
        for d in (first, last)
    )
    found = [begin]
    for second in range(begin, end, DAY):
        before, after = offset(second), offset(second + DAY)
        change = second + DAY
        if before != after:
            early, change = second, second + DAY
            while change - early > 1:
                middle = (early + change) // 2
                if offset(middle) == before:
                    early = middle
                else:
                    change = middle
            found.append(change)
        for shift, low, high in (
            (before, second, change),
            (after, change, second + DAY),
        ):
            midnight = low + -(low + shift) % DAY
            if low < midnight < high or low == midnight > begin:
                found.append(midnight)
    return [datetime.fromtimestamp(second, UTC) for second in sorted(set(found))]
