"""Files, folders and blobs at a commit.

Source: AWS CodeCommit API Reference, GetFile, GetFolder, GetBlob, ListFileCommitHistory; User Guide, "Quotas".
"""

from __future__ import annotations

from typing import Any

from codeservices.aws import paging
from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput, NotFound
from repos import oids
from repos.access import repository_for
from repos.aws.shapes import bad_token, commit_of, file_mode, limit_of
from repos.git import blob, file_history, objects, program, specifier, tree
from repos.git.file_history import Place
from repos.git.store import BareRepository
from repos.git.tree import Entry

# A file through the API.
MAX_FILE_BYTES = 6 * 1024 * 1024
HISTORY_PAGE = 100
MAX_HISTORY_PAGE = 1000


class FileTooLarge(InvalidInput):
    """The API gives no file beyond its limit; git and the console do."""

    code = "FileTooLargeException"


@operation("codecommit", "GetFile")
def get_file(call: Call) -> dict[str, Any]:
    path = specifier.file_path(call.params["filePath"])
    repository = repository_for(call.principal, "codecommit:GetFile", call.params["repositoryName"])
    with repository.git as git:
        oid = specifier.resolve_or_head(git, call.params.get("commitSpecifier")).oid
        try:
            entry = blob.locate(git, oid, path)
        except tree.PathNotFound as missing:
            raise NotFound(missing.message, code="FileDoesNotExistException") from missing
        content = content_of(git, entry.oid)
        return {
            "commitId": oid,
            "blobId": entry.oid,
            "filePath": path,
            "fileMode": file_mode(entry),
            "fileSize": len(content),
            "fileContent": content,
        }


@operation("codecommit", "GetBlob")
def get_blob(call: Call) -> dict[str, Any]:
    oid = oids.check(call.params["blobId"], "blob")
    repository = repository_for(call.principal, "codecommit:GetBlob", call.params["repositoryName"])
    with repository.git as git:
        return {"content": content_of(git, oid)}


@operation("codecommit", "GetFolder")
def get_folder(call: Call) -> dict[str, Any]:
    path = specifier.folder_path(call.params["folderPath"])
    repository = repository_for(call.principal, "codecommit:GetFolder", call.params["repositoryName"])
    with repository.git as git:
        oid = specifier.resolve_or_head(git, call.params.get("commitSpecifier")).oid
        try:
            folder, entries = tree.entry(git, oid, path), tree.entries(git, oid, path)
        except tree.PathNotFound as missing:
            raise NotFound(missing.message, code="FolderDoesNotExistException") from missing
    return {
        "commitId": oid,
        "folderPath": path,
        "treeId": folder.oid,
        "subFolders": [{"treeId": one.oid, **_place(one)} for one in entries if one.kind == "tree"],
        "files": [_file(one) for one in entries if one.kind == "blob"],
        "symbolicLinks": [_file(one) for one in entries if one.kind == "symlink"],
        "subModules": [{"commitId": one.oid, **_place(one)} for one in entries if one.kind == "submodule"],
    }


@operation("codecommit", "ListFileCommitHistory")
def list_file_commit_history(call: Call) -> dict[str, Any]:
    """Renames are followed; a token goes on where its page ended, wherever the branch stands by then."""
    path = specifier.file_path(call.params["filePath"])
    limit = limit_of(call.params, "maxResults", MAX_HISTORY_PAGE, HISTORY_PAGE)
    repository = repository_for(call.principal, "codecommit:ListFileCommitHistory", call.params["repositoryName"])
    kind, token = f"file-history-{repository.repository_id}", call.params.get("nextToken")
    with repository.git as git:
        place: Place | None
        if token:
            place = Place.loads(paging.decode(kind, token, bad_token()), bad_token())
        else:
            oid = specifier.resolve_or_head(git, call.params.get("commitSpecifier")).oid
            place = file_history.first_place(git, oid, path)
        try:
            versions, following = file_history.page(git, place, limit)
        except (program.GitTimeout, program.GitOutputTooLarge):
            raise
        except (program.GitError, NotFound) as error:
            raise bad_token() from error
    dag = [
        {
            "commit": commit_of(one.commit),
            "blobId": one.blob_oid,
            "path": one.path,
            "revisionChildren": list(one.child_oids),
        }
        for one in versions
    ]
    return {"revisionDag": dag, "nextToken": paging.encode(kind, following.dumps()) if following else None}


def content_of(repository: BareRepository, oid: str) -> bytes:
    """A blob's bytes; raises NotFound where there is no such blob, and FileTooLarge."""
    size = blob.size_bytes(repository, oid)
    if size <= MAX_FILE_BYTES:
        kind, data = objects.read(repository, oid)
        if kind != "blob":
            raise NotFound(f"The object {oid} is a {kind}, not a blob.", code="BlobIdDoesNotExistException")
        return data
    raise FileTooLarge(
        f"The blob {oid} has {size:,} bytes; the API gives at most {MAX_FILE_BYTES:,}.",
        hint="Clone the repository, or download the file in the console.",
    )


def _file(entry: Entry) -> dict[str, Any]:
    return {"blobId": entry.oid, "fileMode": file_mode(entry), **_place(entry)}


def _place(entry: Entry) -> dict[str, str]:
    return {"absolutePath": entry.path, "relativePath": entry.name}
