"""The state of a repository, as far as speed and order go, read from the names and heads of its files."""

from __future__ import annotations

import contextlib
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from dulwich.midx import load_midx

from repos.git import commit_graph, disk, program
from repos.git.store import BareRepository
from repos.git.upkeep import leftovers

_FAN_OUT = re.compile(r"[0-9a-f]{2}")
_LOOSE_OBJECT = re.compile(r"[0-9a-f]{38}")
# Counting commits is worth this much; where it takes longer, the number stays unknown.
COUNT_SECONDS = 5.0


@dataclass(frozen=True)
class State:
    """Figures of one moment; sizes in bytes.

    Attributes:
        objects: In packs; one that lies in two packs counts twice.
        new_packs, new_objects, new_pack_bytes: What the multi-pack-index and its bitmap do not cover.
        cruft_objects, cruft_bytes: In packs of unreachable objects.
        graph_commits: Commits that the commit-graph has.
        missing_commits: Commits that a ref reaches and the commit-graph lacks, about; None where nobody counted.
        has_changed_paths: Whether every part of the commit-graph has filters of the paths that commits change.
        leftovers, leftover_bytes: Files of processes that died, as it seems from their age.
    """

    loose_objects: int = 0
    loose_bytes: int = 0
    packs: int = 0
    objects: int = 0
    pack_bytes: int = 0
    new_packs: int = 0
    new_objects: int = 0
    new_pack_bytes: int = 0
    cruft_objects: int = 0
    cruft_bytes: int = 0
    loose_refs: int = 0
    packed_refs: int = 0
    packed_refs_bytes: int = 0
    has_multi_pack_index: bool = False
    has_bitmap: bool = False
    graph_commits: int = 0
    has_changed_paths: bool = False
    missing_commits: int | None = None
    leftovers: int = 0
    leftover_bytes: int = 0

    @property
    def refs(self) -> int:
        """Loose and packed ones; one that is both counts twice."""
        return self.loose_refs + self.packed_refs

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a JSON column."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> State:
        """What `as_dict` gave, by this version or another: members that are unknown here are left out."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


@dataclass(frozen=True)
class Pack:
    """A pack that lies in the repository: its path without a suffix, the suffixes there are, what it takes on disk."""

    base: Path
    suffixes: frozenset[str]
    size_bytes: int

    @property
    def is_cruft(self) -> bool:
        return ".mtimes" in self.suffixes

    @property
    def is_kept(self) -> bool:
        return ".keep" in self.suffixes


def look(repository: BareRepository, *, counts_commits: bool = False) -> State:
    """The state now. It costs a look at each loose object and ref, and the head of each pack's index.

    Args:
        counts_commits: Ask git, too, how many commits the refs reach, which may take seconds on a large repository.
    """
    loose = list(_loose_objects(repository))
    found = packs(repository)
    indexed, has_bitmap = _multi_pack_index(repository)
    new = [pack for pack in found if f"{pack.base.name}.idx" not in indexed]
    counts = {pack.base: _object_count(pack) for pack in found}
    packed_refs = repository.path / "packed-refs"
    layers = commit_graph.layers(repository)
    graph_commits = sum(layer.count for layer in layers)
    left = list(leftovers.find(repository))
    # Without a graph all are missing, and counting them would take long.
    missing = _missing_commits(repository, graph_commits) if counts_commits and graph_commits else None
    return State(
        loose_objects=len(loose),
        loose_bytes=sum(loose),
        packs=len(found),
        objects=sum(counts.values()),
        pack_bytes=sum(pack.size_bytes for pack in found),
        new_packs=len(new),
        new_objects=sum(counts[pack.base] for pack in new),
        new_pack_bytes=sum(pack.size_bytes for pack in new),
        cruft_objects=sum(counts[pack.base] for pack in found if pack.is_cruft),
        cruft_bytes=sum(pack.size_bytes for pack in found if pack.is_cruft),
        loose_refs=sum(not entry.name.endswith(".lock") for entry in disk.files(repository.path / "refs")),
        packed_refs=_packed_ref_count(packed_refs),
        packed_refs_bytes=_size(packed_refs),
        has_multi_pack_index=bool(indexed),
        has_bitmap=has_bitmap or any(".bitmap" in pack.suffixes for pack in found),
        graph_commits=graph_commits,
        has_changed_paths=bool(layers) and all(b"BDAT" in layer.chunks for layer in layers),
        missing_commits=missing,
        leftovers=len(left),
        leftover_bytes=sum(one.size_bytes for one in left),
    )


def packs(repository: BareRepository) -> list[Pack]:
    """The packs that git sees: those with an index beside them, by name."""
    files: dict[str, dict[str, int]] = {}
    for entry in disk.files(repository.path / "objects" / "pack"):
        stem, dot, suffix = entry.name.partition(".")
        if stem.startswith("pack-"):
            files.setdefault(stem, {})[dot + suffix] = entry.stat(follow_symlinks=False).st_size
    folder = repository.path / "objects" / "pack"
    return [
        Pack(folder / stem, frozenset(sizes), sum(sizes.values()))
        for stem, sizes in sorted(files.items())
        if ".idx" in sizes and ".pack" in sizes
    ]


def indexed_packs(repository: BareRepository) -> list[str]:
    """The names of the packs that the multi-pack-index covers, with .idx; none where there is no such index."""
    return sorted(_multi_pack_index(repository)[0])


def _multi_pack_index(repository: BareRepository) -> tuple[set[str], bool]:
    """The names in the multi-pack-index, and whether a bitmap lies beside it."""
    path = repository.path / "objects" / "pack" / "multi-pack-index"
    try:
        index = load_midx(path)
    except (FileNotFoundError, ValueError):
        return set(), False
    try:
        names = set(index.pack_names)
    finally:
        index.close()
    with path.open("rb") as file:
        file.seek(-20, os.SEEK_END)
        checksum = file.read().hex()
    return names, path.with_name(f"multi-pack-index-{checksum}.bitmap").is_file()


def _object_count(pack: Pack) -> int:
    # The last entry of the fan-out table: gitformat-pack(5), "Version 2 pack-*.idx files".
    with contextlib.suppress(FileNotFoundError), pack.base.with_suffix(".idx").open("rb") as file:
        head = file.read(8 + 256 * 4)
        if len(head) == 8 + 256 * 4:
            return int(struct.unpack(">I", head[-4:])[0])
    return 0


def _loose_objects(repository: BareRepository) -> Iterator[int]:
    """The size of each loose object."""
    objects = repository.path / "objects"
    for folder in objects.iterdir():
        if _FAN_OUT.fullmatch(folder.name):
            for entry in disk.files(folder):
                if _LOOSE_OBJECT.fullmatch(entry.name):
                    yield entry.stat(follow_symlinks=False).st_size


def _missing_commits(repository: BareRepository, graph_commits: int) -> int | None:
    try:
        counted = program.run(
            repository, ["rev-list", "--count", "--all", "--use-bitmap-index"], timeout_seconds=COUNT_SECONDS
        )
    except program.GitError:
        return None
    return max(0, int(counted) - graph_commits)


def _packed_ref_count(path: Path) -> int:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return 0
    return sum(line[40:41] == b" " and line[:1] not in b"#^" for line in raw.split(b"\n"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
