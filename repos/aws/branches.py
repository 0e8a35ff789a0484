"""Branches: list, get, create, delete, choose the default."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.aws.paging import page
from repos import branches, names, provision
from repos.access import repository_for
from repos.aws.shapes import PAGE, bad_token
from repos.git import refs


@operation("codecommit", "ListBranches")
def list_branches(call: Call) -> dict[str, Any]:
    repository = repository_for(call.principal, "codecommit:ListBranches", call.params["repositoryName"])
    shown, token = page(
        (name for name, _ in refs.branches(repository.git)),
        key=lambda name: name,
        kind=f"branches-{repository.repository_id}",
        token=call.params.get("nextToken"),
        limit=PAGE,
        refusal=bad_token(),
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


@operation("codecommit", "CreateBranch")
def create_branch(call: Call) -> None:
    branches.create_branch(
        call.principal, call.params["repositoryName"], call.params["branchName"], call.params["commitId"]
    )


@operation("codecommit", "DeleteBranch")
def delete_branch(call: Call) -> dict[str, Any]:
    """An unknown branch is a success that tells of none."""
    branch = call.params["branchName"]
    oid = branches.delete_branch(call.principal, call.params["repositoryName"], branch)
    return {"deletedBranch": {"branchName": branch, "commitId": oid}} if oid else {}


@operation("codecommit", "UpdateDefaultBranch")
def update_default_branch(call: Call) -> None:
    branch = refs.check_branch_name(call.params["defaultBranchName"])
    provision.set_default_branch(call.principal, call.params["repositoryName"], branch)
