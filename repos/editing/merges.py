"""Merges of one branch into another, by fast-forward, squash or a merge commit: what API and console share.

Source: AWS CodeCommit API Reference, the operations MergeBranchesBy… and CreateUnreferencedMergeCommit, their members
and errors; git-merge(1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from codeservices.errors import Conflict as ConflictError
from codeservices.errors import InvalidInput
from codeservices.iam.principal import Principal
from repos import branches, quota
from repos.access import check_writable, on_ref, repository_for
from repos.editing import drafts, rules, tips
from repos.editing.rules import SILENT, Wording
from repos.git import commit, merge, merge_conflicts, merge_solution, objects, refs, specifier, store
from repos.git.merge import Conflict
from repos.git.merge_conflicts import Detail, Relation
from repos.git.merge_solution import NO_RESOLUTION, Resolution, Strategy
from repos.git.refs import RefCommand
from repos.git.revspec import Revision
from repos.git.store import BareRepository
from repos.models import Repository
from repos.pushes import ref_updates
from repos.remembered import remembered

Option = Literal["FAST_FORWARD_MERGE", "SQUASH_MERGE", "THREE_WAY_MERGE"]

FAST_FORWARD: Final[Option] = "FAST_FORWARD_MERGE"
SQUASH: Final[Option] = "SQUASH_MERGE"
THREE_WAY: Final[Option] = "THREE_WAY_MERGE"
ACTIONS: Final = {
    FAST_FORWARD: "codecommit:MergeBranchesByFastForward",
    SQUASH: "codecommit:MergeBranchesBySquash",
    THREE_WAY: "codecommit:MergeBranchesByThreeWay",
}
UNREFERENCED: Final = "codecommit:CreateUnreferencedMergeCommit"


class ManualMergeRequired(ConflictError):
    """The two can't be merged without a decision of somebody's."""

    code = "ManualMergeRequiredException"


class TipsDivergence(InvalidInput):
    """The two have nothing in common."""

    code = "TipsDivergenceExceededException"


@dataclass(frozen=True)
class ConflictPolicy:
    """How conflicts are looked at and solved.

    Attributes:
        detail: Whether two changes of one file conflict, or only those of the same lines.
        strategy: What becomes of conflicts; AUTOMERGE merges line by line and solves the rest by `resolution`.
    """

    detail: Detail = "FILE_LEVEL"
    strategy: Strategy = "NONE"
    resolution: Resolution = NO_RESOLUTION

    @property
    def effective_detail(self) -> Detail:
        """Merging line by line is what AUTOMERGE means."""
        return "LINE_LEVEL" if self.strategy == "AUTOMERGE" else self.detail


DEFAULT_POLICY: Final = ConflictPolicy()


@dataclass(frozen=True)
class Merged:
    """The commit that a merge ended with, and its tree."""

    oid: str
    tree_oid: str


@dataclass(frozen=True)
class Pair:
    """What is to be merged: the source into the destination, and how the two stand to each other."""

    source: Revision
    destination: Revision
    related: Relation


def fast_forward(principal: Principal, repository_name: str, source: str, destination: str, target: str = "") -> Merged:
    """Move a branch on to the source.

    Args:
        source, destination: Commit specifiers.
        target: The branch to move; the destination, which is a branch then, where it is empty.

    Raises:
        ManualMergeRequired: The destination has commits that the source lacks.
        ServiceError: As `merged`.
    """
    repository, branch = _opened(principal, ACTIONS[FAST_FORWARD], repository_name, destination, target)
    with repository.git as git:
        pair = paired(git, source, destination)
        _check_tip(repository, branch, pair.destination.oid)
        if pair.related.is_merged:
            return _as_merged(git, pair.destination.oid)
        if not pair.related.is_fast_forward:
            raise ManualMergeRequired(
                f"{refs.shown(branch)} has commits that {refs.shown(source)} lacks, so it can't simply go on to it.",
                hint="Squash or merge them.",
            )
        command = RefCommand(refs.HEADS + branch, pair.destination.oid, pair.source.oid)
        ref_updates.apply(principal, ACTIONS[FAST_FORWARD], repository, [command])
        return _as_merged(git, pair.source.oid)


def merged(
    principal: Principal,
    repository_name: str,
    option: Option,
    source: str,
    destination: str,
    target: str = "",
    *,
    policy: ConflictPolicy = DEFAULT_POLICY,
    wording: Wording = SILENT,
    keep_empty_folders: bool = False,
) -> Merged:
    """Merge the source into a branch: SQUASH with one new commit, THREE_WAY with one that has both as parents.

    Where the destination has all of the source, nothing is done.

    Raises:
        ManualMergeRequired: There are conflicts that the policy does not solve.
        TipsDivergence: The two have no commit in common.
        RefMoved: The branch is not at the destination, or no longer.
        ServiceError: With CodeCommit's own codes: of specifiers, branch, author and message, resolutions;
            BranchMissing, QuotaExceeded, RepositoryArchived, RefKeptByRemote, AccessDenied.
    """
    action = ACTIONS[option]
    wanted = _Wanted(option, policy, wording, keep_empty_folders)
    wanted.check()
    repository, branch = _opened(principal, action, repository_name, destination, target)
    with repository.git as git:
        pair = paired(git, source, destination)
        _check_tip(repository, branch, pair.destination.oid)
        if pair.related.is_merged:
            return _as_merged(git, pair.destination.oid)
        quota.check(repository)
        with store.draft(git) as draft:
            oid = wanted.commit(principal, repository, draft, pair, source, branch)
            command = RefCommand(refs.HEADS + branch, pair.destination.oid, oid)
            drafts.land(principal, action, repository, draft, command, pair.destination.oid)
        return _as_merged(git, oid)


def unreferenced(
    principal: Principal,
    repository_name: str,
    option: Option,
    source: str,
    destination: str,
    *,
    policy: ConflictPolicy = DEFAULT_POLICY,
    wording: Wording = SILENT,
    keep_empty_folders: bool = False,
) -> Merged:
    """Make the commit of a merge without moving any branch: upkeep removes it some time after. Raises as `merged`."""
    wanted = _Wanted(option, policy, wording, keep_empty_folders)
    wanted.check()
    context = context_of(destination)
    repository = repository_for(principal, UNREFERENCED, repository_name, context)
    check_writable(repository)
    quota.check(repository)
    with repository.git as git:
        pair = paired(git, source, destination)
        with store.draft(git) as draft:
            oid = wanted.commit(principal, repository, draft, pair, source, destination)
            drafts.judge(repository, draft, refs.HEADS + "none", pair.destination.oid, oid)
            drafts.bring(repository, draft, oid)
        return _as_merged(git, oid)


def paired(git: BareRepository, source: str, destination: str, *, is_related: bool = True) -> Pair:
    """The two commits that specifiers name.

    Raises:
        InvalidInput, RevisionNotFound: One of them names no commit.
        TipsDivergence: They have no commit in common, though they have to.
    """
    theirs, ours = specifier.resolve(git, source), specifier.resolve(git, destination)
    related = merge_conflicts.relation(git, ours.oid, theirs.oid)
    if related.base_oid is None and is_related:
        raise TipsDivergence(
            f"{refs.shown(source)} and {refs.shown(destination)} have no commit in common.",
            hint="Merge them in a clone with “git merge --allow-unrelated-histories”.",
        )
    return Pair(theirs, ours, related)


def conflicts(repository: Repository, related: Relation, detail: Detail) -> tuple[Conflict, ...]:
    """What conflicts in a merge of the two, remembered for the next page."""
    parts = (related.ours_oid, related.theirs_oid, detail)
    return remembered(
        repository, "conflicts", *parts, make=lambda: merge_conflicts.conflicts(repository.git, related, detail)
    )


def unsolved(repository: Repository, related: Relation, policy: ConflictPolicy) -> list[Conflict]:
    """The conflicts that a strategy leaves to somebody to decide; raises InvalidInput of resolutions that don't fit."""
    found = conflicts(repository, related, policy.effective_detail)
    return merge_solution.unsolved(found, policy.strategy, policy.resolution)


