"""How a build's log is kept: lines with a number and a time, in chunks that can be read alone.

A chunk is a gzip member: one line of JSON, `{"first": 0, "times": [[1700000000000, 3], …]}` (the first line's number;
for each run of lines the arrival in milliseconds and how many lines), then the lines, each ended by a newline.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

MAX_LINE_BYTES = 64 * 1024
MAX_CHUNK_LINES = 1_000
MAX_CHUNK_BYTES = 256 * 1024
# Chunks are written while the build runs: speed counts for more than the last percent.
GZIP_LEVEL = 1

Runs = list[list[int]]


class Line(NamedTuple):
    """One line of a log: its number from 0, when its last byte arrived (ms since the epoch), its text."""

    number: int
    time_ms: int
    text: str


@dataclass(frozen=True)
class Chunk:
    """Lines that will never change, compressed.

    Attributes:
        size_bytes: Of the text, uncompressed.
        data: The chunk itself, as the module's text says.
    """

    first_line: int
    line_count: int
    size_bytes: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Block:
    """Whole lines that are not yet in a chunk. `text` ends with a newline; `runs` are [time in ms, lines]."""

    first_line: int
    line_count: int
    runs: Runs
    text: bytes = field(repr=False)

    def lines(self) -> list[Line]:
        return list(_lines(self.first_line, self.runs, self.text))


def timestamp(at: datetime) -> str:
    """The start of CodeBuild's own log lines: `[Container] 2024/07/12 01:21:51.978228`."""
    return f"[Container] {at.astimezone(UTC):%Y/%m/%d %H:%M:%S.%f}"


def encode_chunk(blocks: Sequence[Block]) -> Chunk:
    """One chunk of blocks that follow each other without a gap."""
    text = b"".join(block.text for block in blocks)
    first_line = blocks[0].first_line
    runs = merge_runs([run for block in blocks for run in block.runs])
    header = json.dumps({"first": first_line, "times": runs}, separators=(",", ":")).encode()
    # No date in the gzip header: the same lines make the same bytes, so that writing twice changes nothing.
    data = gzip.compress(header + b"\n" + text, GZIP_LEVEL, mtime=0)
    return Chunk(first_line, sum(block.line_count for block in blocks), len(text), data)


def decode_chunk(data: bytes) -> list[Line]:
    """The lines of a chunk's data."""
    header, _, text = gzip.decompress(data).partition(b"\n")
    head = json.loads(header)
    return list(_lines(head["first"], head["times"], text))


def chunk_text(data: bytes) -> bytes:
    """A chunk's lines as they are downloaded: bytes, each line ended by a newline."""
    return gzip.decompress(data).partition(b"\n")[2]


def merge_runs(runs: Runs) -> Runs:
    """Neighbouring runs of the same time as one."""
    merged: Runs = []
    for time_ms, count in runs:
        if merged and merged[-1][0] == time_ms:
            merged[-1][1] += count
        else:
            merged.append([time_ms, count])
    return merged


def cut(text: bytes, max_lines: int, max_bytes: int) -> int:
    """The length of the longest run of whole lines at the start of `text` within both limits; at least one line."""
    window = text[: max(max_bytes, 0)]
    if len(window) < len(text):
        window = window[: window.rfind(b"\n") + 1] or text[: text.index(b"\n") + 1]
    if window.count(b"\n") <= max_lines:
        return len(window)
    position = 0
    for _ in range(max(max_lines, 1)):
        position = window.index(b"\n", position) + 1
    return position


def split_long(text: bytes) -> bytes:
    """The same lines with newlines put into those longer than MAX_LINE_BYTES, never inside a UTF-8 character."""
    if len(text) <= MAX_LINE_BYTES:
        return text
    lines = text.split(b"\n")
    if max(map(len, lines)) <= MAX_LINE_BYTES:
        return text
    return b"\n".join(piece for line in lines for piece in _pieces(line))


def _pieces(line: bytes) -> Iterator[bytes]:
    while len(line) > MAX_LINE_BYTES:
        end = MAX_LINE_BYTES
        while end > MAX_LINE_BYTES - 4 and line[end] & 0xC0 == 0x80:
            end -= 1
        yield line[:end]
        line = line[end:]
    yield line


def clean(text: bytes) -> bytes:
    """Valid UTF-8 without NUL: each byte that is no text becomes U+FFFD. Carriage returns and escapes stay."""
    if b"\0" in text:
        text = text.replace(b"\0", b"")
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("utf-8", "replace").encode()
    return text


def _lines(first_line: int, runs: Runs, text: bytes) -> Iterator[Line]:
    texts = text.decode().split("\n")
    position = 0
    for time_ms, count in runs:
        for offset in range(position, position + count):
            yield Line(first_line + offset, time_ms, texts[offset])
        position += count
