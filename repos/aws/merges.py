"""Merges of branches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput
from repos.aws.edits import MODES
from repos.editing import merges
from repos.editing.merges import ConflictPolicy, Merged
from repos.editing.rules import Wording
from repos.git.merge_solution import Replaced, Resolution


@operation("codecommit", "MergeBranchesByFastForward")
def merge_branches_by_fast_forward(call: Call) -> dict[str, Any]:
    params = call.params
    done = merges.fast_forward(
        call.principal,
        params["repositoryName"],
        params["sourceCommitSpecifier"],
        params["destinationCommitSpecifier"],
        params.get("targetBranch", ""),
    )
    return _answer(done)


@operation("codecommit", "MergeBranchesBySquash")
def merge_branches_by_squash(call: Call) -> dict[str, Any]:
    return _merge(call, merges.SQUASH)


@operation("codecommit", "MergeBranchesByThreeWay")
def merge_branches_by_three_way(call: Call) -> dict[str, Any]:
    return _merge(call, merges.THREE_WAY)


@operation("codecommit", "CreateUnreferencedMergeCommit")
def create_unreferenced_merge_commit(call: Call) -> dict[str, Any]:
    params = call.params
    option = params["mergeOption"]
    check_not_fast_forward(option)
    done = merges.unreferenced(
        call.principal,
        params["repositoryName"],
        option,
        params["sourceCommitSpecifier"],
        params["destinationCommitSpecifier"],
        policy=policy_of(params),
        wording=_wording(params),
        keep_empty_folders=params.get("keepEmptyFolders", False),
    )
    return _answer(done)


def check_not_fast_forward(option: str) -> None:
    """A fast-forward makes no commit and has no conflicts; raises InvalidInput."""
    if option == merges.FAST_FORWARD:
        raise InvalidInput(
            "A fast-forward makes no commit and has no conflicts: ask for SQUASH_MERGE or THREE_WAY_MERGE.",
            code="InvalidMergeOptionException",
        )


def policy_of(params: Mapping[str, Any]) -> ConflictPolicy:
    """How a request wants conflicts looked at and solved."""
    return ConflictPolicy(
        params.get("conflictDetailLevel", "FILE_LEVEL"),
        params.get("conflictResolutionStrategy", "NONE"),
        _resolution(params.get("conflictResolution", {})),
    )


def _merge(call: Call, option: merges.Option) -> dict[str, Any]:
    params = call.params
    done = merges.merged(
        call.principal,
        params["repositoryName"],
        option,
        params["sourceCommitSpecifier"],
        params["destinationCommitSpecifier"],
        params.get("targetBranch", ""),
        policy=policy_of(params),
        wording=_wording(params),
        keep_empty_folders=params.get("keepEmptyFolders", False),
    )
    return _answer(done)


def _answer(done: Merged) -> dict[str, Any]:
    return {"commitId": done.oid, "treeId": done.tree_oid}


def _wording(params: Mapping[str, Any]) -> Wording:
    return Wording(params.get("authorName", ""), params.get("email", ""), params.get("commitMessage", ""))


def _resolution(given: Mapping[str, Any]) -> Resolution:
    replaced = [
        Replaced(one["filePath"], one["replacementType"], one.get("content"), MODES.get(one.get("fileMode", "")))
        for one in given.get("replaceContents", ())
    ]
    deleted = [one["filePath"] for one in given.get("deleteFiles", ())]
    modes = {one["filePath"]: MODES[one["fileMode"]] for one in given.get("setFileModes", ())}
    return Resolution(tuple(replaced), tuple(deleted), modes)
