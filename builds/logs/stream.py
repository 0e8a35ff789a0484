"""The live tail of a log: a Redis Stream with the lines that no stored chunk has yet, and some of the last stored ones.

An entry holds whole lines; its id is its first line's number + 1, so that adding it again is refused: writing is
idempotent. The mark of the end has the id `<lines + 1>-1`. Between entries lines may be missing that are stored, never
others.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from builds.logs.format import Block

logger = logging.getLogger(__name__)

# How long a finished log's stream stays for viewers who are still reading from it.
EXPIRE_SECONDS = 3600
RETRY_SECONDS = 0.5

# Adds entries if the stream ends where the writer thinks it does; answers where it ends now.
# ARGV: the expected last id, then id, lines, runs, style, text for each entry.
_APPEND = """
local last = '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
  end
end
if last ~= ARGV[1] then return last end
for i = 2, #ARGV, 5 do
  last = redis.call(
    'XADD', KEYS[1], ARGV[i], 'n', ARGV[i + 1], 't', ARGV[i + 2], 's', ARGV[i + 3], 'd', ARGV[i + 4])
end
return last
"""


def stream_key(build_key: str) -> str:
    """The Redis key of a build's live log."""
    return f"codeservices:log:{build_key}"


def decode_entry(entry_id: Any, fields: Mapping[Any, Any]) -> Block | None:
    """A stream entry as its lines; None for the mark of the end."""
    values = {decoded(name): value for name, value in fields.items()}
    if "end" in values:
        return None
    data = values["d"]
    text = data if isinstance(data, bytes) else str(data).encode()
    return Block(
        entry_number(decoded(entry_id)) - 1, int(values["n"]), json.loads(values["t"]), text, decoded(values["s"])
    )


def entry_number(entry_id: str) -> int:
    """The part of a stream id that counts lines."""
    return int(entry_id.partition("-")[0])


def decoded(value: Any) -> str:
    """What Redis answered as text, whatever the client decodes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def add_entry(redis: Redis, key: str, block: Block) -> None:
    """Add one entry behind all others; nothing happens where the stream has it, or a later one, already."""
    _add(redis, key, f"{block.first_line + 1}-0", {"n": block.line_count, **_values(block)})


def mark_end(redis: Redis, key: str, line_count: int) -> None:
    """Tell readers of the stream that no line follows, and let it expire. Doing it twice changes nothing."""
    _add(redis, key, f"{line_count + 1}-1", {"end": line_count})
    redis.expire(key, EXPIRE_SECONDS)


def _add(redis: Redis, key: str, entry_id: str, fields: dict[Any, Any]) -> None:
    try:
        redis.xadd(key, fields, id=entry_id)
    except ResponseError as error:
        if "equal or smaller" not in str(error):
            raise


def _values(block: Block) -> dict[str, str | bytes]:
    return {"t": json.dumps(block.runs, separators=(",", ":")), "s": block.style, "d": block.text}


class StreamWriter:
    """The one writer of a stream, whatever becomes of Redis: it may be away, and come back with less than it was given.

    No call raises RedisError, or waits longer than the client's socket time-out.

    Attributes:
        is_away: Whether the last attempt failed; the next one is made after RETRY_SECONDS.
    """

    def __init__(self, build_key: str, redis: Redis) -> None:
        self.key = stream_key(build_key)
        self.is_away = False
        self._redis = redis
        self._append = redis.register_script(_APPEND)
        self._last_id = "0-0"
        self._retry_at = 0.0

    def send(self, blocks: Sequence[Block]) -> None:
        """Whatever Redis doesn't have yet of these; it may turn out to have less or more than we think.

        Args:
            blocks: In order: all that are not stored, and those of the last lines.
        """
        if time.monotonic() < self._retry_at:
            return
        try:
            for _ in range(3):
                last = entry_number(self._last_id)
                missing = [block for block in blocks if block.first_line + 1 > last]
                expected = f"{missing[-1].first_line + 1}-0" if missing else self._last_id
                answer = self._append(keys=[self.key], args=[self._last_id, *_arguments(missing)])
                self._last_id = decoded(answer)
                if self._last_id == expected:
                    break
            if self.is_away:
                logger.info("%s: Redis is back", self.key)
            self.is_away = False
        except RedisError as error:
            if not self.is_away:
                logger.warning("%s: Redis is away, lines wait in memory: %s", self.key, error)
            self.is_away = True
            self._retry_at = time.monotonic() + RETRY_SECONDS

    def trim(self, keep_from: int) -> None:
        """Take lines before number `keep_from` out of the stream."""
        if keep_from > 0 and not self.is_away:
            try:
                self._redis.xtrim(self.key, minid=f"{keep_from + 1}-0", approximate=False)
            except RedisError:
                self.is_away = True

    def end(self, blocks: Sequence[Block], line_count: int) -> None:
        """Send the last blocks and mark the end; where Redis is away, readers learn it from the database."""
        self._retry_at = 0.0
        self.send(blocks)
        if not self.is_away:
            try:
                mark_end(self._redis, self.key, line_count)
            except RedisError as error:
                logger.warning("%s: the end was not marked: %s", self.key, error)


def _arguments(blocks: Iterable[Block]) -> list[Any]:
    arguments: list[Any] = []
    for block in blocks:
        arguments += [f"{block.first_line + 1}-0", block.line_count, *_values(block).values()]
    return arguments
