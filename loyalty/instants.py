"""Reading instants from PostgreSQL, some of which every statement brings back.

The driver's own loader for text is compiled; the one that Django puts in its place,
for time zones other than the connection's, is Python and takes twenty times as long.
Our connections speak UTC, which the standard library reads at once.
"""

from datetime import UTC, datetime
from typing import Any


def read_fast(connection: Any, **_: Any) -> None:
    """Have a new connection read instants in UTC by the standard library."""
    if connection.vendor != "postgresql" or connection.timezone is not UTC:
        return
    from django.db.backends.postgresql import psycopg_any

    class Loader(psycopg_any.BaseTzLoader):
        #: By this Django knows that the loader suits the connection.
        timezone = UTC

        def load(self, data: Any) -> datetime:
            text = bytes(data)
            if text.endswith(b"+00"):
                try:
                    return datetime.fromisoformat(text.decode())
                except ValueError:
                    # Infinity, or a year that has no four digits.
                    pass
            return super(psycopg_any.BaseTzLoader, self).load(data).astimezone(UTC)

    connection.connection.adapters.register_loader("timestamptz", Loader)
