"""Live builds for many viewers: one reader a web process, and each viewer a cursor.

One task reads the live tails of all watched builds at once (`live.py`); another looks at the builds in the database
(`snapshots.py`). A viewer asks for the lines from its cursor on: from memory at the tail, from the stored chunks
further back. Nothing is queued for a viewer, so a slow one costs nothing and misses nothing.

The end of a build is read from the database, so that it comes whether or not Redis does.
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, TypeVar

from django.conf import settings
from django.db import close_old_connections

from builds.logs.access import reader_of
from builds.logs.live import read_streams
from builds.logs.snapshots import RenderStatus, Snapshot, snapshots
from builds.logs.watch import LINES_A_BATCH, End, Lines, Pause, RenderLines, Status, Update, Watch

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
# The database is asked once for all watched builds: this often, and sooner where a log says that something goes on.
CHECK_SECONDS = 1.0
SOON_SECONDS = 0.25
# Batches of stored lines that stay in memory for the next viewer who reads the same log from its start.
STORED_BATCHES = 32
# Of text in such a batch, where its lines are long.
BATCH_BYTES = 1024 * 1024

T = TypeVar("T")


class LogHub:
    """The one reader of a web process. Made by `hub()`; lives as long as somebody watches."""

    def __init__(self, redis_url: str, render_status: RenderStatus, render_lines: RenderLines) -> None:
        self._redis_url = redis_url
        self._render_status = render_status
        self._render_lines = render_lines
        self._watches: dict[int, Watch] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._new_watch = asyncio.Event()
        self._check_now = asyncio.Event()
        self._stored: OrderedDict[tuple[int, int], asyncio.Future[Lines | None]] = OrderedDict()
        # Apart from Django's own threads: a viewer that reads far back must not delay a page.
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="log-reader")

    async def follow(
        self, build_pk: int, build_uuid: str, first: int, *, with_log: bool
    ) -> AsyncGenerator[Update, None]:
        """What happens to a build from line `first` on, until its end.

        Args:
            first: The number of the first line wanted; lines before it are never given.
            with_log: Whether lines are wanted at all.
        """
        watch = self._join(build_pk, build_uuid)
        try:
            async with aclosing(self._updates(watch, first, with_log)) as updates:
                async for update in updates:
                    yield update
        finally:
            self._leave(watch)

    async def _updates(self, watch: Watch, cursor: int, with_log: bool) -> AsyncGenerator[Update, None]:
        version = 0
        said_at = time.monotonic()
        while True:
            changed, is_over, total_lines = watch.changed, watch.is_over, watch.total_lines
            if watch.version != version:
                version = watch.version
                said_at = time.monotonic()
                yield Status(watch.status)
            lines = await self._lines(watch, cursor) if with_log and cursor < total_lines else None
            if lines is not None:
                cursor = lines.next
                said_at = time.monotonic()
                yield lines
            elif is_over and watch.version == version:
                yield End(cursor if with_log else total_lines)
                return
            elif not is_over and not await _happened(changed, said_at + HEARTBEAT_SECONDS):
                said_at = time.monotonic()
                yield Pause()

    async def _lines(self, watch: Watch, cursor: int) -> Lines | None:
        """The next lines: from memory, or from where they are stored; None where both are a step behind."""
        return watch.batch(cursor) or await self._stored_lines(watch, cursor)

    async def _stored_lines(self, watch: Watch, first: int) -> Lines | None:
        """Lines from chunks, read once for all who ask; batches begin at the same numbers for everybody."""
        key = (watch.pk, first)
        reading = self._stored.get(key)
        if reading is None:
            count = LINES_A_BATCH - first % LINES_A_BATCH
            reading = asyncio.ensure_future(self._in_thread(self._read, watch, first, count))
            self._stored[key] = reading
            # Also where whoever asked has gone by then: the next one must not be given what was true at that moment.
            reading.add_done_callback(lambda done: self._keep_whole(key, done))
        self._stored.move_to_end(key)
        while len(self._stored) > STORED_BATCHES:
            self._stored.popitem(last=False)
        return await asyncio.shield(reading)

    def _keep_whole(self, key: tuple[int, int], reading: asyncio.Future[Lines | None]) -> None:
        """Forget a batch that could not be read, or whose rest is still to come."""
        lines = None if reading.cancelled() or reading.exception() is not None else reading.result()
        if (lines is None or lines.next % LINES_A_BATCH) and self._stored.get(key) is reading:
            del self._stored[key]

    # ---- watches -----------------------------------------------------------------------------------------------------

    def _join(self, build_pk: int, build_uuid: str) -> Watch:
        watch = self._watches.get(build_pk)
        if watch is None:
            watch = self._watches[build_pk] = Watch(build_pk, build_uuid, self._render_lines)
        watch.viewers += 1
        if not self._tasks or any(task.done() for task in self._tasks):
            for task in self._tasks:
                task.cancel()
            reading = read_streams(self._redis_url, self._watches.values, self._new_watch, self._check_now.set)
            self._tasks = [asyncio.create_task(reading), asyncio.create_task(self._check_builds())]
        if watch.viewers == 1:
            self._new_watch.set()
            self._check_now.set()
        return watch

    def _leave(self, watch: Watch) -> None:
        watch.viewers -= 1
        if watch.viewers == 0 and self._watches.get(watch.pk) is watch:
            del self._watches[watch.pk]
            self._new_watch.set()
        if not self._watches:
            for task in self._tasks:
                task.cancel()
            self._tasks = []
            self._stored.clear()

    # ---- the database ------------------------------------------------------------------------------------------------

    async def _check_builds(self) -> None:
        """Look at all watched builds when something was said, and every second.

        A phase that begins or ends says so in the log: the database knows it a moment before or after.
        """
        while True:
            try:
                known = {watch.pk: watch.state for watch in self._watches.values()}
                found = await self._in_thread(snapshots, known, self._render_status)
                for watch in list(self._watches.values()):
                    if watch.pk in known:
                        _take_snapshot(watch, found.get(watch.pk))
            except Exception:  # the task that feeds every open page must outlive it; the next look may find it gone
                logger.exception("watched builds could not be read")
            await asyncio.sleep(SOON_SECONDS)
            await _happened(self._check_now, time.monotonic() + CHECK_SECONDS)
            self._check_now.clear()

    def _read(self, watch: Watch, first: int, count: int) -> Lines | None:
        lines = reader_of(watch.pk, watch.uuid).window(first, count, BATCH_BYTES)
        return Lines(first, lines[-1].number + 1, self._render_lines(lines)) if lines else None

    async def _in_thread(self, call: Callable[..., T], *args: Any) -> T:
        def run() -> T:
            close_old_connections()
            try:
                return call(*args)
            finally:
                close_old_connections()

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)


def _take_snapshot(watch: Watch, snapshot: Snapshot | None) -> None:
    """What the database says into a watch; None for a build that was deleted."""
    before = (watch.version, watch.total_lines, watch.is_over)
    if snapshot is None:
        watch.is_over = True
    else:
        if snapshot.state != watch.state:
            watch.state, watch.status = snapshot.state, snapshot.data
            watch.version += 1
        watch.has_ended = watch.has_ended or snapshot.is_log_complete
        watch.is_over = snapshot.is_over
        known = 0 if snapshot.is_log_complete else watch.total_lines
        watch.total_lines = max(known, snapshot.line_count)
    is_behind = watch.next_line < watch.total_lines
    if is_behind or before != (watch.version, watch.total_lines, watch.is_over):
        watch.notify()


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LogHub] = weakref.WeakKeyDictionary()


def hub(render_status: RenderStatus, render_lines: RenderLines) -> LogHub:
    """The hub of the running event loop: a web process has one loop and so one hub.

    Args:
        render_status: Makes the bytes that a Status carries; called in a thread, once for all viewers of a build.
        render_lines: Makes the bytes that Lines carry, likewise.
    """
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = LogHub(settings.REDIS_URL, render_status, render_lines)
    return _hubs[loop]


async def _happened(event: asyncio.Event, deadline: float) -> bool:
    """Whether the event came before the deadline of the monotonic clock."""
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            await event.wait()
    except TimeoutError:
        return False
    return True
