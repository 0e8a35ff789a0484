"""A body that is too large is refused before it is on disk, whoever sends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from codeservices import asgi
from codeservices.body_limit import limited


def sent(application: Any, pieces: list[bytes], *, length: int | None = None) -> tuple[int, bytes, int]:
    """The status and the body of the answer to a POST of these pieces, and how many of them were taken."""
    scope = {
        "type": "http", "method": "POST", "path": "/sign-in/", "raw_path": b"/sign-in/", "query_string": b"",
        "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/x-www-form-urlencoded")]
        + ([(b"content-length", str(length).encode())] if length is not None else []),
    }  # fmt: skip
    taken = 0
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        nonlocal taken
        if taken == len(pieces):
            await asyncio.sleep(30)
        taken += 1
        return {"type": "http.request", "body": pieces[taken - 1], "more_body": taken < len(pieces)}

    async def send(message: Any) -> None:
        answers.append(message)

    asyncio.run(application(scope, receive, send))
    return answers[0]["status"], b"".join(one.get("body", b"") for one in answers), taken


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize(
    ("pieces", "length", "status", "taken"),
    [
        ([b"12345", b"67890"], None, 200, 2),
        ([b"12345", b"67890"], 10, 200, 2),
        ([b"12345", b"67890", b"1", b"2"], None, 413, 3),
        ([b"12345", b"67890", b"1", b"2"], 4, 413, 3),
        ([b"1"], 11, 413, 0),
        ([b"1"], 10**30, 413, 0),
    ],
)
def test_no_more_is_taken_than_may_be(pieces, length, status, taken):
    answer, body, asked = sent(limited(echo, 10), pieces, length=length)
    assert (answer, asked) == (status, taken)
    assert b"at most 10 bytes" in body or body == b"1234567890"


def test_a_stranger_fills_no_disk(settings):
    piece = bytes(1024**2)
    pieces = [piece] * (settings.MAX_REQUEST_BYTES // len(piece) + 100)
    status, body, taken = sent(asgi.application, pieces)
    assert (status, taken) == (413, settings.MAX_REQUEST_BYTES // len(piece) + 1)
    assert b"Push larger files with git" in body
