"""Each job of upkeep with the sentence that tells what it did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from repos.git import locks
from repos.git.upkeep import expiry, fsck, jobs, leftovers, state
from repos.git.upkeep.jobs import LockedRepository
from repos.git.upkeep.strategy import Job
from repos.models import Upkeep


def do(job: Job, upkeep: Upkeep, locked: LockedRepository) -> str:
    """Do a job, note what the calendar needs on `upkeep`, unsaved, and say what was done.

    Raises:
        RepositoryBusy: It can't be done now; nothing was changed.
        GitError: Git failed.
    """
    return _DOING[job](upkeep, locked)


def horizon() -> datetime:
    """What was unreachable before then is to go."""
    return timezone.now() - timedelta(days=settings.UNREACHABLE_DAYS)


def _leftovers(upkeep: Upkeep, locked: LockedRepository) -> str:
    with locks.deleting(locked.repository, timeout_seconds=expiry.LOCK_SECONDS) as deleting:
        removed = leftovers.remove(locked.repository, deleting)
    return f"Files of processes that had died: {len(removed)} removed."


def _pack_refs(upkeep: Upkeep, locked: LockedRepository) -> str:
    before = state.look(locked.repository)
    jobs.pack_refs(locked)
    return f"Loose refs: {before.loose_refs:,} packed."


def _commit_graph(upkeep: Upkeep, locked: LockedRepository) -> str:
    jobs.write_commit_graph(locked)
    return f"Commits in the graph: {state.look(locked.repository).graph_commits:,}."


def _repack(upkeep: Upkeep, locked: LockedRepository) -> str:
    return _packed(locked, jobs.repack)


def _full_repack(upkeep: Upkeep, locked: LockedRepository) -> str:
    began_at = timezone.now()
    told = _packed(locked, jobs.repack_fully)
    upkeep.full_repack_at = began_at
    return told


def _packed(locked: LockedRepository, repack: Callable[[LockedRepository], None]) -> str:
    before = state.look(locked.repository)
    repack(locked)
    after = state.look(locked.repository)
    loose = f"{before.loose_objects:,} to {after.loose_objects:,}"
    return f"Packs: {before.packs:,} to {after.packs:,}; loose objects: {loose}."


def _expire(upkeep: Upkeep, locked: LockedRepository) -> str:
    expired = expiry.expire(locked, horizon())
    return f"Unreachable objects: {expired.objects:,} deleted, {expired.size_bytes:,} bytes."


def _fsck(upkeep: Upkeep, locked: LockedRepository) -> str:
    began_at = timezone.now()
    upkeep.fsck_findings = fsck.check(locked)
    upkeep.fsck_at = began_at
    upkeep.fsck_due_at = began_at + timedelta(days=settings.FSCK_DAYS) if settings.FSCK_DAYS else None
    if not upkeep.fsck_findings:
        return "Every object is there and whole."
    return f"Git found faults: {len(upkeep.fsck_findings)} lines."


_DOING: dict[Job, Callable[[Upkeep, LockedRepository], str]] = {
    Job.LEFTOVERS: _leftovers,
    Job.PACK_REFS: _pack_refs,
    Job.COMMIT_GRAPH: _commit_graph,
    Job.REPACK: _repack,
    Job.FULL_REPACK: _full_repack,
    Job.EXPIRE: _expire,
    Job.FSCK: _fsck,
}
