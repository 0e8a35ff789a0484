"""One commit with its changes, and the same as text."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from codeservices import registry
from codeservices.errors import NotFound
from codeservices.http import ConsoleRequest, is_partial
from repos import signatures
from repos.git import abbreviation, log, objects, program, refs
from repos.git import containing as git_containing
from repos.models import Repository
from repos.views import comments, differences, kept, patch_text
from repos.views.difference_page import Comparison
from repos.views.shared import also, may, opened, revision_of_tag

MAX_SHOWN_REFS: Final = 10
_BRANCHES: Final = "codecommit:ListBranches"
_TAGS: Final = "codecommit:GetReferences"


@require_GET
@kept.kept_of_commits
def commit(request: ConsoleRequest, name: str, oid: str) -> HttpResponse:
    """One commit: message, people, and what it changed against its first parent, or the one that `parent` counts.

    The beginning of an id leads to the whole one. `refs` asks for the branches and tags that have the commit.
    """
    with opened(request, "codecommit:GetCommit", name, commitId=oid) as repository:
        if abbreviation.ABBREVIATED.fullmatch(oid.lower()):
            address = reverse("repos:commit", args=[name, abbreviation.commit_oid(repository.git, oid.lower())])
            query = request.META["QUERY_STRING"]
            return redirect(f"{address}?{query}" if query else address)
        if "refs" in request.GET and is_partial(request):
            return render(request, "repos/_commit_refs.html", _refs(request, repository, _commit(repository, oid)))
        found = _commit(repository, oid)
        number = _parent_number(request, found)
        is_fragment = is_partial(request)
        if is_fragment:
            also(request, repository, "codecommit:GetBlob")
            also(request, repository, "codecommit:GetDifferences")
        may_compare = is_fragment or may(request, repository, "codecommit:GetDifferences", "codecommit:GetBlob")
        comparison = _comparison(repository, found, number)
        opening = differences.begin(request, comparison) if may_compare else None  # git works meanwhile
        parents = [(at, one, at == number) for at, one in enumerate(found.parent_oids, start=1)]
        context: dict[str, Any] = {
            "repository": repository,
            "tab": "commits",
            "commit": found,
            "may_compare": may_compare,
            "parents": parents,
            "parent_number": number,
        }
        if not is_fragment:
            context |= comments.context(request, repository, found)
            context["statuses"] = registry.commit_statuses(request.principal, name, [found.oid])
            context["signatures"] = signatures.of_commits(repository, [found])
            context["named"] = abbreviation.named_in(repository.git, found.body)
            context["may_see_refs"] = may(request, repository, _BRANCHES) or may(request, repository, _TAGS)
            if "refs" in request.GET:
                context |= _refs(request, repository, found)
        if not may_compare:
            return render(request, "repos/commit.html", context)
        page = differences.page_of(request, comparison, opening)
        if is_fragment:
            return differences.fragment(request, page)
        if found.is_merge:
            context["base_words"] = "against its first parent" if number == 1 else f"against its parent {number}"
        response = render(request, "repos/commit.html", context | differences.context(request, page))
    differences.remember_view(request, response, page)
    return response


@require_GET
def commit_text(request: ConsoleRequest, name: str, oid: str, form: str) -> HttpResponseBase:
    """A commit as text, of a merge against its first parent: "patch" is a mail for git am, "diff" is for git apply."""
    with opened(request, "codecommit:GetCommit", name, commitId=oid) as repository:
        also(request, repository, "codecommit:GetBlob")
        also(request, repository, "codecommit:GetDifferences")
        found = _commit(repository, oid)
        return patch_text.of_commit(request, repository, found, form)


def _commit(repository: Repository, oid: str) -> log.Commit:
    wanted = oid.lower()
    if not refs.OID.fullmatch(wanted):
        raise NotFound(
            f"“{oid}” is no commit id. An id has 40 hexadecimal digits.",
            code="InvalidCommitIdException",
            hint="Copy the whole id from the list of commits.",
        )
    return log.commit(repository.git, wanted)


def _refs(request: ConsoleRequest, repository: Repository, found: log.Commit) -> dict[str, Any]:
    """What _commit_refs.html needs: the branches, the default one first, and tags that have a commit."""
    kept.not_final(request)  # refs move
    branches: list[str] = []
    tags: list[str] = []
    is_known = True
    try:
        if may(request, repository, _BRANCHES):
            default = repository.default_branch
            branches = sorted(git_containing.branches(repository.git, found.oid), key=lambda one: one != default)
        if may(request, repository, _TAGS):
            tags = git_containing.tags(repository.git, found.oid)
    except program.GitError:  # no time, or a ref behind which objects are missing
        is_known = False
    taken = {name for name, _ in refs.branches(repository.git)} if tags else set()
    return {
        "repository": repository,
        "commit": found,
        "with_refs": True,
        "branches": branches[:MAX_SHOWN_REFS],
        "more_branches": max(0, len(branches) - MAX_SHOWN_REFS),
        "tags": [(tag, revision_of_tag(tag, taken)) for tag in tags[:MAX_SHOWN_REFS]],
        "more_tags": max(0, len(tags) - MAX_SHOWN_REFS),
        "are_refs_known": is_known,
    }


def _parent_number(request: ConsoleRequest, found: log.Commit) -> int:
    """Which parent to compare with, from 1; 0 for a first commit."""
    text = request.GET.get("parent", "")
    count = len(found.parent_oids)
    if not text:
        return min(1, count)
    if not text.isascii() or not text.isdigit() or len(text) > 6 or not 1 <= int(text) <= count:
        raise NotFound(
            f"This commit has no parent {text[:20]}: it has {count}.", code="ParentCommitDoesNotExistException"
        )
    return int(text)


def _comparison(repository: Repository, found: log.Commit, parent_number: int) -> Comparison:
    parent = found.parent_oids[parent_number - 1] if parent_number else ""
    return Comparison(
        repository=repository,
        old_tree=objects.tree_oid(repository.git, parent) if parent else objects.EMPTY_TREE,
        new_tree=found.tree_oid,
        old_commit=parent,
        new_commit=found.oid,
        address=reverse("repos:commit", args=[repository.name, found.oid]),
        kept={"parent": str(parent_number)} if parent_number > 1 else {},
    )
