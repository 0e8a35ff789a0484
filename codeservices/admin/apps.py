from django.contrib.admin.apps import AdminConfig


class AdminPanelConfig(AdminConfig):
    """Django's admin with our site in the place of its own."""

    default_site = "codeservices.admin.site.AdminPanel"
