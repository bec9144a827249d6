"""What beat runs: scheduled change sets, and the e-mails of notices."""

from celery import shared_task
from django.utils import timezone

from . import notices, schedule


@shared_task(name="approvals.go_live")
def go_live() -> dict[str, int]:
    return schedule.go_live_due(as_of=timezone.now())


@shared_task(name="approvals.send_notices")
def send_notices() -> dict[str, int]:
    return {"sent": notices.deliver(as_of=timezone.now())}
