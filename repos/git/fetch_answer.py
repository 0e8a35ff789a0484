"""One answer of upload-pack for everybody who asks for it at the same time, and for those who ask soon after.

The first who asks begins a generation: a thread has the kernel move what git writes into the cache's file, as fast as
git can and independently of how fast its reader reads. Equal requests read the same file, in whatever process they
came; slow ones hold no git. Where there is no room for the file, the rest goes from git to the first reader alone.
What stands in the file is told as stretches of it, which the kernel sends over plain connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import select
import threading
import time
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from repos.git.exchange import GIT_SECONDS, ClientLeft, GitStalled
from repos.git.fetch_cache import Draft, FetchCache, Followed, Kept, WriterLost
from repos.git.program import GitError
from repos.git.wire_process import WireProcess

logger = logging.getLogger(__name__)

Start = Callable[[], AbstractAsyncContextManager[WireProcess]]

# A piece read from the file and sent; git's own packets have 64 KiB.
PIECE_BYTES = 512 * 1024
# To a reader who takes a piece within QUICK_SECONDS more is given at a time; a slow one has to show that it lives.
LARGE_PIECE_BYTES = 2 * 1024 * 1024
QUICK_SECONDS = 0.1
# How often a reader looks whether another process has written more, and a writer whether anybody reads.
POLL_SECONDS = 0.01
WATCH_SECONDS = 0.5
# Room is made for so much at a time.
ROOM_BYTES = 16 * 1024 * 1024
# After its first bytes an answer is passed on in pieces as large as this allows: every piece has its price.
GATHER_SECONDS = 0.002
GATHER_FROM_BYTES = 1024 * 1024
# What may wait for a reader where there is no file.
WAITING_PIECES = 8


@dataclass(frozen=True)
class Stretch:
    """A part of an answer that stands in a file; it is in memory, and good until the next one is asked for.

    Attributes:
        descriptor: The file, which is not the caller's to close.
        position: Where the part begins.
        length: How many bytes it has.
    """

    descriptor: int
    position: int
    length: int

    async def read(self) -> bytes:
        """Its bytes."""
        return await _read(self.descriptor, self.position, self.length)


Piece = bytes | Stretch


class FetchAnswers:
    """The answers of one event loop.

    Args:
        cache: Shared with other processes.
    """

    def __init__(self, cache: FetchCache) -> None:
        self._cache = cache
        self._tasks: set[asyncio.Task[None]] = set()
        # Device and number of the files whose checksum was right: it is worked out once a process.
        self._checked: dict[str, tuple[int, int]] = {}

    async def pieces(
        self,
        key: str,
        start: Start,
        body: bytes,
        is_current: Callable[[], bool],
        tell_length: Callable[[int | None], None] = lambda length: None,
    ) -> AsyncGenerator[Piece, None]:
        """The answer to a request, piece by piece.

        Args:
            key: Everything that the answer depends on.
            start: Starts git, its output raw, and stops it at the end of the block.
            body: The request.
            is_current: Whether the refs are still those of the key; asked in a thread when git has ended.
            tell_length: Called before the first piece with the answer's length, or None while nobody knows it.

        Raises:
            GitError: Git failed without having said anything.
            GitStalled: It said nothing for too long.
            ClientLeft: The answer can't be completed, and was begun; the connection has to be broken off.
            Whatever `start` raises.
        """
        is_begun = False
        while True:
            found = await self._look(key)
            tell_length(found.length if isinstance(found, Kept) else None)
            if isinstance(found, Draft):
                source = self._generate(found, start, body, is_current)
            elif isinstance(found, Followed):
                source = _follow(found)
            else:
                source = self._read(found)
            try:
                async with contextlib.aclosing(source):
                    async for piece in source:
                        is_begun = True
                        yield piece
                return
            except WriterLost:
                if is_begun:
                    raise ClientLeft("the answer that it shared broke off") from None

    async def _look(self, key: str) -> Kept | Followed | Draft:
        looking = asyncio.get_running_loop().run_in_executor(None, self._cache.look, key)
        try:
            return await asyncio.shield(looking)
        except asyncio.CancelledError:
            looking.add_done_callback(self._let_go)
            raise

    def _let_go(self, looked: asyncio.Future[Kept | Followed | Draft]) -> None:
        """Nobody waits any more for what was found: neither a lock nor a descriptor may be left of it."""
        if looked.cancelled() or looked.exception() is not None:
            return
        found = looked.result()
        if isinstance(found, Draft):
            self._cache.fail(found)
        else:
            found.close()

    async def _read(self, kept: Kept) -> AsyncGenerator[Piece, None]:
        """A whole answer. Its last piece is held back until the checksum is right, so that none damaged ever ends."""
        file = _number(kept.descriptor)
        is_checked = self._checked.get(kept.key) == file
        try:
            checksum = position = 0
            most = PIECE_BYTES
            while position < kept.length:
                piece = await _stretch(kept.descriptor, position, min(kept.length, position + most))
                if is_checked:
                    position += piece.length
                    given_at = time.monotonic()
                    yield piece
                    is_quick = time.monotonic() - given_at < QUICK_SECONDS
                    most = LARGE_PIECE_BYTES if is_quick else PIECE_BYTES
                    continue
                data = await piece.read()
                position += len(data)
                checksum = zlib.crc32(data, checksum)
                if not data or (position == kept.length and checksum != kept.checksum):
                    logger.error("a damaged answer was dropped from the fetch cache")
                    await asyncio.to_thread(self._cache.forget, kept.key)
                    raise WriterLost
                yield data
            self._checked[kept.key] = file
        finally:
            kept.close()

    async def _generate(
        self, draft: Draft, start: Start, body: bytes, is_current: Callable[[], bool]
    ) -> AsyncGenerator[Piece, None]:
        generation = _Generation(self._cache, draft, os.dup(draft.descriptor), is_current, self._keep)
        task = asyncio.create_task(generation.run(start, body))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        try:
            async for piece in generation.pieces():
                yield piece
        finally:
            generation.leave()

    def _keep(self, draft: Draft, length: int, *, may_keep: bool) -> None:
        key, file = draft.key, _number(draft.descriptor)
        if self._cache.finish(draft, length, may_keep=may_keep):
            self._checked[key] = file  # it was worked out from this very file just now

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        loop = asyncio.get_running_loop()
        loop.call_later(self._cache.seconds + 1, loop.run_in_executor, None, self._cache.make_room)


def _number(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


async def _follow(followed: Followed) -> AsyncGenerator[Piece, None]:
    try:
        position = looks = 0
        moved_at = time.monotonic()
        while True:
            available, is_whole = followed.available()
            if position < available:
                if position and not is_whole and available - position < PIECE_BYTES:
                    await asyncio.sleep(POLL_SECONDS)
                    available, is_whole = followed.available()
                piece = await _stretch(followed.descriptor, position, min(available, position + PIECE_BYTES))
                position += piece.length
                yield piece
                moved_at = time.monotonic()
            elif is_whole:
                return
            else:
                looks += 1
                if looks % round(WATCH_SECONDS / POLL_SECONDS) == 0:
                    followed.check_writer()
                    if time.monotonic() - moved_at > GIT_SECONDS:
                        raise GitStalled(f"git upload-pack said nothing for {GIT_SECONDS:g} seconds.")
                await asyncio.sleep(POLL_SECONDS)
    finally:
        followed.close()


async def _stretch(descriptor: int, position: int, end: int) -> Stretch:
    """What comes next, brought into the page cache where it is not there."""
    length = end - position
    for place in (position, position + length - 1):
        try:
            os.preadv(descriptor, [bytearray(1)], place, os.RWF_NOWAIT)
        except OSError:  # it is on the disk, or the file system can't tell
            await asyncio.to_thread(os.pread, descriptor, length, position)
            break
    return Stretch(descriptor, position, length)


async def _read(descriptor: int, position: int, length: int) -> bytes:
    """From the page cache at once, what is not there from the disk in a thread; less only where the file ends."""
    buffer = bytearray(length)
    try:
        count = os.preadv(descriptor, [buffer], position, os.RWF_NOWAIT)  # what the page cache has may be a part
    except OSError:
        count = 0
    if count < length:
        count += await asyncio.to_thread(_read_rest, descriptor, memoryview(buffer)[count:], position + count)
    return bytes(memoryview(buffer)[:count])


def _read_rest(descriptor: int, buffer: memoryview, position: int) -> int:
    total = 0
    while total < len(buffer):
        count = os.preadv(descriptor, [buffer[total:]], position + total)
        if not count:
            break
        total += count
    return total


class _Abandoned(Exception):
    """Nobody reads the answer any more."""


class _Generation:
    """Git writing an answer, and its first reader."""

    def __init__(
        self,
        cache: FetchCache,
        draft: Draft,
        descriptor: int,
        is_current: Callable[[], bool],
        keep: Callable[..., None],
    ) -> None:
        self._cache = cache
        self._draft = draft
        self._descriptor = descriptor  # the reader's: it outlives the draft
        self._is_current = is_current
        self._keep = keep
        self._loop = asyncio.get_running_loop()
        self._grown = asyncio.Event()
        self._left = asyncio.Event()
        self._pumped = asyncio.Event()
        self._is_stopping = threading.Event()
        self._written = 0
        self._is_ended = False
        self._is_alone = False  # the file is at its end; what follows passes through _waiting
        self._waiting: queue.Queue[bytes] = queue.Queue(WAITING_PIECES)
        self._error: BaseException | None = None

    # ---- the first reader --------------------------------------------------------------------------------------------

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        position = 0
        while True:
            self._grown.clear()
            if position < self._written:
                if position and not self._is_ended and self._written - position < PIECE_BYTES:
                    await asyncio.sleep(POLL_SECONDS)
                piece = await _stretch(self._descriptor, position, min(self._written, position + PIECE_BYTES))
                position += piece.length
                yield piece
            elif self._is_alone and not self._waiting.empty():
                yield self._waiting.get_nowait()
            elif self._is_ended:
                if self._error is not None:
                    raise self._error
                return
            else:
                await self._grown.wait()

    def leave(self) -> None:
        """The first reader reads no more."""
        self._left.set()
        os.close(self._descriptor)

    # ---- the writer --------------------------------------------------------------------------------------------------

    async def run(self, start: Start, body: bytes) -> None:
        """Have git write the answer to its end, or until nobody reads it."""
        try:
            async with start() as child:
                exit_code = await self._write(child, body)
                complaint = child.complaint()
            if exit_code and not self._written:
                raise GitError(child.command, exit_code, complaint)
            if exit_code:
                logger.warning("git %s ended with %s: %s", child.command, exit_code, complaint)
        except BaseException as error:
            self._end(error if isinstance(error, Exception) else ClientLeft("the server is stopping"))
            self._cache.fail(self._draft)
            if not isinstance(error, Exception):
                raise
            return
        self._end(None)
        await asyncio.to_thread(self._finish, is_good=exit_code == 0)

    def _end(self, error: Exception | None) -> None:
        self._error = error
        self._is_ended = True
        self._grown.set()

    def _finish(self, *, is_good: bool) -> None:
        if self._is_alone:
            self._cache.fail(self._draft)
        else:
            may_keep = is_good and self._is_current()
            self._keep(self._draft, self._written, may_keep=may_keep)

    async def _write(self, child: WireProcess, body: bytes) -> int:
        output = os.dup(child.process.raw_output())
        threading.Thread(target=self._pump, args=(output,), name="git-fetch", daemon=True).start()
        try:
            await self._feed(child, body)
            await self._watch(child)
            try:
                async with asyncio.timeout(GIT_SECONDS):
                    return await child.process.wait()
            except TimeoutError:
                raise GitStalled(f"git {child.command} does not end.") from None
        except BaseException:
            self._is_stopping.set()
            await child.stop()  # so that the thread comes to its end
            await self._pumped.wait()
            raise

    async def _feed(self, child: WireProcess, body: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # git tells why
            child.process.stdin.write(body)
            await child.process.stdin.drain()
        child.process.stdin.close()

    async def _watch(self, child: WireProcess) -> None:
        """Return when git has said all; raise where it says nothing, or where nobody listens."""
        seen, seen_at = 0, self._loop.time()
        while not self._pumped.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WATCH_SECONDS):
                    await self._pumped.wait()
            if self._left.is_set() and await asyncio.to_thread(self._cache.withdraw, self._draft):
                raise _Abandoned
            if self._written != seen or self._is_alone:
                seen, seen_at = self._written, self._loop.time()
            elif self._loop.time() - seen_at > GIT_SECONDS:
                raise GitStalled(f"git {child.command} said nothing for {GIT_SECONDS:g} seconds.")

    # ---- in the thread -----------------------------------------------------------------------------------------------

    def _pump(self, output: int) -> None:
        # Python 3.11.2 keeps its interpreter lock during splice(2): the waiting is done before, where all others go on.
        waiting = select.poll()
        waiting.register(output, select.POLLIN)
        try:
            while True:
                waiting.poll()
                if self._is_alone or not self._has_room():
                    count = self._pass_on(output)
                else:
                    count = self._store(output)
                if not count:
                    return
                if not self._grown.is_set():
                    self._tell(self._grown)
                if self._written > GATHER_FROM_BYTES and count < PIECE_BYTES:
                    time.sleep(GATHER_SECONDS)
        except Exception:  # nobody waits for this thread's errors: those who read are told by `_pumped`, and stop
            logger.exception("an answer of git could not be taken")
        finally:
            os.close(output)
            self._tell(self._pumped)

    def _has_room(self) -> bool:
        """Whether the file may grow by a piece; where not, and nobody else reads it, the first reader is alone."""
        before, after = self._written, self._written + PIECE_BYTES
        needs_room = before // ROOM_BYTES != after // ROOM_BYTES or after > self._cache.max_bytes
        if needs_room and not self._cache.make_room() and self._cache.withdraw(self._draft):
            self._is_alone = True
        return not self._is_alone

    def _store(self, output: int) -> int:
        """Move a piece into the file; how many bytes, 0 at the end. What the file does not take stays in the pipe."""
        try:
            count = os.splice(output, self._draft.descriptor, PIECE_BYTES, offset_dst=self._written)
        except OSError as error:
            logger.warning("the fetch cache takes nothing: %s", error)
            self._is_alone = True
            self._cache.break_off(self._draft)
            return self._pass_on(output)
        self._written += count
        return count

    def _pass_on(self, output: int) -> int:
        """Hand a piece to the first reader; how many bytes, 0 at the end."""
        piece = os.read(output, PIECE_BYTES)
        while piece and not self._is_stopping.is_set():
            with contextlib.suppress(queue.Full):
                self._waiting.put(piece, timeout=POLL_SECONDS)
                return len(piece)
        return 0

    def _tell(self, event: asyncio.Event) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(event.set)
