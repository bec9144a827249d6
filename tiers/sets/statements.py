"""The statements of judging in sets, made of a group's ladders.

Rules become arrays of bounds and rungs that are written into the text, which is made
once for a group; members, instants and the calendar are parameters.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.utils import timezone

from loyalty.models import Member, Membership, PointsEntry

from .. import ladder as rules
from ..ladder import Ladder, Measure
from ..models import Standing, TierAssignment
from .calendar import calendar, calendar_text

#: Below every amount: the bound of the base tier.
LOWEST = -(2**63)
Ids = Sequence[int] | range

_ENTRY = PointsEntry._meta.db_table
_MEMBER = Member._meta.db_table
_MEMBERSHIP = Membership._meta.db_table
_STANDING = Standing._meta.db_table
_ASSIGNMENT = TierAssignment._meta.db_table

#: What a qualifying line is: one of these kinds, or the reversal of one.
_QUALIFIES = f"""(e.kind = ANY(%(qualifying)s) OR (e.kind = 'REVERSAL' AND
        (SELECT o.kind FROM {_ENTRY} o WHERE o.id = e.reverses_id)
        = ANY(%(qualifying)s)))"""


def values_of(
    ladders: Sequence[Ladder], ids: Ids, as_of: datetime, excluding: Sequence[int]
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "as_of": as_of,
        "qualifying": sorted(rules.QUALIFYING),
        "excluding": list(excluding),
    }
    if isinstance(ids, range):
        values |= {"first": ids.start, "last": ids.stop - 1}
    else:
        values |= {"ids": list(ids)}
    # Nothing is posted for later than now; the past can be asked about.
    last = max(as_of, timezone.now()).date() + timedelta(days=2)
    for number, basis in enumerate(_bases(ladders)):
        measure, zone = basis
        values[f"balance_{number}"] = measure.balance
        if measure.kind == "WINDOW":
            # What left before the first rules were in force weighs in none.
            months = measure.months or 12
            first = ladders[0].starts_at.date() - timedelta(days=31 * months + 31)
            texts = calendar_text(zone, measure.months, first, last)
            values[f"days_{number}"], values[f"exits_{number}"] = texts
            values[f"since_{number}"] = calendar(zone, measure.months, first, last)[0][
                0
            ]
    return values


def _bases(ladders: Sequence[Ladder]) -> list[tuple[Measure, str]]:
    """Return what ladders weigh lines by; most of the time, all by the same."""
    return list(dict.fromkeys((ladder.measure, ladder.zone) for ladder in ladders))


@lru_cache(maxsize=64)
def judging(ladders: tuple[Ladder, ...], is_range: bool) -> str:
    # The sums keep a planner without statistics from reading the whole group.
    standing = f"s.group_id + 0 = %(group)s AND {_chosen('s.member_id', is_range)}"
    known = (
        f"a.group_id + 0 = %(group)s AND {_chosen('a.member_id', is_range)} "
        "AND a.superseded_at IS NULL"
    )
    return f"""
