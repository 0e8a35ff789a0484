from django.apps import AppConfig


class SecretStoreConfig(AppConfig):
    name = "codeservices.secretstore"
    label = "secretstore"
    verbose_name = "Parameters and secrets"

    def ready(self) -> None:
        from codeservices import registry
        from codeservices.iam import resource_tags
        from codeservices.secretstore import aws, search  # noqa: F401  aws registers its operations
        from codeservices.secretstore.models import ParameterVersion, SecretVersion
        from codeservices.secretstore.parameters import access as parameters
        from codeservices.secretstore.parameters import values
        from codeservices.secretstore.secrets_manager import access as secrets
        from codeservices.secretstore.secrets_manager import versions

        registry.register_sealed(ParameterVersion, "sealed_value", values.resealed)
        registry.register_sealed(SecretVersion, "sealed_value", versions.resealed)
        search.register()
        resource_tags.register("ssm", parameters.tags_of_arn, own_key="ssm:resourceTag")
        resource_tags.register("secretsmanager", secrets.tags_of_arn, own_key="secretsmanager:ResourceTag")
