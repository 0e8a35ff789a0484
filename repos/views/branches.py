"""The branches of a repository: list, create, delete."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from codeservices.errors import NotFound, ServiceError
from codeservices.http import ConsoleRequest, confirmed, is_partial
from codeservices.iam.views.shared import tell
from repos import branches
from repos.forms import BranchForm
from repos.git import log, refs, revspec
from repos.models import Repository
from repos.views.shared import may, note_parameters, opened

PAGE_SIZE = 50


@require_GET
def branch_list(request: ConsoleRequest, name: str) -> HttpResponse:
    """Branches with their last commits; the default one first."""
    return _render(request, name)


@require_POST
def branch_create(request: ConsoleRequest, name: str) -> HttpResponse:
    """Make a branch at a commit."""
    form = BranchForm(request.POST)
    if form.is_valid():
        branch, start = form.cleaned_data["name"], form.cleaned_data["start"]
        note_parameters(repositoryName=name, branchName=branch)
        repository = branches.opened_for(request.principal, branches.CREATE_BRANCH, name, refs.HEADS + branch)
        try:
            with repository.git as git:
                oid = revspec.resolve_revision(git, start).oid
            note_parameters(commitId=oid)
            branches.create_branch(request.principal, name, branch, oid)
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"Branch {branch} is made.")
            return redirect("repos:branch_list", name)
    return _render(request, name, form)


@require_POST
def branch_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete a branch whose name was typed."""
    branch = refs.unescaped(request.POST.get("branch", ""))
    note_parameters(repositoryName=name, branchName=refs.escaped(branch))
    branches.opened_for(request.principal, branches.DELETE_BRANCH, name, refs.HEADS + refs.check_branch_name(branch))
    shown = refs.shown(branch)
    confirmed(request, shown)
    oid = branches.delete_branch(request.principal, name, branch)
    if oid is None:
        raise refs.BranchMissing(f"No branch of {name} is called “{shown}”.")
    messages.success(request, f"Branch {shown} is deleted. It stood at {oid}.")
    return redirect("repos:branch_list", name)


def _render(request: ConsoleRequest, name: str, form: BranchForm | None = None) -> HttpResponse:
    """The page; a form is one that was sent and refused."""
    with opened(request, "codecommit:ListBranches", name) as repository:
        query = request.GET.get("q", "").strip()
        default = repository.default_branch
        found = [one for one in refs.branches(repository.git) if query.lower() in one[0].lower()]
        found.sort(key=lambda one: one[0] != default)
        page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
        is_open = repository.archived_at is None
        context = {
            "repository": repository,
            "tab": "branches",
            "page": page,
            "rows": [(branch, _commit_or_none(repository, oid)) for branch, oid in page],
            "query": query,
            "default_branch": default,
            "form": form or BranchForm(initial={"start": default or ""}),
            # Whether there is something to begin a branch at; a policy may still refuse single names.
            "may_create": is_open and bool(found or query) and may(request, repository, branches.CREATE_BRANCH),
            "may_delete": is_open and may(request, repository, branches.DELETE_BRANCH),
            "may_set_default": is_open and may(request, repository, "codecommit:UpdateDefaultBranch"),
        }
        template = "repos/_branch_rows.html" if is_partial(request) else "repos/branch_list.html"
        return render(request, template, context, status=400 if form is not None else 200)


def _commit_or_none(repository: Repository, oid: str) -> log.Commit | None:
    try:
        return log.commit(repository.git, oid)
    except NotFound:
        return None
