"""Pushes, as the outbox has them."""

from __future__ import annotations

from django.contrib import admin

from repos.admin.shared import OfRepository
from repos.models import Push


@admin.register(Push)
class PushAdmin(OfRepository):
    """Pushes, newest first, with the refs that they moved."""

    view_action = "codecommit:GetRepository"
    list_display = ("push_id", "repository_link", "principal_name", "state", "ref_count", "begun_at", "delivered_at")
    list_filter = ("state",)
    list_select_related = ("repository",)
    filter_links = ("repository",)
    search_fields = ("push_id", "repository__name", "principal_name")
    search_help_text = "Push id, repository or principal"
    date_hierarchy = "begun_at"
    fields = (
        "push_id",
        "repository_link",
        "principal_name",
        "principal_arn",
        "state",
        "commands",
        "options",
        "owner",
        "begun_at",
        "recorded_at",
        "delivered_at",
    )

    @admin.display(description="refs")
    def ref_count(self, obj: Push) -> int:
        return len(obj.commands)
