"""The least that a web server does to keep a file and give it back: an ASGI program for comparison."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("PLAIN_FILES_FOLDER", "."))
PIECE_BYTES = 1024 * 1024


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """PUT keeps the body, on the disk when it is answered; GET gives it."""
    path = FOLDER / scope["path"].strip("/").replace("/", "-")
    if scope["method"] == "PUT":
        with path.open("wb") as file:
            more = True
            while more:
                message = await receive()
                file.write(message.get("body", b""))
                more = message.get("more_body", False)
            file.flush()
            os.fsync(file.fileno())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    else:
        length = str(path.stat().st_size).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
