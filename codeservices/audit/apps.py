from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "codeservices.audit"
    label = "audit"
    verbose_name = "Audit trail"
