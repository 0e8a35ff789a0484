"""A web process as codeservices.serve runs it, with a program that tests can ask for slow and endless answers."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
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
    if scope["path"] == "/slow":
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await asyncio.sleep(1)
    answer = {"pid": os.getpid(), "scheme": scope["scheme"], "client": scope["client"][0], "length": len(body)}
    await send({"type": "http.response.body", "body": json.dumps(answer).encode(), "more_body": False})


if __name__ == "__main__":
    from django.conf import settings

    from codeservices import serve

    settings.TRUST_PROXY_TLS = os.environ.get("TRUST_PROXY_TLS") == "yes"
    serve.HEAD_SECONDS = float(os.environ.get("HEAD_SECONDS", serve.HEAD_SECONDS))
    serve.main(application)
