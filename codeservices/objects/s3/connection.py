"""The two ends of one S3 request that are a client's: its body as it comes, and the answer as it goes.

What is read and sent passes through this process a piece at a time; a slow client holds no thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from codeservices import zero_copy
from codeservices.aws import headers as header_rules
from codeservices.objects.pieces import PieceReader
from codeservices.objects.s3.call import XML, Answer
from codeservices.objects.s3.threads import files

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# So much is hashed and written at a time, and read where the kernel does not send files: enough to keep the number of
# thread hand-overs low.
WRITTEN_BYTES = 4 * 1024 * 1024
READ_BYTES = 1024 * 1024
# The kernel is given a file in stretches of so much, each of which a client has to take within a time.
STRETCH_BYTES = 8 * 1024 * 1024
CLIENT_SECONDS = 120
# Nothing of an object is ever run by a browser in our origin.
_SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
}


class ClientLeft(Exception):
    """The connection ended before the request did."""


class Connection:
    """One request's way in and out.

    Attributes:
        status: Of the answer, once it has begun; 0 before.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, request_id: str, waits: bool) -> None:
        """
        Args:
            waits: The client waits to be told to go on. Told something else it sends no body: what it sends next is no
                part of this request.
        """
        self.status = 0
        self._is_head = scope["method"] == "HEAD"
        self._body_bytes = _length(scope)
        self._sends_files = zero_copy.EXTENSION in (scope.get("extensions") or {})
        self._receive = receive
        self._send = send
        self._request_id = request_id
        self._waits = waits

    async def bodies(self) -> AsyncIterator[memoryview]:
        """The body as it comes, in pieces that are worth a thread.

        Each piece is overwritten when the one after the next is asked for: whoever takes it is done with it by then.
        """
        self._waits = False
        # Memory that is made anew for every piece costs more than to move the bytes into it.
        room_bytes = max(1, min(self._body_bytes, WRITTEN_BYTES))
        rooms, filled, more = [memoryview(bytearray(room_bytes))], 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft("in the middle of the body")
            data = memoryview(message.get("body", b""))
            more = message.get("more_body", False)
            while data:
                taken = min(len(data), room_bytes - filled)
                rooms[0][filled : filled + taken] = data[:taken]
                data, filled = data[taken:], filled + taken
                if filled == room_bytes:
                    yield rooms[0]
                    other = rooms.pop() if len(rooms) > 1 else memoryview(bytearray(room_bytes))
                    rooms, filled = [other, rooms[0]], 0
        if filled:
            yield rooms[0][:filled]

    async def give(self, answer: Answer) -> None:
        """Send an answer but for its end, so that what remains to be done is done before the client knows."""
        if answer.reader is None:
            await self.start(answer.status, answer.content_type, answer.headers, len(answer.content))
            if answer.content and not self._is_head:
                await self._send({"type": "http.response.body", "body": answer.content, "more_body": True})
            return
        await self.start(answer.status, answer.content_type, answer.headers, answer.length)
        answer.reader.seek(answer.offset)
        end = answer.offset + answer.length
        while answer.reader.tell() < end:
            await self._send_stretch(answer.reader, end)

    async def end(self) -> None:
        """End the answer."""
        await self._send({"type": "http.response.body", "body": b""})

    async def start(self, status: int, content_type: str, headers: Mapping[str, str], length: int) -> None:
        """Send an answer's head."""
        self.status = status
        every = {
            "x-amz-request-id": self._request_id,
            "x-amz-id-2": self._request_id,
            **_SAFE,
            **({"cache-control": "no-store"} if content_type == XML else {}),
            **({"content-type": content_type} if content_type and status not in (204, 304) else {}),
            **({"content-length": str(length)} if status not in (204, 304) else {}),
            **({"connection": "close"} if self._waits else {}),
            **headers,
        }
        encoded = [
            (name.encode("latin-1"), header_rules.one_line(value).encode("latin-1", "replace"))
            for name, value in every.items()
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def _send_stretch(self, reader: PieceReader, end: int) -> None:
        descriptor, place, count = await files.run(self._next, reader, end)
        async with asyncio.timeout(CLIENT_SECONDS):
            if descriptor is None:
                await self._send({"type": "http.response.body", "body": place, "more_body": True})
            else:
                told = {"file": descriptor, "offset": place, "count": count, "more_body": True}
                await self._send({"type": zero_copy.EXTENSION, **told})
        reader.seek(reader.tell() + count)

    def _next(self, reader: PieceReader, end: int) -> tuple[int | None, Any, int]:
        """What is sent next: (descriptor, where in the file, how much) for the kernel, or (None, bytes, how many)."""
        place = reader.place(min(STRETCH_BYTES, end - reader.tell()))
        assert place is not None
        file, count = place
        if self._sends_files and (descriptor := _descriptor(file)) is not None:
            return descriptor, file.tell(), count
        data = file.read(min(count, READ_BYTES))
        if not data:
            raise OSError("the bytes of an object are shorter than they were")
        return None, data, len(data)


def _length(scope: Scope) -> int:
    """How long the body is said to be; as much as is taken at a time where that is not known."""
    found = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(found) if found.isdigit() else WRITTEN_BYTES


def _descriptor(file: Any) -> int | None:
    try:
        found: int = file.fileno()
    except (AttributeError, OSError):
        return None
    return found
