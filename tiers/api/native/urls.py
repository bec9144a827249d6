"""Addresses of our own voice, without a slash at the end."""

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from . import change_sets, problem_views, programs, protocol, running_urls, tiers

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
for prefix, view, name in running_urls.ROUTES:
    router.register(prefix, view, basename=name)
router.register("problems", problem_views.Problems, basename="problems")

nothing_here = protocol.NothingHere.as_view({"get": "retrieve"})

urlpatterns = [
    path("api/v1/", include(router.urls)),
    # Whatever follows, line breaks too.
    re_path("^api/v1(?P<anything>/|$)", nothing_here),
]
