"""Repositories, triggers and pushes as an operator sees them. They are made and removed through the product alone."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from repos.models import Push, Repository, Trigger


class LookOnly(admin.ModelAdmin):
    """Rows that stand for something on disk or that happened: looked at and searched, never edited here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Never: a row removed here would leave its objects on disk."""
        return False


class TriggerInline(admin.TabularInline):
    """The triggers of a repository."""

    model = Trigger
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Never."""
        return False


@admin.register(Repository)
class RepositoryAdmin(LookOnly):
    """Repositories with their triggers."""

    list_display = ("name", "description", "repository_id", "created_at", "last_push_at")
    search_fields = ("name", "description", "repository_id")
    date_hierarchy = "created_at"
    inlines = (TriggerInline,)


@admin.register(Push)
class PushAdmin(LookOnly):
    """Pushes, newest first, with the refs that they moved."""

    list_display = ("push_id", "repository", "principal_name", "state", "begun_at", "delivered_at")
    list_filter = ("state",)
    list_select_related = ("repository",)
    search_fields = ("push_id", "repository__name", "principal_name")
    date_hierarchy = "begun_at"
