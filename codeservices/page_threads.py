"""The threads in which Django answers requests: each is lent for one request and keeps its database connection.

Django makes a thread, and with it a connection, for every request; SQLite's takes longer to set up than all that a page
asks. Middleware and views of ours are synchronous, so one call in that thread runs them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from typing import IO, Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.db import connections
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase

from codeservices.http import EventStream

# So many idle ones are kept.
IDLE_THREADS = 8
# So many answers are made at once; further requests wait. When a thousand viewers come back at the same moment, a
# thread and a connection for each take longer and more memory than all the answers. Sending an answer takes no place:
# whoever reads slowly keeps nobody waiting.
ANSWERS_AT_ONCE = 40
# Threads in which what is left to do is done when an event stream ends: when a build does, for all its viewers at once.
ENDING_THREADS = 2


class Lent(Executor):
    """What a request is lent: a place among those that are answered, and a thread.

    As an executor it runs all calls in one thread, from the first of them until that is given back.
    """

    def __init__(self, places: asyncio.Semaphore, idle: list[ThreadPoolExecutor], ending: Executor) -> None:
        self._places = places
        self._has_place = False
        self._idle = idle
        self._ending = ending
        self._is_stream = False
        self._thread: ThreadPoolExecutor | None = None
        self._last: Future[Any] | None = None
        self.body: IO[bytes] | None = None

    async def take_place(self) -> None:
        """Wait until an answer can be made."""
        await self._places.acquire()
        self._has_place = True

    def leave_place(self) -> None:
        """The answer is made, if not sent. Where the client has gone, the view may be at work and keeps the place."""
        if not self._has_place:
            return
        self._has_place = False
        if self._last is None or self._last.done():
            self._places.release()
        else:
            loop = asyncio.get_running_loop()
            self._last.add_done_callback(lambda done: self._release(loop))

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits for a place any more
            loop.call_soon_threadsafe(self._places.release)

    def begin_stream(self) -> None:
        """An event stream may be watched for hours and asks nothing of the request's connection: it needs no thread."""
        self._is_stream = True
        self.give_back()

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """Run a call in the request's own thread, which is lent to it at the first one."""
        if self._is_stream:
            return self._ending.submit(function, *args, **options)
        if self._thread is None:
            try:
                self._thread = self._idle.pop()
            except IndexError:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="page")
        self._last = self._thread.submit(function, *args, **options)
        return self._last

    def give_back(self) -> None:
        """Let another request have the thread, when what it does for this one is done; the next call gets any other."""
        thread, last, self._thread, self._last = self._thread, self._last, None, None
        if thread is not None and last is not None:
            # At once where it is done. Where the client has gone, the view may still be at work.
            last.add_done_callback(lambda done: self._take_back(thread))

    def _take_back(self, thread: ThreadPoolExecutor) -> None:
        if len(self._idle) < IDLE_THREADS:
            self._idle.append(thread)
        else:
            _end(thread)


_lent: ContextVar[Lent] = ContextVar("lent")


class Handler(ASGIHandler):
    """Django's program for ASGI with threads that last."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._idle: list[ThreadPoolExecutor] = []
        self._ending = ThreadPoolExecutor(ENDING_THREADS, thread_name_prefix="page-end")
        self._places = asyncio.Semaphore(ANSWERS_AT_ONCE)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        lent = Lent(self._places, self._idle, self._ending)
        _lent.set(lent)
        try:
            async with ThreadSensitiveContext(executor=lent):
                await self.handle(scope, receive, send)
        finally:
            lent.leave_place()
            lent.give_back()
            if lent.body is not None:
                lent.body.close()  # Django leaves it open where the request is cancelled, as when the server ends

    async def read_body(self, receive: Any) -> Any:
        """The request's body, and then a place: whoever sends slowly keeps nobody waiting."""
        lent = _lent.get()
        lent.body = await super().read_body(receive)
        await lent.take_place()
        return lent.body

    async def run_get_response(self, request: HttpRequest) -> HttpResponseBase:
        """The answer of middleware and view, all in the request's thread."""
        lent = _lent.get()
        try:
            response: Any = await sync_to_async(self._answer, thread_sensitive=True)(request)
        finally:
            lent.leave_place()
        response._handler_class = type(self)
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if isinstance(response, EventStream):
            lent.begin_stream()
            _let_go(request, response)
        return response

    def close(self) -> None:
        """End the idle threads and their connections, when no request comes any more."""
        while self._idle:
            _end(self._idle.pop(), wait=True)
        self._ending.shutdown()

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for connection in connections.all(initialized_only=True):
            connection.close_at = None  # the thread lasts, so its connections need not end with the request
        return response


def _let_go(request: HttpRequest, response: HttpResponseBase) -> None:
    """Of what a stream was asked with, it needs nothing while it is watched: half of the memory that a viewer takes."""
    closers: list[Callable[[], None]] = response._resource_closers  # type: ignore[attr-defined]
    if request.close in closers:
        closers.remove(request.close)
        request.close()
    vars(request).clear()


def _end(thread: ThreadPoolExecutor, *, wait: bool = False) -> None:
    thread.submit(connections.close_all)
    thread.shutdown(wait=wait)
