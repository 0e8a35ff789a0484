"""What a person or an address names: "feature/x/src/app.py" to (refname, oid, path), "HEAD" or "v1.0" to a commit.

Abbreviated oids are no names here, as CodeCommit has it: a commit specifier is a branch, a tag, HEAD, a full refname
or all 40 characters of an oid. Where a branch and a tag carry the same name, the branch is meant.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from codeservices.errors import NotFound
from repos.git import objects, refs
from repos.git.store import BareRepository

MAX_SUGGESTIONS_AMONG = 1000
# The greatest length that a name is searched for among refs; a longer one could not have been pushed.
MAX_NAME = 4096


class RevisionNotFound(NotFound):
    """No branch, tag or commit is called that."""

    code = "CommitDoesNotExistException"


class NotACommit(RevisionNotFound):
    """The ref or oid exists, but what it names has no history: a blob or a tree."""


@dataclass(frozen=True)
class Revision:
    """A commit and what it was called.

    Attributes:
        refname: The full refname, or None where an oid was given or HEAD is detached.
        name: What to call it on a page: the short branch or tag name, the refname of another ref, or the oid.
        oid: The commit's.
    """

    refname: str | None
    name: str
    oid: str


@dataclass(frozen=True)
class Resolved:
    """A revision and the path behind it; `path` has no slash at its ends and is empty for the root."""

    refname: str | None
    name: str
    oid: str
    path: str


def resolve(repository: BareRepository, spec: str) -> Resolved:
    """Split "REVISION/PATH" where the longest existing ref ends.

    The first part may also be a full oid or HEAD. An empty text is HEAD's root.

    Raises:
        RevisionNotFound: nothing is called that; the hint names the nearest.
        NotACommit: the ref names a blob or a tree.
    """
    spec = spec.strip("/")
    first, _, path = spec.partition("/")
    if refs.OID.fullmatch(first.lower()):
        return _with_path(resolve_revision(repository, first), path)
    known = refs.all_refs(repository)
    for end in reversed(_ends(spec)):
        refname = _refname(spec[:end], known)
        if refname is not None:
            oid = _peel(repository, known[refname], spec[:end])
            return Resolved(refname, spec[:end], oid, spec[end:].strip("/"))
    if first in ("", "HEAD"):
        return _with_path(resolve_revision(repository, "HEAD"), path)
    raise _not_found(spec, known)


def resolve_revision(repository: BareRepository, revision: str) -> Revision:
    """The commit that a branch, tag, full refname, full oid or HEAD names.

    Raises:
        RevisionNotFound: nothing is called that; the hint names the nearest.
        NotACommit: the ref or oid names a blob or a tree.
    """
    if refs.OID.fullmatch(revision.lower()):
        oid = revision.lower()
        return Revision(None, oid, _peel(repository, oid, oid))
    known = refs.all_refs(repository)
    refname = _refname(revision, known)
    if refname is not None:
        return Revision(refname, revision, _peel(repository, known[refname], revision))
    if revision == "HEAD":
        return _resolve_head(repository, known)
    raise _not_found(revision, known)


def _resolve_head(repository: BareRepository, known: dict[str, str]) -> Revision:
    target = refs.head(repository)
    if refs.OID.fullmatch(target):
        return Revision(None, target, _peel(repository, target, "HEAD"))
    if target in known:
        return Revision(target, target.removeprefix(refs.HEADS), _peel(repository, known[target], "HEAD"))
    if known:
        raise RevisionNotFound(
            f"The default branch “{refs.shown(target.removeprefix(refs.HEADS))}” does not exist.",
            hint="Choose another default branch.",
        )
    raise RevisionNotFound("The repository has no commits yet.", hint="Push a first commit to it.")


def _refname(name: str, known: dict[str, str]) -> str | None:
    candidates = (refs.HEADS + name, refs.TAGS + name, name)
    return next((candidate for candidate in candidates if candidate in known), None)


def _ends(spec: str) -> list[int]:
    """Where a ref's name may end in a text: before each slash, and at its end."""
    reach = spec[: MAX_NAME + 1]
    ends = [index for index, character in enumerate(reach) if character == "/"]
    return ends if len(spec) > MAX_NAME else [*ends, len(spec)]


def _peel(repository: BareRepository, oid: str, name: str) -> str:
    """The commit behind an oid, through any number of tags."""
    try:
        kind, peeled, _ = objects.peel(repository, oid)
    except NotFound as error:
        raise RevisionNotFound(f"“{refs.shown(name)}” names no commit: {error.message}", hint=error.hint) from error
    if kind != "commit":
        raise NotACommit(f"“{refs.shown(name)}” names a {kind}, not a commit, so it has no history.")
    return peeled


def _with_path(revision: Revision, path: str) -> Resolved:
    return Resolved(revision.refname, revision.name, revision.oid, path.strip("/"))


def _not_found(name: str, known: dict[str, str]) -> RevisionNotFound:
    short = [refname.split("/", 2)[2] for refname in known if refname.startswith((refs.HEADS, refs.TAGS))]
    # Of "relase/src/app.py" the first part alone may be what was mistyped.
    wanted = [name[: refs.MAX_BRANCH_NAME], name.partition("/")[0][: refs.MAX_BRANCH_NAME]]
    near = [found for one in wanted for found in difflib.get_close_matches(one, short[:MAX_SUGGESTIONS_AMONG], n=1)]
    hint = f"Did you mean “{refs.shown(near[0])}”?" if near else ""
    called = refs.shown(name if len(name) <= refs.MAX_BRANCH_NAME else f"{name[: refs.MAX_BRANCH_NAME]}…")
    return RevisionNotFound(f"No branch, tag or commit is called “{called}”.", hint=hint)
