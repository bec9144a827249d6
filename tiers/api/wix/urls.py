"""Addresses of Wix's voice, at its host and below ``/_api/``; no slash at the end."""

from typing import Any

from django.urls import URLPattern, URLResolver, include, path

from . import account_views, transactions, views

Routes = list[URLPattern | URLResolver]

COUPONS = (
    "Coupons are not part of this system: points are redeemed where rewards are kept. "
    "Post what was redeemed with the Tierwright API."
)
MY_ACCOUNT = (
    "This address is for a site member's own token, and we give none. Ask for the "
    "account by its id, or by the contact's or member's id."
)
BULK_ADJUST = (
    "Adjusting all accounts that a search finds is not supported: what it changes could "
    "not be looked at before. Adjust accounts one by one."
)
PROGRAMS = (
    "Earning rules and rewards are not part of this system; tiers and points are."
)


def tiers(**options: Any) -> Routes:
    return [
        path("v1/tiers", views.Tiers.as_view(**options)),
        path("v1/bulk/tiers/create", views.BulkCreateTiers.as_view(**options)),
        path("v1/tiers/program", views.TiersProgram.as_view(**options)),
        path("v1/tiers/program-settings", views.ProgramSettings.as_view(**options)),
        path("v1/tiers/<str:tier_id>", views.OneTier.as_view(**options)),
    ]


def accounts(**options: Any) -> Routes:
    own = account_views
    return [
        path("v1/accounts", own.Accounts.as_view(**options)),
        path("v1/accounts/fetch-by", own.AccountBySecondaryId.as_view(**options)),
        path("v1/accounts/query", own.QueryAccounts.as_view(**options)),
        path("v1/accounts/search", own.SearchAccounts.as_view(**options)),
        path("v1/accounts/count", own.CountAccounts.as_view(**options)),
        path("v1/accounts/program-totals", own.ProgramTotals.as_view(**options)),
        path("v1/accounts/my-account", unsupported(MY_ACCOUNT)),
        path("v1/accounts/bulk-adjust", unsupported(BULK_ADJUST)),
        path("v1/accounts/<str:account_id>", own.OneAccount.as_view(**options)),
        path(
            "v1/accounts/<str:account_id>/earn-points",
            own.EarnPoints.as_view(**options),
        ),
        path(
            "v1/accounts/<str:account_id>/adjust-points",
            own.AdjustPoints.as_view(**options),
        ),
    ]


def ledger(**options: Any) -> Routes:
    own = transactions
    return [
        path("v1/loyalty-transactions/query", own.QueryTransactions.as_view(**options)),
        path(
            "v1/loyalty-transactions/<str:transaction_id>",
            own.OneTransaction.as_view(**options),
        ),
    ]


def services(**options: Any) -> Routes:
    return [
        path("loyalty-tiers/", include(tiers(**options))),
        path("loyalty-accounts/", include(accounts(**options))),
        path("loyalty-transactions/", include(ledger(**options))),
        path("loyalty-coupons/<path:anything>", unsupported(COUPONS)),
        path("loyalty-programs/<path:anything>", unsupported(PROGRAMS)),
        *(
            path(f"loyalty-{service}/<path:anything>", views.NothingHere.as_view())
            for service in ("tiers", "accounts", "transactions")
        ),
    ]


def unsupported(sentence: str) -> Any:
    return views.NotSupported.as_view(sentence=sentence)


urlpatterns = [
    *services(),
    # The same again, described once.
    path("_api/", include(services(schema=None))),
]
