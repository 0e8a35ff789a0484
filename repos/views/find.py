"""Find a file of a revision by a part of its path."""

from __future__ import annotations

import gzip
from typing import Final
from urllib.parse import quote

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.views.decorators.http import require_GET

from codeservices.compression import accepts_gzip
from codeservices.http import ConsoleRequest
from repos.git import path_list as paths_of_commit
from repos.git import refs, revspec
from repos.lasting import lasting
from repos.models import Repository
from repos.views.shared import opened, place, spec_of

MAX_SHOWN: Final = 100
# 0.8 MB in place of 4 for the linux kernel's paths; a higher level takes far longer for a few percent.
COMPRESSION: Final = 6
# The names that a browser has been given it has; without the right to them it gets none of the next commit.
MAX_AGE_SECONDS: Final = 86400


@require_GET
def find(request: ConsoleRequest, name: str, spec: str) -> HttpResponse:
    """The page of the file finder; `q` is answered here too, for browsers without scripts."""
    with opened(request, "codecommit:GetFolder", name) as repository:
        at = revspec.resolve(repository.git, spec_of(request))
        wanted = request.GET.get("q", "").strip()
        context = place(request, repository, at) | {
            "wanted": wanted,
            "switch_page": "find",
            "max_shown": MAX_SHOWN,
            "max_paths": paths_of_commit.MAX_PATHS,
        }
        if wanted:
            everything = paths_of_commit.paths(repository.git, at.oid)
            context["found"] = paths_of_commit.matching(everything.paths, wanted, MAX_SHOWN)
            context["is_cut"] = everything.is_cut
        return render(request, "repos/find.html", context)


@require_GET
def path_list(request: ConsoleRequest, name: str, oid: str) -> HttpResponse:
    """All paths of a commit, one a line, for the finder to look through in the browser.

    A path with a byte that no line of text can hold is "ADDRESS<tab>SHOWN": percent-encoded, and with escapes.
    """
    with opened(request, "codecommit:GetFolder", name) as repository:
        oid = revspec.resolve_revision(repository.git, oid).oid
        etag = f'"{oid}-paths"'
        response = get_conditional_response(request, etag=etag)
        if response is None:
            body = lasting(repository, "paths", oid, make=lambda: _listed(repository, oid))
            if accepts_gzip(request):
                response = HttpResponse(body, content_type="text/plain; charset=utf-8")
                response["Content-Encoding"] = "gzip"
            else:
                response = HttpResponse(gzip.decompress(body), content_type="text/plain; charset=utf-8")
    response["ETag"] = etag
    response["Cache-Control"] = f"private, max-age={MAX_AGE_SECONDS}, immutable"
    patch_vary_headers(response, ["Accept-Encoding", "Cookie"])
    return response


def _listed(repository: Repository, oid: str) -> bytes:
    lines = (_line_of(path) for path in paths_of_commit.paths(repository.git, oid).paths)
    return gzip.compress("\n".join(lines).encode("utf-8"), compresslevel=COMPRESSION, mtime=0)


def _line_of(path: str) -> str:
    shown = refs.shown(path)
    return path if shown == path else f"{quote(path, errors='surrogateescape')}\t{shown}"
