"""Verbs on members: enrol, leave, come back, share, edit, upsert, close, erase, find.

What changes whether a person belongs to a program, or from when, marks the member
and has them judged in the same transaction: a newcomer to a program whose tiers work
at once has a place at once.

Locks go the program's groups first, then the contact, then members in the order of
their keys; no verb needs all three.
"""

from .belonging import activate, close, deactivate, leave, rejoin
from .details import Details, details_of, edit
from .enrolling import Person, enrol, enrol_many
from .erasing import erase
from .finding import find, named_by
from .household import share, unshare
from .registering import register
from .upserting import Outcome, Upserted, upsert

__all__ = [
    "Details",
    "Outcome",
    "Person",
    "Upserted",
    "activate",
    "close",
    "deactivate",
    "details_of",
    "edit",
    "enrol",
    "enrol_many",
    "erase",
    "find",
    "leave",
    "named_by",
    "register",
    "rejoin",
    "share",
    "unshare",
    "upsert",
]
