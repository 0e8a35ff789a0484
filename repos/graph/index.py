"""The rows of a whole graph in one file, so that a window at any depth costs that window.

The file holds, for the graph below one set of tips, the commits in order, the rows of their parents, and the sweep's
state every `INTERVAL` rows or so. Whoever opens it touches a few of its pages. All numbers have 32 bits in the order
of this machine: the file is a cache and goes nowhere else.

    header        magic; counts of rows, oids, edges, tips, checkpoints and words of checkpoints
    oids          20 bytes each: a row's commit, and behind them parents that a graph cut at its end does not show
    edges         rows + 1 numbers: where a row's parents begin in the next part
    parents       the row of each; a number past the last row is one of the oids behind them
    tips          the rows of the tips
    checkpoints   the row of each, where its words begin, and its words: number of lanes, two words a lane (the row
                  that it waits for, then colour and age), then the rows that are awaited without a lane
"""

from __future__ import annotations

import mmap
import os
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from repos.graph.lanes import Lane, Row, State, Sweep

# Rows between two checkpoints: skipping half of them takes a millisecond.
INTERVAL: Final = 256
OID_BYTES: Final = 20
# Fewer hexadecimal digits mean too many commits to be worth the search.
MIN_PREFIX: Final = 4

# Another one where the sweep gives other lanes, or a part changes: older files are then made anew.
_MAGIC: Final = b"graph-1\n"
_HEADER: Final = struct.Struct("=8s6I")
_FREE: Final = 0xFFFFFFFF
_WORD: Final = 4


class Damaged(Exception):
    """The file is no index, or only a part of one."""


@dataclass
class Contents:
    """What an index is made of; the parts of the file.

    Attributes:
        oids: Raw, one after the other.
        edges, parents, tips: As in the file.
        checkpoints: (row, words) of each, by row.
        rows: How many commits are shown.
    """

    oids: bytearray = field(default_factory=bytearray)
    edges: array[int] = field(default_factory=lambda: array("I", [0]))
    parents: array[int] = field(default_factory=lambda: array("I"))
    tips: array[int] = field(default_factory=lambda: array("I"))
    checkpoints: list[tuple[int, array[int]]] = field(default_factory=list)
    rows: int = 0


def write(path: Path, contents: Contents) -> None:
    """Put an index into a file, which is whole or absent afterwards."""
    rows = array("I", (row for row, _ in contents.checkpoints))
    starts, words = array("I", [0]), array("I")
    for _, one in contents.checkpoints:
        words += one
        starts.append(len(words))
    counts = (
        contents.rows,
        len(contents.oids) // OID_BYTES,
        len(contents.parents),
        len(contents.tips),
        len(rows),
        len(words),
    )
    made = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with made.open("wb") as file:
            file.write(_HEADER.pack(_MAGIC, *counts))
            file.write(contents.oids)
            for part in (contents.edges, contents.parents, contents.tips, rows, starts, words):
                part.tofile(file)
            file.flush()
            os.fsync(file.fileno())
        made.rename(path)
    finally:
        made.unlink(missing_ok=True)


