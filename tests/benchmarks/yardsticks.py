"""What somebody who knows PostgreSQL would write by hand for this one ledger.

It knows the data by heart: one program with one group and one measure, the zone, the
thresholds, that nobody ever left, that no 29 February is in the window, that no rules
changed. It writes the same rows as the engine, with all triggers and indexes there;
the benchmarks look afterwards and find nothing to mend.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from tests.benchmarks.generator import ZONE
from tiers.models import TierGroup, TierVersion

#: The lines that weigh, and until when. ``{who}`` chooses members.
LINES = f"""
    SELECT e.member_id, e.amount, e.occurred_at AS starts,
           (date_trunc('day', e.window_at AT TIME ZONE '{ZONE}') + interval '12 months')
               AT TIME ZONE '{ZONE}' AS ends
    FROM loyalty_pointsentry e
    LEFT JOIN loyalty_pointsentry o ON o.id = e.reverses_id
    WHERE (e.kind = 'EARN' OR e.kind = 'REVERSAL' AND o.kind = 'EARN') AND {{who}}
"""
#: The same for what weighs now, from which a window can be summed.
IN_WINDOW = f"""
    SELECT * FROM ({LINES}
      AND e.window_at > %(as_of)s::timestamptz - interval '12 months 1 day'
    ) l WHERE starts <= %(as_of)s AND ends > %(as_of)s
"""

ASSIGNMENTS = """
INSERT INTO tiers_tierassignment (
    member_id, group_id, tier_id, valid_from, valid_until, recorded_at, reason, amount,
    threshold, tier_version_id, group_version_id
)
WITH lines AS (SELECT * FROM ({lines}) l WHERE starts < ends),
events AS (
    SELECT member_id, started_at AS at, 0 AS amount FROM loyalty_membership
    UNION ALL SELECT member_id, starts, amount FROM lines
    UNION ALL SELECT member_id, ends, -amount FROM lines WHERE ends <= %(as_of)s
),
course AS (
    SELECT member_id, at,
           sum(amount) OVER (PARTITION BY member_id ORDER BY at) AS amount
    FROM events
),
steps AS (
    SELECT *, {tier} AS tier,
           lag({tier}) OVER (PARTITION BY member_id ORDER BY at) AS before
    FROM course
),
changes AS (
    SELECT *, lead(at) OVER (PARTITION BY member_id ORDER BY at) AS until
    FROM steps WHERE tier IS DISTINCT FROM before
)
SELECT member_id, %(group)s, t.tier_id, at, until, %(as_of)s,
       CASE WHEN before IS NULL THEN 'PLACED' WHEN tier > before THEN 'UPGRADED'
            ELSE 'DOWNGRADED' END,
       amount, t.threshold, t.version, %(version)s
FROM changes JOIN tiers t ON t.rank = changes.tier
"""

STANDINGS = """
INSERT INTO tiers_standing (
    member_id, group_id, tier_id, qualifying_points, since, evaluated_at, ruleset,
    due_at, next_exit_at, drops_at, counted_as_id
)
WITH lines AS ({in_window}),
ahead AS (
    SELECT member_id, ends, sum(amount) OVER (PARTITION BY member_id) AS amount,
           sum(amount) OVER (PARTITION BY member_id ORDER BY ends) AS gone
    FROM lines
),
sums AS (
    SELECT member_id, max(amount) AS amount, min(ends) AS exits,
           min(ends) FILTER (WHERE {tier_left} < {tier}) AS drops
    FROM ahead GROUP BY member_id
)
SELECT a.member_id, %(group)s, a.tier_id, coalesce(s.amount, 0), a.valid_from,
       %(as_of)s, %(ruleset)s, s.exits, s.exits, s.drops, a.tier_id
FROM tiers_tierassignment a LEFT JOIN sums s USING (member_id)
WHERE a.valid_until IS NULL AND a.superseded_at IS NULL
"""

#: Bring some members' standings up to date; say who moved, and when.
RESTAND = """
WITH who AS ({who_now}),
lines AS ({in_window}),
ahead AS (
    SELECT member_id, ends, sum(amount) OVER (PARTITION BY member_id) AS amount,
           sum(amount) OVER (PARTITION BY member_id ORDER BY ends) AS gone
    FROM lines
),
sums AS (
    SELECT member_id, max(amount) AS amount, min(ends) AS exits,
           min(ends) FILTER (WHERE {tier_left} < {tier}) AS drops
    FROM ahead GROUP BY member_id
),
now AS (
    SELECT w.member_id, coalesce(s.amount, 0) AS amount, s.exits, s.drops,
           (SELECT tier_id FROM tiers WHERE rank = {tier_now}) AS tier_id
    FROM who w LEFT JOIN sums s USING (member_id)
),
before AS (
    SELECT s.member_id, s.tier_id FROM tiers_standing s JOIN who USING (member_id)
    WHERE s.group_id = %(group)s
)
UPDATE tiers_standing s
SET qualifying_points = n.amount, tier_id = n.tier_id, evaluated_at = %(as_of)s,
    due_at = n.exits, next_exit_at = n.exits, drops_at = n.drops,
    counted_as_id = n.tier_id,
    since = CASE WHEN s.tier_id = n.tier_id THEN s.since ELSE {moved_at} END
