"""Changes to a branch as commits of this server: what the API's CreateCommit, PutFile and DeleteFile and the console's
editor share. Revert and cherry-pick are in picks.py.

Source: AWS CodeCommit API Reference, CreateCommit, PutFile, DeleteFile and their errors; User Guide, "Quotas".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from codeservices.errors import Conflict, InvalidInput, NotFound
from codeservices.iam.principal import Principal
from repos import branches, quota
from repos.access import authorize_ref
from repos.editing import drafts, rules
from repos.editing.rules import SILENT, Wording
from repos.git import commit, log, objects, program, refs, store, tree, tree_change
from repos.git.log import Signature
from repos.git.refs import RefCommand
from repos.git.store import BareRepository
from repos.git.tree_change import Change, Changed, Copy, Delete, Put
from repos.models import Repository
from repos.pushes import ref_updates

CREATE_COMMIT = "codecommit:CreateCommit"
PUT_FILE = "codecommit:PutFile"
DELETE_FILE = "codecommit:DeleteFile"
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


def create_commit(
    principal: Principal,
    repository_name: str,
    branch: str,
    changes: Sequence[Change],
    *,
    parent_oid: str | None,
    wording: Wording = SILENT,
    keep_empty_folders: bool = False,
    action: str = CREATE_COMMIT,
) -> Committed:
    """Commit changes on the tip of a branch, of which the caller says where it is. Before the first branch of a
    repository there is none: then this makes it.

    Raises:
        ServiceError: With CodeCommit's own codes: of paths and files (git/tree_change.py), of author and message,
            BranchDoesNotExist, BranchNameIsTagName, ParentCommitIdRequired, InvalidParentCommitId,
            ParentCommitDoesNotExist.
        ParentOutdated: The tip is another one.
        NothingChanged: The branch holds all of this already.
        QuotaExceeded, RepositoryArchived, RefKeptByRemote, AccessDenied.
    """
    rules.check_wording(wording)
    rules.check_files(changes, rules.MAX_API_BYTES)
    target = Target(refs.check_branch_name(branch))
    repository = branches.opened_for(principal, action, repository_name, target.refname)
    with repository.git as git:
        tip = _tip(repository, target.branch)
        _check_parent(repository, target.branch, parent_oid, tip)
        author = wording.person(principal)

        def build(draft: BareRepository, parent: str | None) -> tuple[str, Changed]:
            return _built(draft, parent, changes, author, wording.message, keep_empty_folders=keep_empty_folders)

        try:
            return move(principal, action, repository, target, tip, build)
        except ref_updates.RefMoved as error:
            raise _outdated(branch, refs.tip(git, target.refname)) from error


def put_file(
    principal: Principal,
    repository_name: str,
    branch: str,
    put: Put,
    *,
    parent_oid: str | None,
    wording: Wording = SILENT,
) -> Committed:
    """Add or change one file; raises as `create_commit`, and SameFileContent where the file is that already."""
    if not put.content:
        raise InvalidInput(
            "An empty file can't be added this way.",
            code="FileContentRequiredException",
            hint="Give it some content, or push it with git.",
        )
    try:
        return create_commit(
            principal, repository_name, branch, [put], parent_oid=parent_oid, wording=wording, action=PUT_FILE
        )
    except NothingChanged as error:
        raise NothingChanged(
            f"“{refs.shown(put.path)}” has exactly this content on {refs.shown(branch)} already.",
            code="SameFileContentException",
        ) from error


def delete_file(
    principal: Principal,
    repository_name: str,
    branch: str,
    path: str,
    *,
    parent_oid: str,
    wording: Wording = SILENT,
    keep_empty_folders: bool = False,
) -> Committed:
    """Delete one file; raises as `create_commit`."""
    return create_commit(
        principal,
        repository_name,
        branch,
        [Delete(path)],
        parent_oid=parent_oid,
        wording=wording,
        keep_empty_folders=keep_empty_folders,
        action=DELETE_FILE,
    )


def edit(
    principal: Principal,
    repository_name: str,
    target: Target,
    changes: Sequence[Change],
    *,
    base_oid: str | None,
    wording: Wording = SILENT,
    action: str = CREATE_COMMIT,
) -> Committed:
    """Commit what a person changed while looking at a commit, on what the branch has become since.

    Where none of these files was touched meanwhile, the changes apply to the new tip; else nothing is done.

    Args:
        base_oid: The commit that was looked at; None before the first commit of the repository.

    Raises:
        EditConflict: One of the files is another one on the tip.
        ServiceError: As `create_commit`, and for a new branch as `branches.create_branch`.
    """
    rules.check_wording(wording)
    rules.check_files(changes, rules.MAX_CONSOLE_BYTES)
    refs.check_branch_name(target.branch)
    refs.check_branch_name(target.name)
    repository = branches.opened_for(principal, action, repository_name, target.refname)
    author = wording.person(principal)

    def build(draft: BareRepository, parent: str | None) -> tuple[str, Changed]:
        return _built(draft, parent, changes, author, wording.message)

    with repository.git:
        if base_oid is not None:
            check_base(repository, base_oid)
        return on_tip(principal, action, repository, target, base_oid, touched(changes), build)


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
        tip = _tip(repository, target.branch)
        if tip != base_oid:
            if tip is None or base_oid is None:
                raise _outdated(target.branch, tip)
            changed = [path for path in paths if _entry(repository, base_oid, path) != _entry(repository, tip, path)]
            if changed:
                raise EditConflict(target.branch, changed, tip)
        try:
            return move(principal, action, repository, target, tip, build)
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


def touched(changes: Iterable[Change]) -> list[str]:
    """Every path that changes look at or set."""
    found: dict[str, None] = {}
    for one in changes:
        found[one.path] = None
        if isinstance(one, Copy):
            found[one.source] = None
    return list(found)


def _built(
    draft: BareRepository,
    parent: str | None,
    changes: Sequence[Change],
    author: Signature,
    text: str,
    *,
    keep_empty_folders: bool = False,
) -> tuple[str, Changed]:
    base = parent or objects.EMPTY_TREE
    changed = tree_change.change(draft, base, changes, keep_empty_folders=keep_empty_folders)
    if parent is not None and changed.tree_oid == objects.tree_oid(draft, parent):
        raise NothingChanged("The branch holds exactly this already, so there is nothing to commit.")
    words = commit.message(text)
    if not words:
        words = commit.message(rules.default_message(changes))
        if len(changed.added) == len(changes) == 1:
            words = words.replace("Edited ", "Added ", 1)
    return commit.write_commit(draft, changed.tree_oid, [parent] if parent else [], author, words), changed


def _tip(repository: Repository, branch: str) -> str | None:
    """Where a branch is, or None in a repository without branches."""
    oid = refs.tip(repository.git, refs.HEADS + branch)
    if oid is not None:
        return oid
    shown = refs.shown(branch)
    if refs.tip(repository.git, refs.TAGS + branch) is not None:
        raise InvalidInput(
            f"“{shown}” is a tag of {repository.name}, not a branch: a commit goes on a branch.",
            code="BranchNameIsTagNameException",
        )
    if refs.branches(repository.git):
        raise refs.BranchMissing(f"No branch of {repository.name} is called “{shown}”.")
    return None


def _check_parent(repository: Repository, branch: str, parent_oid: str | None, tip: str | None) -> None:
    """What the API asks of a parent's id; the sentences tell where the tip is."""
    if parent_oid is None:
        if tip is None:
            return
        raise InvalidInput(
            f"The id of the commit that {refs.shown(branch)} is at is required.",
            code="ParentCommitIdRequiredException",
            hint=f"It is {tip}.",
        )
    if not refs.OID.fullmatch(parent_oid):
        raise InvalidInput(
            f"“{parent_oid[:100]}” is no commit id: give all 40 hexadecimal digits.",
            code="InvalidParentCommitIdException",
        )
    if parent_oid == tip:
        return
    if tip is None or not _is_ancestor(repository.git, parent_oid, tip):
        raise NotFound(
            f"No commit {parent_oid} is in the history of {refs.shown(branch)}.",
            code="ParentCommitDoesNotExistException",
            hint=f"The branch is at {tip}." if tip else "The repository has no commit yet: leave the id out.",
        )
    raise _outdated(branch, tip)


