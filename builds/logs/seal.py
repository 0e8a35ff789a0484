"""The end of a log whose worker died: what only the live tail has becomes chunks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from redis import Redis

from builds.logs.ansi import style_after
from builds.logs.flusher import PutChunks
from builds.logs.format import MAX_CHUNK_BYTES, MAX_CHUNK_LINES, Block, encode_chunk
from builds.logs.stream import add_entry, decode_entry, mark_end, stream_key
from builds.logs.text import clean


def seal(build_key: str, redis: Redis, stored_lines: int, put_chunks: PutChunks, closing: Sequence[str] = ()) -> int:
    """Store what only the stream has, and mark the end. Returns the number of lines.

    Doing it again changes nothing, except that `closing` must then be empty or the same call's.

    Args:
        stored_lines: How many lines the stored chunks have.
        closing: Lines to put behind, such as why the build ended.
    """
    key = stream_key(build_key)
    blocks, is_ended = _unstored(redis, key, stored_lines)
    next_line = blocks[-1].first_line + blocks[-1].line_count if blocks else stored_lines
    if closing and not is_ended:
        time_ms = int(time.time() * 1000)
        text = clean("".join(f"{line}\n" for line in closing).encode("utf-8", "replace"))
        count = text.count(b"\n")
        style = style_after(blocks[-1].style, blocks[-1].text.decode()) if blocks else ""
        last = Block(next_line, count, [[time_ms, count]], text, style)
        add_entry(redis, key, last)
        blocks.append(last)
        next_line += count
    chunks = [encode_chunk(group) for group in _groups(blocks)]
    if chunks:
        put_chunks(chunks)
    mark_end(redis, key, next_line)
    return next_line


def _unstored(redis: Redis, key: str, stored_lines: int) -> tuple[list[Block], bool]:
    """The blocks behind the stored lines, as far as they follow without a gap; and whether the end is marked."""
    blocks: list[Block] = []
    next_line = stored_lines
    entries: Any = redis.xrange(key, min=f"{stored_lines + 1}-0")
    for entry_id, fields in entries:
        block = decode_entry(entry_id, fields)
        if block is None:
            return blocks, True
        if block.first_line != next_line:
            break
        blocks.append(block)
        next_line += block.line_count
    return blocks, False


def _groups(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """The blocks that make a chunk each."""
    group: list[Block] = []
    lines = size_bytes = 0
    for block in blocks:
        if group and (lines + block.line_count > MAX_CHUNK_LINES or size_bytes + len(block.text) > MAX_CHUNK_BYTES):
            yield group
            group, lines, size_bytes = [], 0, 0
        group.append(block)
        lines += block.line_count
        size_bytes += len(block.text)
    if group:
        yield group
