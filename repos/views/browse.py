"""Folders and files at a revision, and their bytes."""

from __future__ import annotations

import re
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_GET

from codeservices.http import ChunkedResponse, ConsoleRequest, content_disposition, download, is_partial
from repos.git import blob, log, refs, revspec, tree
from repos.git.revspec import Resolved
from repos.git.wire import MAX_COMMANDS
from repos.models import Repository
from repos.views.shared import also, may, opened, spec_of, switch

# A page of a folder; a folder of 100,000 entries exists, and no browser wants them at once.
PAGE_SIZE = 1000
# A file page is about three times as large as the text in it, and 512 KiB are some 15,000 lines of code.
MAX_SHOWN_BYTES = 512 * 1024
MAX_README_BYTES = 256 * 1024
# Enough of a file to tell its encoding by.
PROBE_BYTES = 64 * 1024
_README = re.compile(r"readme(\.(md|markdown|mdown|rst|txt|adoc|org))?", re.IGNORECASE)
_CHARSETS = {"utf-8-sig": "utf-8", "latin-1": "iso-8859-1", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}


@require_GET
def overview(request: ConsoleRequest, name: str) -> HttpResponse:
    """The root folder of the default branch; before the first push, the commands that lead to one."""
    with opened(request, "codecommit:GetRepository", name) as repository:
        start = repository.default_branch or next((each for each, _ in refs.branches(repository.git)), None)
        if start is None:
            return _empty(request, repository)
        if not may(request, repository, "codecommit:GetFolder"):
            return render(request, "repos/repository_closed.html", {"repository": repository, "tab": "code"})
        return _folder(request, repository, revspec.resolve(repository.git, start), is_overview=True)


@require_GET
def browse(request: ConsoleRequest, name: str, spec: str) -> HttpResponse:
    """A folder or a file, by "REVISION/PATH"; the longest existing ref is the revision."""
    with opened(request, "codecommit:GetFolder", name) as repository:
        at = revspec.resolve(repository.git, spec_of(request))
        if "q" in request.GET and is_partial(request):
            return render(request, "repos/_ref_options.html", switch(repository, at, "browse", request.GET["q"]))
        if tree.entry(repository.git, at.oid, at.path).kind == "tree":
            return _folder(request, repository, at)
        also(request, repository, "codecommit:GetFile")
        return _file(request, repository, at)


@require_GET
def raw(request: ConsoleRequest, name: str, spec: str) -> HttpResponseBase:
    """A file's bytes: as plain text to read or as a download, never as anything that a browser would run."""
    with opened(request, "codecommit:GetFile", name) as repository:
        at = revspec.resolve(repository.git, spec_of(request))
        found = blob.read(repository.git, at.oid, at.path, max_bytes=PROBE_BYTES)
    etag = f'"{found.oid}"'
    unchanged = get_conditional_response(request, etag=etag)
    if unchanged is not None:
        return unchanged
    filename = refs.shown(at.path.rpartition("/")[2])
    content = blob.stream(repository.git, found.oid)
    if found.is_binary or "download" in request.GET:
        response = download(content, filename, size_bytes=found.size_bytes)
    else:
        charset = _CHARSETS.get(found.encoding, found.encoding)
        response = ChunkedResponse(content, content_type=f"text/plain; charset={charset}")
        response["Content-Disposition"] = content_disposition(filename, inline=True)
        response["Content-Length"] = str(found.size_bytes)
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response["X-Content-Type-Options"] = "nosniff"
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"  # the right to read it may end; the bytes of an oid never change
    return response


def _empty(request: ConsoleRequest, repository: Repository) -> HttpResponse:
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


def _folder(
    request: ConsoleRequest, repository: Repository, at: Resolved, *, is_overview: bool = False
) -> HttpResponse:
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
    context = _context(request, repository, at) | {
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


def _file(request: ConsoleRequest, repository: Repository, at: Resolved) -> HttpResponse:
    found = blob.read(repository.git, at.oid, at.path, max_bytes=MAX_SHOWN_BYTES)
    return render(request, "repos/blob.html", _context(request, repository, at) | {"blob": found})


def _context(request: ConsoleRequest, repository: Repository, at: Resolved) -> dict[str, Any]:
    parts = at.path.split("/") if at.path else []
    return {
        "repository": repository,
        "tab": "code",
        "at": at,
        "is_permanent": at.name == at.oid,
        "clone_url": repository.clone_url(f"{request.scheme}://{request.get_host()}"),
        "trail": [(part, "/".join(parts[: index + 1])) for index, part in enumerate(parts)],
        "parent_path": "/".join(parts[:-1]),
        "switch_page": "browse",
    }
