from django.apps import AppConfig


class ReposConfig(AppConfig):
    name = "repos"
    verbose_name = "Repositories"

    def ready(self) -> None:
        from codeservices import registry
        from codeservices.iam import resource_tags, secrets
        from repos import (
            aws,  # noqa: F401  importing it registers its operations
            deletion,
            panels,
            provision,
            quick_search,
            quota,
            remembered,
            tags,
        )
        from repos.git_http import kept
        from repos.models import Import, Mirror
        from repos.remote import mirrors
        from repos.triggers import endpoints as trigger_endpoints
        from repos.triggers import topics as trigger_topics
        from repos.upkeep import health as upkeep_health
        from repos.upkeep import schedule

        secrets.follow_the_master_key(Import, "sealed_password")
        secrets.follow_the_master_key(Mirror, "sealed_password")
        panels.register()
        quick_search.register()
        kept.register()
        remembered.register()
        trigger_topics.register()
        trigger_endpoints.connect()
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
                schedule.ACTION,
                mirrors.ACTION,
            ),
        )
