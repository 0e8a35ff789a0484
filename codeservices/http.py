"""What views share about HTTP: partial requests, event streams, downloads."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any, BinaryIO
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from codeservices.audit.acts import RequestInfo
from codeservices.errors import InvalidInput
from codeservices.iam.principal import Principal

# What a file name can't carry on some system: control characters, those that turn the direction of writing (an "exe"
# would read as a "png"), separators, and what Windows reserves.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069/\\:*?"<>|]')
_MAX_NAME = 180
# Large enough to keep the number of thread hand-overs low, small enough to hold for every reader.
CHUNK_BYTES = 256 * 1024


class ConsoleRequest(HttpRequest):
    """What a view is given: the middleware has said who asks, from where, and under which id."""

    principal: Principal
    info: RequestInfo
    request_id: str


def is_partial(request: HttpRequest) -> bool:
    """Whether htmx asks for a fragment. A boosted link or a restored history entry wants the whole page."""
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and headers.get("HX-Boosted") != "true"
        and headers.get("HX-History-Restore-Request") != "true"
    )


def confirmed(request: HttpRequest, name: str) -> None:
    """Refuse a destructive form unless `confirm_name` in it is exactly the name of what it destroys."""
    if request.POST.get("confirm_name") != name:
        raise InvalidInput(
            f"Nothing was deleted: the name typed is not “{name}”.", hint="Type the name exactly as it is shown."
        )


class EventStream(StreamingHttpResponse):
    """Server-sent events, for as long as somebody reads them; what makes them must not ask the request's connection."""


def event_stream(events: AsyncGenerator[bytes | str, None]) -> EventStream:
    """An answer of server-sent events. When nobody reads them any more, `events` is closed at once.

    The headers keep proxies from buffering and from compressing; the first comment goes out at once, so that the
    browser's connection opens before the first event exists.
    """

    async def body() -> AsyncIterator[bytes]:
        async with aclosing(events):
            yield b": open\n\n"
            async for event in events:
                yield event.encode() if isinstance(event, str) else event

    response = EventStream(body(), content_type="text/event-stream; charset=utf-8")
    response["Cache-Control"] = "no-cache, no-transform"
    response["X-Accel-Buffering"] = "no"
    return response


def event(data: str, *, name: str = "", event_id: str | int | None = None, retry_ms: int | None = None) -> bytes:
    """One server-sent event; every line of `data` gets its own `data:` field, as the format wants.

    Source: HTML Living Standard, "Server-sent events", 9.2.5 and 9.2.6.
    """
    lines = []
    if event_id is not None:
        lines.append(f"id: {_one_line(str(event_id))}")
    if name:
        lines.append(f"event: {_one_line(name)}")
    if retry_ms is not None:
        lines.append(f"retry: {retry_ms}")
    lines.extend(f"data: {line}" for line in re.split(r"\r\n|\r|\n", data))
    return ("\n".join(lines) + "\n\n").encode()


HEARTBEAT = b": ping\n\n"


class ChunkedResponse(StreamingHttpResponse):
    """Streams a synchronous iterator chunk by chunk under ASGI too, where Django would read all of it into memory."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.is_async:
            async for part in super().__aiter__():
                yield part
            return
        content: Any = self.streaming_content
        parts: Iterator[bytes] = iter(content)

        def following() -> bytes | None:
            return next(parts, None)

        while (chunk := await sync_to_async(following)()) is not None:
            yield chunk


def download(
    content: Iterable[bytes] | AsyncIterator[bytes] | BinaryIO | bytes,
    filename: str,
    *,
    content_type: str = "application/octet-stream",
    size_bytes: int | None = None,
) -> HttpResponseBase:
    """A file to be saved under `filename`; nothing in it is ever run by the browser in our origin.

    Args:
        content: Bytes, an iterator of chunks, or an open binary file, which is closed with the response.
        filename: Any name; made safe here.
        content_type: As the client is told; never sniffed.
        size_bytes: Where it is known, so that the client can show progress.
    """
    chunks: Any = content
    if isinstance(content, bytes):
        chunks, size_bytes = [content], len(content)
    elif hasattr(content, "read"):
        chunks = iter(partial(content.read, CHUNK_BYTES), b"")
    response = ChunkedResponse(chunks, content_type=content_type)
    if hasattr(content, "close"):
        response._resource_closers.append(content.close)  # type: ignore[attr-defined]
    response["Content-Disposition"] = content_disposition(filename)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    if size_bytes is not None:
        response["Content-Length"] = str(size_bytes)
    return response


def content_disposition(filename: str, *, inline: bool = False) -> str:
    """The header's value for any name: an ASCII form for old clients and the true one in UTF-8.

    Source: RFC 6266, sections 4.1 and 4.3, and its appendix D; RFC 8187 for `filename*`.
    """
    name = _UNSAFE.sub("_", filename.encode("utf-8", "replace").decode()).strip(" .") or "download"
    if len(name) > _MAX_NAME:
        _, dot, extension = name.rpartition(".")
        keep = extension if dot and len(extension) <= 16 else ""
        name = name[: _MAX_NAME - len(keep) - 1] + (f".{keep}" if keep else "")
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().strip(" .")
    ascii_name = re.sub(r"[%\\]", "_", ascii_name) or "download"
    kind = "inline" if inline else "attachment"
    value = f'{kind}; filename="{ascii_name}"'
    return value if ascii_name == name else f"{value}; filename*=UTF-8''{quote(name, safe='')}"


def _one_line(text: str) -> str:
    return re.sub(r"[\r\n\x00]", " ", text)