def _is_ancestor(git: BareRepository, oid: str, tip: str) -> bool:
    try:
        kind, _ = objects.read(git, oid)
    except NotFound:
        return False
    if kind != "commit":
        return False
    try:
        program.run(git, ["merge-base", "--is-ancestor", "--end-of-options", oid, tip])
    except program.GitError as error:
        if error.exit_code == 1:
            return False
        raise
    return True


def _outdated(branch: str, tip: str | None) -> ParentOutdated:
    return ParentOutdated(
        f"{refs.shown(branch)} is no longer at this commit.",
        hint=f"It is at {tip}: look at what changed, and repeat it." if tip else "It was deleted meanwhile.",
    )


def check_base(repository: Repository, oid: str) -> None:
    """That a form says which commit was looked at, and that there is one; raises with CodeCommit's codes."""
    if not refs.OID.fullmatch(oid):
        raise InvalidInput(
            "The form does not say which commit was looked at, so nothing was changed.",
            code="ParentCommitIdRequiredException",
            hint="Open the file again.",
        )
    try:
        log.commit(repository.git, oid)
    except NotFound:
        raise NotFound(f"{repository.name} has no commit {oid}.", code="ParentCommitDoesNotExistException") from None


def _entry(repository: Repository, oid: str, path: str) -> tuple[str, str] | None:
    """Mode and oid of what is under a path; which files a folder holds is no matter."""
    try:
        found = tree.entry(repository.git, oid, path)
    except tree.PathNotFound:
        return None
    return (found.mode, "" if found.kind == "tree" else found.oid)
