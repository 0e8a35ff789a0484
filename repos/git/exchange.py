"""One git process between the body of a request and the body of its answer, both unbuffered and with back-pressure.

A piece is read from the client only when git has taken the one before, and from git only when the client has: memory
stays flat however large the pack is. Messages have ASGI's form; no server and no framework is known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from codeservices.errors import ServiceError
from repos.git.processes import READ_BYTES
from repos.git.wire import ProtocolError
from repos.git.wire_process import WireProcess

Receive = Callable[[], Awaitable[Any]]

# A client that neither sends nor takes a byte for this long holds a process of ours for nothing.
CLIENT_SECONDS = 120.0
# One that sends a byte now and then would do so for years. We wait for a body this long in all, and longer by what came
# at this rate; as Apache's RequestReadTimeout has it (mod_reqtimeout).
BODY_SECONDS = 600.0
BODY_BYTES_PER_SECOND = 500
# Git says "still here" every five seconds while it packs, but not while it checks connectivity of a huge push.
GIT_SECONDS = 900.0
# What is compressed twenty-fold was made to be: text shrinks to a fifth, a pack not at all. Small bodies are free.
MAX_GZIP_RATIO = 20
FREE_GZIP_BYTES = 16 * 1024 * 1024


class ClientLeft(Exception):
    """The client went away or fell silent."""


class BodyTooLarge(ServiceError):
    """The request's body is larger than it may be."""

    code = "RequestEntityTooLarge"
    status = 413


class GitStalled(ServiceError):
    """The git process did nothing for too long."""

    code = "InternalFailure"
    status = 504


