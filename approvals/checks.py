"""System checks: the triggers that this code expects, and who holds two roles."""

from typing import Any

from django.core import checks
from django.db import connections

from . import roles, triggers
from .models import ChangeSet


def register() -> None:
    checks.register(triggers_are_in_place, checks.Tags.database)
    checks.register(roles_are_kept_apart, checks.Tags.database)


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


def roles_are_kept_apart(
    app_configs: Any, databases: Any = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Warn of people who make changes and review them, as an auditor would."""
    messages: list[checks.CheckMessage] = []
    for alias in databases or []:
        tables = connections[alias].introspection.table_names()
        if ChangeSet._meta.db_table not in tables:
            continue
        names = roles.both().using(alias).values_list("username", flat=True)
        if found := list(names.order_by("username")[:20]):
            messages.append(
                checks.Warning(
                    f"These may make changes and review them: {', '.join(found)}.",
                    hint=(
                        "Nobody approves what they worked on, but two such people can "
                        "approve for each other. Give each of them one role."
                    ),
                    id="approvals.W001",
                )
            )
    return messages
