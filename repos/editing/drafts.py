"""The way of a new commit out of the draft that it was built in: judged, weighed, and brought into its repository."""

from __future__ import annotations

from codeservices.iam.principal import Principal
from repos import quota
from repos.git import commit, refs, store
from repos.git.refs import RefCommand
from repos.git.store import BareRepository
from repos.models import Repository
from repos.pushes import ref_updates


def judge(repository: Repository, draft: BareRepository, refname: str, base_oid: str | None, oid: str) -> None:
    """Judge a draft's objects by the rules of a push, and its size by the quota.

    Args:
        base_oid: The commit that the new one is compared with; None in an empty repository.

    Raises:
        ServiceError: An object, a path or a size is refused.
        QuotaExceeded: There is no room for what it brings.
    """
    quota.check(repository, commit.seal(draft, RefCommand(refname, base_oid or refs.ZERO_OID, oid)))


def bring(repository: Repository, draft: BareRepository, oid: str) -> None:
    """Move a judged draft's objects into the repository, where all that the commit reaches has to be."""
    store.adopt(draft, repository.git)
    repository.git.close()  # opened anew, it sees the new pack
    commit.check_connected(repository.git, oid)


def land(
    principal: Principal,
    action: str,
    repository: Repository,
    draft: BareRepository,
    command: RefCommand,
    base_oid: str | None,
) -> None:
    """Judge a draft, bring its objects, and move a ref to its commit; what the ref's move needs is held meanwhile.

    Raises:
        RefMoved: The ref is not where the command has it.
        ServiceError: The commit, or the move of the ref, is refused.
    """
    judge(repository, draft, command.refname, base_oid, command.new_oid)
    ref_updates.apply(principal, action, repository, [command], bring=lambda: bring(repository, draft, command.new_oid))
