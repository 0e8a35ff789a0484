"""Two revisions compared: "A..B" themselves, "A...B" what B changed since the two parted."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET

from codeservices.errors import InvalidInput, NotFound
from codeservices.http import ConsoleRequest, is_partial
from repos.git import abbreviation, divergence, objects, refs, revspec
from repos.git.divergence import Divergence
from repos.git.revspec import Resolved, Revision
from repos.models import Repository
from repos.remembered import remembered
from repos.templatetags.repository import compare_url
from repos.views import comments, differences, patch_text
from repos.views.difference_page import Comparison
from repos.views.shared import also, may, opened, spec_of, switch

PAGE_COMMITS = 20
# No name of a ref has two dots together, and none begins or ends with one.
_SPEC = re.compile(r"(.*?)(\.\.\.?)(.*)", re.DOTALL)


@require_GET
def compare(request: ConsoleRequest, name: str, spec: str) -> HttpResponseBase:
    """The page of a comparison; with ".patch" or ".diff" behind it, its text; without revisions, the choice of them."""
    with opened(request, "codecommit:GetDifferences", name) as repository:
        also(request, repository, "codecommit:GetBlob")
        base_name, dots, head_name, form = _parse(repository, spec_of(request).strip("/"))
        if "pick" in request.GET and is_partial(request):
            return _choices(request, repository, base_name, dots, head_name)
        if "base" in request.GET or "head" in request.GET:
            return _chosen(request, repository)
        if not base_name or not head_name:
            context = {"repository": repository, "tab": "commits", "base_name": base_name, "head_name": head_name}
            return render(request, "repos/compare.html", context | {"dots": dots})
        base, head = (_revision(repository, one) for one in (base_name, head_name))
        parted = _divergence(repository, base.oid, head.oid)
        compared = _comparison(repository, base, head, dots, parted)
        if form:
            return patch_text.of_comparison(request, compared, form)
        if "commits" in request.GET and is_partial(request):
            return render(request, "repos/_compared_commits.html", _commits(request, compared, base, head, parted))
        page = differences.page_of(request, compared, differences.begin(request, compared))
        if is_partial(request):
            return differences.fragment(request, page)
        context = {
            "repository": repository,
            "tab": "commits",
            "base_name": base_name,
            "head_name": head_name,
            "base": base,
            "head": head,
            "dots": dots,
            "parted": parted,
            "is_unrelated": not parted.merge_bases,
            "is_equal": base.oid == head.oid,
            "comment_count": comments.number_between(request, repository, compared.old_commit, head.oid),
            **_commits(request, compared, base, head, parted),
            **differences.context(request, page),
        }
        response = render(request, "repos/compare.html", context)
    differences.remember_view(request, response, page)
    return response


def _revision(repository: Repository, name: str) -> Revision:
    """As everywhere; and, since people paste what git prints, a commit by the beginning of its id."""
    try:
        return revspec.resolve_revision(repository.git, name)
    except revspec.RevisionNotFound:
        if not abbreviation.ABBREVIATED.fullmatch(name.lower()):
            raise
    return revspec.resolve_revision(repository.git, abbreviation.commit_oid(repository.git, name.lower()))


def _parse(repository: Repository, spec: str) -> tuple[str, str, str, str]:
    """Base, dots, head and the form of text. A branch may be called "x.diff": then that is what is meant."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        if spec:
            raise NotFound(
                f"“{refs.shown(spec[: refs.MAX_BRANCH_NAME])}” does not say what to compare.",
                code="InvalidCommitException",
                hint="Write two revisions with three dots between them: main...feature.",
            )
        return repository.default_branch or "", "...", "", ""
    base, dots, head = match.groups()
    head, form = _without_form(repository, head)
    default = repository.default_branch or ""
    return base or default, dots, head, form


def _without_form(repository: Repository, head: str) -> tuple[str, str]:
    stem, dot, ending = head.rpartition(".")
    if not dot or ending not in patch_text.FORMS:
        return head, ""
    try:
        revspec.resolve_revision(repository.git, head)
    except revspec.RevisionNotFound:
        return stem, ending
    return head, ""


def _chosen(request: ConsoleRequest, repository: Repository) -> HttpResponse:
    """Where the form without scripts leads to."""
    base, head = (refs.unescaped(request.GET.get(key, "")).strip() for key in ("base", "head"))
    if any(".." in one for one in (base, head)):
        raise InvalidInput("A revision has no two dots in its name: give a branch, a tag or a commit id in each field.")
    dots = ".." if request.GET.get("dots") == ".." else "..."
    return HttpResponseRedirect(compare_url(repository.name, base, head, dots))


def _divergence(repository: Repository, a: str, b: str) -> Divergence:
    return remembered(repository, "divergence", a, b, make=lambda: divergence.divergence(repository.git, a, b))


def _comparison(repository: Repository, base: Revision, head: Revision, dots: str, parted: Divergence) -> Comparison:
    """With three dots from the merge base; of unrelated histories, which have none, from the base itself."""
    old_commit = parted.merge_bases[0] if dots == "..." and parted.merge_bases else base.oid
    return Comparison(
        repository=repository,
        old_tree=objects.tree_oid(repository.git, old_commit),
        new_tree=objects.tree_oid(repository.git, head.oid),
        old_commit=old_commit,
        new_commit=head.oid,
        address=compare_url(repository.name, base.name, head.name, dots),
        kept={},
    )


def _commits(
    request: ConsoleRequest, compared: Comparison, base: Revision, head: Revision, parted: Divergence
) -> dict[str, Any]:
    """A page of the commits that the head has and the base has not."""
    repository = compared.repository
    if parted.ahead == 0 or not may(request, repository, "codecommit:GetCommitHistory"):
        return {"commits": (), "commit_pages": {}}
    text = request.GET.get("commits", "")
    number = int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 7 else 1
    skip = max(0, number - 1) * PAGE_COMMITS
    found = divergence.commits_between(repository.git, base.oid, head.oid, skip=skip, limit=PAGE_COMMITS + 1)
    pages = {"previous": number - 1 if number > 1 else None, "next": number + 1 if len(found) > PAGE_COMMITS else None}
    return {
        "repository": repository,
        "commits": found[:PAGE_COMMITS],
        "commit_pages": {
            key: f"{compared.address}?{urlencode({'commits': page})}" for key, page in pages.items() if page
        },
    }


def _choices(request: ConsoleRequest, repository: Repository, base: str, dots: str, head: str) -> HttpResponse:
    """The branches and tags that one side could be, for its menu; the field that filters them is called as the side."""
    is_base = request.GET["pick"] == "base"
    current = base if is_base else head
    try:
        revision = revspec.resolve_revision(repository.git, current)
        at = Resolved(revision.refname, revision.name, revision.oid, "")
    except revspec.RevisionNotFound:
        at = Resolved(None, "", "", "")
    found = switch(repository, at, "compare", request.GET.get("base" if is_base else "head", ""))
    for key in ("switch_branches", "switch_tags"):
        found[key] = [
            (one, compare_url(repository.name, *_replaced(base, head, one.revision, is_base=is_base), dots))
            for one in found[key]
        ]
    return render(request, "repos/_compare_options.html", found | {"side": "base" if is_base else "head"})


def _replaced(base: str, head: str, chosen: str, *, is_base: bool) -> tuple[str, str]:
    return (chosen, head) if is_base else (base, chosen)