def is_mergeable(repository: Repository, related: Relation, option: Option, policy: ConflictPolicy) -> bool:
    """Whether a merge would go through now."""
    if option == FAST_FORWARD:
        return related.is_fast_forward or related.is_merged
    return not unsolved(repository, related, policy)


def context_of(destination: str) -> dict[str, str]:
    """What policies are told of the ref that a destination names; nothing of one that is no branch by its name."""
    branch = destination.removeprefix(refs.HEADS)
    return on_ref(refs.HEADS + branch) if _names_branch(branch) else {}


def _names_branch(branch: str) -> bool:
    is_other = branch == "HEAD" or branch.startswith("refs/") or refs.OID.fullmatch(branch.lower()) is not None
    return not is_other and refs.is_valid_refname(refs.HEADS + branch)


@dataclass(frozen=True)
class _Wanted:
    """The commit that a merge is to make."""

    option: Option
    policy: ConflictPolicy
    wording: Wording
    keep_empty_folders: bool

    def check(self) -> None:
        """Raises InvalidInput where it makes no sense whatever is merged."""
        rules.check_wording(self.wording)
        merge_solution.check(self.policy.strategy, self.policy.resolution)

    def commit(
        self,
        principal: Principal,
        repository: Repository,
        draft: BareRepository,
        pair: Pair,
        source: str,
        destination: str,
    ) -> str:
        """Write it into the draft; its oid.

        Args:
            source, destination: As they are called in sentences.
        """
        found = conflicts(repository, pair.related, self.policy.effective_detail)
        strategy, resolution = self.policy.strategy, self.policy.resolution
        if left := merge_solution.unsolved(found, strategy, resolution):
            raise _manual(left, source, destination)
        ours, theirs = pair.destination.oid, pair.source.oid
        tree_oid = merge.merge_trees(draft, None, ours, theirs).tree_oid
        tree_oid = merge_solution.apply(draft, tree_oid, found, strategy, resolution)
        if self.keep_empty_folders:
            tree_oid = merge_solution.keep_folders(draft, objects.tree_oid(draft, ours), tree_oid)
        verb, parents = ("Merge", [ours, theirs]) if self.option == THREE_WAY else ("Squash", [ours])
        text = self.wording.message or f"{verb} {refs.shown(source)} into {refs.shown(destination)}"
        return commit.write_commit(draft, tree_oid, parents, self.wording.person(principal), commit.message(text))


