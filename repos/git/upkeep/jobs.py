"""The git commands of upkeep that lose no object; see the package for why."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from repos.git import disk, locks, program
from repos.git.locks import FileLock
from repos.git.store import BareRepository
from repos.git.upkeep import state

REFS_SECONDS = 600.0
GRAPH_SECONDS = 2 * 3600.0
REPACK_SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class LockedRepository:
    """A repository, and the right to rewrite its files.

    Attributes:
        rewriting: The lock of that name, held; each git command inherits it, so that it outlives a killed worker
            exactly as long as its git does.
    """

    repository: BareRepository
    rewriting: FileLock

    def git(
        self,
        args: Sequence[program.Argument],
        *,
        timeout_seconds: float,
        input: bytes = b"",
        also_held: Sequence[FileLock] = (),
    ) -> bytes:
        """Run a command in the background of the machine, bound in threads and memory; its output.

        Args:
            also_held: More locks for the command to inherit.

        Raises:
            GitError: It failed, or took too long.
        """
        options = self.options({})
        options = replace(options, pass_fds=(*options.pass_fds, *(lock.fileno() for lock in also_held)))
        return program.run(self.repository, args, input=input, timeout_seconds=timeout_seconds, options=options)

    def lines(self, args: Sequence[program.Argument], *, timeout_seconds: float, input: bytes = b"") -> Iterator[bytes]:
        """Likewise, line by line."""
        options = self.options({})
        return program.lines(self.repository, args, input=input, timeout_seconds=timeout_seconds, options=options)

    def options(self, configuration: Mapping[str, str], *, is_complaint_output: bool = False) -> program.Options:
        """How each command of upkeep runs."""
        return program.Options(
            {**_bounds(), **configuration}, (self.rewriting.fileno(),), True, is_complaint_output=is_complaint_output
        )


def pack_refs(locked: LockedRepository) -> None:
    """Put every ref into packed-refs. Source: git-pack-refs(1).

    It locks refs as a push does, so it holds what a push holds.

    Raises:
        RepositoryBusy: Objects are being deleted for longer than a push waits.
    """
    with locks.moving_refs(locked.repository) as moving:
        locked.git(["pack-refs", "--all", "--prune"], timeout_seconds=REFS_SECONDS, also_held=[moving])


def write_commit_graph(locked: LockedRepository) -> None:
    """Add what is new to the commit-graph, with filters of the paths that each commit changes.

    A graph that has parts without filters is written anew. Source: git-commit-graph(1).
    """
    known = state.look(locked.repository)
    split = "--split" if known.has_changed_paths or not known.graph_commits else "--split=replace"
    locked.git(
        ["commit-graph", "write", "--reachable", split, "--changed-paths", "--no-progress"],
        timeout_seconds=GRAPH_SECONDS,
    )


def repack(locked: LockedRepository) -> None:
    """Roll small packs and loose objects up, so that each pack has at least twice the objects of the next smaller one;
    then index all of them together, with one bitmap.

    No object goes, reachable or not. Source: git-repack(1), --geometric.
    """
    locked.git(
        ["repack", "-q", "-n", "-d", "--geometric=2", "--write-midx", "--write-bitmap-index"],
        timeout_seconds=REPACK_SECONDS,
    )


def repack_fully(locked: LockedRepository) -> None:
    """Put all that refs reach into one pack and all else into another, the cruft pack, and index both.

    No object goes. Each object of the cruft pack carries a time: for one that enters it now, the present, so that the
    grace of `expiry.expire` begins when an object is first seen to be unreachable, not when it was written.
    Source: git-repack(1), --cruft; gitformat-pack(5), "CRUFT PACKS".
    """
    _renew_times(locked.repository)
    locked.git(
        ["repack", "-q", "-n", "-d", "--cruft", "--write-midx", "--write-bitmap-index"],
        timeout_seconds=REPACK_SECONDS,
    )


def _renew_times(repository: BareRepository) -> None:
    """Git takes the time of an object from its file: its own, or its pack's. Cruft packs have times of their own."""
    objects = repository.path / "objects"
    for pack in state.packs(repository):
        if not pack.is_cruft:
            with contextlib.suppress(FileNotFoundError):
                os.utime(pack.base.with_suffix(".pack"))
    for folder in objects.glob("[0-9a-f][0-9a-f]"):
        for entry in disk.files(folder):
            with contextlib.suppress(FileNotFoundError):
                os.utime(entry.path)


def _bounds() -> dict[str, str]:
    """Half of the processors, and the memory that the configuration of every git allows a thread."""
    return {
        "pack.threads": str(max(1, (os.cpu_count() or 2) // 2)),
        "pack.deltaCacheSize": "64m",
        "pack.writeReverseIndex": "true",
        "pack.writeBitmapLookupTable": "true",
        # A push that deletes a ref waits for packed-refs; git's own patience is a second.
        "core.packedRefsTimeout": "10000",
    }
