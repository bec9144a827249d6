"""Addresses of Capillary's voice; the vendor writes them without a slash at the end."""

from django.urls import path

from .oauth import TokenGenerate
from .views import NothingHere, TierList

urlpatterns = [
    path("v3/tiers", TierList.as_view(), name="capillary-tiers"),
    path(
        "v3/oauth/token/generate",
        TokenGenerate.as_view(),
        name="capillary-token",
    ),
    path("v3/<path:anything>", NothingHere.as_view()),
]
