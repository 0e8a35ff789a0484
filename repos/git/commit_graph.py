"""What git's commit-graph tells of commits without their being read.

Source: gitformat-commit-graph(5): header, chunk lookup, and the chunks OIDF (fan-out), OIDL (oids), CDAT (commit data),
EDGE (more than two parents), GDA2 and GDO2 (generation data), BDAT (filters of changed paths).
"""

from __future__ import annotations

import contextlib
import math
import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from repos.git.store import BareRepository

_OID_BYTES: Final = 20
_COMMIT_BYTES: Final = 36
_IN_OVERFLOW: Final = 1 << 31
_DATE_MASK: Final = (1 << 34) - 1
# What stands before the filters: their version, how many bits a path sets, and how many there are for each.
_FILTERS_HEAD_BYTES: Final = 12
# In the place of a parent: there is none; the others stand in a list; and, in that list, it is the last.
_NO_PARENT: Final = 0x70000000
_IN_LIST: Final = 1 << 31


@dataclass(frozen=True)
class Layer:
    """One file of a commit-graph.

    Attributes:
        chunks: Where each begins in the file, by its name.
        first: How many commits the files below it have: by their place in all of them parents are told.
        count: How many commits the file has.
    """

    path: Path
    chunks: Mapping[bytes, int]
    first: int
    count: int


def layers(repository: BareRepository) -> list[Layer]:
    """The files of a repository's commit-graph, the oldest first; none where there is no graph, or a damaged one."""
    info = repository.path / "objects" / "info"
    whole = _layer(info / "commit-graph", 0)
    if whole is not None:
        return [whole]
    chain = info / "commit-graphs" / "commit-graph-chain"
    found: list[Layer] = []
    with contextlib.suppress(FileNotFoundError):
        for line in chain.read_text().split():
            layer = _layer(chain.with_name(f"graph-{line}.graph"), sum(below.count for below in found))
            if layer is None:  # git does not read what stands on it either
                break
            found.append(layer)
    return found


def _layer(path: Path, first: int) -> Layer | None:
    with contextlib.suppress(FileNotFoundError, struct.error), path.open("rb") as file:
        _, _, _, chunk_count, _ = struct.unpack(">4sBBBB", file.read(8))
        chunks = dict(struct.unpack(">4sQ", file.read(12)) for _ in range(chunk_count))
        file.seek(chunks.get(b"OIDF", 0) + 255 * 4)
        return Layer(path, chunks, first, struct.unpack(">I", file.read(4))[0])
    return None


class ChangedPaths(NamedTuple):
    """The filter of a commit's changed paths, and how many bits of it each path sets; `changed_paths.py` reads it."""

    bits: bytes
    hash_count: int


class Commits:
    """Commits and their corrected dates, looked up one by one; close it at the end.

    A corrected date is a commit's own, or one second after the latest of its parents' corrected ones, whichever is
    later. So whatever a commit reaches has an earlier one, whatever clocks said.
    """

    def __init__(self, repository: BareRepository) -> None:
        self._files: list[_File] = []
        self._found: dict[str, tuple[_File, int] | None] = {}
        # Where history is cut off, parents are not what commits say, and git does without the graph as well.
        is_cut_off = (repository.path / "shallow").exists()
        for layer in [] if is_cut_off else layers(repository):
            if {b"OIDF", b"OIDL", b"CDAT", b"GDA2"} <= layer.chunks.keys():
                with contextlib.suppress(OSError, ValueError, struct.error):
                    self._files.append(_File(layer))

    def close(self) -> None:
        """Let go of the graph's files."""
        for file in self._files:
            file.data.close()

    def corrected_date(self, oid: str) -> float:
        """In seconds since 1970; infinity for what the graph does not have, which nothing that it has can reach."""
        found = self._find(oid)
        return math.inf if found is None else found[0].corrected_date(found[1])

    def parents_and_date(self, oid: str) -> tuple[tuple[str, ...], int]:
        """The parents of a commit that the graph has, and when it was committed, in seconds since 1970."""
        found = self._find(oid)
        if found is None:
            raise KeyError(oid)
        file, place = found
        return tuple(self._oid(parent) for parent in file.parents(place)), file.date(place)

    def changed_paths(self, oid: str) -> ChangedPaths | None:
        """The filter of what a commit changed; None where the graph has none."""
        found = self._find(oid)
        return None if found is None else found[0].changed_paths(found[1])

    def _find(self, oid: str) -> tuple[_File, int] | None:
        """The file that has a commit, and its place there."""
        if oid in self._found:
            return self._found[oid]
        raw = bytes.fromhex(oid)
        found = None
        for file in self._files:
            place = file.place(raw)
            if place is not None:
                found = file, place
                break
        self._found[oid] = found
        return found

    def _oid(self, place: int) -> str:
        """The commit at a place among those of all files."""
        file = next(one for one in self._files if one.first <= place < one.first + one.count)
        return file.oid(place - file.first)


