from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class ApprovalsConfig(AppConfig):
    name = "approvals"
    verbose_name = "Approvals"

    def ready(self) -> None:
        from . import checks, roles, triggers

        checks.register()
        pre_migrate.connect(triggers.remove_before_migrate, dispatch_uid="guards")
        post_migrate.connect(triggers.install_after_migrate, dispatch_uid="triggers")
        post_migrate.connect(roles.make_after_migrate, dispatch_uid="roles")
