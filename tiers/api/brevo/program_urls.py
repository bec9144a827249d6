"""Addresses of programs, tier groups, tiers and rewards, below ``/v3/loyalty/``."""

from django.urls import URLPattern

from . import program_views, views
from .addresses import both

CONFIG = "config/programs"
TIER = "tier/programs/<str:pid>"
OFFER = "offer/programs/<str:pid>"

routes: list[URLPattern] = [
    *both(CONFIG, program_views.Programs),
    *both(f"{CONFIG}/<str:pid>", program_views.OneProgram),
    *both(f"{CONFIG}/<str:pid>/publish", program_views.PublishProgram),
    *both(f"{TIER}/tier-groups", views.TierGroups),
    *both(f"{TIER}/tier-groups/<str:gid>", views.OneTierGroup),
    *both(f"{TIER}/tier-groups/<str:gid>/tiers", views.TiersOfGroup),
    *both(f"{TIER}/tiers", views.Tiers),
    *both(f"{TIER}/tiers/<str:tid>", views.OneTier),
    *both(f"{TIER}/contacts/<str:cid>/tiers/<str:tid>", views.AssignTier),
    *both(f"{OFFER}/offers", program_views.Offers),
    *both(f"{OFFER}/rewards/<str:rid>", program_views.OneReward),
]
