"""How many messages to the database a thing takes: PostgreSQL gets several in one."""

from django.db import connection


def trips(*, sqlite: int, postgresql: int) -> int:
    """Return the number for the engine at hand."""
    return {"sqlite": sqlite, "postgresql": postgresql}[connection.vendor]