class Index:
    """An open index; a context manager.

    Attributes:
        rows: How many commits the graph shows.
        is_cut: Whether the graph goes on below its last row.

    Raises:
        FileNotFoundError: There is none.
        Damaged: The file is not one.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < _HEADER.size:
                raise Damaged
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, self.rows, oids, edges, tips, checkpoints, words = _HEADER.unpack_from(self._map)
        sizes = [self.rows + 1, edges, tips, checkpoints, checkpoints + 1, words]
        self._oids_end = _HEADER.size + oids * OID_BYTES
        if magic != _MAGIC or len(self._map) != self._oids_end + _WORD * sum(sizes):
            self._map.close()
            raise Damaged
        self._view = memoryview(self._map)
        parts, at = [], self._oids_end
        for size in sizes:
            parts.append(self._view[at : at + size * _WORD].cast("I"))
            at += size * _WORD
        self._parents_at = self._oids_end + _WORD * (self.rows + 1)
        self._edges, self._parents, self._tips, self._checkpoints, self._starts, self._words = parts
        self.is_cut = oids > self.rows

    def close(self) -> None:
        """Let go of the file."""
        for part in (self._edges, self._parents, self._tips, self._checkpoints, self._starts, self._words, self._view):
            part.release()
        self._map.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- commits -----------------------------------------------------------------------------------------------------

    def oid(self, row: int) -> str:
        """The commit of a row, or, past the last one, a parent that is not shown."""
        at = _HEADER.size + row * OID_BYTES
        return self._map[at : at + OID_BYTES].hex()

    def raw_oids(self) -> bytes:
        """The commits of all rows."""
        return self._map[_HEADER.size : _HEADER.size + self.rows * OID_BYTES]

    def parent_rows(self, row: int) -> list[int]:
        """The rows of a commit's parents, in its order; those that are not shown have numbers from `rows` on."""
        return self._parents[self._edges[row] : self._edges[row + 1]].tolist()

    def tip_rows(self) -> list[int]:
        """The rows of the tips."""
        return self._tips.tolist()

    def row_of(self, oid: str) -> int | None:
        """The row of a commit by its full oid."""
        return next(self._matches(bytes.fromhex(oid)), None)

    def row_of_prefix(self, prefix: str) -> int | None:
        """The first row whose commit's id begins with these hexadecimal digits, at least MIN_PREFIX of them."""
        whole = bytes.fromhex(prefix[: len(prefix) // 2 * 2])
        return next((row for row in self._matches(whole) if self.oid(row).startswith(prefix)), None)

    def _matches(self, raw: bytes) -> Iterator[int]:
        at, end = _HEADER.size, _HEADER.size + self.rows * OID_BYTES
        while (at := self._map.find(raw, at, end)) >= 0:
            row, rest = divmod(at - _HEADER.size, OID_BYTES)
            if rest == 0:
                yield row
            at += 1

    def first_child(self, row: int) -> int | None:
        """The first row that has the commit of this one among its parents."""
        raw = row.to_bytes(_WORD, "little" if array("I", [1]).tobytes()[0] else "big")
        at, end = self._parents_at, self._parents_at + _WORD * len(self._parents)
        while (at := self._map.find(raw, at, end)) >= 0:
            number, rest = divmod(at - self._parents_at, _WORD)
            if rest == 0:
                return bisect_right(self._edges, number) - 1
            at += 1
        return None

    # ---- rows --------------------------------------------------------------------------------------------------------

    def window(self, first: int, count: int) -> tuple[list[Row], dict[str, int]]:
        """At most `count` rows from `first` on, and the rows of the commits that lines in them lead to, by oid."""
        numbers: dict[str, int] = {}
        at = bisect_right(self._checkpoints, first) - 1
        if at >= 0:
            numbers = {self.oid(row): row for row in _targets(self.checkpoint(at))}
        sweep = Sweep(self.state(at) if at >= 0 else State())
        rows = []
        for row in range(sweep.row, min(first + count, self.rows)):
            oid, parents = self.commit(row)
            numbers[oid] = row
            numbers.update(zip(parents, self.parent_rows(row), strict=True))
            if row < first:
                sweep.skip(oid, parents)
            else:
                rows.append(sweep.add(oid, parents))
        return rows, numbers

    def commit(self, row: int) -> tuple[str, list[str]]:
        """A row's commit and its parents."""
        return self.oid(row), [self.oid(parent) for parent in self.parent_rows(row)]

    def checkpoint_rows(self) -> list[int]:
        """The rows above which a state is kept."""
        return self._checkpoints.tolist()

    def checkpoint(self, number: int) -> list[int]:
        """The words of a checkpoint."""
        return self._words[self._starts[number] : self._starts[number + 1]].tolist()

    def state(self, number: int) -> State:
        """The state of a checkpoint."""
        row, words = self._checkpoints[number], self.checkpoint(number)
        lanes: list[Lane | None] = []
        for at in range(1, 1 + 2 * words[0], 2):
            target, look = words[at], words[at + 1]
            lanes.append(None if target == _FREE else Lane(self.oid(target), look & 0xFF, row - _FREE + (look >> 8)))
        return State(tuple(lanes), frozenset(self.oid(one) for one in words[1 + 2 * words[0] :]), row)


def packed(state: State, row_of: dict[str, int]) -> array[int]:
    """A state as the words of a checkpoint."""
    ages = iter(state.ages())
    words = array("I", [len(state.lanes)])
    for lane in state.lanes:
        words.extend((_FREE, 0) if lane is None else (row_of[lane.oid], lane.colour | next(ages) << 8))
    words.extend(sorted(row_of[oid] for oid in state.cut_oids))
    return words


def moved(words: Sequence[int], distance: int) -> array[int]:
    """The words of a checkpoint whose rows all stand so many rows further down."""
    lanes_end = 1 + 2 * words[0]
    made = array("I", words)
    for at in [*range(1, lanes_end, 2), *range(lanes_end, len(words))]:
        if made[at] != _FREE:
            made[at] += distance
    return made


def _targets(words: Sequence[int]) -> list[int]:
    """The rows that a checkpoint's lanes wait for, and those that are awaited without one."""
    lanes_end = 1 + 2 * words[0]
    return [row for row in (*words[1:lanes_end:2], *words[lanes_end:]) if row != _FREE]


def checkpoints(sweep: Sweep, commits: Iterable[tuple[str, Sequence[str]]]) -> Iterator[State]:
    """Lead a sweep over commits without drawing them; its state every INTERVAL rows."""
    for oid, parents in commits:
        sweep.skip(oid, parents)
        if sweep.row % INTERVAL == 0:
            yield sweep.state()
