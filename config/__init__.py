"""How Tierwright is put together and run: settings, URLs, Celery, health, ``up``."""

from .celery import app as celery_app

__all__ = ["celery_app"]
