from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "codeservices.notifications"
    label = "notifications"
    verbose_name = "Topics and deliveries"

    def ready(self) -> None:
        from codeservices.iam import resource_tags
        from codeservices.notifications import aws, meters, search, topic_tags  # noqa: F401  aws registers its operations

        meters.register()
        search.register()
        resource_tags.register("sns", topic_tags.of_arn)
