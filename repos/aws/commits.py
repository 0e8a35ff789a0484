"""Commits by their id."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput, NotFound
from repos.access import repository_for
from repos.git import log, refs
from repos.git.log import Signature


@operation("codecommit", "GetCommit")
def get_commit(call: Call) -> dict[str, Any]:
    oid = call.params["commitId"]
    if not oid:
        raise InvalidInput("A commit id is required.", code="CommitIdRequiredException")
    if not refs.OID.fullmatch(oid):
        raise InvalidInput(
            f"“{oid[:100]}” is no commit id: give all 40 hexadecimal digits.", code="InvalidCommitIdException"
        )
    repository = repository_for(call.principal, "codecommit:GetCommit", call.params["repositoryName"])
    try:
        with repository.git as git:
            found = log.commit(git, oid)
    except NotFound as missing:
        raise NotFound(f"{repository.name} has no commit {oid}.", code="CommitIdDoesNotExistException") from missing
    return {"commit": _commit(found)}


def _commit(found: log.Commit) -> dict[str, Any]:
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
