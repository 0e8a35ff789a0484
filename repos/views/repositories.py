"""The list of repositories, a new one, and the settings of one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import Conflict, LimitExceeded
from codeservices.http import ConsoleRequest, is_partial
from repos import deletion, provision
from repos.access import repositories_for
from repos.forms import DefaultBranchForm, DeleteForm, DescriptionForm, NameForm, RepositoryForm
from repos.git import refs
from repos.models import Repository
from repos.views.shared import may, opened

PAGE_SIZE = 50


@require_GET
def repository_list(request: ConsoleRequest) -> HttpResponse:
    """The repositories that one may look at, by name; typing in the filter asks for the rows alone."""
    query = request.GET.get("q", "").strip()
    every = list(repositories_for(request.principal))
    wanted = query.lower()
    found = [one for one in every if wanted in one.name.lower() or wanted in one.description.lower()]
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    template = "repos/_repository_rows.html" if is_partial(request) else "repos/repository_list.html"
    return render(request, template, {"page": page, "query": query, "total": len(every)})


@require_http_methods(["GET", "POST"])
def repository_create(request: ConsoleRequest) -> HttpResponse:
    """A form for a new repository; its page then shows how to push to it."""
    form = RepositoryForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        try:
            provision.create_repository(request.principal, name, form.cleaned_data["description"])
        except (Conflict, LimitExceeded) as error:
            form.add_error("name", error.message)
        else:
            messages.success(request, f"Repository {name} is ready.")
            return redirect("repos:repository", name)
    return render(request, "repos/repository_create.html", {"form": form}, status=400 if form.errors else 200)


@require_GET
def settings(request: ConsoleRequest, name: str) -> HttpResponse:
    """Description, default branch, name, and deletion; each form only for those who may."""
    with opened(request, "codecommit:GetRepository", name) as repository:
        return _settings(request, repository)


@require_POST
def describe(request: ConsoleRequest, name: str) -> HttpResponse:
    """Set the description."""
    with opened(request, "codecommit:UpdateRepositoryDescription", name) as repository:
        form = DescriptionForm(request.POST)
        if not form.is_valid():
            return _settings(request, repository, description_form=form)
        provision.describe_repository(request.principal, name, form.cleaned_data["description"])
    messages.success(request, "The description is saved.")
    return redirect("repos:repository_settings", name)


@require_POST
def set_default_branch(request: ConsoleRequest, name: str) -> HttpResponse:
    """Choose the branch that clones and pages begin with."""
    with opened(request, "codecommit:UpdateDefaultBranch", name) as repository:
        form = DefaultBranchForm(request.POST, branches=_branch_names(repository))
        if not form.is_valid():
            return _settings(request, repository, default_branch_form=form)
        branch = form.cleaned_data["branch"]
        provision.set_default_branch(request.principal, name, branch)
    messages.success(request, f"The default branch is now {branch}.")
    return redirect("repos:repository_settings", name)


@require_POST
def rename(request: ConsoleRequest, name: str) -> HttpResponse:
    """Give it another name; old clone URLs then lead nowhere."""
    with opened(request, "codecommit:UpdateRepositoryName", name) as repository:
        form = NameForm(request.POST)
        if form.is_valid():
            try:
                provision.rename_repository(request.principal, name, form.cleaned_data["name"])
            except Conflict as error:
                form.add_error("name", error.message)
        if form.errors:
            return _settings(request, repository, name_form=form)
    new_name = form.cleaned_data["name"]
    messages.success(request, f"{name} is now called {new_name}. Clones need the new URL.")
    return redirect("repos:repository_settings", new_name)


@require_POST
def delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete it with everything in it, when its name was typed."""
    with opened(request, "codecommit:DeleteRepository", name) as repository:
        form = DeleteForm(request.POST, name=repository.name)
        if not form.is_valid():
            return _settings(request, repository, delete_form=form)
    deletion.delete_repository(request.principal, name)
    messages.success(request, f"Repository {name} is deleted.")
    return redirect("repos:repository_list")


def _branch_names(repository: Repository) -> list[str]:
    """Branches that a form can carry; names that are not UTF-8 can be set by git alone."""
    return [name for name, _ in refs.branches(repository.git) if name.isprintable()]


def _settings(request: ConsoleRequest, repository: Repository, **bound: Any) -> HttpResponse:
    """The settings page; a bound form is one that was sent and refused."""
    branches = _branch_names(repository)
    forms = {
        "description_form": DescriptionForm(initial={"description": repository.description}),
        "default_branch_form": DefaultBranchForm(branches=branches, initial={"branch": repository.default_branch}),
        "name_form": NameForm(initial={"name": repository.name}),
        "delete_form": DeleteForm(name=repository.name),
    }
    allowed = {
        "may_describe": may(request, repository, "codecommit:UpdateRepositoryDescription"),
        "may_set_default_branch": may(request, repository, "codecommit:UpdateDefaultBranch"),
        "may_rename": may(request, repository, "codecommit:UpdateRepositoryName"),
        "may_delete": may(request, repository, "codecommit:DeleteRepository"),
    }
    origin = f"{request.scheme}://{request.get_host()}"
    context = {
        "repository": repository,
        "tab": "settings",
        "settings_tab": "general",
        "branches": branches,
        "clone_url": repository.clone_url(origin),
        **allowed,
        "may_change": any(allowed.values()),
        **forms,
        **bound,
    }
    return render(request, "repos/repository_settings.html", context, status=400 if bound else 200)
