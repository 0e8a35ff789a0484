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
# What may stand before a name that people use for a ref, in the order in which it is meant. A full refname is itself
# before all else, as gitrevisions(7) has it: else whoever may push any branch takes over `refs/heads/main` with one
# that is called that behind its own `refs/heads/`.
PREFIXES = ("", refs.HEADS, refs.TAGS)


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
    found = refs.longest_tip(repository, PREFIXES, spec)
    if found is not None:
        refname, oid, end = found
        return Resolved(refname, spec[:end], _peel(repository, oid, spec[:end]), spec[end:].strip("/"))
    if first in ("", "HEAD"):
        return _with_path(resolve_revision(repository, "HEAD"), path)
    raise _not_found(repository, spec)


def resolve_revision(repository: BareRepository, revision: str) -> Revision:
    """The commit that a branch, tag, full refname, full oid or HEAD names.

    Raises:
        RevisionNotFound: nothing is called that; the hint names the nearest.
        NotACommit: the ref or oid names a blob or a tree.
    """
    if refs.OID.fullmatch(revision.lower()):
        oid = revision.lower()
        return Revision(None, oid, _peel(repository, oid, oid))
    found = refs.first_tip(repository, (prefix + revision for prefix in PREFIXES))
    if found is not None:
        return Revision(found[0], revision, _peel(repository, found[1], revision))
    if revision == "HEAD":
        return _resolve_head(repository)
    raise _not_found(repository, revision)


def _resolve_head(repository: BareRepository) -> Revision:
    target = refs.head(repository)
    if refs.OID.fullmatch(target):
        return Revision(None, target, _peel(repository, target, "HEAD"))
    oid = refs.tip(repository, target)
    if oid is not None:
        return Revision(target, target.removeprefix(refs.HEADS), _peel(repository, oid, "HEAD"))
    if refs.all_refs(repository):
        raise RevisionNotFound(
            f"The default branch “{refs.shown(target.removeprefix(refs.HEADS))}” does not exist.",
            hint="Choose another default branch.",
        )
    raise RevisionNotFound("The repository has no commits yet.", hint="Push a first commit to it.")


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


def _not_found(repository: BareRepository, name: str) -> RevisionNotFound:
    known = refs.all_refs(repository)
    short = [refname.split("/", 2)[2] for refname in known if refname.startswith((refs.HEADS, refs.TAGS))]
    # Of "relase/src/app.py" the first part alone may be what was mistyped.
    wanted = [name[: refs.MAX_BRANCH_NAME], name.partition("/")[0][: refs.MAX_BRANCH_NAME]]
    near = [found for one in wanted for found in difflib.get_close_matches(one, short[:MAX_SUGGESTIONS_AMONG], n=1)]
    hint = f"Did you mean “{refs.shown(near[0])}”?" if near else ""
    called = refs.shown(name if len(name) <= refs.MAX_BRANCH_NAME else f"{name[: refs.MAX_BRANCH_NAME]}…")
    return RevisionNotFound(f"No branch, tag or commit is called “{called}”.", hint=hint)
