"""Repositories that were deleted and are kept for a while: list, restore, purge."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from codeservices.errors import Conflict
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam.authorize import is_allowed
from repos import deletion
from repos.forms import NameForm
from repos.models import Repository
from repos.views.shared import note_parameters

PAGE_SIZE = 50


@require_GET
def deleted_list(request: ConsoleRequest) -> HttpResponse:
    """Those that one may restore or purge, deleted last first."""
    found = deletion.deleted_repositories(request.principal)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [(one, deletion.purge_at(one)) for one in page],
        "retention_days": settings.REPOSITORY_RETENTION_DAYS,
    }
    return render(request, "repos/deleted_list.html", context)


@require_GET
def deleted(request: ConsoleRequest, name: str, repository_id: uuid.UUID) -> HttpResponse:
    """One of them, with the forms that restore and purge it."""
    repository = deletion.deleted_repository(request.principal, deletion.RESTORE, name, repository_id)
    return _render(request, repository, NameForm(initial={"name": name}))


@require_POST
def restore(request: ConsoleRequest, name: str, repository_id: uuid.UUID) -> HttpResponse:
    """Bring it back under its old name or another one."""
    note_parameters(repositoryName=name, repositoryId=str(repository_id))
    repository = deletion.deleted_repository(request.principal, deletion.RESTORE, name, repository_id)
    form = NameForm(request.POST)
    if form.is_valid():
        new_name = form.cleaned_data["name"]
        try:
            deletion.restore_repository(request.principal, name, repository_id, new_name)
        except Conflict as error:
            form.add_error("name", f"{error.message}. Choose another name.")
        else:
            messages.success(request, f"Repository {new_name} is back.")
            return redirect("repos:repository", new_name)
    return _render(request, repository, form)


@require_POST
def purge(request: ConsoleRequest, name: str, repository_id: uuid.UUID) -> HttpResponse:
    """Remove it for good, when its name was typed."""
    note_parameters(repositoryName=name, repositoryId=str(repository_id))
    deletion.deleted_repository(request.principal, deletion.PURGE, name, repository_id)
    confirmed(request, name)
    deletion.purge_repository(request.principal, name, repository_id)
    messages.success(request, f"Repository {name} is gone for good.")
    return redirect("repos:deleted_list")


def _render(request: ConsoleRequest, repository: Repository, form: NameForm) -> HttpResponse:
    context: dict[str, Any] = {
        "repository": repository,
        "form": form,
        "purge_at": deletion.purge_at(repository),
        "is_name_taken": Repository.objects.filter(name=repository.name).exists(),
        "may_purge": is_allowed(request.principal, deletion.PURGE, repository.arn),
    }
    return render(request, "repos/deleted.html", context, status=400 if form.errors else 200)
