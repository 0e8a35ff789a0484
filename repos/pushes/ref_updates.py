"""Refs that move by the server's own doors, API and console: judged, written down and told like those of a push.

A row of the outbox is committed before git moves anything, the git process holds the row's lock, and recovery finds
what a crash left half-done, as receive.py has it for pushes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codeservices.audit.acts import current_act
from codeservices.errors import Conflict
from codeservices.iam.principal import Principal
from repos.access import authorize_ref
from repos.git import program, refs
from repos.git.refs import RefCommand
from repos.models import Push, Repository
from repos.pushes import receive, rules


class RefMoved(Conflict):
    """A ref was not where the caller saw it."""

    code = "ConcurrentReferenceUpdateException"


def defer_act() -> None:
    """Call it before the first decision of an act that moves refs: recovery then tells how an interrupted one ended."""
    act = current_act()
    if act is not None and not act.is_begun:
        act.is_deferred = True


def apply(
    principal: Principal,
    action: str,
    repository: Repository,
    commands: Sequence[RefCommand],
    *,
    by_remote: bool = False,
    bring: Callable[[], None] | None = None,
    timeout_seconds: float = program.TIMEOUT_SECONDS,
) -> Push:
    """Move refs, all or none, each from the oid that its command names.

    Args:
        action: What each ref is authorized for, "codecommit:CreateBranch".
        by_remote: The import or the mirror moves them that keeps these refs.
        bring: Puts the objects into the repository, called when all is judged; None where they are there already.
        timeout_seconds: For thousands of refs, each synced to disk.

    Returns:
        The recorded push; a worker delivers it.

    Raises:
        AccessDenied, RepositoryArchived: The principal may not move one of them, or nobody may.
        ServiceError: A refname breaks a rule, or the default branch would be deleted.
        RefMoved: One stood elsewhere; nothing has moved.
    """
    default_branch = refs.default_branch(repository.git)
    for command in commands:
        rules.check(command, default_branch)
        authorize_ref(principal, action, repository, command.refname, by_remote=by_remote)
    begun = receive.write_down(principal, repository, commands, is_atomic=True)
    accepted: set[str] | None = None  # as long as git has not ended, the refs themselves must tell
    try:
        if bring is not None:
            bring()
        options = program.Options(pass_fds=begun.lock.filenos())
        refs.move(repository.git, commands, timeout_seconds=timeout_seconds, options=options)
        accepted = {command.refname for command in commands}
    except program.GitError as error:
        if "cannot lock ref" not in error.complaint:
            raise
        accepted = set()
        names = ", ".join(refs.shown(command.refname) for command in commands[:3])
        raise RefMoved(f"{names} moved while this was under way.", hint="Look again, and repeat it.") from error
    finally:
        if accepted is None:
            begun.lock.release_moving()
        try:
            push = receive.finish(begun.push, accepted)
        finally:
            begun.lock.release()
    return push
