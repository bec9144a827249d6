from django.apps import AppConfig


class LoyaltyConfig(AppConfig):
    name = "loyalty"
    verbose_name = "Loyalty programs"

    def ready(self) -> None:
        from . import registration

        registration.register()
