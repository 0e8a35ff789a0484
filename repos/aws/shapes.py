"""What several operations answer with, and how they page."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import constraint_error
from codeservices.errors import InvalidInput
from repos import constraints
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


def bad_token() -> InvalidInput:
    """For a continuation token that is none of ours."""
    return InvalidInput("This server gave no such token.", code="InvalidContinuationTokenException")
