from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "codeservices.notifications"
    label = "notifications"
    verbose_name = "Topics and deliveries"
