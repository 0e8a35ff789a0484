"""Whether two commits can be merged, and what of them conflicts, path by path.

Source: AWS CodeCommit API Reference, conflictDetailLevel: with FILE_LEVEL a file that both sides changed conflicts,
with LINE_LEVEL only lines that both changed do; git-merge-base(1), git-merge-tree(1).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from codeservices.errors import InvalidInput
from repos.git import differences, line_differences, merge, merge_hunks, objects, program, store
from repos.git.differences import Difference
from repos.git.merge import Conflict
from repos.git.merge_hunks import MergeHunk
from repos.git.store import BareRepository
from repos.git.tree import Entry

Detail = Literal["FILE_LEVEL", "LINE_LEVEL"]

# So many files may differ between a side and what the two have in common.
MAX_ITEMS: Final = 100_000
# A file that is larger is told without its lines, as a binary one is.
MAX_LINE_BYTES: Final = 6 * 1024 * 1024
BOTH_CHANGED: Final = "both changed"  # no conflict of git's, but one of FILE_LEVEL
# What can be solved by taking the one version or the other of one file.
_OF_ONE_FILE: Final = ("contents", "add/add", "binary", "modify/delete", "submodule", BOTH_CHANGED)


class TooManyItems(InvalidInput):
    """The two differ in more files than are compared."""

    code = "MaximumItemsToCompareExceededException"


@dataclass(frozen=True)
class Relation:
    """How two commits stand to each other.

    Attributes:
        ours_oid, theirs_oid: The destination and the source of a merge.
        base_oid: The best commit that both come from; None where they have none in common.
    """

    ours_oid: str
    theirs_oid: str
    base_oid: str | None

    @property
    def is_fast_forward(self) -> bool:
        """Nothing but what the source has would be in the merge: the destination can go on to it."""
        return self.base_oid == self.ours_oid

    @property
    def is_merged(self) -> bool:
        """The destination has all of the source."""
        return self.base_oid == self.theirs_oid


@dataclass(frozen=True)
class Side:
    """What one version of a conflicting file is."""

    entry: Entry
    size_bytes: int | None
    is_binary: bool


@dataclass(frozen=True)
class Description:
    """A conflict with all that can be told of it; a version that does not exist is None.

    Attributes:
        hunks: By line or of the whole file, as asked for; none where a version is binary or too large.
    """

    path: str
    base: Side | None
    ours: Side | None
    theirs: Side | None
    hunks: tuple[MergeHunk, ...]

    @property
    def is_content_conflict(self) -> bool:
        """Both sides changed the content, or one deleted it, and there are lines that can't be merged or no lines."""
        ours, theirs = _oid(self.ours), _oid(self.theirs)
        is_apart = ours != theirs and _oid(self.base) not in (ours, theirs)
        return is_apart and (not self.hunks or any(hunk.is_conflict for hunk in self.hunks))

    @property
    def is_mode_conflict(self) -> bool:
        """Both gave the file a mode, and not the same."""
        modes = [one.entry.mode if one else None for one in (self.base, self.ours, self.theirs)]
        return not self.is_type_conflict and None not in modes[1:] and len({*modes}) == 3

    @property
    def is_type_conflict(self) -> bool:
        """A file on one side is a link, a submodule or a folder on the other."""
        return self.ours is not None and self.theirs is not None and self.ours.entry.kind != self.theirs.entry.kind

    @property
    def count(self) -> int:
        """How many conflicts there are: of lines, or of the content as a whole, of mode and of type."""
        of_lines = sum(hunk.is_conflict for hunk in self.hunks)
        return (of_lines or int(self.is_content_conflict)) + self.is_mode_conflict + self.is_type_conflict


def relation(repository: BareRepository, ours_oid: str, theirs_oid: str) -> Relation:
    """How two commits stand to each other."""
    answer = program.run(repository, ["merge-base", "--end-of-options", ours_oid, theirs_oid], ok_codes=(0, 1))
    return Relation(ours_oid, theirs_oid, answer.decode("ascii").strip() or None)


def conflicts(repository: BareRepository, related: Relation, detail: Detail) -> tuple[Conflict, ...]:
    """What conflicts when the source is merged into the destination, by path.

    Raises:
        TooManyItems: One of them is too far from what they have in common.
    """
    with store.draft(repository) as draft:
        found = {
            one.path: one for one in merge.merge_trees(draft, None, related.ours_oid, related.theirs_oid).conflicts
        }
    if detail == "FILE_LEVEL":
        ours, theirs = (_changed(repository, related.base_oid, oid) for oid in (related.ours_oid, related.theirs_oid))
        for path in ours.keys() & theirs.keys():
            mine, other = ours[path], theirs[path]
            if not _is_same(mine.after, other.after):
                found.setdefault(path, Conflict(path, (BOTH_CHANGED,), mine.before, mine.after, other.after))
    return tuple(found[path] for path in sorted(found))


def is_of_one_file(conflict: Conflict) -> bool:
    """Whether it can be solved by taking one version of the file, without a thought for others."""
    return bool(conflict.kinds) and all(kind.startswith(_OF_ONE_FILE) for kind in conflict.kinds)


def describe(repository: BareRepository, conflict: Conflict, detail: Detail) -> Description:
    """All that can be told of a conflict, or of a file that both sides have without one."""
    entries = (conflict.base, conflict.ours, conflict.theirs)
    sizes = objects.sizes(repository, [one.oid for one in entries if one is not None and _has_content(one)])
    base, ours, theirs = (None if one is None else _side(repository, one, sizes) for one in entries)
    there = [one for one in (base, ours, theirs) if one is not None]
    is_text = all(
        one.entry.kind == "blob" and not one.is_binary and (one.size_bytes or 0) <= MAX_LINE_BYTES for one in there
    )
    hunks: tuple[MergeHunk, ...] = ()
    if is_text and there:
        read = merge_hunks.hunks if detail == "LINE_LEVEL" else merge_hunks.whole
        hunks = read(repository, *(one.oid if one is not None else None for one in entries))
    return Description(conflict.path, base, ours, theirs, hunks)


def _changed(repository: BareRepository, base_oid: str | None, oid: str) -> dict[str, Difference]:
    found = list(islice(differences.between(repository, base_oid, oid), MAX_ITEMS + 1))
    if len(found) > MAX_ITEMS:
        raise TooManyItems(
            f"The two commits differ from what they have in common in more than {MAX_ITEMS:,} files.",
            hint="Merge them in a clone.",
        )
    return {one.relative_path: one for one in found}


def _is_same(mine: Entry | None, other: Entry | None) -> bool:
    if mine is None or other is None:
        return mine is other
    return (mine.mode, mine.oid) == (other.mode, other.oid)


def _oid(side: Side | None) -> str | None:
    return None if side is None else side.entry.oid


def _has_content(entry: Entry) -> bool:
    return entry.kind in ("blob", "symlink")


def _side(repository: BareRepository, entry: Entry, sizes: dict[str, int]) -> Side:
    if not _has_content(entry):
        return Side(entry, None, is_binary=False)
    return Side(entry, sizes.get(entry.oid), line_differences.is_binary(repository, entry.oid))