class RequestBody:
    """The body of an ASGI request, gunzipped on the fly where the client says so.

    Args:
        receive: ASGI's.
        is_gzip: Whether to decode; git compresses fetch requests above a kilobyte.
        max_bytes: The most that may come out of it, decoded; and the most that is discarded, as it came.
    """

    def __init__(self, receive: Receive, *, is_gzip: bool, max_bytes: int) -> None:
        self._receive = receive
        self._inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS) if is_gzip else None
        self._max_bytes = max_bytes
        self._raw_bytes = 0
        self._read_bytes = 0
        self._waited_seconds = 0.0
        self._waiting = b""
        self._is_complete = False

    async def read(self) -> bytes:
        """The next piece, b"" at the end.

        Raises:
            ClientLeft: The connection broke, nothing came for CLIENT_SECONDS, or too little in all.
            BodyTooLarge: More than `max_bytes` came, or what came was compressed beyond MAX_GZIP_RATIO.
            ProtocolError: What should be gzip is none.
        """
        while True:
            piece = await self._decoded()
            if piece is None:
                return b""
            self._read_bytes += len(piece)
            if self._read_bytes > self._max_bytes:
                raise BodyTooLarge(f"A request of this kind has at most {self._max_bytes:,} bytes.")
            if self._read_bytes > FREE_GZIP_BYTES and self._read_bytes > MAX_GZIP_RATIO * self._raw_bytes:
                raise BodyTooLarge(f"The request is compressed more than {MAX_GZIP_RATIO}-fold; send it as it is.")
            if piece:
                return piece

    async def discard(self) -> None:
        """Take the rest as it comes, for the sake of a client that reads no answer before it has sent all.

        Raises:
            ClientLeft: As `read` does.
            BodyTooLarge: Another `max_bytes` came.
        """
        discarded_bytes = 0
        while (piece := await self._raw()) is not None:
            discarded_bytes += len(piece)
            if discarded_bytes > self._max_bytes:
                raise BodyTooLarge("The request goes on and on, though it was refused.")

    async def gone(self) -> None:
        """Return when the client has left; call it only after the body's end."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _decoded(self) -> bytes | None:
        if self._inflate is None:
            return await self._raw()
        if not self._waiting:
            raw = await self._raw()
            if raw is None:
                if not self._inflate.eof:
                    raise ProtocolError("The compressed request ended too early.")
                return None
            self._waiting = raw
        if self._inflate.eof:
            if self._waiting:
                raise ProtocolError("Something stands behind the compressed request.")
            return b""
        try:
            piece = self._inflate.decompress(self._waiting, READ_BYTES)
        except zlib.error:
            raise ProtocolError("The request says that it is gzip, but it is not.") from None
        self._waiting = self._inflate.unconsumed_tail or self._inflate.unused_data
        return piece

    async def _raw(self) -> bytes | None:
        if self._is_complete:
            return None
        clock = asyncio.get_running_loop().time
        began_at = clock()
        try:
            async with asyncio.timeout(CLIENT_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise ClientLeft(f"nothing came for {CLIENT_SECONDS:g} seconds") from None
        self._waited_seconds += clock() - began_at
        if message["type"] == "http.disconnect":
            raise ClientLeft("the connection was closed in the middle of the request")
        self._is_complete = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        self._raw_bytes += len(body)
        if self._waited_seconds > BODY_SECONDS + self._raw_bytes / BODY_BYTES_PER_SECOND:
            raise ClientLeft(f"we waited {self._waited_seconds:.0f} seconds for {self._raw_bytes:,} bytes")
        return body


async def run(
    child: WireProcess,
    pieces: AsyncIterator[bytes],
    send: Callable[[bytes], Awaitable[None]],
    *,
    gone: Callable[[], Awaitable[None]] | None = None,
) -> int:
    """Feed a git process with `pieces`, pass what it says to `send`, and return its exit code.

    Args:
        child: Just spawned. Its caller stops it in the end, whatever happens here.
        pieces: The request. All of it is consumed, even where git stops reading.
        send: Takes a piece of the answer; it waits while the client can't take more.
        gone: Returns when the client has left. Where it is given, git does not outlive its client; a push that was
            sent whole goes on without.

    Raises:
        ClientLeft: The client left before git was done.
        GitStalled: Git said nothing for GIT_SECONDS.
    """
    under_way = _Exchange(child)
    feeding = asyncio.create_task(under_way.feed(pieces))
    draining = asyncio.create_task(under_way.drain(send))
    tasks: list[asyncio.Task[None]] = [feeding, draining]
    if gone is not None:
        tasks.append(asyncio.create_task(_watch(feeding, gone)))
    try:
        waiting = set(tasks)
        while not (feeding.done() and draining.done()):
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        async with asyncio.timeout(GIT_SECONDS):
            return await child.process.wait()
    except TimeoutError:
        raise GitStalled(f"git {child.command} does not end.") from None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Exchange:
    """A git process, and when it last took or gave a byte."""

    def __init__(self, child: WireProcess) -> None:
        self._child = child
        self._clock = asyncio.get_running_loop().time
        self._moved_at = self._clock()

    async def feed(self, pieces: AsyncIterator[bytes]) -> None:
        stdin = self._child.process.stdin
        is_open = True
        async for piece in pieces:
            # Where there is nothing to wait for, as while a small body is inflated, others get their turn all the same.
            await asyncio.sleep(0)
            if is_open:
                try:
                    stdin.write(piece)
                    await stdin.drain()
                except (BrokenPipeError, ConnectionResetError):
                    is_open = False  # git has seen enough; what it says about that is on its way to the client
            self._moved_at = self._clock()
        stdin.close()

    async def drain(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        while piece := await self._said():
            try:
                async with asyncio.timeout(CLIENT_SECONDS):
                    await send(piece)
            except TimeoutError:
                raise ClientLeft(f"the client took nothing for {CLIENT_SECONDS:g} seconds") from None
            self._moved_at = self._clock()

    async def _said(self) -> bytes:
        """The next piece that git says. While a client still sends, git need say nothing, however long that takes."""
        stdout = self._child.process.stdout
        while self._clock() < self._moved_at + GIT_SECONDS:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._moved_at + GIT_SECONDS):
                    return await stdout.read(READ_BYTES)
        raise GitStalled(f"git {self._child.command} said nothing for {GIT_SECONDS:g} seconds.")


async def _watch(feeding: asyncio.Task[None], gone: Callable[[], Awaitable[None]]) -> None:
    await asyncio.wait({feeding})
    await gone()
    raise ClientLeft("the connection was closed before the answer ended")
