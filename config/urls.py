"""Every address: the admin, the API voices, the schema.

``/livez`` and ``/readyz`` are answered before any of these, by ``config.health``.
"""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", admin.site.urls),
    # One line per API voice; Brevo's addresses lie below Capillary's ``/v3/``.
    path("", include("tiers.api.brevo.urls")),
    path("", include("tiers.api.capillary.urls")),
    path("", include("tiers.api.wix.urls")),
    path("", include("tiers.api.native.urls")),
    # The description of all of them.
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
]
