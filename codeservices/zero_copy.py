"""A stretch of a file as part of an answer, which the kernel sends: no byte of it passes through this process.

An ASGI extension of our web process, on plain connections (TLS has to encrypt every byte). A program that finds
EXTENSION in the scope's extensions may send, between other parts of the body,

    {"type": EXTENSION, "file": DESCRIPTOR, "offset": BYTES, "count": BYTES, "more_body": True}

with a count that the file has, and another part must follow. The descriptor stays the program's own.

Source: ASGI's extensions, "Zero Copy Send"; sendfile(2).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

EXTENSION = "http.response.zerocopysend"

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Offering:
    """The program with the extension, for one request of a plain connection.

    It relies on attributes of uvicorn's cycle that are public and documented nowhere; a test says which.

    Attributes:
        cycle: The request's own. Until it is known, and always over TLS, nothing is offered.
    """

    def __init__(self, application: Any) -> None:
        self.cycle: RequestResponseCycle | None = None
        self._application: Application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cycle = self.cycle
        if cycle is None:
            await self._application(scope, receive, send)
            return
        with contextlib.ExitStack() as stack:
            sending: _Sending | None = None

            async def send_any(message: dict[str, Any]) -> None:
                nonlocal sending
                if message["type"] != EXTENSION:
                    await send(message)
                    return
                if sending is None:
                    sending = _Sending(cycle)
                    stack.callback(sending.close)
                await sending.send(message["file"], message["offset"], message["count"])

            extensions = {**(scope.get("extensions") or {}), EXTENSION: {}}
            await self._application({**scope, "extensions": extensions}, receive, send_any)


class _Sending:
    """A connection's socket beside its transport, which is used only while that has nothing to write."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._loop = asyncio.get_running_loop()
        # A descriptor of our own: the loop lets nobody watch one that belongs to a transport.
        self._socket = socket.socket(fileno=os.dup(cycle.transport.get_extra_info("socket").fileno()))
        self._socket.setblocking(False)

    def close(self) -> None:
        self._socket.close()

    async def send(self, file: int, offset: int, count: int) -> None:
        cycle = self._cycle
        while cycle.transport.get_write_buffer_size() and not cycle.disconnected:
            await asyncio.sleep(0)  # the loop writes what is queued at the end of its turn, as far as it goes
            if cycle.transport.get_write_buffer_size():
                await self._writable()
        if cycle.disconnected:
            return
        try:
            if cycle.chunked_encoding:
                await self._send_bytes(b"%x\r\n" % count, socket.MSG_MORE)
                await self._send_file(file, offset, count)
                await self._send_bytes(b"\r\n")
            else:
                if count > cycle.expected_content_length:
                    raise RuntimeError("Response content longer than Content-Length")
                cycle.expected_content_length -= count
                await self._send_file(file, offset, count)
        except BaseException as error:
            # Half a piece was sent: nothing more can be said on this connection.
            cycle.transport.abort()
            if not isinstance(error, ConnectionError):
                raise

    async def _send_bytes(self, data: bytes, flags: int = 0) -> None:
        while data:
            try:
                data = data[self._socket.send(data, flags) :]
            except BlockingIOError:
                await self._writable()

    async def _send_file(self, file: int, offset: int, count: int) -> None:
        end = offset + count
        while offset < end:
            try:
                sent = os.sendfile(self._socket.fileno(), file, offset, end - offset)
            except BlockingIOError:
                await self._writable()
                continue
            if not sent:
                raise OSError("the file is shorter than it was said to be")
            offset += sent

    async def _writable(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        descriptor = self._socket.fileno()
        self._loop.add_writer(descriptor, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            self._loop.remove_writer(descriptor)
