"""What is cached for a project: look, and forget it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from builds.access import project_for
from builds.caches import entries
from builds.views.shared import note
from codeservices.http import ConsoleRequest
from codeservices.iam.authorize import is_allowed


@require_GET
def cache_list(request: ConsoleRequest, name: str) -> HttpResponse:
    """The caches that a project's builds may begin with."""
    project = project_for(request.principal, "codebuild:BatchGetProjects", name)
    rows = entries.of_project(project)
    context = {
        "project": project,
        "caches": rows,
        "total_bytes": sum(one.size_bytes for one in rows),
        "may_invalidate": is_allowed(request.principal, "codebuild:InvalidateProjectCache", project.arn),
    }
    return render(request, "builds/cache_list.html", context)


@require_POST
def cache_invalidate(request: ConsoleRequest, name: str) -> HttpResponse:
    """Forget all of them: the next build begins without."""
    note(projectName=name)
    count = entries.invalidate(request.principal, name)
    messages.success(
        request, f"Forgot {count} cache{'' if count == 1 else 's'} of {name}; the next build begins afresh."
    )
    return redirect("builds:cache_list", name)
