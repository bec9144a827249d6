"""What beat runs: sealing days that have ended, and ending what has waited too long."""

from celery import shared_task
from django.utils import timezone

from . import points
from .models import Program


@shared_task(name="loyalty.seal_ledgers")
def seal_ledgers() -> dict[str, int]:
    now = timezone.now()
    programs = Program.objects.order_by("pk")
    return {"sealed": sum(points.seal_due(program, at=now) for program in programs)}


@shared_task(name="loyalty.expire_pending_requests")
def expire_pending_requests() -> dict[str, int]:
    return {"expired": points.expire_pending(timezone.now())}
