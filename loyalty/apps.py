from django.apps import AppConfig
from django.db.backends.signals import connection_created


class LoyaltyConfig(AppConfig):
    name = "loyalty"
    verbose_name = "Loyalty programs"

    def ready(self) -> None:
        from . import instants, registration

        connection_created.connect(instants.read_fast, dispatch_uid="loyalty.instants")
        registration.register()
