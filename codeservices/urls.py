"""Mounts each app. API requests, `POST /`, have a URL configuration of their own (see RequestMiddleware)."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic.base import RedirectView

from codeservices import health
from codeservices.iam.views import sign_in

# The first that fits answers, and trying one takes a microsecond or two: those that are asked for most come first. No
# address begins like one of another app.
urlpatterns = [
    path("", include("builds.urls")),
    path("", include("repos.urls")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    # One place signs people in and out: the admin's own pages would pass by the audit trail.
    path("admin/login/", sign_in.admin_sign_in),
    path("admin/logout/", sign_in.sign_out),
    path("admin/password_change/", RedirectView.as_view(pattern_name="iam:my_credentials")),
    path("admin/", admin.site.urls),
    path("", include("codeservices.console.urls")),
    path("", include("codeservices.iam.urls")),
    path("", include("codeservices.audit.urls")),
    path("", include("codeservices.notifications.urls")),
    path("", include("codeservices.secretstore.urls")),
    path("", include("codeservices.objects.urls")),
]

handler400 = "codeservices.console.views.bad_request"
handler403 = "codeservices.console.views.forbidden"
handler404 = "codeservices.console.views.not_found"
handler500 = "codeservices.console.views.server_error"
