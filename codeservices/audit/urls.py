from django.urls import path

from codeservices.audit import views, views_trails

app_name = "audit"

urlpatterns = [
    path("audit/", views.event_list, name="event_list"),
    path("audit/export", views.export, name="export"),
    path("audit/verification", views_trails.verification, name="verification"),
    path("audit/trails/", views_trails.trail_list, name="trail_list"),
    path("audit/trails/<str:name>/", views_trails.trail, name="trail"),
    path("audit/trails/<str:name>/logging", views_trails.trail_logging, name="trail_logging"),
    path("audit/trails/<str:name>/delete", views_trails.trail_delete, name="trail_delete"),
    path("audit/<uuid:event_id>/", views.event, name="event"),
]
