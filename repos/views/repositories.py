"""The list of repositories, a new one, and the settings of one."""

from __future__ import annotations

from typing import Any

from django.conf import settings as conf
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import Conflict, LimitExceeded
from codeservices.http import ConsoleRequest, is_partial
from codeservices.iam.views.shared import sent_tags
from repos import deletion, provision, quota, tags
from repos.access import repositories_for
from repos.forms import DefaultBranchForm, DeleteForm, DescriptionForm, NameForm, QuotaForm, RepositoryForm
from repos.git import refs
from repos.git.wire import MAX_COMMANDS
from repos.models import Repository
from repos.upkeep import schedule
from repos.views.shared import may, opened

PAGE_SIZE = 50


@require_GET
def repository_list(request: ConsoleRequest) -> HttpResponse:
    """The repositories that one may look at, by name; typing in the filter asks for the rows alone.

    `tag` is a tag's key, or "KEY=VALUE", that a repository must have.
    """
    query, tag = request.GET.get("q", "").strip(), request.GET.get("tag", "").strip()
    every = list(repositories_for(request.principal))
    wanted = query.lower()
    found = [one for one in every if wanted in one.name.lower() or wanted in one.description.lower()]
    if tag:
        found = [one for one in found if _has_tag(one, tag)]
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "query": query,
        "tag": tag,
        "total": len(every),
        "keeps_deleted": deletion.keeps_any(request.principal),
        "may_keep_up": any(may(request, one, schedule.ACTION) for one in every),
    }
    template = "repos/_repository_rows.html" if is_partial(request) else "repos/repository_list.html"
    return render(request, template, context)


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
    return redirect(
        "repos:branch_list" if request.POST.get("from") == "branches" else "repos:repository_settings", name
    )


@require_POST
def rename(request: ConsoleRequest, name: str) -> HttpResponse:
    """Give it another name; old clone URLs, and build projects that have them, then lead nowhere."""
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
    messages.success(request, f"{name} is now called {new_name}. Clones and build projects need the new URL.")
    return redirect("repos:repository_settings", new_name)


@require_POST
def save_tags(request: ConsoleRequest, name: str) -> HttpResponse:
    """Bring the tags to what the form says, row by row."""
    with opened(request, "codecommit:ListTagsForResource", name) as repository:
        tags.replace(request.principal, repository, sent_tags(request))
    messages.success(request, "The tags are saved.")
    return redirect("repos:repository_settings", name)


@require_POST
def set_quota(request: ConsoleRequest, name: str) -> HttpResponse:
    """Give it a quota of its own, or the installation's again."""
    with opened(request, quota.ACTION, name) as repository:
        form = QuotaForm(request.POST)
        if not form.is_valid():
            return _settings(request, repository, quota_form=form)
        quota.set_quota(request.principal, name, form.quota_bytes())
    messages.success(request, "The quota is saved.")
    return redirect("repos:repository_settings", name)


@require_POST
def archive(request: ConsoleRequest, name: str) -> HttpResponse:
    """Make it read-only."""
    provision.archive_repository(request.principal, name)
    messages.success(request, f"{name} is archived: nothing in it changes until it is opened again.")
    return redirect("repos:repository_settings", name)


@require_POST
def unarchive(request: ConsoleRequest, name: str) -> HttpResponse:
    """Open it again."""
    provision.unarchive_repository(request.principal, name)
    messages.success(request, f"{name} can be pushed to again.")
    return redirect("repos:repository_settings", name)


@require_GET
def migrate(request: ConsoleRequest, name: str) -> HttpResponse:
    """The commands that bring another repository here with all its refs."""
    with opened(request, "codecommit:GetRepository", name) as repository:
        context = {
            "repository": repository,
            "tab": "code",
            "clone_url": _clone_url(request, repository),
            "max_refs": f"{MAX_COMMANDS:,}",
        }
        return render(request, "repos/repository_migrate.html", context)


@require_POST
def delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete it with everything in it, when its name was typed; for a while it can be restored."""
    with opened(request, "codecommit:DeleteRepository", name) as repository:
        form = DeleteForm(request.POST, name=repository.name)
        if not form.is_valid():
            return _settings(request, repository, delete_form=form)
    deletion.delete_repository(request.principal, name)
    days = conf.REPOSITORY_RETENTION_DAYS
    until = f" It can be restored for {days} {'day' if days == 1 else 'days'}." if days else ""
    messages.success(request, f"Repository {name} is deleted.{until}")
    return redirect("repos:repository_list")


def _has_tag(repository: Repository, wanted: str) -> bool:
    """Whether it has a tag "KEY" or "KEY=VALUE"; a key may itself have an equals sign."""
    return wanted in repository.tags or any(f"{key}={value}" == wanted for key, value in repository.tags.items())


def _clone_url(request: ConsoleRequest, repository: Repository) -> str:
    return repository.clone_url(f"{request.scheme}://{request.get_host()}")


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
        "quota_form": QuotaForm(initial={"quota_gigabytes": _gigabytes(repository.quota_bytes)}),
        "delete_form": DeleteForm(name=repository.name),
    }
    allowed = {
        "may_describe": may(request, repository, "codecommit:UpdateRepositoryDescription"),
        "may_set_default_branch": may(request, repository, "codecommit:UpdateDefaultBranch"),
        "may_rename": may(request, repository, "codecommit:UpdateRepositoryName"),
        "may_tag": may(request, repository, "codecommit:TagResource", "codecommit:UntagResource"),
        "may_set_quota": may(request, repository, quota.ACTION),
        "may_archive": may(request, repository, provision.ARCHIVE),
        "may_unarchive": may(request, repository, provision.UNARCHIVE),
        "may_delete": may(request, repository, "codecommit:DeleteRepository"),
    }
    context = {
        "repository": repository,
        "tab": "settings",
        "settings_tab": "general",
        "branches": branches,
        "clone_url": _clone_url(request, repository),
        "tags": sorted(repository.tags.items()),
        "limit_bytes": quota.limit_bytes(repository),
        "default_quota_bytes": conf.REPOSITORY_QUOTA_BYTES,
        "retention_days": conf.REPOSITORY_RETENTION_DAYS,
        **allowed,
        "may_change": any(allowed.values()),
        **forms,
        **bound,
    }
    return render(request, "repos/repository_settings.html", context, status=400 if bound else 200)


def _gigabytes(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else round(size_bytes / 2**30, 6)
