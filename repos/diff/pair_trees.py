"""Any number of changed files compared by one git process, however they were found.

Git compares trees, and a process for each pair of blobs would cost more than the comparing. So the old and the new
blobs asked for are put into a tree each, under the same numbers, in an object folder of their own that borrows the
repository's objects and goes away with the comparison. Renames are pairs already and are not looked for again. Other
bytes can stand for a blob's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from repos.diff.changes import ABSENT, ENVIRONMENT, PLAIN, FileChange
from repos.git import program, store
from repos.git.store import BareRepository

_DIGITS: Final = 7


def compare(
    repository: BareRepository,
    changes: Sequence[FileChange],
    args: Sequence[str],
    *,
    timeout_seconds: float,
    contents: Mapping[str, bytes] = MappingProxyType({}),
) -> Generator[bytes, None, None]:
    """The output of `git diff-tree` with these options for these changes, in pieces; leave it at any time.

    In it every file is called by its place in `changes`: "0000012".

    Args:
        contents: What is compared instead of the blobs of these oids.
    """
    with store.scratch(repository) as folder:
        oids = {oid: _write_object(folder, b"blob", data) for oid, data in contents.items()}
        trees = [
            _write_tree(folder, [(one.old_mode, oids.get(one.old_oid, one.old_oid)) for one in changes]),
            _write_tree(folder, [(one.new_mode, oids.get(one.new_oid, one.new_oid)) for one in changes]),
        ]
        pieces = program.pieces(
            repository,
            ["diff-tree", "--no-renames", *PLAIN, *args, *trees],
            timeout_seconds=timeout_seconds,
            environment={
                **ENVIRONMENT,
                "GIT_OBJECT_DIRECTORY": os.fspath(folder),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(repository.path / "objects"),
            },
        )
        with contextlib.closing(pieces):  # git is gone before its folder is
            yield from pieces


def number_of(name: bytes) -> int:
    """The place in `changes` of a file by its name in the output."""
    return int(name)


def _write_tree(folder: Path, sides: Sequence[tuple[str, str]]) -> str:
    """Store a tree; absent sides are left out. Source: git-mktree(1)."""
    data = b"".join(
        b"%s %0*d\0%s" % (mode.lstrip("0").encode("ascii"), _DIGITS, number, bytes.fromhex(oid))
        for number, (mode, oid) in enumerate(sides)
        if mode != ABSENT
    )
    return _write_object(folder, b"tree", data)


def _write_object(folder: Path, kind: bytes, data: bytes) -> str:
    """Store a loose object. Source: gitformat-loose(5)."""
    whole = b"%s %d\0%s" % (kind, len(data), data)
    oid = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    file = folder / oid[:2] / oid[2:]
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(zlib.compress(whole, 1))
    return oid


def _quoted(path: Path) -> str:
    """A path in a list that colons separate. Source: git(1), GIT_ALTERNATE_OBJECT_DIRECTORIES."""
    text = os.fspath(path)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if ":" in text or text[:1] == '"' else text
