"""Reading a build's log, running or finished: any window of lines by number, from stored chunks and the live tail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from builds.logs.format import Block, Line, decode_chunk
from builds.logs.stream import decode_entry, decoded, entry_number, stream_key

logger = logging.getLogger(__name__)

PAGE_ENTRIES = 64
# Lines looked up in the index at once, by those who read on and on.
_LINES_AHEAD = 100_000


@dataclass(frozen=True)
class LogReader:
    """Reads any log, running or finished.

    Args:
        find_chunks: The stored chunks that hold any of `count` lines from line `first` on, in order.
        get_chunk: A stored chunk's data.
    """

    build_key: str
    redis: Redis
    find_chunks: Callable[[int, int], Iterable[Any]]
    get_chunk: Callable[[Any], bytes]

    def window(self, first: int, count: int, max_bytes: int | None = None) -> list[Line]:
        """At most `count` lines from number `first` on; fewer where the log ends (so far).

        Args:
            max_bytes: End with the block whose text brings more than that together.
        """
        lines: list[Line] = []
        size_bytes = 0
        for block in self.blocks(first, count):
            lines += block.lines(first + len(lines), first + count)
            size_bytes += len(block.text)
            if max_bytes is not None and size_bytes > max_bytes:
                break
        return lines

    def blocks(self, first: int, count: int | None = None) -> Iterator[Block]:
        """The blocks that hold line `first` and what follows it, without a gap, to the end of the log (so far).

        Args:
            count: Stop when so many lines were in what was given.
        """
        position = first
        behind = None if count is None else first + count
        while behind is None or position < behind:
            begun = position
            ahead = _LINES_AHEAD if behind is None else min(behind - position, _LINES_AHEAD)
            for chunk in self.find_chunks(position, ahead):
                block = decode_chunk(self.get_chunk(chunk))
                if block.first_line > position:
                    break  # what lies between is not stored yet
                yield block
                position = block.next_line
            if position == begun:
                for block in self._live(position, behind):
                    yield block
                    position = block.next_line
            # What was neither stored nor live may have become a chunk between the two looks: they are taken again as
            # long as there is anything.
            if position == begun and not any(True for _ in self.find_chunks(position, 1)):
                return

    def _live(self, first: int, behind: int | None) -> Iterator[Block]:
        """Blocks from line `first` on as far as the stream has them without a gap; none while Redis is away."""
        position = first
        try:
            # The entry that holds line `first` starts at or before it.
            before: Any = self.redis.xrevrange(self._key, max=f"{first + 1}-0", min="-", count=1)
            start = decoded(before[0][0]) if before else f"{first + 1}-0"
            while behind is None or position < behind:
                entries: Any = self.redis.xrange(self._key, min=start, count=PAGE_ENTRIES)
                for entry_id, fields in entries:
                    block = decode_entry(entry_id, fields)
                    if block is None or block.first_line > position:
                        return
                    if block.next_line > position:
                        yield block
                        position = block.next_line
                if len(entries) < PAGE_ENTRIES:
                    return
                start = f"({decoded(entries[-1][0])}"
        except RedisError as error:
            logger.warning("%s: the live log can't be read: %s", self._key, error)

    def live(self, first: int, count: int) -> list[Line]:
        """Lines from number `first` on as far as the stream has them without a gap; none while Redis is away."""
        lines: list[Line] = []
        for block in self._live(first, first + count):
            lines += block.lines(first + len(lines), first + count)
        return lines

    def live_end(self) -> int:
        """The number behind the last line in the stream; 0 where there is none."""
        try:
            found: Any = self.redis.xrevrange(self._key, count=1)
            for entry_id, fields in found:
                block = decode_entry(entry_id, fields)
                return entry_number(decoded(entry_id)) - 1 if block is None else block.next_line
        except RedisError as error:
            logger.warning("%s: the live log can't be read: %s", self._key, error)
        return 0

    @property
    def _key(self) -> str:
        return stream_key(self.build_key)
