"""What beat runs: the tick, runs over all members, and the check of counts."""

from celery import shared_task
from django.utils import timezone

from . import assignment, counts, runs

#: Well below Celery's limit for a task; what is left, the next one takes up.
SECONDS = 180


@shared_task(name="tiers.recalculate")
def recalculate() -> dict[str, int]:
    report = assignment.tick(as_of=timezone.now())
    return {"members": report.members, "moved": report.moved}


@shared_task(name="tiers.work_on_runs")
def work_on_runs() -> dict[str, int]:
    """Carry out open runs; any number of workers at once take pieces of them."""
    still_open = runs.work_on_all(seconds=SECONDS)
    if still_open:
        assignment.nudge()
    return {"open": still_open}


@shared_task(name="tiers.refresh_customer_counts")
def refresh_customer_counts() -> dict[str, int]:
    return {"programs": counts.refresh_all()}