FROM now n JOIN before b USING (member_id)
WHERE s.member_id = n.member_id AND s.group_id = %(group)s
RETURNING s.member_id, b.tier_id AS before, n.tier_id AS after, n.amount, s.since
"""

MOVES = """
WITH moves AS (
    SELECT m.* FROM unnest(
        %(members)s::bigint[], %(tiers)s::bigint[], %(amounts)s::bigint[],
        %(instants)s::timestamptz[]
    ) m (member_id, tier_id, amount, at)
),
gone AS (
    UPDATE tiers_tierassignment a SET superseded_at = %(as_of)s FROM moves m
    WHERE a.member_id = m.member_id AND a.group_id = %(group)s
      AND a.valid_until IS NULL AND a.superseded_at IS NULL
    RETURNING a.*
),
ended AS (
    INSERT INTO tiers_tierassignment (
        member_id, group_id, tier_id, valid_from, valid_until, recorded_at, reason,
        amount, threshold, tier_version_id, group_version_id
    )
    SELECT g.member_id, g.group_id, g.tier_id, g.valid_from, m.at, %(as_of)s, g.reason,
           g.amount, g.threshold, g.tier_version_id, g.group_version_id
    FROM gone g JOIN moves m USING (member_id)
    RETURNING member_id, tier_id
)
INSERT INTO tiers_tierassignment (
    member_id, group_id, tier_id, valid_from, recorded_at, reason, amount, threshold,
    tier_version_id, group_version_id
)
SELECT m.member_id, %(group)s, m.tier_id, m.at, %(as_of)s,
       CASE WHEN t.rank > o.rank THEN 'UPGRADED' ELSE 'DOWNGRADED' END,
       m.amount, t.threshold, t.version, %(version)s
FROM moves m
JOIN ended e USING (member_id)
JOIN tiers t ON t.tier_id = m.tier_id
JOIN tiers o ON o.tier_id = e.tier_id
"""

HISTOGRAM = """
SELECT {tier_of_standing}, count(*) FROM tiers_standing
WHERE group_id = %(group)s GROUP BY 1
"""


@dataclass
class ByHand:
    """The statements with the group's own numbers filled in."""

    group: TierGroup
    as_of: datetime

    def rebuild(self) -> None:
        with connection.cursor() as cursor:
            self._tiers(cursor)
            lines = LINES.format(who="true")
            in_window = IN_WINDOW.format(who="true")
            self._run(cursor, ASSIGNMENTS, lines=lines)
            self._run(cursor, STANDINGS, in_window=in_window)

    def histogram(self) -> dict[int, int]:
        with connection.cursor() as cursor:
            self._run(cursor, HISTOGRAM)
            return dict(cursor.fetchall())

    def marked(self) -> int:
        """Judge who is marked; they earned at the very instant of the mark."""
        who = "SELECT id AS member_id FROM loyalty_member WHERE marked_at IS NOT NULL"
        moved_at = (
            "(SELECT max(occurred_at) FROM loyalty_pointsentry e "
            "WHERE e.member_id = s.member_id)"
        )
        with connection.cursor() as cursor:
            judged = self._judge(cursor, who, moved_at)
            cursor.execute(
                "UPDATE loyalty_member SET marked_at = NULL WHERE marked_at IS NOT NULL"
            )
        return judged

    def due(self) -> int:
        """Judge who is due, all at the same instant."""
        who = (
            "SELECT member_id FROM tiers_standing "
            "WHERE group_id = %(group)s AND due_at <= %(as_of)s"
        )
        with connection.cursor() as cursor:
            return self._judge(cursor, who, "s.due_at")

    def _judge(self, cursor: Any, who: str, moved_at: str) -> int:
        self._tiers(cursor)
        in_window = IN_WINDOW.format(who="e.member_id IN (SELECT member_id FROM who)")
        self._run(cursor, RESTAND, who_now=who, in_window=in_window, moved_at=moved_at)
        rows = cursor.fetchall()
        moves = [row for row in rows if row[1] != row[2]]
        members, _, tiers, amounts, instants = [
            list(column) for column in zip(*moves, strict=True)
        ] or [[]] * 5
        self._run(
            cursor,
            MOVES,
            {
                "members": members,
                "tiers": tiers,
                "amounts": [int(amount) for amount in amounts],
                "instants": instants,
            },
        )
        return len(rows)

    def _tiers(self, cursor: Any) -> None:
        cursor.execute(
            "CREATE TEMP TABLE IF NOT EXISTS tiers "
            "(rank int, tier_id bigint, version bigint, threshold bigint)"
        )
        cursor.execute("TRUNCATE tiers")
        versions = TierVersion.objects.live().filter(tier__group=self.group)
        for rank, version in enumerate(sorted(versions, key=_threshold)):
            cursor.execute(
                "INSERT INTO tiers VALUES (%s, %s, %s, %s)",
                [rank, version.tier_id, version.pk, version.threshold],
            )
        cursor.execute("ANALYZE tiers")

    def _run(
        self,
        cursor: Any,
        statement: str,
        more: dict[str, Any] | None = None,
        **parts: str,
    ) -> None:
        versions = TierVersion.objects.live().filter(tier__group=self.group)
        thresholds = sorted(v.threshold for v in versions if v.threshold is not None)

        def rank(amount: str) -> str:
            return " + ".join(f"({amount} >= {t:.0f})::int" for t in thresholds)

        parts |= {
            "tier": f"({rank('amount')})",
            "tier_left": f"({rank('amount - gone')})",
            "tier_of_standing": rank("qualifying_points"),
            "tier_now": f"({rank('coalesce(s.amount, 0)')})",
        }
        values = {
            "as_of": self.as_of,
            "group": self.group.pk,
            "ruleset": self.group.ruleset,
            "version": self.group.versions.live().get().pk,
        }
        cursor.execute(statement.format(**parts), values | (more or {}))


def _threshold(version: TierVersion) -> int:
    return -1 if version.threshold is None else int(version.threshold)
