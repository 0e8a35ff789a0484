from django.apps import AppConfig
from django.db.models.signals import post_migrate


class IamConfig(AppConfig):
    name = "codeservices.iam"
    label = "iam"
    verbose_name = "Identity and access"

    def ready(self) -> None:
        from codeservices import registry
        from codeservices.iam import (  # importing aws registers its operations
            aws,  # noqa: F401
            managed_policies,
            resource_tags,
            rules,
            search,
            secrets,
        )
        from codeservices.iam.models import AccessKey, MfaDevice, TemporaryCredential

        secrets.follow_the_master_key(AccessKey, "encrypted_secret")
        secrets.follow_the_master_key(TemporaryCredential, "encrypted_secret")
        secrets.follow_the_master_key(MfaDevice, "sealed_secret")
        post_migrate.connect(managed_policies.install, sender=self)
        search.register()
        resource_tags.register("iam", rules.tags_of_arn, own_key="iam:ResourceTag")
        registry.register_actions("iam:PassRole", "sts:AssumeRole", "codeservices:UseAdminPanel")
