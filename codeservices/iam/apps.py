from django.apps import AppConfig


class IamConfig(AppConfig):
    name = "codeservices.iam"
    label = "iam"
    verbose_name = "Identity and access"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from codeservices.iam import managed_policies

        post_migrate.connect(managed_policies.install, sender=self)
