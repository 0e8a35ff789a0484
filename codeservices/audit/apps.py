from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "codeservices.audit"
    label = "audit"
    verbose_name = "Audit trail"

    def ready(self) -> None:
        from codeservices.audit import aws, health, trails, workers  # noqa: F401  importing aws registers its operations
        from codeservices.iam import resource_tags

        health.register()
        workers.connect()
        resource_tags.register("cloudtrail", trails.tags_of_arn)
