"""Changes to a branch as commits of this server: what the API's CreateCommit, PutFile and DeleteFile and the console's
editor share.

Source: AWS CodeCommit API Reference, CreateCommit, PutFile, DeleteFile and their errors; User Guide, "Quotas".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codeservices.errors import InvalidInput, NotFound
from codeservices.iam.principal import Principal
from repos import branches
from repos.editing import rules, tips
from repos.editing.rules import SILENT, Wording
from repos.editing.tips import Committed, NothingChanged, Target
from repos.git import commit, log, objects, program, refs, tree_change
from repos.git.log import Signature
from repos.git.store import BareRepository
from repos.git.tree_change import Change, Changed, Copy, Delete, Put
from repos.models import Repository
from repos.pushes import ref_updates

CREATE_COMMIT = "codecommit:CreateCommit"
PUT_FILE = "codecommit:PutFile"
DELETE_FILE = "codecommit:DeleteFile"


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
        tip = tips.tip_or_first(repository, target.branch)
        _check_parent(repository, target.branch, parent_oid, tip)
        author = wording.person(principal)

        def build(draft: BareRepository, parent: str | None) -> tuple[str, Changed]:
            return _built(draft, parent, changes, author, wording.message, keep_empty_folders=keep_empty_folders)

        try:
            return tips.move(principal, action, repository, target, tip, build)
        except ref_updates.RefMoved as error:
            raise tips.outdated(branch, refs.tip(git, target.refname)) from error


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
        return tips.on_tip(principal, action, repository, target, base_oid, _touched(changes), build)


def _touched(changes: Iterable[Change]) -> list[str]:
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
    raise tips.outdated(branch, tip)


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
