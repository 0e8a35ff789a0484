"""Whether commits can be merged, how, and what conflicts.

Lines are counted from 0, and a hunk ends before its endLine; its content is base64 in a text, as clients expect it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from codeservices.aws import paging
from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput, NotFound
from repos.access import repository_for
from repos.aws.merges import check_not_fast_forward, policy_of
from repos.aws.shapes import bad_token, file_mode, limit_of
from repos.editing import merges
from repos.editing.merges import ConflictPolicy, Pair
from repos.git import log, merge_conflicts, program, refs, specifier, tree
from repos.git.merge import Conflict
from repos.git.merge_conflicts import Description, Side
from repos.git.merge_hunks import MergeHunk, Span
from repos.git.store import BareRepository
from repos.git.tree import Entry
from repos.models import Repository

MAX_FILES_PAGE = 1000
FILES_PAGE = 100
MAX_HUNKS_PAGE = 1000
HUNKS_PAGE = 100
# What the hunks of one answer may hold, before base64.
MAX_ANSWER_BYTES = 32 * 1024 * 1024
# What the versions of the files of one answer may hold together: their lines have to be read to tell of them.
MAX_READ_BYTES = 128 * 1024 * 1024

OBJECT_TYPES = {"blob": "FILE", "tree": "DIRECTORY", "submodule": "GIT_LINK", "symlink": "SYMBOLIC_LINK"}


class TooMuchContent(InvalidInput):
    """The hunks of the files asked for are more than an answer holds."""

    code = "MaximumFileContentToLoadExceededException"


@operation("codecommit", "GetMergeCommit")
def get_merge_commit(call: Call) -> dict[str, Any]:
    """Without merged commit where the source came into the destination by a fast-forward, or not yet."""
    params = call.params
    context = merges.context_of(params["destinationCommitSpecifier"])
    repository = repository_for(call.principal, "codecommit:GetMergeCommit", params["repositoryName"], context)
    with repository.git as git:
        pair = _paired(git, params, is_related=False)
        return {**_commits(pair), "mergedCommitId": _merge_of(git, pair)}


@operation("codecommit", "GetMergeOptions")
def get_merge_options(call: Call) -> dict[str, Any]:
    params, policy = call.params, policy_of(call.params)
    repository = repository_for(call.principal, "codecommit:GetMergeOptions", params["repositoryName"])
    with repository.git as git:
        pair = _paired(git, params)
        options = [option for option in merges.ACTIONS if merges.is_mergeable(repository, pair.related, option, policy)]
    return {"mergeOptions": options, **_commits(pair)}


@operation("codecommit", "GetMergeConflicts")
def get_merge_conflicts(call: Call) -> dict[str, Any]:
    params, policy = call.params, policy_of(call.params)
    limit = limit_of(params, "maxConflictFiles", MAX_FILES_PAGE, FILES_PAGE, "InvalidMaxConflictFiles")
    repository = repository_for(call.principal, "codecommit:GetMergeConflicts", params["repositoryName"])
    with repository.git as git:
        pair = _paired(git, params)
        is_mergeable = merges.is_mergeable(repository, pair.related, params["mergeOption"], policy)
        found = [] if params["mergeOption"] == merges.FAST_FORWARD else _conflicts(repository, pair, params)
        shown, token = _page(found, params, limit, repository, pair)
        rows = [_metadata(one) for one in _described(git, shown, policy)]
    return {"mergeable": is_mergeable, **_commits(pair), "conflictMetadataList": rows, "nextToken": token}


@operation("codecommit", "BatchDescribeMergeConflicts")
def batch_describe_merge_conflicts(call: Call) -> dict[str, Any]:
    """Of the files that are named those that conflict; one that neither commit has is told as an error."""
    params, policy = call.params, policy_of(call.params)
    check_not_fast_forward(params["mergeOption"])
    limit = limit_of(params, "maxConflictFiles", MAX_FILES_PAGE, FILES_PAGE, "InvalidMaxConflictFiles")
    hunks = limit_of(params, "maxMergeHunks", MAX_HUNKS_PAGE, HUNKS_PAGE, "InvalidMaxMergeHunks")
    repository = repository_for(call.principal, "codecommit:BatchDescribeMergeConflicts", params["repositoryName"])
    with repository.git as git:
        pair = _paired(git, params)
        wanted = params.get("filePaths") or []
        found = [one for one in _conflicts(repository, pair, params) if not wanted or one.path in wanted]
        shown, token = _page(found, params, limit, repository, pair)
        budget = _Budget()
        rows = [
            {"conflictMetadata": _metadata(one), "mergeHunks": [budget.hunk(each) for each in one.hunks[:hunks]]}
            for one in _described(git, shown, policy)
        ]
        errors = [_missing(path) for path in wanted if not _at(git, pair, path)]
    return {"conflicts": rows, "nextToken": token, "errors": errors, **_commits(pair)}


@operation("codecommit", "DescribeMergeConflicts")
def describe_merge_conflicts(call: Call) -> dict[str, Any]:
    """One file, also where nothing of it conflicts."""
    params, policy = call.params, policy_of(call.params)
    check_not_fast_forward(params["mergeOption"])
    path = specifier.file_path(params["filePath"])
    limit = limit_of(params, "maxMergeHunks", MAX_HUNKS_PAGE, HUNKS_PAGE, "InvalidMaxMergeHunks")
    repository = repository_for(call.principal, "codecommit:DescribeMergeConflicts", params["repositoryName"])
    with repository.git as git:
        pair = _paired(git, params)
        conflict = next((one for one in _conflicts(repository, pair, params) if one.path == path), None)
        if conflict is None:
            conflict = _at(git, pair, path)
        if conflict is None:
            raise NotFound(_missing(path)["message"], code="FileDoesNotExistException")
        described = merge_conflicts.describe(git, conflict, policy.detail)
    numbered, token = paging.page(
        enumerate(described.hunks),
        key=lambda one: f"{one[0]:09}",
        kind=f"hunks-{repository.repository_id}-{pair.source.oid}-{pair.destination.oid}-{path}",
        token=params.get("nextToken"),
        limit=limit,
        refusal=bad_token(),
    )
    budget = _Budget()
    return {
        "conflictMetadata": _metadata(described),
        "mergeHunks": [budget.hunk(hunk) for _, hunk in numbered],
        "nextToken": token,
        **_commits(pair),
    }


def _described(git: BareRepository, found: Iterable[Conflict], policy: ConflictPolicy) -> Iterator[Description]:
    """One conflict after the other, none of which is held longer than the caller does; raises TooMuchContent."""
    left = MAX_READ_BYTES
    for one in found:
        described = merge_conflicts.describe(git, one, policy.detail)
        if described.hunks:
            sides = (described.base, described.ours, described.theirs)
            left -= sum(side.size_bytes or 0 for side in sides if side is not None)
        if left < 0:
            raise TooMuchContent(
                f"The files hold more than {MAX_READ_BYTES:,} bytes together.", hint="Ask for fewer of them at once."
            )
        yield described


class _Budget:
    """Hunks as the wire has them, until they are too many."""

    def __init__(self) -> None:
        self._left = MAX_ANSWER_BYTES

    def hunk(self, hunk: MergeHunk) -> dict[str, Any]:
        """MergeHunk; raises TooMuchContent."""
        spans = [span for span in (hunk.base, hunk.ours, hunk.theirs) if span is not None]
        self._left -= sum(len(span.content) for span in spans)
        if self._left < 0:
            raise TooMuchContent(
                f"The hunks hold more than {MAX_ANSWER_BYTES:,} bytes.", hint="Ask for fewer files or hunks at once."
            )
        return {
            "isConflict": hunk.is_conflict,
            "source": _span(hunk.theirs),
            "destination": _span(hunk.ours),
            "base": _span(hunk.base),
        }


def _paired(git: BareRepository, params: Mapping[str, Any], *, is_related: bool = True) -> Pair:
    return merges.paired(
        git, params["sourceCommitSpecifier"], params["destinationCommitSpecifier"], is_related=is_related
    )


def _conflicts(repository: Repository, pair: Pair, params: Mapping[str, Any]) -> tuple[Conflict, ...]:
    return merges.conflicts(repository, pair.related, policy_of(params).effective_detail)


def _page(
    found: Iterable[Conflict], params: Mapping[str, Any], limit: int, repository: Repository, pair: Pair
) -> tuple[Sequence[Conflict], str | None]:
    return paging.page(
        found,
        key=lambda one: one.path,
        kind=f"conflicts-{repository.repository_id}-{pair.source.oid}-{pair.destination.oid}",
        token=params.get("nextToken"),
        limit=limit,
        refusal=bad_token(),
    )


def _merge_of(git: BareRepository, pair: Pair) -> str | None:
    """The first merge commit on the destination's own line that brought the source in."""
    if not pair.related.is_merged or pair.source.oid == pair.destination.oid:
        return None
    walk = ["rev-list", "--first-parent", "--ancestry-path", "--end-of-options"]
    line = program.run(git, [*walk, f"{pair.source.oid}..{pair.destination.oid}"]).decode("ascii").split()
    first = log.commit(git, line[-1]) if line else None
    if first is None or not first.is_merge or first.parent_oids[0] == pair.source.oid:
        return None
    return first.oid


