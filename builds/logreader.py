"""Reading a build's log, running or finished: any window of lines by number, from stored chunks and the live stream.

A chunk holds lines that will never change; the stream holds those that are not in a chunk yet, and some of the last
that are. An entry's id is its first line's number + 1, and the mark of the end has the id `<lines + 1>-1`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from builds.logformat import Block, Line, decode_chunk

logger = logging.getLogger(__name__)

PAGE_ENTRIES = 64


def stream_key(build_key: str) -> str:
    """The Redis key of a build's live log."""
    return f"codeservices:log:{build_key}"


def decode_entry(entry_id: Any, fields: Mapping[Any, Any]) -> Block | None:
    """A stream entry as its lines; None for the mark of the end."""
    values = {_text(name): value for name, value in fields.items()}
    if "end" in values:
        return None
    data = values["d"]
    text = data if isinstance(data, bytes) else str(data).encode()
    return Block(entry_number(_text(entry_id)) - 1, int(values["n"]), json.loads(values["t"]), text)


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

    def window(self, first: int, count: int) -> list[Line]:
        """At most `count` lines from number `first` on; fewer where the log ends (so far)."""
        lines: list[Line] = []
        for chunk in self.find_chunks(first, count):
            found = decode_chunk(self.get_chunk(chunk))
            lines += [line for line in found if first <= line.number < first + count]
        missing = first + len(lines)
        if len(lines) < count:
            lines += [line for line in self.live(missing, count - len(lines)) if line.number < first + count]
        return lines

    def live(self, first: int, count: int) -> list[Line]:
        """Lines from number `first` on as far as the stream has them without a gap; none while Redis is away."""
        lines: list[Line] = []
        try:
            # The entry that holds line `first` starts at or before it.
            before: Any = self.redis.xrevrange(self._key, max=f"{first + 1}-0", min="-", count=1)
            start = _text(before[0][0]) if before else f"{first + 1}-0"
            while len(lines) < count:
                entries: Any = self.redis.xrange(self._key, min=start, count=PAGE_ENTRIES)
                for entry_id, fields in entries:
                    block = decode_entry(entry_id, fields)
                    if block is None or block.first_line > first + len(lines):
                        return lines[:count]
                    wanted = first + len(lines)
                    lines += [line for line in block.lines() if line.number >= wanted]
                if len(entries) < PAGE_ENTRIES:
                    break
                start = f"({_text(entries[-1][0])}"
        except RedisError as error:
            logger.warning("%s: the live log can't be read: %s", self._key, error)
        return lines[:count]

    def live_end(self) -> int:
        """The number behind the last line in the stream; 0 where there is none."""
        try:
            found: Any = self.redis.xrevrange(self._key, count=1)
            for entry_id, fields in found:
                block = decode_entry(entry_id, fields)
                return entry_number(_text(entry_id)) - 1 if block is None else block.first_line + block.line_count
        except RedisError as error:
            logger.warning("%s: the live log can't be read: %s", self._key, error)
        return 0

    @property
    def _key(self) -> str:
        return stream_key(self.build_key)


def entry_number(entry_id: str) -> int:
    """The part of a stream id that counts lines."""
    return int(entry_id.partition("-")[0])


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
