"""Repositories, triggers and pushes as an operator sees them. They are made and removed through the product alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from codeservices.admin import columns
from codeservices.admin.base import ActionAdmin, LookOnlyInline
from codeservices.iam.authorize import is_allowed
from repos.models import Push, Repository, Trigger


class OfRepository(ActionAdmin):
    """Rows of repositories: those that one may look at, as in the console."""

    list_action = "codecommit:ListRepositories"
    # From a row to its repository, as lookups say it.
    repository_field = "repository"

    def owner_of(self, obj: Any) -> Repository:
        repository: Repository = obj.repository
        return repository

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        hidden = [
            one.pk
            for one in Repository.objects.only("name")
            if not is_allowed(request.principal, self.view_action, one.arn)  # type: ignore[attr-defined]
        ]
        return found.exclude(**{f"{self.repository_field}__in": hidden}) if hidden else found

    @admin.display(description="repository", ordering="repository__name")
    def repository_link(self, obj: Any) -> str:
        return columns.link(obj.repository)


class TriggerInline(LookOnlyInline):
    """The triggers of a repository."""

    model, view_action = Trigger, "codecommit:GetRepositoryTriggers"
    fields = ("name", "destination_arn", "events", "branches")


@admin.register(Repository)
class RepositoryAdmin(OfRepository):
    """Repositories with their triggers."""

    view_action, repository_field = "codecommit:GetRepository", "pk"
    list_display = ("name", "description", "trigger_count", "pushes", "last_push_at", "created_at")
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
        "pushes",
        "elsewhere",
        "created_at",
        "updated_at",
        "last_push_at",
    )

    def owner_of(self, obj: Repository) -> Repository:
        return obj

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(trigger_count=columns.count_of(Trigger, "repository"))

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
        return columns.console_link("repos:repository", obj.name)


@admin.register(Trigger)
class TriggerAdmin(OfRepository):
    """What each repository tells to whom."""

    view_action = "codecommit:GetRepositoryTriggers"
    list_display = ("name", "repository_link", "destination_arn", "events", "branches")
    list_select_related = ("repository",)
    filter_links = ("repository",)
    search_fields = ("name", "repository__name", "destination_arn")
    search_help_text = "Name, repository or destination"
    fields = ("name", "repository_link", "destination_arn", "events", "branches", "custom_data")
    ordering = ("repository__name", "position")


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
        "is_atomic",
        "owner",
        "begun_at",
        "recorded_at",
        "delivered_at",
    )

    @admin.display(description="refs")
    def ref_count(self, obj: Push) -> int:
        return len(obj.commands)
