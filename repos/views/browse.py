"""The code of a repository at a revision: whether an address means a folder or a file."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from codeservices.http import ConsoleRequest, is_partial
from repos.git import refs, revspec, tree
from repos.views import file, folder, submodule
from repos.views.kept import kept
from repos.views.shared import also, may, opened, spec_of, switch


@require_GET
@kept
def overview(request: ConsoleRequest, name: str) -> HttpResponse:
    """The root folder of the default branch; before the first push, the commands that lead to one."""
    with opened(request, "codecommit:GetRepository", name) as repository:
        start = repository.default_branch or next((each for each, _ in refs.branches(repository.git)), None)
        if start is None:
            return folder.show_empty(request, repository)
        if not may(request, repository, "codecommit:GetFolder"):
            return render(request, "repos/repository_closed.html", {"repository": repository, "tab": "code"})
        return folder.show(request, repository, revspec.resolve(repository.git, start), is_overview=True)


@require_GET
@kept
def browse(request: ConsoleRequest, name: str, spec: str) -> HttpResponse:
    """A folder or a file, by "REVISION/PATH"; the longest existing ref is the revision."""
    with opened(request, "codecommit:GetFolder", name) as repository:
        at = revspec.resolve(repository.git, spec_of(request))
        if "q" in request.GET and is_partial(request):
            return render(request, "repos/_ref_options.html", switch(repository, at, "browse", request.GET["q"]))
        entry = tree.entry(repository.git, at.oid, at.path)
        if entry.kind == "tree":
            return folder.show(request, repository, at)
        also(request, repository, "codecommit:GetFile")
        if entry.kind == "submodule":
            return submodule.show(request, repository, at, entry)
        return file.show(request, repository, at, entry)