def _manual(left: Sequence[Conflict], source: str, destination: str) -> ManualMergeRequired:
    return ManualMergeRequired(
        f"{refs.shown(source)} can't be merged into {refs.shown(destination)} by itself: "
        f"{rules.told_paths(left)} changed on both sides.",
        hint="Resolve the conflicts, or merge in a clone and push the result.",
    )


def _opened(
    principal: Principal, action: str, repository_name: str, destination: str, target: str
) -> tuple[Repository, str]:
    """The repository, for an act that moves a branch of it, and the branch's short name."""
    branch = target or destination.removeprefix(refs.HEADS)
    if not destination:
        raise InvalidInput("Name the commit to merge into.", code="CommitRequiredException")
    if not _names_branch(branch):
        code = "InvalidTargetBranchException" if target else "BranchNameRequiredException"
        raise InvalidInput(
            f"“{refs.shown(branch[:200])}” names no branch; a merge needs one to move.",
            code=code,
            hint="" if target else "Name it by targetBranch.",
        )
    return branches.opened_for(principal, action, repository_name, refs.HEADS + branch), branch


def _check_tip(repository: Repository, branch: str, destination_oid: str) -> None:
    """That the branch is at the destination; raises RefMoved, or as `tips.tip`."""
    tip_oid = tips.tip(repository, branch)
    if tip_oid != destination_oid:
        raise ref_updates.RefMoved(
            f"{refs.shown(branch)} is at {tip_oid}, not at the destination {destination_oid}.",
            hint="Look again, and repeat it.",
        )


def _as_merged(git: BareRepository, oid: str) -> Merged:
    return Merged(oid, objects.tree_oid(git, oid))
