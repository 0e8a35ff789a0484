"""The web process: git and S3 to programs of our own, which never buffer a body; all else to Django."""

from __future__ import annotations

import gc
import os
from collections.abc import Awaitable, Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "codeservices.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402  these need the settings that the line above loads

from codeservices import page_threads  # noqa: E402
from codeservices.body_limit import limited  # noqa: E402
from codeservices.objects.s3 import application as s3  # noqa: E402
from repos.git import kept_open  # noqa: E402
from repos.git_http import application as git_http  # noqa: E402

# A page makes tens of thousands of objects that live until it is sent. Python's own threshold, 700, has them looked
# through dozens of times meanwhile, for a twentieth to a tenth of the page's time.
GARBAGE_THRESHOLD = 20_000

pages = page_threads.Handler()
django_application = limited(pages, settings.MAX_REQUEST_BYTES)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Any], Awaitable[None]]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one ASGI connection."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http" and s3.handles(scope):
        await s3.application(scope, receive, send)
    elif scope["type"] == "http" and git_http.handles(scope["path"]):
        await git_http.application(scope, receive, send)
    else:
        await django_application(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            # What is loaded by now stays for good: to look through it for garbage again and again takes a tenth of a
            # second each time, from whatever page is being made.
            gc.collect()
            gc.freeze()
            gc.set_threshold(GARBAGE_THRESHOLD)
            kept_open.begin()
            await send({"type": "lifespan.startup.complete"})
        else:
            pages.close()
            kept_open.end()
            await send({"type": "lifespan.shutdown.complete"})
            return
