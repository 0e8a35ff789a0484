"""The threads in which git requests ask the database: a few for a process, each with a connection that it keeps.

A thread and a connection made anew for each request cost more than all that the request asks.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections, reset_queries

# What they do is short; a push that waits for SQLite's one writer must leave threads for those who only read.
THREADS = 8

Result = TypeVar("Result")

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="git-request")


async def in_thread(function: Callable[..., Result], *args: object) -> Result:
    """Call a function that may use the ORM; it sees this task's context variables."""
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool, context.run, _with_usable_connections, function, *args)


def close_connections() -> None:
    """Close the connections of all these threads, at the end, when nobody asks any more."""
    meeting = threading.Barrier(THREADS)

    def close() -> None:
        meeting.wait()  # so that each thread takes one of these
        connections.close_all()

    for closed in [_pool.submit(close) for _ in range(THREADS)]:
        closed.result()


def _with_usable_connections(function: Callable[..., Result], *args: object) -> Result:
    # What Django does at the begin and end of its own requests, but for closing connections that work.
    reset_queries()
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and (connection.errors_occurred or not connection.is_usable()):
            connection.close()
    return function(*args)
