"""What holds in the ledger even against raw SQL, on SQLite and PostgreSQL."""

from approvals import triggers
from approvals.models import AuditEvent

from . import adjustments
from .models import ApiKey, Balance, LedgerSeal, PointsEntry, PointsRequest

ENTRIES = PointsEntry._meta.db_table
EVENTS = AuditEvent._meta.db_table

#: How much of line ``o`` other lines have given back or taken back.
_TAKEN = (
    f"COALESCE((SELECT ABS(SUM(r.amount)) FROM {ENTRIES} r "
    "WHERE r.reverses_id = o.id), 0)"
    f" + COALESCE((SELECT SUM(g.amount) FROM {ENTRIES} g "
    "WHERE g.concerns_id = o.id AND g.kind = 'REFUND'), 0)"
)


def register() -> None:
    triggers.append_only(PointsEntry)
    triggers.append_only(LedgerSeal)
    triggers.guard(
        PointsEntry,
        "within_original",
        ("INSERT",),
        # The sums are read for the few lines that have an original, no others.
        "(NEW.reverses_id IS NOT NULL OR NEW.kind = 'REFUND') "
        f"AND NOT EXISTS (SELECT 1 FROM {ENTRIES} o "
        "WHERE o.id = COALESCE(NEW.reverses_id, NEW.concerns_id) "
        "AND o.kind <> 'REVERSAL' AND o.member_id = NEW.member_id "
        "AND o.balance_definition_id = NEW.balance_definition_id "
        "AND ((o.amount >= 0 AND NEW.amount <= 0) "
        "OR (o.amount <= 0 AND NEW.amount >= 0)) "
        "AND (NEW.kind = 'REVERSAL' OR o.kind = 'REDEEM') "
        f"AND ABS(NEW.amount) + {_TAKEN} <= ABS(o.amount))",
        "What is taken back is at most what was posted, and of the same balance.",
    )
    triggers.guard(
        PointsRequest,
        "settled_once",
        ("UPDATE",),
        "OLD.status <> 'PENDING' "
        "OR NEW.status NOT IN ('COMPLETED', 'CANCELLED', 'EXPIRED') OR "
        + " OR ".join(
            f'OLD."{field.column}" {{distinct}} NEW."{field.column}"'
            for field in PointsRequest._meta.concrete_fields
            if field.name not in {"status", "outcome", "settled_at"}
        ),
        "A points request that is settled does not change.",
    )
    triggers.guard(
        PointsRequest,
        "second_person",
        ("UPDATE",),
        f"NEW.status = 'COMPLETED' AND NEW.source = '{adjustments.SOURCE}' "
        f"AND NOT EXISTS (SELECT 1 FROM {EVENTS} e "
        f"WHERE e.kind = '{adjustments.KIND}' AND e.object_id = NEW.id "
        f"AND e.verb = '{adjustments.APPROVED}' AND e.actor_id <> NEW.created_by_id)",
        "An adjustment that waits is posted once somebody else has approved it.",
    )
    triggers.guard(
        PointsRequest, "kept", ("DELETE",), "1 = 1", "Points requests are kept."
    )
    triggers.guard(
        Balance,
        "kept",
        ("DELETE",),
        "1 = 1",
        "Balances are kept: they are the sum of the ledger.",
    )
    triggers.guard(
        ApiKey,
        "as_made",
        ("UPDATE",),
        "(OLD.revoked AND NOT NEW.revoked) OR (OLD.expiry_date IS NOT NULL AND "
        "(NEW.expiry_date IS NULL OR NEW.expiry_date > OLD.expiry_date)) OR "
        + " OR ".join(
            f'OLD."{field.column}" {{distinct}} NEW."{field.column}"'
            for field in ApiKey._meta.concrete_fields
            if field.name not in {"name", "revoked", "expiry_date", "last_used_at"}
        ),
        "An API key stays as it was made: it can only be ended.",
    )
    triggers.guard(ApiKey, "kept", ("DELETE",), "1 = 1", "API keys are kept.")
