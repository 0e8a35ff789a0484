"""Repositories with their triggers, deleted ones too."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from codeservices import sizes
from codeservices.admin import columns
from codeservices.admin.base import LookOnlyInline
from repos import quota
from repos.admin.shared import OfRepository
from repos.models import Push, Repository, Trigger


class TriggerInline(LookOnlyInline):
    """The triggers of a repository."""

    model, view_action = Trigger, "codecommit:GetRepositoryTriggers"
    fields = ("name", "destination_arn", "events", "branches")


@admin.register(Repository)
class RepositoryAdmin(OfRepository):
    """Repositories with their triggers, deleted ones too for as long as they are kept."""

    view_action, repository_field = "codecommit:GetRepository", "pk"
    list_display = (
        "name",
        "description",
        "size",
        "trigger_count",
        "pushes",
        "last_push_at",
        "created_at",
        "deleted_at",
    )
    list_filter = (("deleted_at", admin.EmptyFieldListFilter), ("archived_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "description", "repository_id")
    search_help_text = "Name, description or id"
    date_hierarchy = "created_at"
    inlines = (TriggerInline,)
    fields = (
        "name",
        "description",
        "row_arn",
        "repository_id",
        "tags",
        "size",
        "quota",
        "pushes",
        "elsewhere",
        "created_at",
        "updated_at",
        "last_push_at",
        "archived_at",
        "deleted_at",
        "deleted_by",
    )

    def owner_of(self, obj: Repository) -> Repository:
        return obj

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = self.visible(request, Repository.all_objects.order_by(*self.get_ordering(request)))
        return found.annotate(trigger_count=columns.count_of(Trigger, "repository"))

    @admin.display(description="triggers", ordering="trigger_count")
    def trigger_count(self, obj: Any) -> int:
        count: int = obj.trigger_count
        return count

    @admin.display(description="pushes")
    def pushes(self, obj: Repository) -> str:
        return columns.list_link(Push, "Pushes", repository__id__exact=obj.pk)

    @admin.display(description="ARN")
    def row_arn(self, obj: Repository) -> str:
        return obj.arn

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: Repository) -> str:
        if obj.deleted_at is not None:
            return columns.console_link("repos:deleted", obj.name, obj.repository_id)
        return columns.console_link("repos:repository", obj.name)

    @admin.display(description="size", ordering="size_bytes")
    def size(self, obj: Repository) -> str:
        return sizes.words(obj.size_bytes) if obj.size_measured_at else "not measured"

    @admin.display(description="quota")
    def quota(self, obj: Repository) -> str:
        limit = quota.limit_bytes(obj)
        return "none" if limit is None else sizes.words(limit)
