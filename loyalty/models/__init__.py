"""Who takes part, and what have they earned.

A **program** has **members**, each the enrolment of one **contact**. Members earn
**points entries**, signed lines of an append-only ledger, each on one **balance
definition** (points, purchases, visits, or one of the program's own). A points
request makes every posting safe to repeat.
"""

from .balances import BalanceDefinition, BalanceDefinitionVersion
from .keys import ApiKey, KeyHolder
from .ledger import Balance, LedgerSeal, PointsEntry, PointsRequest
from .members import Contact, HouseholdMember, Member, Membership
from .programs import Program, ProgramLimit, ProgramVersion
from .rewards import Reward

__all__ = [
    "ApiKey",
    "Balance",
    "BalanceDefinition",
    "BalanceDefinitionVersion",
    "Contact",
    "HouseholdMember",
    "KeyHolder",
    "LedgerSeal",
    "Member",
    "Membership",
    "PointsEntry",
    "PointsRequest",
    "Program",
    "ProgramLimit",
    "ProgramVersion",
    "Reward",
]
