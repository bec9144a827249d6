"""Addresses of Wix's voice, at its host and below ``/_api/``; no slash at the end."""

from django.urls import URLPattern, URLResolver, include, path

from . import views

COUPONS = (
    "Coupons are not part of this system: points are redeemed where rewards are kept. "
    "Post what was redeemed with the Tierwright API."
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
services: list[URLPattern | URLResolver] = [
    path("loyalty-tiers/", include(tiers)),
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
