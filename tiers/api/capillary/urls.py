"""Addresses of Capillary's voice; the vendor writes them without a slash at the end."""

from django.urls import path

from . import oauth, views

urlpatterns = [
    path("v3/tiers", views.TierList.as_view(), name="capillary-tiers"),
    path("v3/tiers/approvals", views.Queue.as_view(), name="capillary-approvals"),
    path("v3/tiers/<str:tier_id>", views.OneTier.as_view(), name="capillary-tier"),
    path(
        "v3/tiers/<str:tier_id>/submit",
        views.Submit.as_view(),
        name="capillary-submit",
    ),
    path(
        "v3/tiers/<str:tier_id>/approve",
        views.Decide.as_view(),
        name="capillary-approve",
    ),
    path(
        "v3/oauth/token/generate",
        oauth.TokenGenerate.as_view(),
        name="capillary-token",
    ),
    path("v3/<path:anything>", views.NothingHere.as_view()),
]