WITH {_course(ladders, is_range)},
changes AS (
    SELECT member_id, at, ordinal, reached, amount,
           lead(at) OVER (PARTITION BY member_id ORDER BY part, at) AS until,
           CASE WHEN at > part THEN
                    CASE WHEN reached > coalesce(reached_before, 0)
                         THEN 'UPGRADED' ELSE 'DOWNGRADED' END
                WHEN is_first THEN 'PLACED' ELSE 'RULES_CHANGED' END AS reason
    FROM steps
    WHERE at <= %(as_of)s AND tier IS DISTINCT FROM tier_before
),
wanted AS MATERIALIZED (
    SELECT member_id, {_of_rung(ladders, "tier")} AS tier_id, at, until, reason, amount,
           {_of_rung(ladders, "threshold")} AS threshold,
           {_of_rung(ladders, "version")} AS version,
           {_of_ladder(ladders)} AS group_version
    FROM changes
    WHERE reached > 0 AND (until IS NULL OR until > at)
),
stored AS MATERIALIZED (
    SELECT a.* FROM {_ASSIGNMENT} a WHERE {known}
),
gone AS (
    UPDATE {_ASSIGNMENT} a SET superseded_at = %(as_of)s
    WHERE {known} AND NOT EXISTS (
        SELECT 1 FROM wanted w WHERE {_same("a")}
    )
    RETURNING a.id
),
added AS (
    INSERT INTO {_ASSIGNMENT} (
        member_id, group_id, tier_id, valid_from, valid_until, recorded_at, reason,
        amount, threshold, tier_version_id, group_version_id
    )
    SELECT w.member_id, %(group)s, w.tier_id, w.at, w.until, %(as_of)s, w.reason,
           w.amount, w.threshold, w.version, w.group_version
    FROM wanted w
    -- Counted first: what was held has to end before something else can begin.
    WHERE (SELECT count(*) FROM gone) >= 0 AND NOT EXISTS (
        SELECT 1 FROM stored s WHERE {_same("s")}
    )
    RETURNING id
),
now AS MATERIALIZED (
    SELECT m.id AS member_id, w.tier_id, w.at AS since, coalesce(c.amount, 0)::bigint AS amount,
           nullif(least(c.due_at, p.due_at), 'infinity') AS due_at,
           c.next_exit_at, c.drops_at
    FROM {_MEMBER} m
    LEFT JOIN coming c ON c.member_id = m.id
    LEFT JOIN (
        SELECT member_id, min(CASE WHEN starts > %(as_of)s THEN starts
                                   WHEN ends > %(as_of)s THEN ends END) AS due_at
        FROM parts GROUP BY member_id
    ) p ON p.member_id = m.id
    LEFT JOIN wanted w ON w.member_id = m.id AND w.until IS NULL
    WHERE m.program_id = %(program)s AND {_chosen("m.id", is_range)}
),
before AS MATERIALIZED (
    SELECT s.* FROM {_STANDING} s WHERE {standing}
),
moved AS (
    UPDATE {_STANDING} s
    SET tier_id = n.tier_id, qualifying_points = n.amount, since = n.since,
        evaluated_at = %(as_of)s, ruleset = %(ruleset)s, due_at = n.due_at,
        next_exit_at = n.next_exit_at, drops_at = n.drops_at, term_ends_at = NULL
    FROM now n
    WHERE {standing} AND n.member_id = s.member_id AND (
        s.tier_id, s.qualifying_points, s.since, s.ruleset, s.due_at,
        s.next_exit_at, s.drops_at, s.term_ends_at
    ) IS DISTINCT FROM (
        n.tier_id, n.amount, n.since, %(ruleset)s, n.due_at, n.next_exit_at, n.drops_at,
        NULL::timestamptz
    )
    RETURNING s.id
),
placed AS (
    INSERT INTO {_STANDING} (
        member_id, group_id, tier_id, qualifying_points, since, evaluated_at, ruleset,
        due_at, next_exit_at, drops_at
    )
    SELECT n.member_id, %(group)s, n.tier_id, n.amount, n.since, %(as_of)s, %(ruleset)s,
           n.due_at, n.next_exit_at, n.drops_at
    FROM now n LEFT JOIN before b ON b.member_id = n.member_id
    WHERE b.member_id IS NULL
    RETURNING id
)
SELECT m.*, (SELECT count(*) FROM gone), (SELECT count(*) FROM added),
       (SELECT count(*) FROM moved) + (SELECT count(*) FROM placed)
FROM (SELECT 1) always LEFT JOIN (
    SELECT n.member_id, b.tier_id AS before, n.tier_id AS after
    FROM now n LEFT JOIN before b ON b.member_id = n.member_id
    WHERE n.tier_id IS DISTINCT FROM b.tier_id
) m ON true
"""


def counting(ladder: Ladder) -> str:
    reached = _reached((ladder,), "s.qualifying_points")
    return f"""
