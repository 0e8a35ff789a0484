from django.apps import AppConfig


class SecretStoreConfig(AppConfig):
    name = "codeservices.secretstore"
    label = "secretstore"
    verbose_name = "Parameters and secrets"

    def ready(self) -> None:
        from codeservices.iam import resource_tags
        from codeservices.secretstore import aws, search  # noqa: F401  aws registers its operations
        from codeservices.secretstore.parameters import access as parameters
        from codeservices.secretstore.secrets_manager import access as secrets

        search.register()
        resource_tags.register("ssm", parameters.tags_of_arn, own_key="ssm:resourceTag")
        resource_tags.register("secretsmanager", secrets.tags_of_arn, own_key="secretsmanager:ResourceTag")
