"""Triggers: what must hold even against raw SQL, on SQLite and PostgreSQL.

* A version starts as a draft, moves only as ``TRANSITIONS`` allows, says the same
  thing for ever once submitted, is never deleted, and goes live only with a
  decision on exactly what it says: approved by somebody who had no hand in any
  version of its change set, or waived while its program asks for no approval.
* What was submitted, who had a hand in it, decisions, audit events and whatever
  other tables register here are append-only.
* A change set takes no items once it is decided on, is decided on by nobody who had
  a hand in it, is closed once and keeps what it was closed on.

They are installed after every ``migrate`` (on SQLite they are away while it runs)
and compared with the catalogue by a system check. The owner of a database can always
disable them; ``INSERT OR REPLACE`` on SQLite fires them because
``recursive_triggers`` is on for every connection (see settings).
"""

from .catalogue import Guard, append_only, guard, guards, settable_once
from .database import (
    differences,
    install,
    install_after_migrate,
    remove_before_migrate,
    statements,
    uninstall,
)

__all__ = [
    "Guard",
    "append_only",
    "differences",
    "guard",
    "guards",
    "install",
    "install_after_migrate",
    "remove_before_migrate",
    "settable_once",
    "statements",
    "uninstall",
]
