"""Threads in which programs beside Django ask the database: a few for a process, each keeping its connection.

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
from django.db.backends.base.base import BaseDatabaseWrapper

Result = TypeVar("Result")


class RequestThreads:
    """A pool of such threads."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, function: Callable[..., Result], *args: object) -> Result:
        """Call a function that may use the ORM; it sees this task's context variables."""
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, context.run, _with_usable_connections, function, *args)

    def close_connections(self) -> None:
        """Close the connections of all these threads, at the end, when nobody asks any more."""
        meeting = threading.Barrier(self._count)

        def close() -> None:
            meeting.wait()  # so that each thread takes one of these
            connections.close_all()

        for closed in [self._pool.submit(close) for _ in range(self._count)]:
            closed.result()


def _with_usable_connections(function: Callable[..., Result], *args: object) -> Result:
    # What Django does at the begin and end of its own requests, but for closing connections that work.
    reset_queries()
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and not _is_sound(connection):
            connection.close()
    return function(*args)


def _is_sound(connection: BaseDatabaseWrapper) -> bool:
    """Whether a connection can be used again.

    One whose transaction could not be ended is out of autocommit for ever: each `atomic` of it is a savepoint, which
    SQLite takes for a transaction that only reads until it writes, and which fails at once where others write.
    """
    return connection.get_autocommit() and not connection.errors_occurred and connection.is_usable()
