"""Addresses about members, and about what happens to them."""

from typing import Any, Final

from . import (
    activities,
    by_hand,
    entries,
    member_reads,
    members,
    postings,
    runs,
    standing,
    tier_counts,
)

#: Prefix, endpoint and the first word of its operation ids.
ROUTES: Final[tuple[tuple[str, Any, str], ...]] = (
    ("members", members.Members, "members"),
    ("members", member_reads.MemberReads, "member"),
    ("standings", standing.Standings, "standings"),
    ("assignments", standing.Assignments, "assignments"),
    ("tier-changes", standing.TierChanges, "tier-changes"),
    ("tier-counts", tier_counts.TierCounts, "tier-counts"),
    ("entries", entries.Entries, "entries"),
    ("activities", activities.Activities, "activities"),
    ("postings", postings.Postings, "postings"),
    ("moves", by_hand.Moves, "moves"),
    ("overrides", by_hand.Overrides, "overrides"),
    ("evaluations", by_hand.Evaluations, "evaluations"),
    ("runs", runs.Runs, "runs"),
    ("audit-events", runs.AuditEvents, "audit-events"),
)
