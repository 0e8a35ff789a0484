"""Conflicts of a merge solved as the caller wants, and the tree that comes of it.

Source: AWS CodeCommit API Reference, ConflictResolution and the errors that are about it; git-update-index(1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from dulwich.objects import Blob

from codeservices.errors import InvalidInput, NotFound
from repos.git import differences, merge_conflicts, program, refs, tree
from repos.git.merge import Conflict
from repos.git.store import BareRepository
from repos.git.tree import Entry
from repos.git.tree_change import KEEPER

Strategy = Literal["NONE", "ACCEPT_SOURCE", "ACCEPT_DESTINATION", "AUTOMERGE"]
Replacement = Literal["KEEP_BASE", "KEEP_SOURCE", "KEEP_DESTINATION", "USE_NEW_CONTENT"]

MAX_ENTRIES: Final = 1000
# A file, and all new content of one commit that comes through the API.
MAX_FILE_BYTES: Final = 6 * 1024 * 1024
MAX_TOTAL_BYTES: Final = 7 * 1024 * 1024
_ABSENT: Final = "0 " + refs.ZERO_OID


@dataclass(frozen=True)
class Replaced:
    """Which content a conflicting file gets; of USE_NEW_CONTENT the content itself. Without a mode, the side's own."""

    path: str
    kind: Replacement
    content: bytes | None = None
    mode: str | None = None


@dataclass(frozen=True)
class Resolution:
    """What becomes of conflicts that can't be merged line by line.

    Attributes:
        modes: Path to mode, "100755".
    """

    replaced: tuple[Replaced, ...] = ()
    deleted: tuple[str, ...] = ()
    modes: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> set[str]:
        """Every path that it is about."""
        return {*(one.path for one in self.replaced), *self.deleted, *self.modes}


NO_RESOLUTION: Final = Resolution()


def check(strategy: Strategy, resolution: Resolution) -> None:
    """That a resolution says what can be done; raises InvalidInput with CodeCommit's codes."""
    if resolution.paths and strategy != "AUTOMERGE":
        raise InvalidInput(
            f"Conflicts are resolved one by one with the strategy AUTOMERGE, not with {strategy}.",
            code="InvalidConflictResolutionException",
        )
    contents = [one.path for one in resolution.replaced] + list(resolution.deleted)
    if len(contents) + len(resolution.modes) > MAX_ENTRIES:
        raise InvalidInput(
            f"At most {MAX_ENTRIES:,} conflicts are resolved at once, not {len(contents) + len(resolution.modes):,}.",
            code="MaximumConflictResolutionEntriesExceededException",
        )
    twice = next((path for path in contents if contents.count(path) > 1), None)
    if twice is None:
        twice = next((path for path in resolution.deleted if path in resolution.modes), None)
    if twice is not None:
        raise InvalidInput(
            f"“{refs.shown(twice)}” is resolved in two ways; say one.",
            code="MultipleConflictResolutionEntriesException",
        )
    for one in resolution.replaced:
        _check_content(one)
    total_bytes = sum(len(one.content or b"") for one in resolution.replaced)
    if total_bytes > MAX_TOTAL_BYTES:
        raise InvalidInput(
            f"The new contents have {total_bytes:,} bytes together; a commit brings at most {MAX_TOTAL_BYTES:,}.",
            code="FileContentSizeLimitExceededException",
        )


def _check_content(one: Replaced) -> None:
    shown = refs.shown(one.path)
    if one.kind == "USE_NEW_CONTENT" and one.content is None:
        raise InvalidInput(f"The new content of “{shown}” is missing.", code="ReplacementContentRequiredException")
    if one.kind != "USE_NEW_CONTENT" and one.content is not None:
        raise InvalidInput(
            f"“{shown}” keeps a content there is; only USE_NEW_CONTENT comes with another.",
            code="InvalidReplacementContentException",
        )
    if len(one.content or b"") > MAX_FILE_BYTES:
        raise InvalidInput(
            f"“{shown}” has {len(one.content or b''):,} bytes; a file has at most {MAX_FILE_BYTES:,} here.",
            code="FileContentSizeLimitExceededException",
        )


