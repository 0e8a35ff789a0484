"""What two commits have otherwise.

Source: AWS CodeCommit API Reference, GetDifferences; its paging members alone are written with capitals.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from codeservices.aws import paging
from codeservices.aws.dispatch import Call, operation
from codeservices.errors import NotFound
from repos.access import repository_for
from repos.aws.shapes import bad_token, limit_of
from repos.git import differences, refs, specifier
from repos.git.tree import Entry, PathNotFound

MAX_PAGE = 400


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


def _place(key: str) -> tuple[str | None, str, str]:
    """The two commits of a token, and the path behind which it goes on."""
    before, _, rest = key.partition(" ")
    after, _, behind = rest.partition(" ")
    if not refs.OID.fullmatch(after) or (before and not refs.OID.fullmatch(before)):
        raise bad_token()
    return before or None, after, behind


def _blob(entry: Entry | None) -> dict[str, str] | None:
    return None if entry is None else {"blobId": entry.oid, "path": entry.path, "mode": entry.mode}
