"""CodeCommit operations, each: authorize, call a service function, shape the answer."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, constraint_error, operation
from codeservices.aws.paging import page
from codeservices.errors import InvalidInput, NotFound
from repos import constraints, names, provision, tags, trigger_config
from repos.access import repositories_for, repository_for
from repos.git import log, refs
from repos.git.log import Signature
from repos.models import Repository
from repos.trigger_config import TriggerSettings

# AWS CodeCommit API Reference: the batch calls take 100 names; lists come 1,000 a page.
MAX_BATCH = 100
PAGE = 1000

constraint_error("codecommit")(constraints.error)


# ---- repositories ----------------------------------------------------------------------------------------------------


@operation("codecommit", "CreateRepository")
def create_repository(call: Call) -> dict[str, Any]:
    if call.params.get("kmsKeyId"):
        raise InvalidInput(
            "This server encrypts with its own key: leave kmsKeyId out.", code="EncryptionKeyInvalidIdException"
        )
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
    """Unknown names are told, not raised; every name must be allowed."""
    wanted = list(dict.fromkeys(call.params["repositoryNames"]))
    if not wanted:
        raise InvalidInput("Name at least one repository.", code="RepositoryNamesRequiredException")
    if len(wanted) > MAX_BATCH:
        raise InvalidInput(
            f"Name at most {MAX_BATCH} repositories, not {len(wanted)}.", code="MaximumRepositoryNamesExceededException"
        )
    found, missing = [], []
    for name in wanted:
        names.check_name(name)
        try:
            repository = repository_for(call.principal, "codecommit:BatchGetRepositories", name)
        except NotFound:
            missing.append(name)
        else:
            found.append(metadata(repository, call.origin))
    return {"repositories": found, "repositoriesNotFound": missing}


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
        refusal=_bad_token(),
        descending=descending,
    )
    rows = [{"repositoryName": one.name, "repositoryId": str(one.repository_id)} for one in shown]
    return {"repositories": rows, "nextToken": token}


@operation("codecommit", "DeleteRepository")
def delete_repository(call: Call) -> dict[str, Any]:
    """An unknown name is a success without an id."""
    return {"repositoryId": provision.delete_repository(call.principal, call.params["repositoryName"])}


@operation("codecommit", "UpdateRepositoryDescription")
def update_repository_description(call: Call) -> None:
    """A description left out clears it."""
    provision.describe_repository(
        call.principal, call.params["repositoryName"], call.params.get("repositoryDescription", "")
    )


@operation("codecommit", "UpdateRepositoryName")
def update_repository_name(call: Call) -> None:
    provision.rename_repository(call.principal, call.params["oldName"], call.params["newName"])


# ---- branches and commits --------------------------------------------------------------------------------------------


@operation("codecommit", "ListBranches")
def list_branches(call: Call) -> dict[str, Any]:
    repository = repository_for(call.principal, "codecommit:ListBranches", call.params["repositoryName"])
    shown, token = page(
        (name for name, _ in refs.branches(repository.git)),
        key=lambda name: name,
        kind=f"branches-{repository.repository_id}",
        token=call.params.get("nextToken"),
        limit=PAGE,
        refusal=_bad_token(),
    )
    return {"branches": shown, "nextToken": token}


@operation("codecommit", "GetBranch")
def get_branch(call: Call) -> dict[str, Any]:
    """The model requires neither member, the operation both."""
    repository_name = names.check_name(call.params.get("repositoryName", ""))
    branch = refs.check_branch_name(call.params.get("branchName", ""))
    repository = repository_for(call.principal, "codecommit:GetBranch", repository_name)
    oid = refs.tip(repository.git, refs.HEADS + branch)
    if oid is None:
        raise refs.BranchMissing(f"No branch of {repository.name} is called “{refs.shown(branch)}”.")
    return {"branch": {"branchName": branch, "commitId": oid}}


@operation("codecommit", "UpdateDefaultBranch")
def update_default_branch(call: Call) -> None:
    branch = refs.check_branch_name(call.params["defaultBranchName"])
    provision.set_default_branch(call.principal, call.params["repositoryName"], branch)


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


# ---- triggers --------------------------------------------------------------------------------------------------------


@operation("codecommit", "GetRepositoryTriggers")
def get_repository_triggers(call: Call) -> dict[str, Any]:
    repository, triggers = trigger_config.triggers_of(call.principal, call.params["repositoryName"])
    rows = [
        {
            "name": one.name,
            "destinationArn": one.destination_arn,
            "customData": one.custom_data,
            "branches": one.branches,
            "events": one.events,
        }
        for one in triggers
    ]
    return {"configurationId": str(repository.trigger_configuration_id), "triggers": rows}


@operation("codecommit", "PutRepositoryTriggers")
def put_repository_triggers(call: Call) -> dict[str, Any]:
    wanted = [
        TriggerSettings(
            name=one["name"],
            destination_arn=one["destinationArn"],
            events=tuple(one["events"]),
            branches=tuple(one.get("branches", ())),
            custom_data=one.get("customData", ""),
        )
        for one in call.params["triggers"]
    ]
    repository = trigger_config.replace_triggers(call.principal, call.params["repositoryName"], wanted)
    return {"configurationId": str(repository.trigger_configuration_id)}


# ---- tags ------------------------------------------------------------------------------------------------------------


@operation("codecommit", "ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    return {"tags": tags.tags_of(call.principal, call.params["resourceArn"])}


@operation("codecommit", "TagResource")
def tag_resource(call: Call) -> None:
    tags.tag(call.principal, call.params["resourceArn"], call.params["tags"])


@operation("codecommit", "UntagResource")
def untag_resource(call: Call) -> None:
    if not call.params["tagKeys"]:
        raise InvalidInput("Name at least one tag key.", code="TagKeysListRequiredException")
    tags.untag(call.principal, call.params["resourceArn"], call.params["tagKeys"])


# ---- shapes ----------------------------------------------------------------------------------------------------------


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


def _bad_token() -> InvalidInput:
    return InvalidInput("This server gave no such token.", code="InvalidContinuationTokenException")
