from django.apps import AppConfig


class ObjectsConfig(AppConfig):
    name = "codeservices.objects"
    label = "objects"
    verbose_name = "Object storage"

    def ready(self) -> None:
        from codeservices.objects import search

        search.register()
