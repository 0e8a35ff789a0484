"""What the admin pages of a repository's rows have in common."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from codeservices.admin import columns
from codeservices.admin.base import ActionAdmin
from codeservices.iam.authorize import is_allowed
from repos.models import Repository


class OfRepository(ActionAdmin):
    """Rows of repositories: those that one may look at, as in the console."""

    list_action = "codecommit:ListRepositories"
    # From a row to its repository, as lookups say it.
    repository_field = "repository"

    def owner_of(self, obj: Any) -> Repository:
        repository: Repository = obj.repository
        return repository

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.visible(request, super().get_queryset(request))

    def visible(self, request: HttpRequest, found: QuerySet[Any]) -> QuerySet[Any]:
        """Without the rows of repositories that the person may not look at, deleted ones included."""
        hidden = [
            one.pk
            for one in Repository.all_objects.only("name")
            if not is_allowed(request.principal, self.view_action, one.arn)  # type: ignore[attr-defined]
        ]
        return found.exclude(**{f"{self.repository_field}__in": hidden}) if hidden else found

    @admin.display(description="repository", ordering="repository__name")
    def repository_link(self, obj: Any) -> str:
        return columns.link(obj.repository)
