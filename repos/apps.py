from django.apps import AppConfig


class ReposConfig(AppConfig):
    name = "repos"
    verbose_name = "Repositories"

    def ready(self) -> None:
        from repos import aws, panels  # noqa: F401  importing aws registers its operations

        panels.register()
