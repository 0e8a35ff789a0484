from django.apps import AppConfig


class BuildsConfig(AppConfig):
    name = "builds"
    verbose_name = "Builds"

    def ready(self) -> None:
        from builds import (
            access,
            aws,  # noqa: F401  importing it registers its operations
            commit_statuses,
            health,
            panels,
            retention,
            triggers,
            worker_networks,
        )
        from builds.logs import aws as logs_aws  # noqa: F401  likewise
        from builds.models import SourceCredential
        from codeservices import registry
        from codeservices.iam import resource_tags, secrets

        secrets.follow_the_master_key(SourceCredential, "encrypted_token")
        health.register()
        panels.register()
        retention.register()
        triggers.register()
        worker_networks.connect()
        commit_statuses.register()
        resource_tags.register("codebuild", access.tags_of_arn)
        registry.register_actions("codebuild:RetryBuild", "s3:GetObject", "s3:PutObject")
