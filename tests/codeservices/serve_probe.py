"""A web process as codeservices.serve runs it, with a program that tests can ask for slow and endless answers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from codeservices import zero_copy

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/refused":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    kind = {"/events": b"text/event-stream; charset=utf-8"}.get(scope["path"], b"application/json")
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    if scope["path"] == "/events":
        await send({"type": "http.response.body", "body": b": open\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    if scope["path"] == "/file":
        await send_file(scope, send)
        return
    if scope["path"] == "/endless":
        gone = asyncio.ensure_future(receive())
        while not gone.done():
            await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})
            await asyncio.sleep(0)
        sys.stdout.write("gone\n")
        return
    if scope["path"] == "/slow":
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await asyncio.sleep(1)
    answer = {"pid": os.getpid(), "scheme": scope["scheme"], "client": scope["client"][0], "length": len(body)}
    await send({"type": "http.response.body", "body": json.dumps(answer).encode(), "more_body": False})


async def send_file(scope: dict[str, Any], send: Any) -> None:
    """The file of FILE between two words, by the kernel where that is offered; else the words alone."""
    await send({"type": "http.response.body", "body": b"begin", "more_body": True})
    if zero_copy.EXTENSION in scope.get("extensions", {}):
        descriptor = os.open(os.environ["FILE"], os.O_RDONLY)
        size = os.fstat(descriptor).st_size
        for where in ({"offset": 1, "count": size - 2}, {"offset": 0, "count": 1}):
            await send({"type": zero_copy.EXTENSION, "file": descriptor, **where, "more_body": True})
        os.close(descriptor)
    await send({"type": "http.response.body", "body": b"end", "more_body": False})


if __name__ == "__main__":
    from django.conf import settings

    from codeservices import bounded_protocol, serve

    settings.TRUST_PROXY_TLS = os.environ.get("TRUST_PROXY_TLS") == "yes"
    for limit in ("HEAD_SECONDS", "SILENCE_SECONDS", "LINGER_SECONDS"):
        setattr(bounded_protocol, limit, float(os.environ.get(limit, getattr(bounded_protocol, limit))))
    serve.GRACE_SECONDS = int(os.environ.get("GRACE_SECONDS", serve.GRACE_SECONDS))
    serve.main(application)
