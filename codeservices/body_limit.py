"""A bound on the bodies of requests, kept before the program behind it reads a byte too many.

Django's ASGI handler writes a whole body to disk before any middleware runs, so before it is known who asks: without a
bound, anybody could fill the disk. Source: django/core/handlers/asgi.py, `read_body`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def limited(application: Application, max_bytes: int) -> Application:
    """The application for HTTP requests whose bodies have at most `max_bytes`; others are answered with 413.

    A length that the client declares is believed if it is too much; what comes is counted all the same.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > max_bytes:
            await _refuse(send, max_bytes)
            return
        seen_bytes = 0

        async def counted() -> Message:
            nonlocal seen_bytes
            message = await receive()
            seen_bytes += len(message.get("body", b""))
            # To the application the client has gone, so that it drops what it has.
            return message if seen_bytes <= max_bytes else {"type": "http.disconnect"}

        is_answered = False

        async def noted(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        await application(scope, counted, noted)
        if seen_bytes > max_bytes and not is_answered:
            await _refuse(send, max_bytes)

    return answer


async def _refuse(send: Send, max_bytes: int) -> None:
    body = f"A request's body has at most {max_bytes:,} bytes here. Push larger files with git.\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    headers += [(b"connection", b"close"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
