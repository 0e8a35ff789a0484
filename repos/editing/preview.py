"""What changes would do, shown before they are committed or when they conflict: nothing is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from repos.diff import changes as differences
from repos.diff import hunks
from repos.diff.changes import FileChange
from repos.diff.hunks import Counts
from repos.diff.rows import FileDiff
from repos.git import objects, store, tree_change
from repos.git.store import BareRepository
from repos.git.tree_change import Change

MAX_SHOWN_FILES: Final = 20


@dataclass(frozen=True)
class Shown:
    """One file of a preview with its rows."""

    change: FileChange
    counts: Counts
    rows: FileDiff


@dataclass(frozen=True)
class Preview:
    """The first files that differ, and how many do."""

    files: tuple[Shown, ...]
    total: int


def of_changes(repository: BareRepository, base_oid: str | None, changes: Sequence[Change]) -> Preview:
    """What changes make of a commit; raises as `tree_change.change`."""
    base = base_oid or objects.EMPTY_TREE
    with store.draft(repository) as draft:
        changed = tree_change.change(draft, base, changes)
        return between(draft, base, changed.tree_oid)


def between(repository: BareRepository, old_oid: str, new_oid: str, paths: Sequence[str] = ()) -> Preview:
    """How two commits or trees differ, in these paths or everywhere."""
    found = differences.changes(repository, old_oid, new_oid, paths=paths, max_files=MAX_SHOWN_FILES)
    rows = dict(hunks.hunks_of_many(repository, found.files))
    counts = hunks.counts(repository, found.files)
    files = (Shown(one, counts[at], rows.get(at, FileDiff())) for at, one in enumerate(found.files))
    return Preview(tuple(files), found.total)
