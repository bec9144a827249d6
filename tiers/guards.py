"""What the database itself refuses of standings, assignments, events and acts."""

from approvals import triggers

from .models import (
    ManualMove,
    OrderedEvaluation,
    Override,
    Standing,
    TierAssignment,
    TierEvent,
    TierSnapshot,
)


def register() -> None:
    triggers.settable_once(TierAssignment, "superseded_at")
    table = TierAssignment._meta.db_table
    triggers.guard(
        TierAssignment,
        "overlap",
        ("INSERT",),
        f"NEW.superseded_at IS NULL AND EXISTS (SELECT 1 FROM {table} o "
        # The sum keeps a planner without statistics from reading the whole group.
        "WHERE o.member_id = NEW.member_id AND o.group_id + 0 = NEW.group_id "
        "AND o.superseded_at IS NULL "
        "AND (o.valid_until IS NULL OR o.valid_until > NEW.valid_from) "
        "AND (NEW.valid_until IS NULL OR NEW.valid_until > o.valid_from))",
        "A member holds one tier of a group at any instant.",
    )
    triggers.guard(
        Standing, "kept", ("DELETE",), "1 = 1", "Standings are brought up to date."
    )
    triggers.settable_once(TierEvent, "delivered_at", "position")
    triggers.append_only(TierSnapshot)
    triggers.append_only(ManualMove)
    triggers.append_only(OrderedEvaluation)
    _guard_overrides()


def _guard_overrides() -> None:
    """An override is alone while it is in force, and can only be cut short, once."""
    table = Override._meta.db_table
    triggers.guard(
        Override,
        "overlap",
        ("INSERT",),
        f"EXISTS (SELECT 1 FROM {table} o "
        "WHERE o.member_id = NEW.member_id AND o.group_id + 0 = NEW.group_id "
        "AND (o.until IS NULL OR o.until > NEW.at) "
        "AND (NEW.until IS NULL OR NEW.until > o.at))",
        "A member has one override of a group at any instant.",
    )
    fixed = ("member_id", "group_id", "bound", "tier_id", "at", "reason", "made_by_id")
    changed = " OR ".join(f'OLD."{c}" {{distinct}} NEW."{c}"' for c in fixed)
    triggers.guard(
        Override,
        "fixed",
        ("UPDATE",),
        f"{changed} OR OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL "
        "OR NEW.until > OLD.until",
        "An override can be ended before its time, and nothing else.",
    )
    triggers.guard(Override, "kept", ("DELETE",), "1 = 1", "Overrides are kept.")
