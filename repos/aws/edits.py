"""Commits made through the API: CreateCommit, PutFile, DeleteFile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput
from repos.editing import edits
from repos.editing.rules import Wording
from repos.editing.tips import Committed
from repos.git import paths, refs
from repos.git.tree import Entry
from repos.git.tree_change import EXECUTABLE, NORMAL, SYMLINK, Change, Copy, Delete, Put, SetMode

MODES: Final = {"NORMAL": NORMAL, "EXECUTABLE": EXECUTABLE, "SYMLINK": SYMLINK}
_MODE_NAMES: Final = {mode: name for name, mode in MODES.items()}


@operation("codecommit", "CreateCommit")
def create_commit(call: Call) -> dict[str, Any]:
    made = edits.create_commit(
        call.principal,
        call.params["repositoryName"],
        call.params["branchName"],
        list(_changes(call.params)),
        parent_oid=call.params.get("parentCommitId"),
        wording=_wording(call, "authorName"),
        keep_empty_folders=call.params.get("keepEmptyFolders", False),
    )
    return {
        "commitId": made.oid,
        "treeId": made.changed.tree_oid,
        "filesAdded": _files(made.changed.added),
        "filesUpdated": _files(made.changed.updated),
        "filesDeleted": _files(made.changed.deleted),
    }


@operation("codecommit", "PutFile")
def put_file(call: Call) -> dict[str, Any]:
    put = Put(_path(call.params["filePath"]), call.params["fileContent"], _mode(call.params))
    made = edits.put_file(
        call.principal,
        call.params["repositoryName"],
        call.params["branchName"],
        put,
        parent_oid=call.params.get("parentCommitId"),
        wording=_wording(call, "name"),
    )
    return _ids(made, [*made.changed.added, *made.changed.updated])


@operation("codecommit", "DeleteFile")
def delete_file(call: Call) -> dict[str, Any]:
    made = edits.delete_file(
        call.principal,
        call.params["repositoryName"],
        call.params["branchName"],
        _path(call.params["filePath"]),
        parent_oid=call.params["parentCommitId"],
        wording=_wording(call, "name"),
        keep_empty_folders=call.params.get("keepEmptyFolders", False),
    )
    return {**_ids(made, made.changed.deleted), "filePath": made.changed.deleted[0].path}


def _changes(params: dict[str, Any]) -> Iterable[Change]:
    for one in params.get("putFiles", ()):
        path, content, source = _path(one["filePath"]), one.get("fileContent"), one.get("sourceFile")
        if content is not None and source is not None:
            raise InvalidInput(
                f"“{refs.shown(path)}” has content and a source file; give one of the two.",
                code="FileContentAndSourceFileSpecifiedException",
            )
        if content is not None:
            yield Put(path, content, _mode(one))
        elif source is not None:
            yield Copy(path, _path(source["filePath"]), _mode(one), is_move=source.get("isMove", False))
        else:
            raise InvalidInput(
                f"“{refs.shown(path)}” has neither content nor a source file; give one of the two.",
                code="SourceFileOrContentRequiredException",
            )
    yield from (Delete(_path(one["filePath"])) for one in params.get("deleteFiles", ()))
    yield from (SetMode(_path(one["filePath"]), MODES[one["fileMode"]]) for one in params.get("setFileModes", ()))


def _path(given: str) -> str:
    """A path of the repository. One slash before it is the root, as in the reference's own examples."""
    return paths.check(given.removeprefix("/"))


def _mode(entry: dict[str, Any]) -> str | None:
    return MODES[entry["fileMode"]] if "fileMode" in entry else None


def _wording(call: Call, name_member: str) -> Wording:
    params = call.params
    return Wording(params.get(name_member, ""), params.get("email", ""), params.get("commitMessage", ""))


def _ids(made: Committed, entries: Iterable[Entry]) -> dict[str, Any]:
    return {"commitId": made.oid, "blobId": next(iter(entries)).oid, "treeId": made.changed.tree_oid}


def _files(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [
        {"absolutePath": one.path, "blobId": one.oid, "fileMode": _MODE_NAMES.get(one.mode, "NORMAL")}
        for one in entries
    ]
