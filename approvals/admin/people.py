"""Who may sign in, with which roles; schedules; who was locked out."""

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone
from django_celery_beat import admin as beat_admin
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from .. import audit, roles, ui

RIGHTS = ("is_superuser", "groups", "user_permissions")


class OnRecord:
    """Puts who changed a person, a role or a schedule on our own record."""

    kind = "person"

    def log_addition(self, request: Any, obj: Any, message: Any) -> None:
        self._record("add", request, obj, "")

    def log_change(self, request: Any, obj: Any, message: Any) -> None:
        self._record("change", request, obj, _changed(message))

    def log_deletions(self, request: Any, queryset: Any) -> None:
        for obj in queryset:
            self._record("remove", request, obj, "")

    def _record(self, did: str, request: Any, obj: Any, reason: str) -> None:
        audit.record(
            f"{did}_{self.kind}",
            by=request.user,
            program_id=None,
            kind=self.kind,
            object_id=obj.pk,
            label=str(obj),
            reason=reason,
            at=timezone.now(),
        )


def _changed(message: Any) -> str:
    """Name the fields in Django's message on what a form changed."""
    if isinstance(message, str):
        return message
    fields = [
        name for part in message for name in part.get("changed", {}).get("fields", [])
    ]
    return ", ".join(str(name) for name in fields)


class RoleFilter(ui.ChoiceFilter):
    title = "role"
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(str(pk), name) for pk, name in Group.objects.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(groups=self.value()) if self.value() else queryset


class UserAdmin(OnRecord, DjangoUserAdmin, ui.ModelAdmin):  # type: ignore[misc]
    """People. Nobody is deleted: what they did names them; switch them off."""

    form = ui.UserChangeForm
    add_form = ui.UserCreationForm
    change_password_form = ui.AdminPasswordChangeForm
    list_display = ("person", "email", "roles", "active", "seen")
    list_filter = (RoleFilter,)
    search_fields = ("username", "first_name", "last_name", "email")
    filter_horizontal = ()
    autocomplete_fields = ("groups",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("May sign in", {"fields": ("is_active", "is_staff", "groups")}),
        (
            "Everything",
            {"fields": ("is_superuser", "user_permissions"), "classes": ("collapse",)},
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    add_fieldsets = (
        (
            None,
            {"fields": ("username", "usable_password", "password1", "password2")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        if request.user.is_superuser:
            return self.fieldsets
        # Whoever else keeps the list of people gives nobody any right.
        return [
            (title, options | {"fields": [f for f in fields if f != "groups"]})
            for title, options in self.fieldsets
            if title != "Everything" and (fields := options["fields"])
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        # What somebody may do is somebody else's to say.
        own = obj is not None and obj.pk == request.user.pk
        return (*fields, *RIGHTS) if own else fields

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> Any:
        # A new password takes a person's place, with all that they may do.
        if not request.user.is_superuser:
            raise PermissionDenied("Only superusers set passwords of others.")
        return super().user_change_password(request, id, form_url)

    def response_change(self, request: HttpRequest, obj: Any) -> Any:
        if obj in roles.both():
            messages.warning(
                request,
                f"{obj} may make changes and review them. Nobody approves what they "
                "worked on, but two people with both roles can approve for each other.",
            )
        return super().response_change(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Else whoever keeps the list could take a superuser's place by a new password.
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return bool(super().has_change_permission(request, obj))

    @ui.display(description="Person", ordering="username")
    def person(self, user: Any) -> Any:
        return ui.two_lines(user.username, user.get_full_name())

    @ui.display(description="Roles")
    def roles(self, user: Any) -> str:
        names = [group.name for group in user.groups.all()]
        if user.is_superuser:
            names.insert(0, "Superuser")
        return ", ".join(names)

    @ui.display(description="Signs in", ordering="is_active")
    def active(self, user: Any) -> Any:
        allowed = user.is_active and user.is_staff
        return ui.badge("Yes", "good") if allowed else ui.badge("No")

    @ui.display(description="Last signed in", ordering="last_login")
    def seen(self, user: Any) -> str:
        return ui.when(user.last_login, "Never")


class ForSuperusers:
    """What only superusers see and change."""

    def _is_superuser(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_superuser(request)


class GroupAdmin(  # type: ignore[misc]
    OnRecord, ForSuperusers, DjangoGroupAdmin, ui.ModelAdmin
):
    """Roles; whoever could change one could give themselves any right."""

    kind = "role"
    list_display = ("name",)
    search_fields = ("name",)
    filter_horizontal = ("permissions",)
    ordering = ("name",)

    def formfield_for_manytomany(  # type: ignore[override]
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "permissions":
            # Rights that our pages ask for; those of Django's own tables do nothing.
            ours = Permission.objects.filter(
                content_type__app_label__in=(*roles.OURS, "auth")
            )
            kwargs["queryset"] = ours.exclude(
                codename__regex=r"^(add|change|delete)_(?!user$|group$)"
            ).select_related("content_type")
        field: Any = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "permissions":
            field.label_from_instance = lambda permission: permission.name
        return field


class PeriodicTaskAdmin(
    OnRecord, ForSuperusers, beat_admin.PeriodicTaskAdmin, ui.ModelAdmin
):
    """A schedule may run any task."""

    kind = "schedule"
    list_display = ("name", "enabled", "scheduler", "last_run_at", "one_off")
    list_filter = ()
    date_hierarchy = None
    actions = ()

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .select_related("interval", "crontab", "solar", "clocked")
        )


class ScheduleAdmin(OnRecord, ForSuperusers, ui.ModelAdmin):
    kind = "schedule"


class CrontabAdmin(
    OnRecord, ForSuperusers, beat_admin.CrontabScheduleAdmin, ui.ModelAdmin
):
    kind = "schedule"


class LockoutAdmin(ForSuperusers, ui.ReadOnlyAdmin):
    """Refused sign-ins; only superusers see names and addresses that were tried."""

    list_display = ("attempt_time", "username", "ip_address", "user_agent")
    search_fields = ("username", "ip_address")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


REGISTERED: tuple[tuple[Any, Any], ...] = (
    (User, UserAdmin),
    (Group, GroupAdmin),
    (PeriodicTask, PeriodicTaskAdmin),
    (IntervalSchedule, ScheduleAdmin),
    (CrontabSchedule, CrontabAdmin),
    (SolarSchedule, ScheduleAdmin),
    (ClockedSchedule, ScheduleAdmin),
    (AccessAttempt, LockoutAdmin),
    (AccessLog, LockoutAdmin),
    (AccessFailureLog, LockoutAdmin),
)


def register() -> None:
    """Take these over from their own apps, in our look."""
    for model, model_admin in REGISTERED:
        if admin.site.is_registered(model):
            admin.site.unregister(model)
        admin.site.register(model, model_admin)
