"""System check: the database has exactly the triggers that this code expects."""

from typing import Any

from django.core import checks
from django.db import connections

from . import triggers
from .models import ChangeSet


def register() -> None:
    checks.register(triggers_are_in_place, checks.Tags.database)


def triggers_are_in_place(
    app_configs: Any, databases: Any = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    messages: list[checks.CheckMessage] = []
    for alias in databases or []:
        connection = connections[alias]
        if ChangeSet._meta.db_table not in connection.introspection.table_names():
            continue
        messages += [
            checks.Error(
                problem,
                hint="Run `python manage.py migrate`, which installs the triggers.",
                id="approvals.E001",
            )
            for problem in triggers.differences(connection)
        ]
    return messages
