from django.apps import AppConfig


class BuildsConfig(AppConfig):
    name = "builds"
    verbose_name = "Builds"

    def ready(self) -> None:
        from builds import aws, health, panels, triggers  # noqa: F401  importing aws registers its operations

        health.register()
        panels.register()
        triggers.connect()
