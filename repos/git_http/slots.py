"""How many git processes run at once: places of this web process, and a short queue for them."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator

from django.conf import settings

from repos.git_http.answers import Answer

# A request that finds every place taken waits this long before it is sent away for RETRY_SECONDS.
QUEUE_SECONDS = 15.0
RETRY_SECONDS = 10

_slots: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


@contextlib.asynccontextmanager
async def slot() -> AsyncIterator[None]:
    """One of GIT_CONCURRENCY places of this process; raises a 503 Answer where none becomes free soon."""
    loop = asyncio.get_running_loop()
    if loop not in _slots:
        _slots[loop] = asyncio.Semaphore(settings.GIT_CONCURRENCY)
    try:
        async with asyncio.timeout(QUEUE_SECONDS):
            await _slots[loop].acquire()
    except TimeoutError:
        raise Answer(
            503,
            f"The server is busy with other git requests. Try again in {RETRY_SECONDS} seconds.",
            (b"retry-after", str(RETRY_SECONDS).encode()),
        ) from None
    try:
        yield
    finally:
        _slots[loop].release()
