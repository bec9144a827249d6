"""What our pages need beside Django's own tags.

Nothing of the theme is imported here: it loads every tag library while it is being
imported itself.
"""

from datetime import datetime
from typing import Any

from django import template
from django.urls import reverse

from .. import changes

register = template.Library()


@register.filter
def when(instant: datetime | None) -> str:
    return changes.instant(instant)


@register.simple_tag
def thing_url(version: Any) -> str:
    """Where the admin shows what a version is a version of."""
    meta = version.thing._meta
    name = f"admin:{meta.app_label}_{meta.model_name}_change"
    return reverse(name, args=[version.thing_id])
