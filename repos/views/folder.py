"""A folder at a revision, and a repository before its first push."""

from __future__ import annotations

import re

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render

from codeservices.http import ConsoleRequest, is_partial
from repos.git import blob, log, refs, tree
from repos.git.revspec import Resolved
from repos.git.wire import MAX_COMMANDS
from repos.models import Repository
from repos.views.shared import may, place

# A page of a folder; a folder of 100,000 entries exists, and no browser wants them at once.
PAGE_SIZE = 1000
MAX_README_BYTES = 256 * 1024
_README = re.compile(r"readme(\.(md|markdown|mdown|rst|txt|adoc|org))?", re.IGNORECASE)


def show_empty(request: ConsoleRequest, repository: Repository) -> HttpResponse:
    """The commands that lead to a first push."""
    clone_url = repository.clone_url(f"{request.scheme}://{request.get_host()}")
    context = {
        "repository": repository,
        "tab": "code",
        "clone_url": clone_url,
        "max_refs": f"{MAX_COMMANDS:,}",
        "branch": refs.head(repository.git).removeprefix(refs.HEADS),
        "tags": refs.tags(repository.git)[:1],
    }
    return render(request, "repos/repository_empty.html", context)


def show(request: ConsoleRequest, repository: Repository, at: Resolved, *, is_overview: bool = False) -> HttpResponse:
    """A folder at once; the last commit of each entry comes with a second request, or without scripts by a link."""
    git = repository.git
    entries = tree.entries(git, at.oid, at.path)
    page = Paginator(entries, PAGE_SIZE).get_page(request.GET.get("page"))
    with_commits = "last_commits" in request.GET
    commits: dict[str, log.Commit] = {}
    latest = log.commit(git, at.oid) if not at.path else None
    if with_commits:
        commits = tree.last_commits(git, at.oid, at.path, [one.name for one in page])
        if latest is None:
            latest = next(iter(log.commits(git, at.oid, path=at.path, limit=1).commits), None)
    context = place(request, repository, at) | {
        "is_overview": is_overview,
        "page": page,
        "rows": [(one, commits.get(one.name)) for one in page],
        "with_commits": with_commits,
        "latest": latest,
    }
    if is_partial(request):
        return render(request, "repos/_tree.html", context)
    readme = next((one for one in entries if one.kind == "blob" and _README.fullmatch(one.name)), None)
    if readme is not None and may(request, repository, "codecommit:GetFile"):
        context["readme"] = blob.read(git, at.oid, readme.path, max_bytes=MAX_README_BYTES)
    return render(request, "repos/tree.html", context)
