"""Addresses of members and balances, below ``/v3/loyalty/``, and of contacts."""

from . import balances, contacts, definitions, subscriptions, transactions
from .addresses import both

CONFIG = "config/programs/<str:pid>"
BALANCE = "balance/programs/<str:pid>"

routes = [
    *both(f"{CONFIG}/subscriptions", subscriptions.Subscriptions),
    *both(f"{CONFIG}/contact/<str:cid>", subscriptions.OneSubscription),
    *both(f"{CONFIG}/subscription-members", subscriptions.SubscriptionMembers),
    *both(f"{CONFIG}/account-info", subscriptions.AccountInfo),
    *both(f"{BALANCE}/balance-definitions", definitions.Definitions),
    *both(f"{BALANCE}/balance-definitions/<str:bdid>", definitions.OneDefinition),
    *both(f"{BALANCE}/transactions", transactions.BeginTransaction),
    *both(
        f"{BALANCE}/transactions/<str:tid>/complete", transactions.CompleteTransaction
    ),
    *both(f"{BALANCE}/transactions/<str:tid>/cancel", transactions.CancelTransaction),
    *both(f"{BALANCE}/transaction-history", transactions.TransactionHistory),
    *both(f"{BALANCE}/subscriptions/<str:cid>/balances", balances.SubscriptionBalances),
    *both(f"{BALANCE}/subscriptions/<str:cid>/tier", balances.TierProgress),
    *both(f"{BALANCE}/active-balance", balances.ActiveBalances),
    *both(f"{BALANCE}/contact-balances", balances.ContactBalances),
]
#: Below ``/v3/``.
contact_routes = both("contacts", contacts.Contacts)
