"""Live builds for many viewers: one reader a web process, and each viewer a cursor.

One task reads the Redis streams of all watched builds at once and keeps their last lines; another looks at the builds
in the database. A viewer asks for the lines from its cursor on: from memory at the tail, from the stored chunks further
back. Nothing is queued for a viewer, so a slow one costs nothing and misses nothing.

Redis may go away and come back with less than it had: the writer sends again what is not stored, under the same
numbers, and the cursor of a stream is a line's number. The end of a build is read from the database, so that it comes
whether or not Redis does.
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar

from django.conf import settings
from django.db import close_old_connections
from django.db.models import Prefetch
from django.utils import timezone
from redis.asyncio import Redis
from redis.exceptions import RedisError

from builds import lifecycle
from builds.log_access import reader_of, stored_lines
from builds.logformat import Line
from builds.logreader import decode_entry, entry_number, stream_key
from builds.models import Build, Phase

logger = logging.getLogger(__name__)

# Lines of each watched build that stay in memory; whoever is further behind reads stored chunks.
RECENT_LINES = 4_000
RECENT_BYTES = 4 * 1024 * 1024
LINES_A_BATCH = 1_000
# One flush to a viewer at the tail every 100 ms at most.
FLUSH_SECONDS = 0.1
HEARTBEAT_SECONDS = 15.0
# The database is asked once for all watched builds: this often, and sooner where a log says that something goes on.
CHECK_SECONDS = 1.0
SOON_SECONDS = 0.25
BLOCK_MS = 5_000
ENTRIES_A_READ = 32
RETRY_SECONDS = 0.5
# A finished build whose log is not sealed ends its viewers' streams after this: its worker died, and the rest is gone.
SEAL_SECONDS = 60

T = TypeVar("T")
Render = Callable[[Build], str]


@dataclass(frozen=True)
class Lines:
    """Lines that follow each other; the last one's number is the cursor to resume from."""

    lines: list[Line]


@dataclass(frozen=True)
class Status:
    """The build has changed: what to show of it now."""

    html: str


@dataclass(frozen=True)
class Pause:
    """Nothing happened for HEARTBEAT_SECONDS."""


@dataclass(frozen=True)
class End:
    """The build is over and every line was given."""

    line_count: int


Update = Lines | Status | Pause | End


@dataclass
class _Watch:
    """One watched build: what all its viewers share."""

    pk: int
    uuid: str
    viewers: int = 0
    # The last lines, without a gap; `next_line` is the number behind them.
    recent: deque[Line] = field(default_factory=deque)
    recent_bytes: int = 0
    next_line: int = 0
    cursor: str = ""
    has_ended: bool = False
    total_lines: int = 0
    # Of the database.
    state: Any = None
    html: str = ""
    version: int = 0
    is_over: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def notify(self) -> None:
        """Wake every viewer that waits."""
        self.changed.set()
        self.changed = asyncio.Event()

    def take(self, lines: list[Line]) -> None:
        """Lines from the stream, in order. Known ones are skipped; after a gap the memory starts anew."""
        lines = [line for line in lines if line.number >= self.next_line]
        if not lines:
            return
        if lines[0].number > self.next_line:
            self.recent.clear()
            self.recent_bytes = 0
        self.recent.extend(lines)
        self.recent_bytes += sum(len(line.text) for line in lines)
        while len(self.recent) > RECENT_LINES or (self.recent_bytes > RECENT_BYTES and len(self.recent) > 1):
            self.recent_bytes -= len(self.recent.popleft().text)
        self.next_line = lines[-1].number + 1
        self.total_lines = max(self.total_lines, self.next_line)

    def lines_from(self, first: int) -> list[Line]:
        """At most LINES_A_BATCH lines from memory; none where line `first` is not in it."""
        if not self.recent or not self.recent[0].number <= first < self.next_line:
            return []
        start = first - self.recent[0].number
        return list(islice(self.recent, start, start + LINES_A_BATCH))


