"""The admin of approvals, and what the admins of other apps are built from."""

from typing import Any

from django.contrib import admin

from ..models import ChangeSet
from . import front, people, records
from .change_sets import ChangeSetAdmin

admin.site.register(ChangeSet, ChangeSetAdmin)
for model, model_admin in records.REGISTERED:
    admin.site.register(model, model_admin)
people.register()

site: Any = admin.site
site.search = front.first_page_only(site.search)
