"""Revert a commit, or apply it elsewhere: one more commit on a branch, made by merging trees.

Source: git-revert(1) and git-cherry-pick(1): what is merged, and what the message says; of a merge commit its first
parent is the one to compare with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from codeservices.errors import Conflict, NotFound
from codeservices.iam.principal import Principal
from repos import branches, oids
from repos.editing import edits, rules, tips
from repos.editing.rules import SILENT, Wording
from repos.editing.tips import Committed, NothingChanged, Target
from repos.git import commit, log, merge, objects, refs
from repos.git.store import BareRepository
from repos.git.tree_change import Changed
from repos.models import Repository

CREATE_COMMIT: Final = edits.CREATE_COMMIT


class PickConflict(Conflict):
    """The commit's changes and those of the branch can't both be had; nothing was committed.

    Attributes:
        conflicts: Path by path.
    """

    code = "ManualMergeRequiredException"

    def __init__(self, sentence: str, conflicts: Sequence[merge.Conflict]) -> None:
        super().__init__(
            f"{sentence}: {rules.told_paths(conflicts)} changed otherwise since. Nothing was committed.",
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
    return _pick(principal, repository_name, target, oid, wording, is_revert=True)


def cherry_pick(
    principal: Principal, repository_name: str, target: Target, oid: str, *, wording: Wording = SILENT
) -> Committed:
    """Commit once more what a commit changed against its first parent. Its author stays; who asks is the committer.

    Raises:
        PickConflict: The branch has other changes in the same places.
        NothingChanged: The branch has all of it.
        ServiceError: As `edits.edit`; CommitIdDoesNotExist.
    """
    return _pick(principal, repository_name, target, oid, wording, is_revert=False)


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


def _pick(
    principal: Principal, repository_name: str, target: Target, oid: str, wording: Wording, *, is_revert: bool
) -> Committed:
    rules.check_wording(wording)
    refs.check_branch_name(target.branch)
    refs.check_branch_name(target.name)
    oids.check(oid)
    repository = branches.opened_for(principal, CREATE_COMMIT, repository_name, target.refname)
    with repository.git:
        found = _found(repository, oid)
        parent = found.parent_oids[0] if found.parent_oids else objects.EMPTY_TREE
        person = wording.person(principal)
        branch = refs.shown(target.branch)
        if is_revert:
            base, theirs, author, message = oid, parent, person, revert_message(found)
            sentence = f"Commit {oid[:8]} can't be reverted on {branch}"
        else:
            base, theirs, author, message = parent, oid, found.author, pick_message(found)
            sentence = f"Commit {oid[:8]} can't be applied to {branch}"
        text = commit.message(wording.message or message)

        def build(draft: BareRepository, tip_oid: str | None) -> tuple[str, Changed]:
            assert tip_oid is not None  # a branch that is there
            tree_oid = _merged(draft, base, tip_oid, theirs, sentence)
            made = commit.write_commit(draft, tree_oid, [tip_oid], author, text, committer=person)
            return made, Changed(tree_oid, (), (), ())

        tip_oid = tips.tip(repository, target.branch)
        return tips.on_tip(principal, CREATE_COMMIT, repository, target, tip_oid, [], build)


def _found(repository: Repository, oid: str) -> log.Commit:
    try:
        return log.commit(repository.git, oid)
    except NotFound as missing:
        raise NotFound(f"{repository.name} has no commit {oid}.", code="CommitIdDoesNotExistException") from missing


def _merged(draft: BareRepository, base: str, ours: str, theirs: str, sentence: str) -> str:
    """The tree of a clean merge into the tip."""
    result = merge.merge_trees(draft, base, ours, theirs)
    if not result.is_clean:
        raise PickConflict(sentence, result.conflicts)
    if result.tree_oid == objects.tree_oid(draft, ours):
        raise NothingChanged("The branch would hold what it holds already, so there is nothing to commit.")
    return result.tree_oid
