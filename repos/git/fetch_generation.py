"""Git writing an answer of upload-pack into the fetch cache's file, and the first who reads it.

A thread has the kernel move what git writes into the file, as fast as git can and independently of how fast it is read.
Where there is no room for the file, the rest goes from git to the first reader alone.
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
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager

from repos.git.exchange import GIT_SECONDS, ClientLeft, GitStalled
from repos.git.fetch_cache import FetchCache
from repos.git.fetch_files import Draft
from repos.git.fetch_stretch import PIECE_BYTES, Piece, stretch
from repos.git.program import GitError
from repos.git.wire_process import WireProcess

logger = logging.getLogger(__name__)

Start = Callable[[], AbstractAsyncContextManager[WireProcess]]

# How long what was read waits for more, and how often the writer looks whether anybody reads.
POLL_SECONDS = 0.01
WATCH_SECONDS = 0.5
# Room is made for so much at a time.
ROOM_BYTES = 16 * 1024 * 1024
# After its first bytes an answer is passed on in pieces as large as this allows: every piece has its price.
GATHER_SECONDS = 0.002
GATHER_FROM_BYTES = 1024 * 1024
# What may wait for a reader where there is no file.
WAITING_PIECES = 8


class _Abandoned(Exception):
    """Nobody reads the answer any more."""


class Generation:
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
                piece = await stretch(self._descriptor, position, min(self._written, position + PIECE_BYTES))
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
