from django.apps import AppConfig


class ReposConfig(AppConfig):
    name = "repos"
    verbose_name = "Repositories"

    def ready(self) -> None:
        from codeservices import registry
        from codeservices.iam import resource_tags
        from repos import (
            aws,  # noqa: F401  importing it registers its operations
            deletion,
            mirrors,
            panels,
            provision,
            quota,
            tags,
            upkeep,
            upkeep_health,
        )

        panels.register()
        upkeep_health.register()
        resource_tags.register("codecommit", tags.of_arn)
        registry.register_actions(
            *("codecommit:GitPull", "codecommit:GitPush", "codecommit:GetCommitHistory", "codecommit:GetReferences"),
            *(
                provision.ARCHIVE,
                provision.UNARCHIVE,
                deletion.RESTORE,
                deletion.PURGE,
                quota.ACTION,
                upkeep.ACTION,
                mirrors.ACTION,
            ),
        )