def unsolved(found: Iterable[Conflict], strategy: Strategy, resolution: Resolution) -> list[Conflict]:
    """The conflicts that are left.

    Those that are about more than one file (a rename, a folder in a file's place) are for a clone to solve, whatever
    the strategy.

    Raises:
        InvalidInput: The resolution is about a file that does not conflict.
    """
    conflicts = list(found)
    stray = resolution.paths - {one.path for one in conflicts}
    if stray:
        raise InvalidInput(
            f"“{refs.shown(min(stray))}” does not conflict, so there is nothing to resolve.",
            code="InvalidConflictResolutionException",
        )
    if strategy == "NONE":
        return conflicts
    return [
        one
        for one in conflicts
        if not merge_conflicts.is_of_one_file(one) or (strategy == "AUTOMERGE" and one.path not in resolution.paths)
    ]


def apply(
    draft: BareRepository, tree_oid: str, found: Sequence[Conflict], strategy: Strategy, resolution: Resolution
) -> str:
    """The merged tree with every conflict solved; its oid.

    Args:
        draft: Where objects are written.
        tree_oid: The tree that git made of the merge, with conflict markers in files that conflict.
        found: The conflicts, all of which are solved by the strategy and the resolution.
    """
    rows: dict[str, str] = {}
    replaced = {one.path: one for one in resolution.replaced}
    for conflict in found:
        if strategy in ("ACCEPT_SOURCE", "ACCEPT_DESTINATION"):
            rows[conflict.path] = _row(conflict.theirs if strategy == "ACCEPT_SOURCE" else conflict.ours)
        elif conflict.path in resolution.deleted:
            rows[conflict.path] = _ABSENT
        else:
            rows[conflict.path] = _resolved(draft, conflict, replaced.get(conflict.path), resolution.modes)
    return _with_rows(draft, tree_oid, rows) if rows else tree_oid


def keep_folders(draft: BareRepository, old_tree_oid: str, new_tree_oid: str) -> str:
    """The new tree with a file .gitkeep in each folder that the old one had and whose last file is gone; its oid."""
    lost: set[str] = set()
    for one in differences.between(draft, old_tree_oid, new_tree_oid):
        folder = one.relative_path.rpartition("/")[0]
        if one.change_type == "D" and folder and folder not in lost and not _has(draft, new_tree_oid, folder):
            lost.add(folder)
    rows = dict.fromkeys((f"{folder}/{KEEPER}" for folder in lost), f"100644 {_blob(draft, b'')}")
    return _with_rows(draft, new_tree_oid, rows) if rows else new_tree_oid


def _resolved(draft: BareRepository, conflict: Conflict, one: Replaced | None, modes: Mapping[str, str]) -> str:
    """The row of a conflicting file that is replaced, or only given a mode; the destination's content then."""
    kind = one.kind if one is not None else "KEEP_DESTINATION"
    kept = {"KEEP_BASE": conflict.base, "KEEP_SOURCE": conflict.theirs, "KEEP_DESTINATION": conflict.ours}
    entry = kept.get(kind, conflict.ours or conflict.theirs)
    mode = modes.get(conflict.path) or (one.mode if one is not None else None)
    if one is not None and one.content is not None:
        return f"{mode or (entry.mode if entry is not None else '100644')} {_blob(draft, one.content)}"
    if entry is None or (mode is not None and entry.kind not in ("blob", "symlink")):
        return _row(entry)
    return f"{mode or entry.mode} {entry.oid}"


def _row(entry: Entry | None) -> str:
    return _ABSENT if entry is None else f"{entry.mode} {entry.oid}"


def _with_rows(draft: BareRepository, tree_oid: str, rows: Mapping[str, str]) -> str:
    """A tree with other entries at some paths; what lies in the way of one goes."""
    program.run(draft, ["read-tree", tree_oid])
    given = b"".join(b"%s\t%s\0" % (row.encode("ascii"), refs.encode(path)) for path, row in rows.items())
    program.run(draft, ["update-index", "--replace", "-z", "--index-info"], input=given)
    return program.run(draft, ["write-tree", "--missing-ok"]).decode("ascii").strip()


def _has(repository: BareRepository, tree_oid: str, path: str) -> bool:
    try:
        tree.entry(repository, tree_oid, path)
    except NotFound:
        return False
    return True


def _blob(draft: BareRepository, content: bytes) -> str:
    made = Blob.from_string(content)
    draft.dulwich.object_store.add_object(made)
    return made.id.decode("ascii")
