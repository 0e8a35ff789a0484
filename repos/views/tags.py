"""Git's tags of a repository: list, create, delete."""

from __future__ import annotations

import re

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from codeservices import registry
from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest, confirmed, is_partial
from codeservices.iam.views.shared import tell
from repos import branches
from repos.forms import TagForm
from repos.git import refs, tags
from repos.views.shared import may, note_parameters, oid_of_start, opened, revision_of_tag

PAGE_SIZE = 50
_VERSION_PARTS = re.compile(r"\d+|\D+")
_BEFORE_RELEASE = re.compile(r"[-._~]?(a|alpha|b|beta|c|rc|pre|dev)\b", re.IGNORECASE)


@require_GET
def tag_list(request: ConsoleRequest, name: str) -> HttpResponse:
    """Tags, the highest version first, whatever they are of."""
    return _render(request, name)


@require_POST
def tag_create(request: ConsoleRequest, name: str) -> HttpResponse:
    """Make a tag of a commit."""
    form = TagForm(request.POST)
    if form.is_valid():
        tag, start = form.cleaned_data["name"], form.cleaned_data["start"]
        note_parameters(repositoryName=name, reference=branches.tag_refname(tag))
        repository = branches.opened_for(request.principal, branches.MOVE_TAG, name, branches.tag_refname(tag))
        try:
            oid = oid_of_start(repository, start)
            branches.create_tag(request.principal, name, tag, oid, form.cleaned_data["message"])
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"Tag {tag} is made.")
            return redirect("repos:tag_list", name)
    return _render(request, name, form)


@require_POST
def tag_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete a tag whose name was typed."""
    tag = refs.unescaped(request.POST.get("tag", ""))
    refname = branches.tag_refname(tag)
    note_parameters(repositoryName=name, reference=refs.escaped(refname))
    branches.opened_for(request.principal, branches.MOVE_TAG, name, refname)
    shown = refs.shown(tag)
    confirmed(request, shown)
    oid = branches.delete_tag(request.principal, name, tag)
    messages.success(request, f"Tag {shown} is deleted. It stood at {oid}.")
    return redirect("repos:tag_list", name)


def _render(request: ConsoleRequest, name: str, form: TagForm | None = None) -> HttpResponse:
    """The page; a form is one that was sent and refused."""
    with opened(request, "codecommit:GetReferences", name) as repository:
        query = request.GET.get("q", "").strip()
        heads = {branch for branch, _ in refs.branches(repository.git)}
        found = [one for one in refs.tags(repository.git) if query.lower() in one[0].lower()]
        found.sort(key=lambda one: _version(one[0]), reverse=True)
        page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
        rows = [(tag, revision_of_tag(tag, heads), tags.describe(repository.git, oid)) for tag, oid in page]
        oids = [tag.target_oid for _, _, tag in rows if tag.commit is not None]
        may_push = repository.archived_at is None and may(request, repository, branches.MOVE_TAG)
        context = {
            "repository": repository,
            "tab": "tags",
            "page": page,
            "rows": rows,
            "statuses": registry.commit_statuses(request.principal, name, oids),
            "query": query,
            "form": form or TagForm(initial={"start": repository.default_branch or ""}),
            "may_create": may_push and bool(heads or found),
            "may_delete": may_push,
        }
        template = "repos/_tag_rows.html" if is_partial(request) else "repos/tag_list.html"
        return render(request, template, context, status=400 if form is not None else 200)


def _version(name: str) -> list[tuple[int, int, str]]:
    """Sorts v1.10 behind v1.9, v1.0.1 behind v1.0, and v1.0 behind its candidates."""
    parts = _VERSION_PARTS.findall(name)
    return [_version_part(part) for part in parts] + [(1, 0, "")]


def _version_part(part: str) -> tuple[int, int, str]:
    if part.isdecimal():
        return (3, int(part[:30]), "")
    return (0 if _BEFORE_RELEASE.match(part) else 2, 0, part)
