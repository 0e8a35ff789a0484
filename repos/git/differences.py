"""What differs between two trees, file by file in the order of the paths' bytes, from any path on.

Trees are walked here rather than by git, so that the walk can begin behind a path: a late page of a long list costs
what the first one does. Nothing is told of renames: CodeCommit's API has none, a renamed file is one deleted and one
added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from repos.git import refs, tree
from repos.git.store import BareRepository
from repos.git.tree import Entry

ChangeType = Literal["A", "M", "D"]


@dataclass(frozen=True)
class Difference:
    """One file, link or submodule that the two sides have otherwise, or that one of them lacks.

    Attributes:
        before, after: What stands there; None on the side that has nothing there. Each has its own side's path.
        relative_path: The path below what is compared; the same on both sides.
    """

    before: Entry | None
    after: Entry | None
    relative_path: str

    @property
    def change_type(self) -> ChangeType:
        """Added, modified or deleted."""
        if self.before is None:
            return "A"
        return "D" if self.after is None else "M"


class _Row(NamedTuple):
    """One name of a tree; `key` is what git sorts it by, a folder's name with a slash."""

    key: bytes
    name: bytes
    mode: int
    oid: str

    @property
    def is_tree(self) -> bool:
        return self.key.endswith(b"/")


def between(
    repository: BareRepository,
    before_oid: str | None,
    after_oid: str | None,
    *,
    before_path: str = "",
    after_path: str = "",
    behind: str | None = None,
) -> Iterator[Difference]:
    """The differences from one tree to another.

    Args:
        before_oid, after_oid: A commit or a tree; None has nothing in it.
        before_path, after_path: The folder or file to compare on each side; "" is everything.
        behind: Begin after this relative path, the last that was told before.

    Raises:
        PathNotFound: Neither side has anything at its path.
        NotFound: An object is missing or damaged.
    """
    before = _at(repository, before_oid, before_path)
    after = _at(repository, after_oid, after_path)
    if before is None and after is None:
        raise tree.PathNotFound(f"Neither commit has “{refs.shown(after_path or before_path)}”.")
    trees = [one.oid if one is not None and one.kind == "tree" else None for one in (before, after)]
    files = [one if one is not None and one.kind != "tree" else None for one in (before, after)]
    if behind is None and any(files) and _unlike(files[0], files[1]):
        yield Difference(files[0], files[1], "")
    if any(trees):
        last = refs.encode(behind) if behind is not None else None
        prefixes = [f"{path}/" if path else "" for path in (before_path, after_path)]
        for relative, old, new in _walk(repository, trees[0], trees[1], last):
            text = refs.decode(relative)
            yield Difference(_entry(prefixes[0] + text, old), _entry(prefixes[1] + text, new), text)


def _at(repository: BareRepository, oid: str | None, path: str) -> Entry | None:
    if oid is None:
        return None
    try:
        return tree.entry(repository, oid, path)
    except tree.PathNotFound:
        return None


def _unlike(before: Entry | None, after: Entry | None) -> bool:
    if before is None or after is None:
        return True
    return (before.mode, before.oid) != (after.mode, after.oid)


def _entry(path: str, row: _Row | None) -> Entry | None:
    return None if row is None else tree.entry_of(path, row.mode, row.oid)


def _walk(
    repository: BareRepository, before_oid: str | None, after_oid: str | None, last: bytes | None
) -> Iterator[tuple[bytes, _Row | None, _Row | None]]:
    """(path, row before, row after) of whatever is no folder and differs, behind `last`.

    Folders that are the same on both sides, or that end before `last`, are not read. A stack of its own, since a push
    may bring folders nested deeper than Python's.
    """
    waiting = [(b"", _pairs(repository, before_oid, after_oid))]
    while waiting:
        prefix, pairs = waiting[-1]
        pair = next(pairs, None)
        if pair is None:
            waiting.pop()
            continue
        old, new = pair
        row = old or new
        assert row is not None, "a pair has a row"
        path = prefix + row.name
        if old is not None and new is not None and (old.mode, old.oid) == (new.mode, new.oid):
            continue
        if not row.is_tree:
            if last is None or path > last:
                yield path, old, new
        elif last is None or path + b"/" > last or last.startswith(path + b"/"):
            inner = _pairs(repository, old.oid if old else None, new.oid if new else None)
            waiting.append((path + b"/", inner))


def _pairs(
    repository: BareRepository, before_oid: str | None, after_oid: str | None
) -> Iterator[tuple[_Row | None, _Row | None]]:
    """The rows of two trees side by side in git's order; a file and a folder of the same name are two pairs."""
    old_rows, new_rows = _rows(repository, before_oid), _rows(repository, after_oid)
    old, new = next(old_rows, None), next(new_rows, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old.key < new.key):
            yield old, None
            old = next(old_rows, None)
        elif old is None or new.key < old.key:
            yield None, new
            new = next(new_rows, None)
        else:
            yield old, new
            old, new = next(old_rows, None), next(new_rows, None)


def _rows(repository: BareRepository, oid: str | None) -> Iterator[_Row]:
    if oid is None:
        return
    for name, mode, found_oid in tree.rows(repository, oid):
        is_tree = mode & 0o170000 == 0o040000
        yield _Row(name + b"/" if is_tree else name, name, mode, found_oid.decode("ascii"))
