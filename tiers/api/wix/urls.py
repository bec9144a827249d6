"""Addresses of Wix's voice, at its host and below ``/_api/``; no slash at the end."""

from django.urls import URLPattern, URLResolver, include, path

from . import account_views, transactions, views

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

tiers: list[URLPattern | URLResolver] = [
    path("v1/tiers", views.Tiers.as_view()),
    path("v1/bulk/tiers/create", views.BulkCreateTiers.as_view()),
    path("v1/tiers/program", views.TiersProgram.as_view()),
    path("v1/tiers/program-settings", views.ProgramSettings.as_view()),
    path("v1/tiers/<str:tier_id>", views.OneTier.as_view()),
]
accounts: list[URLPattern | URLResolver] = [
    path("v1/accounts", account_views.Accounts.as_view()),
    path("v1/accounts/fetch-by", account_views.AccountBySecondaryId.as_view()),
    path("v1/accounts/query", account_views.QueryAccounts.as_view()),
    path("v1/accounts/search", account_views.SearchAccounts.as_view()),
    path("v1/accounts/count", account_views.CountAccounts.as_view()),
    path("v1/accounts/program-totals", account_views.ProgramTotals.as_view()),
    path("v1/accounts/my-account", views.NotSupported.as_view(sentence=MY_ACCOUNT)),
    path("v1/accounts/bulk-adjust", views.NotSupported.as_view(sentence=BULK_ADJUST)),
    path("v1/accounts/<str:account_id>", account_views.OneAccount.as_view()),
    path(
        "v1/accounts/<str:account_id>/earn-points", account_views.EarnPoints.as_view()
    ),
    path(
        "v1/accounts/<str:account_id>/adjust-points",
        account_views.AdjustPoints.as_view(),
    ),
]
ledger: list[URLPattern | URLResolver] = [
    path("v1/loyalty-transactions/query", transactions.QueryTransactions.as_view()),
    path(
        "v1/loyalty-transactions/<str:transaction_id>",
        transactions.OneTransaction.as_view(),
    ),
]
services: list[URLPattern | URLResolver] = [
    path("loyalty-tiers/", include(tiers)),
    path("loyalty-accounts/", include(accounts)),
    path("loyalty-transactions/", include(ledger)),
    path(
        "loyalty-coupons/<path:anything>",
        views.NotSupported.as_view(sentence=COUPONS),
    ),
    path(
        "loyalty-programs/<path:anything>",
        views.NotSupported.as_view(sentence=PROGRAMS),
    ),
    *(
        path(f"loyalty-{service}/<path:anything>", views.NothingHere.as_view())
        for service in ("tiers", "accounts", "transactions")
    ),
]
urlpatterns = [*services, path("_api/", include(services))]
