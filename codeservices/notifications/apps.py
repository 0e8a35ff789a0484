from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "codeservices.notifications"
    label = "notifications"
    verbose_name = "Topics and deliveries"

    def ready(self) -> None:
        from codeservices.iam import resource_tags, secrets
        from codeservices.notifications import aws, meters, search, topic_tags  # noqa: F401  aws registers its operations
        from codeservices.notifications.models import Message, SigningCertificate

        secrets.follow_the_master_key(Message, "sealed_token")
        secrets.follow_the_master_key(SigningCertificate, "sealed_key")
        meters.register()
        search.register()
        resource_tags.register("sns", topic_tags.of_arn)
