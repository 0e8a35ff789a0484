"""Changes as plain text, streamed as git writes it: patches for `git am`, differences for `git apply`."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response

from codeservices.http import ChunkedResponse, ConsoleRequest, content_disposition
from repos.diff.changes import ENVIRONMENT, RENAME_LIMIT
from repos.git import log, objects, program
from repos.models import Repository
from repos.views import making
from repos.views.difference_page import Comparison

FORMS = ("patch", "diff")
# Git and the reader's line together.
SECONDS = 120.0
_DIFF = ("-M", f"-l{RENAME_LIMIT}", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv")


def of_commit(request: ConsoleRequest, repository: Repository, commit: log.Commit, form: str) -> HttpResponseBase:
    """One commit as git format-patch has it, a merge against its first parent; or what changed alone."""
    if form == "diff":
        parent = commit.parent_oids[0] if commit.parent_oids else ""
        old_tree = objects.tree_oid(repository.git, parent) if parent else objects.EMPTY_TREE
        args = ["diff-tree", "-r", "-p", *_DIFF, old_tree, commit.tree_oid]
    elif commit.is_merge:  # format-patch leaves merges out
        args = ["log", "-1", "--format=email", "-p", "--stat", "-m", "--first-parent", *_DIFF, commit.oid]
    else:
        args = ["format-patch", "--stdout", "-1", *_DIFF, commit.oid]
    return _text(request, repository, args, f"{commit.oid}.{form}", commit.oid)


def of_comparison(request: ConsoleRequest, compared: Comparison, form: str) -> HttpResponseBase:
    """The commits that the new side has and the old one has not, as patches; or what differs between the trees."""
    repository = compared.repository
    if form == "diff":
        args = ["diff-tree", "-r", "-p", *_DIFF, compared.old_tree, compared.new_tree]
    else:
        args = ["format-patch", "--stdout", *_DIFF, f"{compared.old_commit}..{compared.new_commit}"]
    name = f"{compared.old_commit[:12]}-{compared.new_commit[:12]}.{form}"
    return _text(request, repository, args, name, compared.old_commit + compared.new_commit)


def _text(
    request: ConsoleRequest, repository: Repository, args: Sequence[str], filename: str, identity: str
) -> HttpResponseBase:
    etag = f'"{identity}.{filename.rpartition(".")[2]}"'
    unchanged = get_conditional_response(request, etag=etag)
    if unchanged is not None:
        return unchanged
    made = program.pieces(repository.git, args, timeout_seconds=SECONDS, environment=ENVIRONMENT)
    response = ChunkedResponse(making.in_place(request.principal.arn, made), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = content_disposition(filename, inline=True)
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"  # the right to read it may end
    return response
