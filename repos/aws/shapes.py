"""What several operations answer with, and how they page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codeservices.aws.dispatch import constraint_error
from codeservices.errors import InvalidInput
from repos import constraints
from repos.git.log import Commit, Signature
from repos.git.tree import Entry
from repos.models import Repository

# AWS CodeCommit API Reference: lists come 1,000 a page.
PAGE = 1000

constraint_error("codecommit")(constraints.error)


def metadata(repository: Repository, origin: str) -> dict[str, Any]:
    """RepositoryMetadata; the default branch is absent until a first branch exists."""
    return {
        "accountId": repository.arn.split(":")[4],
        "repositoryId": str(repository.repository_id),
        "repositoryName": repository.name,
        "repositoryDescription": repository.description or None,
        "defaultBranch": repository.default_branch,
        "lastModifiedDate": repository.updated_at,
        "creationDate": repository.created_at,
        "cloneUrlHttp": repository.clone_url(origin),
        "Arn": repository.arn,
    }


def limit_of(params: Mapping[str, Any], name: str, most: int, default: int, code: str = "InvalidMaxResults") -> int:
    """How many rows the request wants; raises InvalidInput where that is less than one or more than `most`."""
    wanted: int = params.get(name, default)
    if not 1 <= wanted <= most:
        raise InvalidInput(f"{name} is 1 to {most:,}, not {wanted:,}.", code=f"{code}Exception")
    return wanted


def file_mode(entry: Entry) -> str | None:
    """FileModeTypeEnum; a submodule has none."""
    if entry.kind == "symlink":
        return "SYMLINK"
    if entry.kind != "blob":
        return None
    return "EXECUTABLE" if entry.is_executable else "NORMAL"


def bad_token() -> InvalidInput:
    """For a continuation token that is none of ours."""
    return InvalidInput("This server gave no such token.", code="InvalidContinuationTokenException")


def commit_of(found: Commit) -> dict[str, Any]:
    """Commit, as CodeCommit tells one."""
    return {
        "commitId": found.oid,
        "treeId": found.tree_oid,
        "parents": list(found.parent_oids),
        "message": found.message,
        "author": _person(found.author),
        "committer": _person(found.committer),
        "additionalData": "",
    }


def _person(signature: Signature) -> dict[str, Any]:
    """UserInfo: the date is one text, seconds since 1970 and the zone, "1508280542 -0800"."""
    sign, minutes = ("-" if signature.offset_minutes < 0 else "+"), abs(signature.offset_minutes)
    date = None
    if signature.timestamp is not None:
        date = f"{signature.timestamp} {sign}{minutes // 60:02}{minutes % 60:02}"
    return {"name": signature.name, "email": signature.email, "date": date}
