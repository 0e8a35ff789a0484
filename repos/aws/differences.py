"""What two commits, or two versions of a file, have otherwise.

Source: AWS CodeCommit API Reference, GetDifferences and GetBlobDifferences; their paging members alone are written with
capitals.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from codeservices.aws import paging
from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput, NotFound
from repos import oids
from repos.access import repository_for
from repos.aws.files import content_of
from repos.aws.shapes import bad_token, limit_of
from repos.git import blob, differences, line_differences, refs, specifier
from repos.git.line_differences import LineHunk
from repos.git.tree import Entry, PathNotFound

MAX_PAGE = 400
# Of hunks, and their lines, in one answer; contextLines.
HUNKS_PAGE = 100
MAX_HUNKS_PAGE = 1000
MAX_HUNK_LINES = 25_000
MAX_CONTEXT_LINES = 20


@operation("codecommit", "GetDifferences")
def get_differences(call: Call) -> dict[str, Any]:
    """Without a commit before, all that the commit has; one path alone is looked at on both sides.

    A token goes on between the two commits that its page was of, wherever branches stand by then.
    """
    params = call.params
    limit = limit_of(params, "MaxResults", MAX_PAGE, MAX_PAGE)
    before_path, after_path = (specifier.folder_path(params.get(name) or "") for name in ("beforePath", "afterPath"))
    repository = repository_for(call.principal, "codecommit:GetDifferences", params["repositoryName"])
    kind = f"differences-{repository.repository_id}"
    with repository.git as git:
        after = specifier.resolve(git, params["afterCommitSpecifier"]).oid
        given = params.get("beforeCommitSpecifier")
        before = specifier.resolve(git, given).oid if given else None
        behind = None
        if params.get("NextToken"):
            before, after, behind = _place(paging.decode(kind, params["NextToken"], bad_token()))
        found = differences.between(
            git,
            before,
            after,
            before_path=before_path or after_path,
            after_path=after_path or before_path,
            behind=behind,
        )
        try:
            rows = list(islice(found, limit + 1))
        except PathNotFound:
            raise
        except NotFound as missing:
            raise bad_token() if behind is not None else missing from missing
    shown = rows[:limit]
    token = f"{before or ''} {after} {shown[-1].relative_path}" if len(rows) > limit else None
    return {
        "differences": [
            {"beforeBlob": _blob(one.before), "afterBlob": _blob(one.after), "changeType": one.change_type}
            for one in shown
        ],
        "NextToken": paging.encode(kind, token) if token is not None else None,
    }


@operation("codecommit", "GetBlobDifferences")
def get_blob_differences(call: Call) -> dict[str, Any]:
    """A hunk of more lines than the model allows one comes in parts."""
    params = call.params
    after = oids.check(params["afterBlobId"], "blob")
    before = oids.check(params["beforeBlobId"], "blob") if params.get("beforeBlobId") else None
    limit = limit_of(params, "MaxResults", MAX_HUNKS_PAGE, HUNKS_PAGE)
    context = params.get("contextLines", 3)
    if not 0 <= context <= MAX_CONTEXT_LINES:
        raise InvalidInput(f"contextLines is 0 to {MAX_CONTEXT_LINES}, not {context:,}.", code="ValidationException")
    ignores = params.get("ignoreWhitespace", False)
    repository = repository_for(call.principal, "codecommit:GetBlobDifferences", params["repositoryName"])
    kind = f"hunks-{repository.repository_id}-{before}-{after}-{context}-{ignores:d}"
    skipped = _count(paging.decode(kind, params["NextToken"], bad_token())) if params.get("NextToken") else 0
    with repository.git as git:
        contents = [content_of(git, oid) if oid is not None else b"" for oid in (before, after)]
        is_binary = any(blob.is_binary(content) for content in contents)
        found: Iterator[LineHunk] = iter(())
        if not is_binary and before != after:
            found = _parts(line_differences.hunks(git, before, after, context=context, ignore_whitespace=ignores))
        rows = list(islice(found, skipped, skipped + limit + 1))
    return {
        "hunks": [_hunk(one) for one in rows[:limit]],
        "isBinary": is_binary,
        "beforeBlobSize": len(contents[0]),
        "afterBlobSize": len(contents[1]),
        "NextToken": paging.encode(kind, str(skipped + limit)) if len(rows) > limit else None,
    }


def _parts(hunks: Iterator[LineHunk]) -> Iterator[LineHunk]:
    for hunk in hunks:
        for at in range(0, len(hunk.lines), MAX_HUNK_LINES):
            lines = hunk.lines[at : at + MAX_HUNK_LINES]
            if at == 0 and len(lines) == len(hunk.lines):
                yield hunk
                continue
            befores = [line.before_number for line in lines if line.before_number is not None]
            afters = [line.after_number for line in lines if line.after_number is not None]
            starts = (befores[0] if befores else hunk.before_start, afters[0] if afters else hunk.after_start)
            yield LineHunk(starts[0], len(befores), starts[1], len(afters), lines)


def _hunk(hunk: LineHunk) -> dict[str, Any]:
    return {
        "beforeStartLine": hunk.before_start,
        "beforeLineCount": hunk.before_count,
        "afterStartLine": hunk.after_start,
        "afterLineCount": hunk.after_count,
        "changes": [
            {
                "type": line.type,
                "beforeLineNumber": line.before_number,
                "afterLineNumber": line.after_number,
                "content": line.text,
            }
            for line in hunk.lines
        ],
    }


def _count(key: str) -> int:
    if not key.isascii() or not key.isdigit() or len(key) > 9:
        raise bad_token()
    return int(key)


def _place(key: str) -> tuple[str | None, str, str]:
    """The two commits of a token, and the path behind which it goes on."""
    before, _, rest = key.partition(" ")
    after, _, behind = rest.partition(" ")
    if not refs.OID.fullmatch(after) or (before and not refs.OID.fullmatch(before)):
        raise bad_token()
    return before or None, after, behind


def _blob(entry: Entry | None) -> dict[str, str] | None:
    return None if entry is None else {"blobId": entry.oid, "path": entry.path, "mode": entry.mode}
