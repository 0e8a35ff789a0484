from django.apps import AppConfig


class CodeServicesConfig(AppConfig):
    name = "codeservices"
    verbose_name = "Code Services"

    def ready(self) -> None:
        from codeservices import celery, health

        celery.app.set_current()
        health.register()
