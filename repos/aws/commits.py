"""Commits by their ids."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput, NotFound, ServiceError
from repos import oids
from repos.access import repository_for
from repos.aws.shapes import commit_of
from repos.git import log
from repos.models import Repository

# AWS CodeCommit API Reference, BatchGetCommits.
MAX_BATCH = 100


@operation("codecommit", "GetCommit")
def get_commit(call: Call) -> dict[str, Any]:
    oid = oids.check(call.params["commitId"])
    repository = repository_for(call.principal, "codecommit:GetCommit", call.params["repositoryName"])
    with repository.git:
        return {"commit": commit_of(_found(repository, oid))}


@operation("codecommit", "BatchGetCommits")
def batch_get_commits(call: Call) -> dict[str, Any]:
    """Ids that are malformed or unknown are told beside the commits, each with its error; twice the same is once."""
    wanted = list(dict.fromkeys(call.params["commitIds"]))
    if not wanted:
        raise InvalidInput("Name at least one commit.", code="CommitIdsListRequiredException")
    if len(wanted) > MAX_BATCH:
        raise InvalidInput(
            f"Name at most {MAX_BATCH} commits, not {len(wanted)}.", code="CommitIdsLimitExceededException"
        )
    repository = repository_for(call.principal, "codecommit:BatchGetCommits", call.params["repositoryName"])
    commits, errors = [], []
    with repository.git:
        for oid in wanted:
            try:
                commits.append(commit_of(_found(repository, oids.check(oid))))
            except ServiceError as error:
                errors.append({"commitId": oid[:100], "errorCode": error.code, "errorMessage": error.message})
    return {"commits": commits, "errors": errors}


def _found(repository: Repository, oid: str) -> log.Commit:
    try:
        return log.commit(repository.git, oid)
    except NotFound as missing:
        raise NotFound(f"{repository.name} has no commit {oid}.", code="CommitIdDoesNotExistException") from missing
