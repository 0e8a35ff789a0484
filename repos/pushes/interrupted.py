"""What a git that was killed in the middle of a push has done, and what it left behind."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from datetime import timedelta

from repos.git import locks, program, refs
from repos.git.refs import RefCommand
from repos.git.store import BareRepository, RepositoryMissing
from repos.git.upkeep import leftovers
from repos.models import Push, PushState
from repos.upkeep import schedule

logger = logging.getLogger(__name__)

# What it left is removed at once where no other git moves refs for a moment in this time.
CLEAN_UP_SECONDS = 5.0


def moved(push: Push, asked: Sequence[RefCommand]) -> list[RefCommand]:
    """Clean up behind the git of a push, complete an atomic push that it left half-done, and tell what has moved."""
    try:
        repository = push.repository.git
    except RepositoryMissing:
        return []
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locks.deleting(repository, timeout_seconds=CLEAN_UP_SECONDS))
        except locks.RepositoryBusy as error:
            logger.warning("what git left of push %s stays until upkeep comes: %s", push.push_id, error.message)
            schedule.look_again(push.repository, timedelta(seconds=leftovers.LOCK_SECONDS))
        else:
            gone = leftovers.remove_of_pushes(repository, [command.refname for command in asked])
            if gone:
                logger.warning("push %s: removed %s of a git that was killed", push.push_id, ", ".join(gone))
        moved = [command for command in asked if _has_moved(push, repository, command)]
        if push.is_atomic and 0 < len(moved) < len(asked):
            # Git moves the first ref of a transaction when all objects are checked and in place: the rest may follow.
            try:
                refs.move(repository, [command for command in asked if command not in moved])
            except program.GitError as error:
                logger.error("atomic push %s stays half-done: %s", push.push_id, error.message)
            else:
                logger.warning("atomic push %s was left half-done and is completed", push.push_id)
                return list(asked)
    return moved


def _has_moved(push: Push, repository: BareRepository, command: RefCommand) -> bool:
    """Whether a ref stands where a push wanted it, or went on from there by a later push.

    Git moves a ref only from the old oid that a push names. So where a later push made the same move (a person tried
    again after a crash), this one did not.
    """
    tip = refs.tip(repository, command.refname)
    later = [
        other
        for one in Push.objects.filter(
            repository=push.repository, pk__gt=push.pk, state__in=(PushState.RECORDED, PushState.DELIVERED)
        )
        for other in one.ref_commands
        if other.refname == command.refname
    ]
    if command in later:
        return False
    return (tip or refs.ZERO_OID) == command.new_oid or any(other.old_oid == command.new_oid for other in later)
