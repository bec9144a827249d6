"""What beat runs: the tick, and the count of customers."""

from celery import shared_task
from django.utils import timezone

from . import assignment, counts


@shared_task(name="tiers.recalculate")
def recalculate() -> dict[str, int]:
    report = assignment.tick(as_of=timezone.now())
    return {"members": report.members, "moved": report.moved}


@shared_task(name="tiers.refresh_customer_counts")
def refresh_customer_counts() -> dict[str, int]:
    return {"programs": counts.refresh_all()}
