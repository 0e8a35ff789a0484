"""Repositories: create, get, list, describe, rename, delete."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.aws.paging import page
from codeservices.errors import InvalidInput, NotFound
from repos import deletion, names, provision, tags
from repos.access import repositories_for, repository_for
from repos.aws.shapes import PAGE, bad_token, metadata
from repos.git.store import RepositoryMissing

# AWS CodeCommit API Reference: the batch calls take 100 names.
MAX_BATCH = 100


@operation("codecommit", "CreateRepository")
def create_repository(call: Call) -> dict[str, Any]:
    if call.params.get("kmsKeyId"):
        raise _no_key(call.params["kmsKeyId"])
    repository = provision.create_repository(
        call.principal,
        call.params["repositoryName"],
        call.params.get("repositoryDescription", ""),
        tags.check(call.params.get("tags", {})),
    )
    return {"repositoryMetadata": metadata(repository, call.origin)}


@operation("codecommit", "GetRepository")
def get_repository(call: Call) -> dict[str, Any]:
    repository = repository_for(call.principal, "codecommit:GetRepository", call.params["repositoryName"])
    return {"repositoryMetadata": metadata(repository, call.origin)}


@operation("codecommit", "BatchGetRepositories")
def batch_get_repositories(call: Call) -> dict[str, Any]:
    """Unknown names are told, not raised, and so are repositories whose files are gone; every name must be allowed."""
    wanted = list(dict.fromkeys(call.params["repositoryNames"]))
    if not wanted:
        raise InvalidInput("Name at least one repository.", code="RepositoryNamesRequiredException")
    if len(wanted) > MAX_BATCH:
        raise InvalidInput(
            f"Name at most {MAX_BATCH} repositories, not {len(wanted)}.", code="MaximumRepositoryNamesExceededException"
        )
    found: list[dict[str, Any]] = []
    missing: list[str] = []
    errors: list[dict[str, str]] = []
    for name in wanted:
        names.check_name(name)
        try:
            repository = repository_for(call.principal, "codecommit:BatchGetRepositories", name)
        except NotFound:
            missing.append(name)
            continue
        try:
            found.append(metadata(repository, call.origin))
        except RepositoryMissing as error:
            errors.append(
                {
                    "repositoryId": str(repository.repository_id),
                    "repositoryName": name,
                    "errorCode": error.code,
                    "errorMessage": error.message,
                }
            )
    return {"repositories": found, "repositoriesNotFound": missing, "errors": errors}


@operation("codecommit", "ListRepositories")
def list_repositories(call: Call) -> dict[str, Any]:
    """Those that the caller may look at, by name unless asked otherwise."""
    by_change = call.params.get("sortBy") == "lastModifiedDate"
    descending = call.params.get("order") == "descending"
    shown, token = page(
        repositories_for(call.principal),
        key=lambda one: f"{one.updated_at.isoformat()} {one.name}" if by_change else one.name,
        kind=f"repositories-{by_change:d}{descending:d}",
        token=call.params.get("nextToken"),
        limit=PAGE,
        refusal=bad_token(),
        descending=descending,
    )
    rows = [{"repositoryName": one.name, "repositoryId": str(one.repository_id)} for one in shown]
    return {"repositories": rows, "nextToken": token}


@operation("codecommit", "DeleteRepository")
def delete_repository(call: Call) -> dict[str, Any]:
    """An unknown name is a success without an id. What is deleted can be restored in the console for a while."""
    return {"repositoryId": deletion.delete_repository(call.principal, call.params["repositoryName"])}


@operation("codecommit", "UpdateRepositoryDescription")
def update_repository_description(call: Call) -> None:
    """A description left out clears it."""
    provision.describe_repository(
        call.principal, call.params["repositoryName"], call.params.get("repositoryDescription", "")
    )


@operation("codecommit", "UpdateRepositoryName")
def update_repository_name(call: Call) -> None:
    provision.rename_repository(call.principal, call.params["oldName"], call.params["newName"])


@operation("codecommit", "UpdateRepositoryEncryptionKey")
def update_repository_encryption_key(call: Call) -> None:
    """There is no key service to take another key from."""
    if not call.params["kmsKeyId"]:
        raise InvalidInput("An encryption key is required.", code="EncryptionKeyRequiredException")
    repository_for(call.principal, "codecommit:UpdateRepositoryEncryptionKey", call.params["repositoryName"])
    raise _no_key(call.params["kmsKeyId"])


def _no_key(key_id: str) -> NotFound:
    return NotFound(
        f"There is no encryption key “{key_id[:100]}”, as this server has no key service: leave kmsKeyId out.",
        code="EncryptionKeyNotFoundException",
    )
