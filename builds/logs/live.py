"""The Redis streams of all watched builds, read by one task: what comes goes into the watches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from builds.logs.stream import decode_entry, decoded, entry_number, stream_key
from builds.logs.watch import Watch

logger = logging.getLogger(__name__)

BLOCK_MS = 5_000
ENTRIES_A_READ = 32
RETRY_SECONDS = 0.5


async def read_streams(
    redis_url: str, watches: Callable[[], Iterable[Watch]], new_watch: asyncio.Event, said: Callable[[], None]
) -> None:
    """Read all streams at once, for ever; whatever goes wrong with Redis is tried again.

    Redis may come back with less than it had: the writer sends again what is not stored, under the same numbers.

    Args:
        watches: The builds that are watched now.
        new_watch: Set when there are others.
        said: Called when a log has said something.
    """
    client = Redis.from_url(redis_url, socket_timeout=BLOCK_MS / 1000 + 5, socket_connect_timeout=5)
    try:
        while True:
            try:
                new_watch.clear()
                await _read_once(client, list(watches()), new_watch, said)
            except (RedisError, OSError) as error:
                logger.warning("live logs wait for Redis: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
    finally:
        await client.aclose()


async def _read_once(
    client: Redis, watches: Iterable[Watch], new_watch: asyncio.Event, said: Callable[[], None]
) -> None:
    by_key: dict[str, Watch] = {}
    for watch in watches:
        if not watch.has_ended:
            key = stream_key(watch.uuid)
            if not watch.cursor:
                await _start_at_end(client, watch, key)
            by_key[key] = watch
    if not by_key:
        await new_watch.wait()
        return
    streams: Any = {key: watch.cursor for key, watch in by_key.items()}
    reading = asyncio.ensure_future(client.xread(streams, count=ENTRIES_A_READ, block=BLOCK_MS))
    waiting = asyncio.ensure_future(new_watch.wait())
    try:
        await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
        found = reading.result() if reading.done() else []
    finally:
        # Reading a stream takes nothing out of it: an interrupted read is simply made again.
        for task in (reading, waiting):
            task.cancel()
        await asyncio.gather(reading, waiting, return_exceptions=True)
    for key, entries in _pairs(found):
        watch = by_key[decoded(key)]
        try:
            _take(watch, entries)
        except (KeyError, ValueError):
            # All other builds are read by this task too: theirs goes on, and for this one the database has the rest.
            logger.exception("%s: an entry can't be read", decoded(key))
            watch.has_ended = True
        said()


async def _start_at_end(client: Redis, watch: Watch, key: str) -> None:
    """Viewers at the tail want what comes next; whoever wants more reads it from where it is stored."""
    watch.cursor = "0-0"
    newest: Any = await client.xrevrange(key, count=1)
    for entry_id, fields in newest:
        block = decode_entry(entry_id, fields)
        watch.begin(entry_number(decoded(entry_id)) - 1 if block is None else block.next_line)
        watch.cursor = decoded(entry_id)
        watch.has_ended = block is None
    watch.notify()


def _take(watch: Watch, entries: Iterable[tuple[Any, Any]]) -> None:
    for entry_id, fields in entries:
        watch.cursor = decoded(entry_id)
        block = decode_entry(entry_id, fields)
        if block is None:
            watch.has_ended = True
        else:
            watch.take(block.lines())
    watch.notify_soon()


def _pairs(found: Any) -> list[tuple[Any, Any]]:
    """XREAD's answer as pairs of key and entries: a list of them in RESP2, a map in RESP3."""
    if isinstance(found, dict):
        return [(key, [entry for page in pages for entry in page]) for key, pages in found.items()]
    return [(key, entries) for key, entries in found or []]
