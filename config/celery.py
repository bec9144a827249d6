"""The Celery application; its settings are the ``CELERY_`` ones of Django's."""

import os
from typing import Any

from billiard.process import current_process
from celery import Celery
from celery.signals import beat_embedded_init

from .children import die_with

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("tierwright")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@beat_embedded_init.connect
def end_beat_with_its_worker(**kwargs: Any) -> None:
    # With -B, beat is a process of its own; a killed worker would leave it behind. Its
    # present parent would not do: the worker may have been killed a moment ago.
    die_with(current_process()._parent_pid)  # type: ignore[attr-defined]
