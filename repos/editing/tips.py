"""Where a commit made here goes, and how it gets there: built on a branch's tip, which may move at the same time.

Edits (edits.py), reverts and cherry-picks (picks.py) go this way; merges (merges.py) ask it where a branch is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from codeservices.errors import Conflict, InvalidInput
from codeservices.iam.principal import Principal
from repos import branches, quota
from repos.access import authorize_ref
from repos.editing import drafts
from repos.git import refs, store, tree
from repos.git.refs import RefCommand
from repos.git.store import BareRepository
from repos.git.tree_change import Changed
from repos.models import Repository
from repos.pushes import ref_updates

# A branch that moves again while a change is put on its tip: after so many times the person is told.
TRIES: Final = 3


class ParentOutdated(Conflict):
    """The branch went on from the commit that the change was made for."""

    code = "ParentCommitIdOutdatedException"


class EditConflict(ParentOutdated):
    """The same files were changed meanwhile, so nothing was committed.

    Attributes:
        paths: Which.
        tip_oid: The commit that the branch is at.
    """

    def __init__(self, branch: str, changed_paths: Sequence[str], tip_oid: str) -> None:
        several = f" and {len(changed_paths) - 1} more" if len(changed_paths) > 1 else ""
        super().__init__(
            f"“{refs.shown(changed_paths[0])}”{several} was changed on {refs.shown(branch)} since you began, "
            "so nothing was committed.",
            hint="Compare the two, and commit again.",
        )
        self.paths = tuple(changed_paths)
        self.tip_oid = tip_oid


class NothingChanged(InvalidInput):
    """The commit would hold what its parent holds."""

    code = "NoChangeException"


@dataclass(frozen=True)
class Target:
    """Where a commit goes.

    Attributes:
        branch: The branch that is looked at; its tip is the parent.
        new_branch: Where it is set, the commit begins a branch of this name, and `branch` stays as it is.
    """

    branch: str
    new_branch: str = ""

    @property
    def name(self) -> str:
        """The branch that the commit will be on."""
        return self.new_branch or self.branch

    @property
    def refname(self) -> str:
        """Its full refname."""
        return refs.HEADS + self.name


@dataclass(frozen=True)
class Committed:
    """A commit that a branch is at now; `changed` tells which files it touched, of an edit."""

    oid: str
    changed: Changed


# From the draft to write into and the parent (None before the first commit), to the new commit and what it changed.
Build = Callable[[BareRepository, str | None], tuple[str, Changed]]


def tip(repository: Repository, branch: str) -> str:
    """Where a branch is; raises BranchMissing, or InvalidInput where the name is a tag's."""
    oid = refs.tip(repository.git, refs.HEADS + branch)
    if oid is not None:
        return oid
    shown = refs.shown(branch)
    if refs.tip(repository.git, refs.TAGS + branch) is not None:
        raise InvalidInput(
            f"“{shown}” is a tag of {repository.name}, not a branch: a commit goes on a branch.",
            code="BranchNameIsTagNameException",
        )
    raise refs.BranchMissing(f"No branch of {repository.name} is called “{shown}”.")


def tip_or_first(repository: Repository, branch: str) -> str | None:
    """The same, but None in a repository without branches, where a commit makes the first one."""
    try:
        return tip(repository, branch)
    except refs.BranchMissing:
        if refs.branches(repository.git):
            raise
        return None


def on_tip(
    principal: Principal,
    action: str,
    repository: Repository,
    target: Target,
    base_oid: str | None,
    paths: Sequence[str],
    build: Build,
) -> Committed:
    """Commit on the tip of the target, also where it moves at this very moment, unless it touches one of the paths."""
    if target.new_branch:
        branches.check_free(repository, target.refname)
        authorize_ref(principal, branches.CREATE_BRANCH, repository, target.refname)
        return move(principal, action, repository, target, base_oid, build, is_new=True)
    for remaining in reversed(range(TRIES)):
        now_oid = tip_or_first(repository, target.branch)
        if now_oid != base_oid:
            if now_oid is None or base_oid is None:
                raise outdated(target.branch, now_oid)
            changed = [
                path for path in paths if _entry(repository, base_oid, path) != _entry(repository, now_oid, path)
            ]
            if changed:
                raise EditConflict(target.branch, changed, now_oid)
        try:
            return move(principal, action, repository, target, now_oid, build)
        except ref_updates.RefMoved:
            if not remaining:
                raise
    raise AssertionError("the last try has ended one way or the other")


def move(
    principal: Principal,
    action: str,
    repository: Repository,
    target: Target,
    parent_oid: str | None,
    build: Build,
    *,
    is_new: bool = False,
) -> Committed:
    """Build a commit in a draft, have it judged, and move the branch to it from its parent.

    Args:
        is_new: The branch is made, and does not stand at the parent yet.

    Raises:
        RefMoved: The branch is not at the parent.
        ServiceError: The commit, or the move of the ref, is refused.
    """
    authorize_ref(principal, action, repository, target.refname)
    quota.check(repository)
    with store.draft(repository.git) as draft:
        oid, changed = build(draft, parent_oid)
        old_oid = refs.ZERO_OID if is_new or parent_oid is None else parent_oid
        drafts.land(principal, action, repository, draft, RefCommand(target.refname, old_oid, oid), parent_oid)
    return Committed(oid, changed)


def outdated(branch: str, tip_oid: str | None) -> ParentOutdated:
    """What is told where the branch is at another commit by now, or at none."""
    return ParentOutdated(
        f"{refs.shown(branch)} is no longer at this commit.",
        hint=f"It is at {tip_oid}: look at what changed, and repeat it." if tip_oid else "It was deleted meanwhile.",
    )


def _entry(repository: Repository, oid: str, path: str) -> tuple[str, str] | None:
    """Mode and oid of what is under a path; which files a folder holds is no matter."""
    try:
        found = tree.entry(repository.git, oid, path)
    except tree.PathNotFound:
        return None
    return (found.mode, "" if found.kind == "tree" else found.oid)
