"""What a request of CodeCommit's API names: a commit, and a path in it.

A commit is a branch, a tag, HEAD, a full refname or a full oid, never a part of an oid. A path only has to be one: what
git holds may lie deeper and be called otherwise than what the API lets anybody add.

Source: AWS CodeCommit API Reference, the members called "…CommitSpecifier"; User Guide, "Quotas" (file paths).
"""

from __future__ import annotations

from codeservices.errors import InvalidInput
from repos.git import refs, revspec
from repos.git.revspec import Revision
from repos.git.store import BareRepository

MAX_PATH_CHARACTERS = 4096


def resolve(repository: BareRepository, specifier: str) -> Revision:
    """The commit of a specifier that has to be given.

    Raises:
        InvalidInput: It is empty (CommitRequiredException) or can't name a commit (InvalidCommitException).
        RevisionNotFound: Nothing is called that (CommitDoesNotExistException).
    """
    if not specifier:
        raise InvalidInput(
            "Name a commit: a branch, a tag, HEAD, a full reference or a full id.", code="CommitRequiredException"
        )
    names = (specifier, refs.HEADS + specifier)
    is_name = specifier == "HEAD" or any(refs.is_valid_refname(name) for name in names)
    if not is_name or len(specifier) > refs.MAX_REFNAME_BYTES:
        raise InvalidInput(
            f"“{refs.shown(specifier[:200])}” can't name a commit: give a branch, a tag, HEAD, a full reference or all "
            "40 hexadecimal digits of an id.",
            code="InvalidCommitException",
        )
    return revspec.resolve_revision(repository, specifier)


def resolve_or_head(repository: BareRepository, specifier: str | None) -> Revision:
    """The commit of a specifier that may be left out: the tip of the default branch is meant then; raises likewise."""
    return resolve(repository, specifier or "HEAD")


def file_path(path: str) -> str:
    """A file's or a folder's path from the root, without slashes at its ends.

    Raises:
        InvalidInput: It is empty (PathRequiredException) or no path (InvalidPathException).
    """
    if not path:
        raise InvalidInput("A path is required.", code="PathRequiredException")
    return folder_path(path, root=False)


def folder_path(path: str, *, root: bool = True) -> str:
    """The path of a folder, "" or "/" being the root where that is one of the choices; raises as `file_path`."""
    if len(path) > MAX_PATH_CHARACTERS:
        raise InvalidInput(
            f"A path has at most {MAX_PATH_CHARACTERS:,} characters, not {len(path):,}.", code="InvalidPathException"
        )
    trimmed = path.strip("/")
    if root and not trimmed:
        return ""
    wrong = next((part for part in trimmed.split("/") if part in ("", ".", "..")), None)
    if wrong is not None:
        raise InvalidInput(
            f"“{refs.shown(path[:200])}” is no path inside a repository: "
            + (f"“{wrong}” can't be a part of one." if wrong else "a part of it is empty."),
            code="InvalidPathException",
        )
    return trimmed
