"""How a build's log is kept: lines with a number and a time, in chunks that can be read alone.

A chunk is a gzip member: one line of JSON, `{"first": 0, "times": [[1700000000000, 3], …], "style": "1;31"}` (the
first line's number; for each run of lines the arrival in milliseconds and how many lines; the colours that the first
line begins with, absent where there are none), then the lines, each ended by a newline.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from isal import isal_zlib

from builds.logs.ansi import style_after

# A window at any line reads one chunk or two: some milliseconds each.
MAX_CHUNK_LINES = 4_000
MAX_CHUNK_BYTES = 256 * 1024
# Chunks are written while the build runs. Intel's library (isal) does at this level what zlib's 1 does, in a quarter of
# the time, and makes less of most texts.
COMPRESSION_LEVEL = 1
# zlib's word for a gzip header and trailer. The header has no date: the same lines make the same bytes.
GZIP = 31

Runs = list[list[int]]


class Line(NamedTuple):
    """One line of a log.

    Attributes:
        number: From 0.
        time_ms: When its last byte arrived, since the epoch.
        text: Without its newline.
        style: The colours and styles that lines before it left on, as the parameters of one SGR sequence; mostly none.
    """

    number: int
    time_ms: int
    text: str
    style: str = ""

    @property
    def styled_text(self) -> str:
        """The text as it looks by itself, whatever came before it."""
        return f"\x1b[{self.style}m{self.text}" if self.style else self.text


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
    """Whole lines on their way. `text` ends with a newline; `runs` are [time in ms, lines]; `style` is the first's."""

    first_line: int
    line_count: int
    runs: Runs
    text: bytes = field(repr=False)
    style: str = ""

    @property
    def next_line(self) -> int:
        """The number of the line that follows."""
        return self.first_line + self.line_count

    def text_from(self, first: int) -> bytes:
        """The text of its lines from number `first` on."""
        position = 0
        for _ in range(first - self.first_line):
            position = self.text.index(b"\n", position) + 1
        return self.text[position:]

    def lines(self, first: int = 0, behind: int | None = None) -> list[Line]:
        """Its lines, or those of them from number `first` on and before number `behind`."""
        start = max(first - self.first_line, 0)
        stop = self.line_count if behind is None else min(behind - self.first_line, self.line_count)
        if start >= stop:
            return []
        texts = self.text.decode().split("\n")
        times = itertools.chain.from_iterable(itertools.repeat(time_ms, count) for time_ms, count in self.runs)
        numbered = zip(
            range(self.first_line + start, self.first_line + stop), itertools.islice(times, start, None), strict=False
        )
        if b"\x1b" not in self.text:
            style = self.style
            return [Line(*one, text, style) for one, text in zip(numbered, texts[start:stop], strict=False)]
        styles = itertools.accumulate(texts[:stop], style_after, initial=self.style)
        return [
            Line(*one, text, style)
            for one, text, style in zip(
                numbered, texts[start:stop], itertools.islice(styles, start, None), strict=False
            )
        ]


def encode_chunk(blocks: Sequence[Block]) -> Chunk:
    """One chunk of blocks that follow each other without a gap."""
    first = blocks[0]
    head = {"first": first.first_line, "times": merge_runs([run for block in blocks for run in block.runs])}
    if first.style:
        head["style"] = first.style
    header = json.dumps(head, separators=(",", ":")).encode() + b"\n"
    content = b"".join((header, *(block.text for block in blocks)))
    data = isal_zlib.compress(content, COMPRESSION_LEVEL, wbits=GZIP)
    line_count = sum(block.line_count for block in blocks)
    return Chunk(first.first_line, line_count, len(content) - len(header), data)


def decode_chunk(data: bytes) -> Block:
    """A chunk's lines as one block."""
    header, _, text = isal_zlib.decompress(data, wbits=GZIP).partition(b"\n")
    head = json.loads(header)
    return Block(head["first"], sum(count for _, count in head["times"]), head["times"], text, head.get("style", ""))


def merge_runs(runs: Runs) -> Runs:
    """Neighbouring runs of the same time as one."""
    merged: Runs = []
    for time_ms, count in runs:
        if merged and merged[-1][0] == time_ms:
            merged[-1][1] += count
        else:
            merged.append([time_ms, count])
    return merged


def split_runs(runs: Runs, count: int) -> tuple[Runs, Runs]:
    """The runs of the first `count` lines, and those of the rest."""
    head: Runs = []
    for index, (time_ms, lines) in enumerate(runs):
        if lines >= count:
            head.append([time_ms, count])
            rest = [[time_ms, lines - count]] if lines > count else []
            return head, rest + runs[index + 1 :]
        head.append([time_ms, lines])
        count -= lines
    return head, []
