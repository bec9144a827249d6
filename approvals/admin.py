from django.contrib import admin

from .models import ChangeSet

admin.site.register(ChangeSet)
