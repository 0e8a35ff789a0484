"""The threads in which Django answers requests: each is lent for one request and keeps its database connection.

Django makes a thread, and with it a connection, for every request; SQLite's takes longer to set up than all that a page
asks. Middleware and views of ours are synchronous, so one call in that thread runs them all.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.db import connections
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase

# So many idle ones are kept. There is no limit to those at work: an event stream holds one as long as it is watched.
IDLE_THREADS = 8


class Handler(ASGIHandler):
    """Django's program for ASGI with threads that last."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._idle: list[ThreadPoolExecutor] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        try:
            thread = self._idle.pop()
        except IndexError:
            thread = ThreadPoolExecutor(1, thread_name_prefix="page")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await super().__call__(scope, receive, send)
        finally:
            # Where the client has gone, the view may still be at work: the thread is free when it comes to this.
            thread.submit(_nothing).add_done_callback(lambda done: self._take_back(thread))

    async def run_get_response(self, request: HttpRequest) -> HttpResponseBase:
        """The answer of middleware and view, all in the request's thread."""
        response: Any = await sync_to_async(self._answer, thread_sensitive=True)(request)
        response._handler_class = type(self)
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        return response

    def close(self) -> None:
        """End the idle threads and their connections, when no request comes any more."""
        while self._idle:
            _end(self._idle.pop(), wait=True)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for connection in connections.all(initialized_only=True):
            connection.close_at = None  # the thread lasts, so its connections need not end with the request
        return response

    def _take_back(self, thread: ThreadPoolExecutor) -> None:
        if len(self._idle) < IDLE_THREADS:
            self._idle.append(thread)
        else:
            _end(thread)


def _nothing() -> None:
    pass


def _end(thread: ThreadPoolExecutor, *, wait: bool = False) -> None:
    thread.submit(connections.close_all)
    thread.shutdown(wait=wait)
