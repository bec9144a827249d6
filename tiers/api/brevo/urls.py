"""Addresses of Brevo's voice."""

from django.urls import include, path

from .addresses import both
from .member_urls import contact_routes
from .member_urls import routes as member_routes
from .program_urls import routes as program_routes
from .protocol import NothingHere

urlpatterns = [
    path(
        "v3/loyalty/",
        include(
            [
                *program_routes,
                *member_routes,
                *both("<path:anything>", NothingHere),
            ]
        ),
    ),
    path("v3/", include(contact_routes)),
]
