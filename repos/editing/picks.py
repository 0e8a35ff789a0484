"""Revert a commit, or apply it elsewhere: one more commit on a branch, made by merging trees.

Source: git-revert(1) and git-cherry-pick(1): what is merged, and what the message says; of a merge commit its first
parent is the one to compare with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from codeservices.errors import Conflict, NotFound
from codeservices.iam.principal import Principal
from repos import branches
from repos.editing import edits, rules
from repos.editing.edits import Committed, NothingChanged, Target
from repos.editing.rules import SILENT, Wording
from repos.git import commit, log, merge, objects, refs
from repos.git.store import BareRepository
from repos.git.tree_change import Changed
from repos.models import Repository

CREATE_COMMIT: Final = edits.CREATE_COMMIT
MAX_TOLD_PATHS: Final = 3


class PickConflict(Conflict):
    """The commit's changes and those of the branch can't both be had; nothing was committed.

    Attributes:
        conflicts: Path by path.
    """

    code = "ManualMergeRequiredException"

    def __init__(self, sentence: str, conflicts: Sequence[merge.Conflict]) -> None:
        shown = ", ".join(f"“{refs.shown(one.path)}”" for one in conflicts[:MAX_TOLD_PATHS])
        more = f" and {len(conflicts) - MAX_TOLD_PATHS} more" if len(conflicts) > MAX_TOLD_PATHS else ""
        super().__init__(
            f"{sentence}: {shown}{more} changed otherwise since. Nothing was committed.",
            hint="Do it in a clone, where the conflicts can be resolved, and push the result.",
        )
        self.conflicts = tuple(conflicts)


def revert(
    principal: Principal, repository_name: str, target: Target, oid: str, *, wording: Wording = SILENT
) -> Committed:
    """Commit the opposite of what a commit changed against its first parent.

    Args:
        oid: The commit to undo.
        wording: Its message is git's own where it is empty.

    Raises:
        PickConflict: What it changed was changed otherwise since.
        NothingChanged: None of it is there any more.
        ServiceError: As `edits.edit`; CommitIdDoesNotExist.
    """
    repository = _opened(principal, repository_name, target, oid, wording)
    found = _found(repository, oid)
    parent = found.parent_oids[0] if found.parent_oids else objects.EMPTY_TREE
    sentence = f"Commit {oid[:8]} can't be reverted on {refs.shown(target.branch)}"
    author = wording.person(principal)

    def build(draft: BareRepository, tip: str | None) -> tuple[str, Changed]:
        merged = _merged(draft, oid, tip, parent, sentence)
        made = commit.write_commit(
            draft, merged, [tip] if tip else [], author, commit.message(wording.message or revert_message(found))
        )
        return made, Changed(merged, (), (), ())

    with repository.git:
        return _commit(principal, repository, target, build)


def cherry_pick(
    principal: Principal, repository_name: str, target: Target, oid: str, *, wording: Wording = SILENT
) -> Committed:
    """Commit once more what a commit changed against its first parent. Its author stays; who asks is the committer.

    Raises:
        PickConflict: The branch has other changes in the same places.
        NothingChanged: The branch has all of it.
        ServiceError: As `edits.edit`; CommitIdDoesNotExist.
    """
    repository = _opened(principal, repository_name, target, oid, wording)
    found = _found(repository, oid)
    parent = found.parent_oids[0] if found.parent_oids else objects.EMPTY_TREE
    sentence = f"Commit {oid[:8]} can't be applied to {refs.shown(target.branch)}"
    committer = wording.person(principal)

    def build(draft: BareRepository, tip: str | None) -> tuple[str, Changed]:
        merged = _merged(draft, parent, tip, oid, sentence)
        made = commit.write_commit(
            draft,
            merged,
            [tip] if tip else [],
            found.author,
            commit.message(wording.message or pick_message(found)),
            committer=committer,
        )
        return made, Changed(merged, (), (), ())

    with repository.git:
        return _commit(principal, repository, target, build)


def revert_message(found: log.Commit) -> str:
    """As git words it."""
    subject = found.subject or found.oid[:8]
    if found.is_merge:
        told = f"This reverts commit {found.oid}, reversing\nchanges made to {found.parent_oids[0]}."
    else:
        told = f"This reverts commit {found.oid}."
    return f'Revert "{subject}"\n\n{told}'


def pick_message(found: log.Commit) -> str:
    """The commit's own, with the line of `git cherry-pick -x` that tells where it is from."""
    return f"{found.message.rstrip()}\n\n(cherry picked from commit {found.oid})"


def _opened(principal: Principal, repository_name: str, target: Target, oid: str, wording: Wording) -> Repository:
    rules.check_wording(wording)
    refs.check_branch_name(target.branch)
    refs.check_branch_name(target.name)
    branches.check_oid(oid)
    return branches.opened_for(principal, CREATE_COMMIT, repository_name, target.refname)


def _found(repository: Repository, oid: str) -> log.Commit:
    with repository.git:
        try:
            return log.commit(repository.git, oid)
        except NotFound as missing:
            raise NotFound(f"{repository.name} has no commit {oid}.", code="CommitIdDoesNotExistException") from missing


def _commit(principal: Principal, repository: Repository, target: Target, build: edits.Build) -> Committed:
    tip = refs.tip(repository.git, refs.HEADS + target.branch)
    if tip is None:
        raise refs.BranchMissing(f"No branch of {repository.name} is called “{refs.shown(target.branch)}”.")
    return edits.on_tip(principal, CREATE_COMMIT, repository, target, tip, [], build)


def _merged(draft: BareRepository, base: str, tip: str | None, theirs: str, sentence: str) -> str:
    """The tree of a clean merge into the tip."""
    ours = tip or objects.EMPTY_TREE
    result = merge.merge_trees(draft, base, ours, theirs)
    if not result.is_clean:
        raise PickConflict(sentence, result.conflicts)
    if result.tree_oid == objects.tree_oid(draft, ours):
        raise NothingChanged("The branch would hold what it holds already, so there is nothing to commit.")
    return result.tree_oid
