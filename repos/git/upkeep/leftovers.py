"""What processes that were killed left in a repository: locks, half-written files, quarantines of pushes.

A stale lock stops every later change of its ref, and a stale .keep every repack of its pack, so they have to go; but
one that is in use guards somebody's change.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from repos.git import disk, refs
from repos.git.locks import FileLock
from repos.git.store import BareRepository

# Git holds a lock for moments; other files grow as long as their process works on them.
LOCK_SECONDS = 300.0
FILE_SECONDS = 3600.0

_PACK = re.compile(r"pack-[0-9a-f]{40}\.")
# What receive-pack and fetch-pack write into a .keep until their refs have moved; an operator's own is no leftover.
_KEEP = re.compile(rb"(?:receive|fetch)-pack \d+ on ")


@dataclass(frozen=True)
class Leftover:
    """A file or folder that has not changed for long; `size_bytes` with all in it."""

    path: Path
    size_bytes: int


def find(repository: BareRepository, *, now: float | None = None) -> Iterator[Leftover]:
    """What seems to be left over, by its name and age.

    Args:
        now: Seconds since 1970; by default, the time that it is.
    """
    now = time.time() if now is None else now
    for path in _candidates(repository.path):
        with contextlib.suppress(FileNotFoundError):
            size_bytes, changed_at = _measure(path)
            age = LOCK_SECONDS if path.suffix == ".lock" else FILE_SECONDS
            if now - changed_at > age:
                yield Leftover(path, size_bytes)


def remove(repository: BareRepository, deleting: FileLock, *, now: float | None = None) -> list[Leftover]:
    """Remove what is left over, and return it.

    Args:
        deleting: The lock of that name, held. Every push inherits its counterpart to git and all that git starts; and
            upkeep itself, whose commands run without it, holds `rewriting`, as the caller does. So neither a push nor a
            repack is alive whose file this could be. What remains is a command of the console or of an operator, which
            lasts seconds: the age of a file tells that it is not one of theirs.
    """
    assert deleting.fileno() >= 0, "the lock was let go"
    gone = []
    for one in find(repository, now=now):
        if one.path.is_dir():
            shutil.rmtree(one.path, ignore_errors=True)
        else:
            one.path.unlink(missing_ok=True)
        gone.append(one)
    return gone


def remove_of_pushes(repository: BareRepository, refnames: Iterable[str]) -> list[str]:
    """Remove what killed pushes left, however young; the paths in the repository.

    The locks of these refs and of the packed refs, and the quarantines. The caller holds `deleting`: no process of ours
    lives that may have made one of them, since all that take such a lock hold `moving_refs`. A repack, which may take
    hours, does not.
    """
    root = repository.path
    names = [root / "packed-refs.lock", root / "packed-refs.new"]
    names += [root / f"{os.fsdecode(refs.encode(refname))}.lock" for refname in refnames]
    gone = []
    for path in names:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
            gone.append(path)
    for path in (root / "objects").glob("tmp_objdir-*"):
        shutil.rmtree(path, ignore_errors=True)
        gone.append(path)
    return [str(path.relative_to(root)) for path in gone]


def _candidates(root: Path) -> Iterator[Path]:
    objects = root / "objects"
    for name in ("HEAD.lock", "config.lock", "packed-refs.lock", "packed-refs.new", "shallow.lock"):
        if (root / name).exists():
            yield root / name
    for entry in disk.files(root / "refs"):
        if entry.name.endswith(".lock"):  # no refname ends so: git-check-ref-format(1)
            yield Path(entry.path)
    for path in objects.iterdir():
        if path.name.startswith(("tmp_", "incoming-")):
            yield path
        elif len(path.name) == 2:
            yield from path.glob("tmp_obj_*")
    for entry in disk.files(objects / "info"):
        if entry.name.endswith(".lock") or entry.name.startswith("tmp_"):
            yield Path(entry.path)
    yield from _in_packs(objects / "pack")


def _in_packs(folder: Path) -> Iterator[Path]:
    names = {path.name for path in folder.iterdir()}
    for name in sorted(names):
        path = folder / name
        if name.startswith(("tmp_", ".tmp-")) or name.endswith(".lock"):
            yield path
        elif _PACK.match(name):
            stem = name.partition(".")[0]
            # Git writes a pack's index last and removes it first: without it, nobody sees the others.
            is_part = f"{stem}.idx" not in names or f"{stem}.pack" not in names
            if is_part or (name.endswith(".keep") and _KEEP.match(_content(path))):
                yield path


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()[:100]
    except FileNotFoundError:
        return b""


def _measure(path: Path) -> tuple[int, float]:
    """Bytes, and when anything in it was changed last, contents or names."""
    own = path.lstat()
    stats = [own, *(entry.stat(follow_symlinks=False) for entry in disk.files(path))]
    return sum(one.st_size for one in stats), max(max(one.st_mtime, one.st_ctime) for one in stats)
