from django.apps import AppConfig


class BuildsConfig(AppConfig):
    name = "builds"
    verbose_name = "Builds"

    def ready(self) -> None:
        from builds import access, aws, health, panels, triggers  # noqa: F401  importing aws registers its operations
        from codeservices import registry
        from codeservices.iam import resource_tags

        health.register()
        panels.register()
        triggers.register()
        resource_tags.register("codebuild", access.tags_of_arn)
        registry.register_actions("codebuild:RetryBuild", "logs:GetLogEvents", "s3:GetObject", "s3:PutObject")
