"""The admin panel as a part of the product: its names, and the way back to the console."""

from __future__ import annotations

from django.contrib.admin import AdminSite


class AdminPanel(AdminSite):
    """Opened with codeservices:UseAdminPanel; what is seen and done in it asks for the same actions as elsewhere."""

    site_header = "Code Services"
    site_title = "Code Services"
    index_title = "Administration"
    # The header has a link of its own to the console (templates/admin/base_site.html).
    site_url = None

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # Django's own would delete rows past the services (see ActionAdmin.delete_selected).
        self.disable_action("delete_selected")
