"""Addresses of our own voice, without a slash at the end."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from . import problem_views, protocol

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("problems", problem_views.Problems, basename="problems")

nothing_here = protocol.NothingHere.as_view({"get": "retrieve"})

urlpatterns = [
    path("api/v1/", include(router.urls)),
    path("api/v1", nothing_here, {"anything": ""}),
    path("api/v1/<path:anything>", nothing_here),
]
