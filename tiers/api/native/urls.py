"""Addresses of our own voice, without a slash at the end."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from . import change_sets, problem_views, programs, protocol, tiers

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
for name, things, versions in (
    ("programs", programs.Programs, programs.ProgramVersions),
    (
        "balance-definitions",
        programs.BalanceDefinitions,
        programs.BalanceDefinitionVersions,
    ),
    ("tier-groups", tiers.TierGroups, tiers.TierGroupVersions),
    ("tiers", tiers.Tiers, tiers.TierVersions),
):
    router.register(name, things, basename=name)
    router.register(
        f"{name}/<number:thing_id>/versions", versions, basename=f"{name}-versions"
    )
router.register("change-sets", change_sets.ChangeSets, basename="change-sets")
router.register("problems", problem_views.Problems, basename="problems")

nothing_here = protocol.NothingHere.as_view({"get": "retrieve"})

urlpatterns = [
    path("api/v1/", include(router.urls)),
    path("api/v1", nothing_here, {"anything": ""}),
    path("api/v1/<path:anything>", nothing_here),
]