class LogHub:
    """The one reader of a web process. Made by `hub()`; lives as long as somebody watches."""

    def __init__(self, redis_url: str, render: Render) -> None:
        self._redis_url = redis_url
        self._render = render
        self._watches: dict[int, _Watch] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._new_watch = asyncio.Event()
        self._check_now = asyncio.Event()
        # Apart from Django's own threads: a viewer that reads far back must not delay a page.
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="log-reader")

    async def follow(self, build_pk: int, build_uuid: str, first: int, *, with_log: bool) -> AsyncIterator[Update]:
        """What happens to a build from line `first` on, until its end.

        Args:
            first: The number of the first line wanted; lines before it are never given.
            with_log: Whether lines are wanted at all.
        """
        watch = await self._join(build_pk, build_uuid)
        try:
            async for update in self._updates(watch, first, with_log):
                yield update
        finally:
            self._leave(watch)

    async def _updates(self, watch: _Watch, cursor: int, with_log: bool) -> AsyncIterator[Update]:
        version = 0
        said_at = time.monotonic()
        while True:
            changed, is_over, total_lines = watch.changed, watch.is_over, watch.total_lines
            if watch.version != version:
                version = watch.version
                said_at = time.monotonic()
                yield Status(watch.html)
            lines = await self._lines(watch, cursor, said_at) if with_log and cursor < total_lines else []
            if lines:
                cursor = lines[-1].number + 1
                said_at = time.monotonic()
                yield Lines(lines)
            elif is_over and watch.version == version:
                yield End(cursor if with_log else total_lines)
                return
            elif not is_over and not await _happened(changed, said_at + HEARTBEAT_SECONDS):
                said_at = time.monotonic()
                yield Pause()

    async def _lines(self, watch: _Watch, cursor: int, said_at: float) -> list[Line]:
        """The next lines: from memory, or from where they are stored; none where both are a step behind."""
        lines = watch.lines_from(cursor)
        if not lines:
            return await self._in_thread(self._read, watch, cursor)
        if lines[-1].number + 1 == watch.next_line:
            # At the tail: what comes within 100 ms goes out together.
            await asyncio.sleep(max(0.0, said_at + FLUSH_SECONDS - time.monotonic()))
            return watch.lines_from(cursor) or lines
        return lines

    # ---- watches -----------------------------------------------------------------------------------------------------

    async def _join(self, build_pk: int, build_uuid: str) -> _Watch:
        watch = self._watches.get(build_pk)
        if watch is None:
            watch = self._watches[build_pk] = _Watch(build_pk, build_uuid)
        watch.viewers += 1
        if not self._tasks or any(task.done() for task in self._tasks):
            for task in self._tasks:
                task.cancel()
            self._tasks = [asyncio.create_task(self._read_streams()), asyncio.create_task(self._check_builds())]
        self._new_watch.set()
        self._check_now.set()
        return watch

    def _leave(self, watch: _Watch) -> None:
        watch.viewers -= 1
        if watch.viewers == 0:
            self._watches.pop(watch.pk, None)
            self._new_watch.set()
        if not self._watches:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    # ---- Redis -------------------------------------------------------------------------------------------------------

    async def _read_streams(self) -> None:
        """Read all streams at once, for ever; whatever goes wrong with Redis is tried again."""
        client = Redis.from_url(self._redis_url, socket_timeout=BLOCK_MS / 1000 + 5, socket_connect_timeout=5)
        try:
            while True:
                try:
                    await self._read_once(client)
                except (RedisError, OSError) as error:
                    logger.warning("live logs wait for Redis: %s", error)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            await client.aclose()

    async def _read_once(self, client: Redis) -> None:
        self._new_watch.clear()
        streams: dict[str, str] = {}
        by_key: dict[str, _Watch] = {}
        for watch in list(self._watches.values()):
            if watch.has_ended:
                continue
            key = stream_key(watch.uuid)
            if not watch.cursor:
                await self._start_at_end(client, watch, key)
            streams[key], by_key[key] = watch.cursor, watch
        if not streams:
            await self._new_watch.wait()
            return
        reading = asyncio.ensure_future(client.xread(streams, count=ENTRIES_A_READ, block=BLOCK_MS))  # type: ignore[arg-type]
        waiting = asyncio.ensure_future(self._new_watch.wait())
        try:
            await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
            found = reading.result() if reading.done() else []
        finally:
            # Reading a stream takes nothing out of it: an interrupted read is simply made again.
            for task in (reading, waiting):
                task.cancel()
            await asyncio.gather(reading, waiting, return_exceptions=True)
        for key, entries in _pairs(found):
            self._take_entries(by_key[_text(key)], entries)

    async def _start_at_end(self, client: Redis, watch: _Watch, key: str) -> None:
        """Viewers at the tail want what comes next; whoever wants more reads it from where it is stored."""
        watch.cursor = "0-0"
        newest: Any = await client.xrevrange(key, count=1)
        for entry_id, fields in newest:
            block = decode_entry(entry_id, fields)
            watch.next_line = (
                entry_number(_text(entry_id)) - 1 if block is None else block.first_line + block.line_count
            )
            watch.cursor = _text(entry_id)
            watch.has_ended = block is None
        watch.total_lines = max(watch.total_lines, watch.next_line)
        watch.notify()

    def _take_entries(self, watch: _Watch, entries: list[tuple[Any, Any]]) -> None:
        for entry_id, fields in entries:
            watch.cursor = _text(entry_id)
            block = decode_entry(entry_id, fields)
            if block is None:
                watch.has_ended = True
                self._check_now.set()
            else:
                watch.take(block.lines())
        # A phase that begins or ends says so in the log: the database knows it a moment before or after.
        self._check_now.set()
        watch.notify()

    # ---- the database ------------------------------------------------------------------------------------------------

    async def _check_builds(self) -> None:
        """Look at all watched builds when something was said, and every second."""
        while True:
            try:
                known = {watch.pk: watch.state for watch in self._watches.values()}
                found = await self._in_thread(self._snapshots, known)
                for watch in list(self._watches.values()):
                    if watch.pk in known:
                        self._take_snapshot(watch, found.get(watch.pk))
            except Exception:
                logger.exception("watched builds could not be read")
            await asyncio.sleep(SOON_SECONDS)
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._check_now.wait()
            except TimeoutError:
                continue
            finally:
                self._check_now.clear()

    def _take_snapshot(self, watch: _Watch, snapshot: _Snapshot | None) -> None:
        before = (watch.version, watch.total_lines, watch.is_over)
        if snapshot is None:
            watch.is_over = True  # the build was deleted
        else:
            if snapshot.state != watch.state:
                watch.state, watch.html = snapshot.state, snapshot.html
                watch.version += 1
            watch.has_ended = watch.has_ended or snapshot.is_log_complete
            watch.is_over = snapshot.is_over
            known = 0 if snapshot.is_log_complete else watch.total_lines
            watch.total_lines = max(known, snapshot.line_count)
        is_behind = watch.next_line < watch.total_lines
        if is_behind or before != (watch.version, watch.total_lines, watch.is_over):
            watch.notify()

    def _snapshots(self, known: dict[int, Any]) -> dict[int, _Snapshot]:
        phases = Prefetch("phases", Phase.objects.order_by("pk"))
        builds = Build.objects.filter(pk__in=list(known)).prefetch_related(phases, "artifacts")
        stored = stored_lines(known)
        given_up = timezone.now() - timedelta(seconds=SEAL_SECONDS)
        found: dict[int, _Snapshot] = {}
        for build in builds:
            state = (
                build.status,
                build.current_phase,
                build.ended_at,
                build.stop_requested_at,
                build.resolved_source_oid,
                tuple((one.pk, one.status, one.ended_at) for one in build.phases.all()),
                tuple(one.pk for one in build.artifacts.all()),
                lifecycle.wait_of(build),
            )
            is_sealed = build.is_log_complete or (build.ended_at is not None and build.ended_at < given_up)
            found[build.pk] = _Snapshot(
                state=state,
                html=self._render(build) if state != known[build.pk] else "",
                is_over=build.is_finished and is_sealed,
                is_log_complete=build.is_log_complete,
                line_count=build.log_line_count if build.is_log_complete else stored.get(build.pk, 0),
            )
        return found

    def _read(self, watch: _Watch, first: int) -> list[Line]:
        return reader_of(watch.pk, watch.uuid).window(first, LINES_A_BATCH)

    async def _in_thread(self, call: Callable[..., T], *args: Any) -> T:
        def run() -> T:
            close_old_connections()
            try:
                return call(*args)
            finally:
                close_old_connections()

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)


@dataclass(frozen=True)
class _Snapshot:
    """What the database says of a build; `html` is empty where `state` is the known one."""

    state: Any
    html: str
    is_over: bool
    is_log_complete: bool
    line_count: int


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LogHub] = weakref.WeakKeyDictionary()


def hub(render: Render) -> LogHub:
    """The hub of the running event loop: a web process has one loop and so one hub.

    Args:
        render: Makes the HTML that a Status carries; called in a thread, once for all viewers of a build.
    """
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = LogHub(settings.REDIS_URL, render)
    return _hubs[loop]


async def _happened(event: asyncio.Event, deadline: float) -> bool:
    """Whether the event came before the deadline of the monotonic clock."""
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _pairs(found: Any) -> list[tuple[Any, Any]]:
    """XREAD's answer as pairs of key and entries: a list of them in RESP2, a map in RESP3."""
    if isinstance(found, dict):
        return [(key, [entry for page in pages for entry in page]) for key, pages in found.items()]
    return [(key, entries) for key, entries in found or []]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
