"""The one place where objects are deleted: those that nothing has reached for the whole of the grace time.

Git's own prune can lose a push. It finds out what is reachable, and deletes the rest a while later; a push whose
objects it has seen as garbage, and which git has checked while they were still there, moves its ref in between. Here
nothing that takes time happens under the lock that stops pushes, and yet nothing is deleted that a ref may need:

1. `jobs.repack_fully` has put all that no ref reached into a cruft pack, with the time when that was first seen.
2. Git writes the cruft pack anew without what is older than the grace time, unless something younger needs it. What
   the old pack has and the new one lacks is *doomed*. Both packs lie there, so nothing is gone yet.
3. The oids of all refs are read, and it is checked that nothing reachable from them is doomed. What an oid reaches
   never changes, so for these oids that holds for good.
4. The multi-pack-index and the commit-graph are written without the doomed: git believes a commit-graph without
   looking for the object, so a commit that it has must not go.
5. Under the lock, with no push under way, the refs are read again. Only oids that were not among the first can reach
   what is doomed; git is asked what these reach beyond the first. If that is nothing doomed, the old pack is unlinked,
   which takes as long as removing a few files. A push that begins after that meets a repository without them: git's own
   check refuses it if it needs one.

A crash at any point leaves both packs or the new one. A kill between two unlinks leaves parts of a pack that git does
not see any more, for `leftovers`.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dulwich.object_format import SHA1
from dulwich.pack import load_pack_index

from repos.git import locks
from repos.git.locks import RepositoryBusy
from repos.git.store import BareRepository
from repos.git.upkeep import state
from repos.git.upkeep.jobs import GRAPH_SECONDS, REPACK_SECONDS, LockedRepository
from repos.git.upkeep.state import Pack

# For a moment without a push; where there is none, the next time will do.
LOCK_SECONDS = 20.0
# What moved between the two looks at the refs is little; pushes wait for this long at the most.
LAST_LOOK_SECONDS = 20.0
_MTIMES_HEAD = 12
_CHECKSUMS = 40


@dataclass(frozen=True)
class Expired:
    """What went, and what it took on disk."""

    objects: int = 0
    size_bytes: int = 0


def has_expired(repository: BareRepository, horizon: datetime) -> bool:
    """Whether a cruft pack has an object that was seen unreachable before `horizon`."""
    return any(_oldest(pack) < horizon.timestamp() for pack in state.packs(repository) if pack.is_cruft)


def expire(locked: LockedRepository, horizon: datetime) -> Expired:
    """Delete the objects that are unreachable since before `horizon`; call it right after `jobs.repack_fully`.

    Raises:
        RepositoryBusy: Something that was to go is needed again, or pushes never paused. Nothing was deleted.
        GitError: Git failed; nothing was deleted.
    """
    old = [pack for pack in state.packs(locked.repository) if pack.is_cruft and not pack.is_kept]
    if not any(_oldest(pack) < horizon.timestamp() for pack in old):
        return Expired()
    kept = _write_survivors(locked, old, horizon)
    # Where all of it is needed, the new pack is the old one: a pack's name is a digest of what it holds.
    new = [pack for pack in state.packs(locked.repository) if pack.base.name in kept]
    gone = [pack for pack in old if pack.base.name not in kept]
    doomed = {oid for pack in gone for oid in _oids(pack)}.difference(*(_oids(pack) for pack in new))
    if not doomed:
        return Expired()
    known = _tips(locked)
    _check_unneeded(locked, doomed, known, [], timeout_seconds=REPACK_SECONDS)
    _write_indexes(locked, gone, new, known)
    with locks.deleting(locked.repository, timeout_seconds=LOCK_SECONDS):
        moved = _tips(locked) - known
        if moved:
            _check_unneeded(locked, doomed, moved, known, timeout_seconds=LAST_LOOK_SECONDS)
        for pack in gone:
            _unlink(pack)
    return Expired(len(doomed), sum(pack.size_bytes for pack in gone) - sum(pack.size_bytes for pack in new))


def _write_survivors(locked: LockedRepository, old: Iterable[Pack], horizon: datetime) -> set[str]:
    """Write a cruft pack of what is younger, or needed by that; its name, or none where nothing is.

    Source: git-pack-objects(1), --cruft, --cruft-expiration.
    """
    gone = {pack.base for pack in old}
    names = [f"{'-' if pack.base in gone else ''}{pack.base.name}.pack\n" for pack in state.packs(locked.repository)]
    written = locked.git(
        [
            "pack-objects",
            "-q",
            "--cruft",
            f"--cruft-expiration={int(horizon.timestamp())}",
            "--honor-pack-keep",
            "--non-empty",
            "--delta-base-offset",
            os.fsencode(locked.repository.path / "objects" / "pack" / "pack"),
        ],
        input="".join(names).encode(),
        timeout_seconds=REPACK_SECONDS,
    )
    return {f"pack-{name}" for name in written.decode().split()}


def _tips(locked: LockedRepository) -> set[str]:
    """The oids of all refs, as git itself sees them."""
    told = locked.git(["for-each-ref", "--format=%(objectname)"], timeout_seconds=LAST_LOOK_SECONDS)
    return set(told.decode().split())


def _check_unneeded(
    locked: LockedRepository, doomed: set[bytes], tips: Iterable[str], known: Iterable[str], *, timeout_seconds: float
) -> None:
    """Raise RepositoryBusy where `tips` reach a doomed object without passing `known`, which reach none."""
    asked = [*tips, *(f"^{oid}" for oid in known)]
    for line in locked.lines(
        ["rev-list", "--objects", "--no-object-names", "--use-bitmap-index", "--stdin"],
        input="".join(f"{one}\n" for one in asked).encode(),
        timeout_seconds=timeout_seconds,
    ):
        if bytes.fromhex(line[:40].decode()) in doomed:
            raise RepositoryBusy("Objects that were to go are needed again: the next full repack takes them back.")


def _write_indexes(locked: LockedRepository, old: Iterable[Pack], new: Iterable[Pack], known: Iterable[str]) -> None:
    gone = {f"{pack.base.name}.idx" for pack in old}
    # The packs of the index that is there are closed under reachability; one that has just come may need loose objects.
    names = [name for name in state.indexed_packs(locked.repository) if name not in gone]
    if names:
        folder = locked.repository.path / "objects" / "pack"
        largest = max(names, key=lambda name: (folder / name).stat().st_size)
        names = sorted({*names, *(f"{pack.base.name}.idx" for pack in new)})
        locked.git(
            ["multi-pack-index", "write", "--no-progress", "--bitmap", "--stdin-packs", f"--preferred-pack={largest}"],
            input="".join(f"{name}\n" for name in names).encode(),
            timeout_seconds=REPACK_SECONDS,
        )
    locked.git(
        ["commit-graph", "write", "--stdin-commits", "--split=replace", "--changed-paths", "--no-progress"],
        input="".join(f"{oid}\n" for oid in known).encode(),
        timeout_seconds=GRAPH_SECONDS,
    )


def _unlink(pack: Pack) -> None:
    """The index first: without it, git sees no pack. Source: unlink_pack_path in git's packfile.c."""
    for suffix in sorted(pack.suffixes, key=lambda one: one != ".idx"):
        Path(f"{pack.base}{suffix}").unlink(missing_ok=True)


def _oids(pack: Pack) -> set[bytes]:
    index = load_pack_index(f"{pack.base}.idx", SHA1)
    try:
        return {bytes(entry[0]) for entry in index.iterentries()}
    finally:
        index.close()


def _oldest(pack: Pack) -> float:
    """The oldest time in a cruft pack: seconds since 1970, four bytes an object. gitformat-pack(5), "CRUFT PACKS"."""
    raw = Path(f"{pack.base}.mtimes").read_bytes()[_MTIMES_HEAD:-_CHECKSUMS]
    return min(struct.unpack(f">{len(raw) // 4}I", raw), default=float("inf"))
