from django.apps import AppConfig


class ReposConfig(AppConfig):
    name = "repos"
    verbose_name = "Repositories"

    def ready(self) -> None:
        from codeservices import registry
        from codeservices.iam import resource_tags
        from repos import aws, panels, tags  # noqa: F401  importing aws registers its operations
        from repos.git_http import kept

        panels.register()
        kept.register()
        resource_tags.register("codecommit", tags.of_arn)
        registry.register_actions(
            "codecommit:GitPull", "codecommit:GitPush", "codecommit:GetCommitHistory", "codecommit:GetReferences"
        )
