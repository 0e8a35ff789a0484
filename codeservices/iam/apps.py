from django.apps import AppConfig


class IamConfig(AppConfig):
    name = "codeservices.iam"
    label = "iam"
    verbose_name = "Identity and access"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from codeservices import registry
        from codeservices.iam import aws, managed_policies, search  # noqa: F401  importing aws registers its operations

        post_migrate.connect(managed_policies.install, sender=self)
        search.register()
        registry.register_actions("iam:PassRole", "sts:AssumeRole", "codeservices:UseAdminPanel")
