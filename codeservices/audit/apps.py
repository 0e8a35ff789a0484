from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "codeservices.audit"
    label = "audit"
    verbose_name = "Audit trail"

    def ready(self) -> None:
        from codeservices.audit import aws, health, workers  # noqa: F401  importing aws registers its operations

        health.register()
        workers.connect()
