from typing import Any

from django.core.management.commands import migrate


class Command(migrate.Command):
    def check(self, *args: Any, databases: Any = None, **kwargs: Any) -> None:
        """Check all but the database: its triggers are what this command installs."""
        super().check(*args, **kwargs)
