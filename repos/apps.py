from django.apps import AppConfig


class ReposConfig(AppConfig):
    name = "repos"
    verbose_name = "Repositories"

    def ready(self) -> None:
        from codeservices import registry
        from repos import aws, panels  # noqa: F401  importing aws registers its operations

        panels.register()
        registry.register_actions(
            "codecommit:GitPull", "codecommit:GitPush", "codecommit:GetCommitHistory", "codecommit:GetReferences"
        )
