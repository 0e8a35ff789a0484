from django.urls import path

from codeservices.audit import views

app_name = "audit"

urlpatterns = [
    path("audit/", views.event_list, name="event_list"),
    path("audit/export", views.export, name="export"),
    path("audit/<uuid:event_id>/", views.event, name="event"),
]
