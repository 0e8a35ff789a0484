from django.apps import AppConfig


class ReposConfig(AppConfig):
    name = "repos"
    verbose_name = "Repositories"

    def ready(self) -> None:
        from codeservices import registry
        from codeservices.iam import resource_tags
        from repos import aws, mirrors, panels, tags  # noqa: F401  importing aws registers its operations

        panels.register()
        resource_tags.register("codecommit", tags.of_arn)
        registry.register_actions(
            "codecommit:GitPull", "codecommit:GitPush", "codecommit:GetCommitHistory", "codecommit:GetReferences"
        )
        registry.register_actions(mirrors.ACTION)
