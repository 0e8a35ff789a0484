from django.urls import path

from codeservices.notifications.views import deliveries, subscriptions, topics
from codeservices.notifications.views import open as opened

app_name = "notifications"

urlpatterns = [
    path("SimpleNotificationService-<str:name>.pem", opened.certificate, name="certificate"),
    path("topics/", topics.topic_list, name="topic_list"),
    # Without a slash at the end: a topic may be called “new”.
    path("topics/new", topics.topic_create, name="topic_create"),
    path("topics/<str:name>/", topics.topic, name="topic"),
    path("topics/<str:name>/settings", topics.topic_settings, name="topic_settings"),
    path("topics/<str:name>/delete", topics.topic_delete, name="topic_delete"),
    path("topics/<str:name>/publish", subscriptions.publish_message, name="publish"),
    path("topics/<str:name>/subscribe", subscriptions.subscribe, name="subscribe"),
    path("topics/<str:name>/subscriptions/<uuid:subscription_id>/resend", subscriptions.resend, name="resend"),
    path(
        "topics/<str:name>/subscriptions/<uuid:subscription_id>/delete", subscriptions.unsubscribe, name="unsubscribe"
    ),
    path("topics/<str:name>/deliveries", deliveries.delivery_list, name="delivery_list"),
    path("topics/<str:name>/deliveries/<uuid:delivery_id>/", deliveries.delivery, name="delivery"),
    path("topics/<str:name>/deliveries/<uuid:delivery_id>/redeliver", deliveries.redeliver, name="redeliver"),
]
