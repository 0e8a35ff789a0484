"""Three trees into one: what git's own merge makes of them without a work tree, and where they conflict.

Source: git-merge-tree(1) of git 2.38 and later, "OUTPUT"; the option that names a merge base came with 2.40, so for a
base of the caller's choice two commits are made whose only common ancestor is that base.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dulwich.objects import Commit, ObjectID

from repos.git import objects, program, refs, tree
from repos.git.store import BareRepository

# Renames are looked for among many files; git itself gives up looking beyond merge.renameLimit.
MERGE_SECONDS: Final = 60.0
_CONFLICT: Final = re.compile(r"CONFLICT \(([^)]+)\)")


@dataclass(frozen=True)
class Conflict:
    """One path that the two sides can't both have their way with.

    Attributes:
        path: Where it conflicts; of a renamed file each of its paths is a conflict.
        kinds: Git's stable words, "contents", "binary", "modify/delete", "rename/rename", "file/directory", …
        base, ours, theirs: What the three have there; None where one has nothing.
    """

    path: str
    kinds: tuple[str, ...]
    base: tree.Entry | None
    ours: tree.Entry | None
    theirs: tree.Entry | None


@dataclass(frozen=True)
class MergeResult:
    """A merge as git made it.

    Attributes:
        tree_oid: The merged tree. Where there are conflicts its files hold conflict markers: no tree to commit.
        conflicts: By path; empty where the merge is clean.
    """

    tree_oid: str
    conflicts: tuple[Conflict, ...]

    @property
    def is_clean(self) -> bool:
        """Nothing conflicts."""
        return not self.conflicts


def merge_trees(
    repository: BareRepository, base_oid: str | None, ours_oid: str, theirs_oid: str, *, options: Sequence[str] = ()
) -> MergeResult:
    """Merge what `theirs` changed since `base` into `ours`, renames followed.

    Args:
        repository: Where the merged objects are written: a quarantine (`store.draft`), unless nothing is to be kept.
        base_oid: A commit or a tree; for `objects.EMPTY_TREE` the sides have nothing in common. None: the merge base or
            bases of the two commits, as git finds them.
        ours_oid: A commit, or with a base also a tree.
        theirs_oid: A commit, or with a base also a tree.
        options: More for git, such as `["--allow-unrelated-histories"]`.

    Raises:
        NotFound: An object is missing.
        GitError, GitTimeout: Git can't merge them, as with two histories that have nothing in common.
    """
    if base_oid is not None:
        base = _commit(repository, objects.tree_oid(repository, base_oid))
        ours_oid, theirs_oid = (
            _commit(repository, objects.tree_oid(repository, oid), base) for oid in (ours_oid, theirs_oid)
        )
    answer = program.run(
        repository,
        ["merge-tree", "--write-tree", "-z", "--messages", *options, ours_oid, theirs_oid],
        timeout_seconds=MERGE_SECONDS,
        ok_codes=(0, 1),
    )
    return _parse(answer)


def _commit(repository: BareRepository, tree_oid: str, *parent_oids: str) -> str:
    """A commit that nobody is meant to see, since merge-tree takes commits alone."""
    made = Commit()
    made.tree = ObjectID(tree_oid.encode("ascii"))
    made.parents = [ObjectID(oid.encode("ascii")) for oid in parent_oids]
    made.author = made.committer = b"merge <>"
    made.author_time = made.commit_time = made.author_timezone = made.commit_timezone = 0
    made.message = b""
    repository.dulwich.object_store.add_object(made)
    return made.id.decode("ascii")


def _parse(answer: bytes) -> MergeResult:
    """The tree, a row for each stage of a conflicted path, an empty field, then messages with the paths they name."""
    fields = answer.split(b"\0")
    tree_oid = fields[0].decode("ascii").strip()
    end = fields.index(b"", 1)
    sides: dict[str, dict[int, tree.Entry]] = {}
    for row in fields[1:end]:
        head, _, raw_path = row.partition(b"\t")
        mode, oid, stage = head.decode("ascii").split(" ")
        path = refs.decode(raw_path)
        sides.setdefault(path, {})[int(stage)] = tree.entry_of(path, int(mode, 8), oid)
    kinds: dict[str, list[str]] = {}
    for paths, kind in _messages(fields[end + 1 :]):
        for path in paths:
            kinds.setdefault(path, []).append(kind)
    return MergeResult(
        tree_oid,
        tuple(
            Conflict(path, tuple(dict.fromkeys(kinds.get(path, ()))), stages.get(1), stages.get(2), stages.get(3))
            for path, stages in sorted(sides.items())
        ),
    )


def _messages(fields: Sequence[bytes]) -> list[tuple[list[str], str]]:
    """The paths and the kind of each message that tells of a conflict."""
    found = []
    at = 0
    while at < len(fields) and fields[at].isdigit():
        count = int(fields[at])
        paths = [refs.decode(path) for path in fields[at + 1 : at + 1 + count]]
        kind = _CONFLICT.fullmatch(refs.decode(fields[at + 1 + count]))
        if kind is not None:
            found.append((paths, kind[1]))
        at += count + 3
    return found
