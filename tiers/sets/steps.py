"""What a step writes: the standing, and where it moves, the intervals on both sides."""

from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from loyalty.rows import Command

from ..ladder import Ladder
from ..models import Standing, TierAssignment, TierGroup
from .statements import LOWEST, dropping, values_of

_STANDING = Standing._meta.db_table
_ASSIGNMENT = TierAssignment._meta.db_table


class Step(NamedTuple):
    """Where a member stands after a step."""

    group: TierGroup
    member: int
    standing: int
    as_of: datetime
    amount: int
    due_at: datetime | None
    next_exit_at: datetime | None
    tier: int | None
    since: datetime | None
    counted_as: int | None


def standing(step: Step, ladder: Ladder, least: int | None) -> Command:
    """Return what writes a standing, once the lines are written.

    ``least`` is what keeps the tier, which says when it will be lost; without it that
    stays as it was.
    """
    values: dict[str, Any] = step._asdict()
    drops_at = "drops_at"
    if least is not None:
        drops_at = "NULL"
        if least > LOWEST and ladder.measure.kind == "WINDOW":
            # Only what is in the window now can leave it.
            current = replace(ladder, starts_at=step.as_of)
            values |= values_of([current], [step.member], step.as_of, ())
            values["least"] = least
            drops_at = f"({dropping(ladder.measure, ladder.zone)})"
    return Command(
        f"""
UPDATE {_STANDING} SET
    tier_id = %(tier)s, since = %(since)s, qualifying_points = %(amount)s,
    evaluated_at = %(as_of)s, due_at = %(due_at)s, next_exit_at = %(next_exit_at)s,
    counted_as_id = %(counted_as)s, drops_at = {drops_at}
WHERE id = %(standing)s""",
        values,
    )


def ending(step: Step, at: datetime) -> Command:
    """Return what ends the interval that has no end, by superseding it."""
    return Command(
        f"""
WITH gone AS (
    UPDATE {_ASSIGNMENT} SET superseded_at = %(as_of)s
    WHERE member_id = %(member)s AND group_id = %(group)s
      AND superseded_at IS NULL AND valid_until IS NULL
    RETURNING *
)
INSERT INTO {_ASSIGNMENT} (
    member_id, group_id, recorded_at, tier_id, valid_from, valid_until, reason, amount,
    threshold, tier_version_id, group_version_id
)
SELECT member_id, group_id, %(as_of)s, tier_id, valid_from, %(at)s, reason, amount,
       threshold, tier_version_id, group_version_id
FROM gone""",
        step._asdict() | {"group": step.group.pk, "at": at},
    )