class _File:
    """One file of a graph that has corrected dates."""

    def __init__(self, layer: Layer) -> None:
        with layer.path.open("rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._chunks = layer.chunks
        self.first, self.count = layer.first, layer.count
        self._fan_out = struct.unpack_from(">256I", self.data, layer.chunks[b"OIDF"])

    def place(self, raw: bytes) -> int | None:
        """Which commit of the file this is."""
        names, data = self._chunks[b"OIDL"], self.data
        low, high = (self._fan_out[raw[0] - 1] if raw[0] else 0), self._fan_out[raw[0]]
        while low < high:
            middle = (low + high) // 2
            at = names + middle * _OID_BYTES
            found = data[at : at + _OID_BYTES]
            if found == raw:
                return middle
            if found < raw:
                low = middle + 1
            else:
                high = middle
        return None

    def date(self, place: int) -> int:
        """When a commit was made."""
        return self._number(">Q", b"CDAT", (place + 1) * _COMMIT_BYTES - 8) & _DATE_MASK

    def corrected_date(self, place: int) -> int:
        """The corrected date of a commit."""
        offset = self._number(">I", b"GDA2", place * 4)
        if offset & _IN_OVERFLOW:
            offset = self._number(">Q", b"GDO2", (offset ^ _IN_OVERFLOW) * 8)
        return self.date(place) + offset

    def oid(self, place: int) -> str:
        """Which commit it is."""
        at = self._chunks[b"OIDL"] + place * _OID_BYTES
        return self.data[at : at + _OID_BYTES].hex()

    def parents(self, place: int) -> Iterator[int]:
        """The places of a commit's parents, among those of all files."""
        first, second = (self._number(">I", b"CDAT", place * _COMMIT_BYTES + _OID_BYTES + at) for at in (0, 4))
        if first != _NO_PARENT:
            yield first
        if not second & _IN_LIST:
            if second != _NO_PARENT:
                yield second
            return
        at, is_last = second ^ _IN_LIST, False
        while not is_last:
            one = self._number(">I", b"EDGE", at * 4)
            at, is_last = at + 1, bool(one & _IN_LIST)
            yield one & ~_IN_LIST

    def changed_paths(self, place: int) -> ChangedPaths | None:
        """The filter of what a commit changed; None where it was not made."""
        if not {b"BIDX", b"BDAT"} <= self._chunks.keys():
            return None
        end = self._number(">I", b"BIDX", place * 4)
        start = self._number(">I", b"BIDX", (place - 1) * 4) if place else 0
        if start == end:
            return None
        at = self._chunks[b"BDAT"] + _FILTERS_HEAD_BYTES
        return ChangedPaths(self.data[at + start : at + end], self._number(">I", b"BDAT", 4))

    def _number(self, form: str, chunk: bytes, offset: int) -> int:
        value: int = struct.unpack_from(form, self.data, self._chunks[chunk] + offset)[0]
        return value
