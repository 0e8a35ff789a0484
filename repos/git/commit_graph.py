"""What git's commit-graph tells of commits without their being read.

Source: gitformat-commit-graph(5): header, chunk lookup, and the chunks OIDF (fan-out), OIDL (oids), CDAT (commit data),
GDA2 and GDO2 (generation data), BDAT (filters of changed paths).
"""

from __future__ import annotations

import contextlib
import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from repos.git.store import BareRepository

_OID_BYTES: Final = 20
_COMMIT_BYTES: Final = 36
_IN_OVERFLOW: Final = 1 << 31
_DATE_MASK: Final = (1 << 34) - 1


@dataclass(frozen=True)
class Layer:
    """One file of a commit-graph.

    Attributes:
        chunks: Where each begins in the file, by its name.
        count: How many commits the file has.
    """

    path: Path
    chunks: Mapping[bytes, int]
    count: int


def layers(repository: BareRepository) -> list[Layer]:
    """The files of a repository's commit-graph; none where there is no graph. A damaged one is left out."""
    info = repository.path / "objects" / "info"
    chain = info / "commit-graphs" / "commit-graph-chain"
    paths = [info / "commit-graph"]
    with contextlib.suppress(FileNotFoundError):
        paths += [chain.with_name(f"graph-{line}.graph") for line in chain.read_text().split()]
    found = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError, struct.error), path.open("rb") as file:
            _, _, _, chunk_count, _ = struct.unpack(">4sBBBB", file.read(8))
            chunks = dict(struct.unpack(">4sQ", file.read(12)) for _ in range(chunk_count))
            file.seek(chunks.get(b"OIDF", 0) + 255 * 4)
            found.append(Layer(path, chunks, struct.unpack(">I", file.read(4))[0]))
    return found


class Dates:
    """Corrected commit dates, looked up one by one; close it at the end.

    A commit's is its own date, or one second after the latest of its parents' corrected ones, whichever is later. So
    whatever a commit reaches has an earlier one, whatever clocks said.
    """

    def __init__(self, repository: BareRepository) -> None:
        self._files: list[_File] = []
        for layer in layers(repository):
            if {b"OIDF", b"OIDL", b"CDAT", b"GDA2"} <= layer.chunks.keys():
                with contextlib.suppress(OSError, ValueError, struct.error):
                    self._files.append(_File(layer))

    def close(self) -> None:
        """Let go of the graph's files."""
        for file in self._files:
            file.data.close()

    def of(self, oid: str) -> float:
        """In seconds since 1970; infinity for what the graph does not have, which nothing that it has can reach."""
        raw = bytes.fromhex(oid)
        for file in self._files:
            place = file.place(raw)
            if place is not None:
                return file.date(place)
        return math.inf


class _File:
    """One file of a graph that tells dates."""

    def __init__(self, layer: Layer) -> None:
        with layer.path.open("rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._chunks = layer.chunks
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
        """The corrected date of a commit."""
        date = self._number(">Q", b"CDAT", (place + 1) * _COMMIT_BYTES - 8) & _DATE_MASK
        offset = self._number(">I", b"GDA2", place * 4)
        if offset & _IN_OVERFLOW:
            offset = self._number(">Q", b"GDO2", (offset ^ _IN_OVERFLOW) * 8)
        return date + offset

    def _number(self, form: str, chunk: bytes, offset: int) -> int:
        value: int = struct.unpack_from(form, self.data, self._chunks[chunk] + offset)[0]
        return value