def _at(git: BareRepository, pair: Pair, path: str) -> Conflict | None:
    """What the commits have at a path; None where both sides have no file there."""
    oids = (pair.related.base_oid, pair.destination.oid, pair.source.oid)
    base, ours, theirs = (_entry(git, oid, path) for oid in oids)
    return Conflict(path, (), base, ours, theirs) if ours is not None or theirs is not None else None


def _entry(git: BareRepository, oid: str | None, path: str) -> Entry | None:
    try:
        found = tree.entry(git, oid, path) if oid is not None else None
    except tree.PathNotFound:
        return None
    return found if found is not None and found.kind != "tree" else None


def _missing(path: str) -> dict[str, str]:
    return {
        "filePath": path,
        "exceptionName": "FileDoesNotExistException",
        "message": f"Neither commit has a file “{refs.shown(path)}”.",
    }


def _commits(pair: Pair) -> dict[str, Any]:
    return {
        "destinationCommitId": pair.destination.oid,
        "sourceCommitId": pair.source.oid,
        "baseCommitId": pair.related.base_oid,
    }


def _metadata(one: Description) -> dict[str, Any]:
    sides = {"source": one.theirs, "destination": one.ours, "base": one.base}
    there = {name: side for name, side in sides.items() if side is not None}
    return {
        "filePath": one.path,
        "fileSizes": {name: side.size_bytes for name, side in there.items()},
        "fileModes": {name: file_mode(side.entry) for name, side in there.items()},
        "objectTypes": {name: OBJECT_TYPES[side.entry.kind] for name, side in there.items()},
        "numberOfConflicts": one.count,
        "isBinaryFile": {name: side.is_binary for name, side in there.items()},
        "contentConflict": one.is_content_conflict,
        "fileModeConflict": one.is_mode_conflict,
        "objectTypeConflict": one.is_type_conflict,
        "mergeOperations": {"source": _change(one.base, one.theirs), "destination": _change(one.base, one.ours)},
    }


def _change(base: Side | None, side: Side | None) -> str | None:
    if base is None:
        return "A" if side is not None else None
    if side is None:
        return "D"
    return "M" if (base.entry.mode, base.entry.oid) != (side.entry.mode, side.entry.oid) else None


def _span(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {
        "startLine": span.start,
        "endLine": span.end,
        "hunkContent": base64.b64encode(span.content).decode("ascii"),
    }
