"""A submodule: a commit of another repository, in the place of a folder."""

from __future__ import annotations

import posixpath
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render

from codeservices.http import ConsoleRequest
from codeservices.iam import arn
from codeservices.iam.authorize import is_allowed
from repos.git import submodules, tree
from repos.git.revspec import Resolved
from repos.models import Repository
from repos.views.shared import place


def show(request: ConsoleRequest, repository: Repository, at: Resolved, entry: tree.Entry) -> HttpResponse:
    """Which commit of which repository is meant; the caller has authorized codecommit:GetFile, for .gitmodules."""
    context = place(request, repository, at)
    url = submodules.url(repository.git, at.oid, at.path)
    context |= {
        "entry": entry,
        "url": url,
        "is_web": _is_web(url),
        "ours": _ours(request, url, context["clone_url"]),
    }
    return render(request, "repos/submodule.html", context)


def _is_web(url: str) -> bool:
    """Whether it may be a link. Anybody's text is in .gitmodules, and of some urlsplit says that they are no URLs."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return url.isprintable() and parts.scheme in ("http", "https") and bool(parts.netloc)


def _ours(request: ConsoleRequest, url: str, clone_url: str) -> str:
    """The name of the repository of this server that a URL means, if there is one that this person may look at.

    A relative URL is relative to the repository's own. Source: git-submodule(1), "add".
    """
    folder = posixpath.dirname(clone_url)
    if url.startswith(("./", "../")):
        url = f"{folder}/{url.removeprefix('../')}" if url.startswith("../") else ""
    name = url.rstrip("/").removesuffix(".git").removeprefix(f"{folder}/")
    if not url.startswith(f"{folder}/") or "/" in name:
        return ""
    allowed = is_allowed(
        request.principal, "codecommit:GetRepository", arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, name)
    )
    return name if allowed and Repository.objects.filter(name=name).exists() else ""
