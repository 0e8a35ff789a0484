from django.urls import path

from codeservices.notifications.views import open as opened

app_name = "notifications"

urlpatterns = [
    path("SimpleNotificationService-<str:name>.pem", opened.certificate, name="certificate"),
]
