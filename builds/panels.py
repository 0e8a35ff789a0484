"""What builds show outside their own pages: a dashboard panel, quick search, and who uses a role."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.urls import reverse

from builds.models import Build, Project
from codeservices import registry
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal

RECENT_BUILDS = 10


def register() -> None:
    """Called once when the app is ready."""
    registry.register_panel(registry.Panel("builds", "builds/_recent_builds.html", recent, order=10))
    registry.register_search_source(registry.SearchSource("projects", find))
    registry.register_role_uses(projects_of_role)


def recent(principal: Principal) -> dict[str, Any]:
    """Running and recent builds, of the projects that the principal may look at."""
    rows = Build.objects.filter(project__isnull=False).select_related("project").order_by("-pk")[: RECENT_BUILDS * 10]
    visible = (row for row in rows if is_allowed(principal, "codebuild:BatchGetBuilds", row.project_arn))
    return {"builds": list(islice(visible, RECENT_BUILDS))}


def find(principal: Principal, text: str, limit: int) -> Iterable[registry.SearchResult]:
    """Projects whose name contains the text."""
    rows = Project.objects.filter(name__icontains=text)
    visible = (row for row in rows if is_allowed(principal, "codebuild:BatchGetProjects", row.arn))
    for project in islice(visible, limit):
        url = reverse("builds:project", args=[project.name])
        yield registry.SearchResult("Build project", project.name, url, project.description)


def projects_of_role(principal: Principal, role_arn: str) -> Iterable[registry.SearchResult]:
    """Projects whose builds act as a role."""
    for project in Project.objects.filter(service_role_arn=role_arn).order_by("name"):
        if is_allowed(principal, "codebuild:BatchGetProjects", project.arn):
            yield registry.SearchResult("Build project", project.name, reverse("builds:project", args=[project.name]))
