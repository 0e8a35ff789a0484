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
import time
import zlib
from collections.abc import AsyncGenerator, Callable

from repos.git.exchange import GIT_SECONDS, ClientLeft, GitStalled
from repos.git.fetch_cache import FetchCache
from repos.git.fetch_files import Draft, Followed, Kept, WriterLost
from repos.git.fetch_generation import Generation, Start
from repos.git.fetch_stretch import PIECE_BYTES, Piece, stretch

logger = logging.getLogger(__name__)

# To a reader who takes a piece within QUICK_SECONDS more is given at a time; a slow one has to show that it lives.
LARGE_PIECE_BYTES = 2 * 1024 * 1024
QUICK_SECONDS = 0.1
# How often a reader looks whether another process has written more, and whether that lives.
POLL_SECONDS = 0.01
WATCH_SECONDS = 0.5


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
                piece = await stretch(kept.descriptor, position, min(kept.length, position + most))
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
        generation = Generation(self._cache, draft, os.dup(draft.descriptor), is_current, self._keep)
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
                piece = await stretch(followed.descriptor, position, min(available, position + PIECE_BYTES))
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