WITH counted AS (
    SELECT {reached} AS reached, count(*) AS members FROM {_STANDING} s
    WHERE s.group_id = %(group)s
      -- Who is counted somewhere is active and there; the few others are looked up.
      AND (s.counted_as_id IS NOT NULL OR s.member_id IN (
          SELECT m.id FROM {_MEMBER} m
          JOIN {_MEMBERSHIP} i ON i.member_id = m.id
          WHERE m.program_id = %(program)s AND m.status = 'ACTIVE'
            AND i.started_at <= %(as_of)s
            AND (i.ended_at IS NULL OR i.ended_at > %(as_of)s)
      ))
    GROUP BY 1
)
SELECT {_of_rung((ladder,), "tier")}, members FROM counted
"""


def _same(stored: str) -> str:
    """SQL: whether a stored assignment says all that a wanted one does."""
    return (
        f"w.member_id = {stored}.member_id AND w.tier_id = {stored}.tier_id "
        f"AND w.at = {stored}.valid_from "
        "AND (w.until, w.reason, w.amount, w.threshold, w.version, w.group_version) "
        f"IS NOT DISTINCT FROM ({stored}.valid_until, {stored}.reason, {stored}.amount, "
        f"{stored}.threshold, {stored}.tier_version_id, {stored}.group_version_id)"
    )


@lru_cache(maxsize=64)
def dropping(measure: Measure, zone: str) -> str:
    ladder = Ladder(datetime.min, zone, 0, measure, ())
    return f"""
SELECT min(ends) FROM (
    SELECT ends, %(amount)s - sum(amount) OVER (ORDER BY ends) AS left_over
    FROM ({_lines((ladder,), False)}) l
    WHERE starts <= %(as_of)s AND ends > %(as_of)s
) ahead WHERE left_over < %(least)s
"""


def _course(ladders: tuple[Ladder, ...], is_range: bool) -> str:
    """SQL: ``parts``, ``lines``, ``events``, ``course``, ``steps`` and ``coming``."""
    return f"""
