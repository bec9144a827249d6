"""Addresses of programs, tier groups, tiers and rewards, below ``/v3/loyalty/``."""

from django.urls import URLPattern

routes: list[URLPattern] = []
