"""Addresses of members and balances, below ``/v3/loyalty/``, and of contacts."""

from django.urls import URLPattern

routes: list[URLPattern] = []
#: Below ``/v3/``.
contact_routes: list[URLPattern] = []