parts AS MATERIALIZED (
    SELECT m.member_id, l.ordinal, l.basis,
           greatest(m.started_at, l.starts_at) AS starts,
           least(m.ended_at, l.ends_at) AS ends,
           l.ordinal = 0 OR l.starts_at <= m.started_at AS is_first,
           m.ended_at <= l.ends_at AND m.ended_at <= %(as_of)s AS leaves
    FROM (
        SELECT member_id, started_at, coalesce(ended_at, 'infinity') AS ended_at
        FROM {_MEMBERSHIP} WHERE {_chosen("member_id", is_range)}
    ) m
    JOIN (VALUES {_ladder_rows(ladders)}) l (ordinal, basis, starts_at, ends_at)
    ON l.starts_at < m.ended_at AND m.started_at < l.ends_at
),
lines AS ({_lines(ladders, is_range)}),
events AS (
    -- Each part begins with an event of its own, and leaving ends the last one.
    SELECT member_id, starts AS part, ordinal, is_first, starts AS at, 0::bigint AS delta,
           ends > %(as_of)s AS is_open, false AS is_exit, false AS is_end
    FROM parts WHERE starts <= %(as_of)s
    UNION ALL
    SELECT member_id, starts, ordinal, is_first, ends, 0, false, false, true
    FROM parts WHERE leaves
    UNION ALL
    SELECT p.member_id, p.starts, p.ordinal, p.is_first, e.at, e.delta,
           p.ends > %(as_of)s, e.is_exit, false
    FROM parts p JOIN lines l ON l.member_id = p.member_id AND l.basis = p.basis
    CROSS JOIN LATERAL (VALUES
        (greatest(l.starts, p.starts), l.amount, false), (l.ends, -l.amount, true)
    ) e (at, delta, is_exit)
    WHERE p.starts <= %(as_of)s AND l.starts < p.ends AND l.ends > p.starts
      AND (e.at < p.ends OR (e.is_exit AND p.ends > %(as_of)s AND e.at < 'infinity'))
      -- What has not begun is an instant to look at, and weighs nothing yet.
      AND (l.starts <= %(as_of)s OR NOT e.is_exit)
),
course AS (
    SELECT *,
           (sum(CASE WHEN at <= %(as_of)s OR is_exit THEN delta ELSE 0 END)
            OVER running)::bigint AS amount,
           (sum(CASE WHEN at <= %(as_of)s THEN delta ELSE 0 END)
            OVER running)::bigint AS amount_now
    FROM events
    WINDOW running AS (PARTITION BY member_id, part ORDER BY at)
),
reaching AS (
    SELECT *, CASE WHEN is_end THEN 0 ELSE {_reached(ladders, "amount")} END AS reached
    FROM course
),
rungs AS (
    SELECT *, {_of_rung(ladders, "tier")} AS tier FROM reaching
),
steps AS MATERIALIZED (
    SELECT *, lag(tier) OVER ordered AS tier_before,
           lag(reached) OVER ordered AS reached_before
    FROM rungs
    WINDOW ordered AS (PARTITION BY member_id ORDER BY part, at)
),
coming AS (
    SELECT member_id,
           sum(delta) FILTER (WHERE is_open AND at <= %(as_of)s) AS amount,
           min(at) FILTER (WHERE at > %(as_of)s) AS due_at,
           min(at) FILTER (WHERE at > %(as_of)s AND is_exit) AS next_exit_at,
           min(at) FILTER (
               WHERE at > %(as_of)s AND is_exit
                     AND reached < {_reached(ladders, "amount_now")}
           ) AS drops_at
    FROM steps GROUP BY member_id
)"""


def _lines(ladders: tuple[Ladder, ...], is_range: bool) -> str:
    """SQL: what each line weighs, from when and until when, by each basis."""
    found = []
    for number, (measure, _) in enumerate(_bases(ladders)):
        ends = "'infinity'::timestamptz"
        where = [
            _chosen("e.member_id", is_range),
            f"e.balance_definition_id + 0 = %(balance_{number})s",
        ]
        if measure.kind != "CURRENT":
            where.append(_QUALIFIES)
        if measure.kind == "WINDOW":
            ends = (
                f"(%(exits_{number})s::timestamptz[])[width_bucket("
                f"e.window_at, %(days_{number})s::timestamptz[])]"
            )
            where.append(f"e.window_at >= %(since_{number})s")
        found.append(
            f"SELECT e.member_id, {number} AS basis, e.occurred_at AS starts, "
            f"{ends} AS ends, e.amount FROM {_ENTRY} e WHERE {' AND '.join(where)}"
        )
    # A reversal that comes when its original has left takes nothing away.
    return f"SELECT * FROM ({' UNION ALL '.join(found)}) l WHERE starts < ends"


def _chosen(column: str, is_range: bool) -> str:
    chosen = (
        f"{column} BETWEEN %(first)s AND %(last)s"
        if is_range
        else f"{column} = ANY(%(ids)s)"
    )
    return f"{chosen} AND {column} <> ALL(%(excluding)s)"


def _ladder_rows(ladders: tuple[Ladder, ...]) -> str:
    bases = _bases(ladders)
    starts = [f"'{ladder.starts_at.isoformat()}'::timestamptz" for ladder in ladders]
    ends = [*starts[1:], "'infinity'::timestamptz"]
    return ", ".join(
        f"({number}, {bases.index((ladder.measure, ladder.zone))}, {start}, {end})"
        for number, (ladder, start, end) in enumerate(
            zip(ladders, starts, ends, strict=True)
        )
    )


def _reached(ladders: tuple[Ladder, ...], amount: str) -> str:
    """SQL: how many rungs of the ladder in force an amount reaches."""
    return _by_ladder(
        f"width_bucket({amount}, {_array([minimum for minimum, _ in _bounds(ladder)])})"
        if _bounds(ladder)
        else "0"
        for ladder in ladders
    )


def _of_rung(ladders: tuple[Ladder, ...], what: str) -> str:
    """SQL: the tier, the version or the threshold of the rung reached, or null."""

    def values(ladder: Ladder) -> list[int | None]:
        if what == "threshold":
            return [None if low == LOWEST else low for low, _ in _bounds(ladder)]
        return [getattr(rung, what) for _, rung in _bounds(ladder)]

    return _by_ladder(f"({_array(values(ladder))})[reached]" for ladder in ladders)


def _of_ladder(ladders: tuple[Ladder, ...]) -> str:
    return _by_ladder(str(ladder.group_version) for ladder in ladders)


def _by_ladder(expressions: Iterable[str]) -> str:
    expressions = list(expressions)
    if len(set(expressions)) == 1:
        return expressions[0]
    whens = " ".join(f"WHEN {n} THEN {e}" for n, e in enumerate(expressions))
    return f"CASE ordinal {whens} END"


def _array(values: Sequence[int | None]) -> str:
    listed = ",".join("NULL" if value is None else str(value) for value in values)
    return f"'{{{listed}}}'::bigint[]"


def _bounds(ladder: Ladder) -> list[tuple[int, rules.Rung]]:
    return [
        (LOWEST if minimum is None else minimum, rung)
        for minimum, rung in rules.bounds(ladder)
    ]
