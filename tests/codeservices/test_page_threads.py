"""Threads that Django's requests are lent."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse

from codeservices import page_threads
from codeservices.http import EventStream, event_stream
from codeservices.page_threads import Handler

SCOPE = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "http_version": "1.1"}


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[Handler]:
    made = Handler()
    monkeypatch.setattr(page_threads.connections, "close_all", lambda: None)
    yield made
    made.close()


async def ask(handler: Handler, leaves: asyncio.Event | None = None) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    asked = iter([{"type": "http.request", "body": b""}])

    async def receive() -> dict[str, Any]:
        message = next(asked, None)
        if message is None:
            await (leaves or asyncio.Event()).wait()
            return {"type": "http.disconnect"}
        return message

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await handler(SCOPE, receive, send)
    return sent


def test_requests_one_after_the_other_have_the_same_thread(handler: Handler) -> None:
    seen: list[str] = []

    def answer(request: HttpRequest) -> HttpResponse:
        seen.append(threading.current_thread().name)
        return HttpResponse(b"page")

    handler.get_response = answer  # type: ignore[method-assign]

    async def two() -> None:
        for _ in range(2):
            sent = await ask(handler)
            assert [one.get("body") for one in sent] == [None, b"page"]
            while not handler._idle:
                await asyncio.sleep(0.001)

    asyncio.run(two())
    assert len(seen) == 2 and len(set(seen)) == 1


def test_requests_at_once_do_not_wait_for_each_other(handler: Handler) -> None:
    meeting = threading.Barrier(12, timeout=60)

    def answer(request: HttpRequest) -> HttpResponse:
        meeting.wait()
        return HttpResponse(b"page")

    handler.get_response = answer  # type: ignore[method-assign]

    async def many() -> None:
        await asyncio.gather(*(ask(handler) for _ in range(12)))
        while len(handler._idle) < page_threads.IDLE_THREADS:
            await asyncio.sleep(0.001)

    asyncio.run(many())
    assert len(handler._idle) == page_threads.IDLE_THREADS


def test_a_thread_whose_client_has_gone_is_lent_when_its_view_has_ended(handler: Handler) -> None:
    going, ending = threading.Event(), threading.Event()

    def answer(request: HttpRequest) -> HttpResponse:
        going.set()
        ending.wait(60)
        return HttpResponse(b"page")

    handler.get_response = answer  # type: ignore[method-assign]

    async def leave() -> None:
        leaves = asyncio.Event()
        asked = asyncio.ensure_future(ask(handler, leaves))
        await asyncio.to_thread(going.wait, 60)
        leaves.set()
        await asyncio.sleep(0.05)
        assert not handler._idle
        ending.set()
        await asked
        while not handler._idle:
            await asyncio.sleep(0.001)

    asyncio.run(leave())


def test_so_many_are_answered_at_once_and_the_others_wait(handler: Handler) -> None:
    at_work, gate = threading.Semaphore(0), threading.Event()
    count = page_threads.ANSWERS_AT_ONCE

    def answer(request: HttpRequest) -> HttpResponse:
        at_work.release()
        gate.wait(60)
        return HttpResponse(b"page")

    handler.get_response = answer  # type: ignore[method-assign]

    async def many() -> list[list[dict[str, Any]]]:
        asking = [asyncio.ensure_future(ask(handler)) for _ in range(3 * count)]
        async with asyncio.timeout(60):
            while len(handler._places._waiters or ()) < 2 * count or at_work._value < count:
                await asyncio.sleep(0.001)
        assert at_work._value == count
        gate.set()
        return await asyncio.gather(*asking)

    assert all(sent[1]["body"] == b"page" for sent in asyncio.run(many()))


def test_a_view_whose_client_has_gone_keeps_its_place_until_it_has_ended(handler: Handler) -> None:
    """Who asks and leaves again and again would else have any number of views at work."""
    at_work, gate = threading.Semaphore(0), threading.Event()

    def answer(request: HttpRequest) -> HttpResponse:
        at_work.release()
        gate.wait(60)
        return HttpResponse(b"page")

    handler.get_response = answer  # type: ignore[method-assign]

    async def leave() -> None:
        leaves = asyncio.Event()
        asking = [asyncio.ensure_future(ask(handler, leaves)) for _ in range(3)]
        async with asyncio.timeout(60):
            while at_work._value < 3:
                await asyncio.sleep(0.001)
            leaves.set()
            for _ in range(100):
                await asyncio.sleep(0)
            assert handler._places._value == page_threads.ANSWERS_AT_ONCE - 3
            gate.set()
            await asyncio.gather(*asking)
            while handler._places._value < page_threads.ANSWERS_AT_ONCE:
                await asyncio.sleep(0.001)

    asyncio.run(leave())


def test_a_stream_holds_nothing_of_what_it_was_asked_with(handler: Handler) -> None:
    """A request with its match of addresses, its session and its person is half of what a viewer takes of memory."""
    over = asyncio.Event()
    heavy: list[weakref.ref[Any]] = []

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"data: begun\n\n"
        await over.wait()

    class Heavy:
        pass

    def view(request: HttpRequest) -> EventStream:
        request.resolver_match = Heavy()  # type: ignore[assignment]
        heavy.append(weakref.ref(request.resolver_match))
        return event_stream(events())

    def answer(request: HttpRequest) -> EventStream:
        response = view(request)
        response._resource_closers.append(request.close)  # type: ignore[attr-defined]
        return response

    handler.get_response = answer  # type: ignore[method-assign]

    async def watch() -> list[dict[str, Any]]:
        watching = asyncio.ensure_future(ask(handler))
        async with asyncio.timeout(60):
            while not heavy or heavy[0]() is not None:
                gc.collect()
                await asyncio.sleep(0.001)
        over.set()
        return await watching

    assert b"data: begun\n\n" in [one.get("body") for one in asyncio.run(watch())]


def test_streams_that_end_at_the_same_moment_are_put_away_by_few_threads(handler: Handler) -> None:
    over = asyncio.Event()
    watched = 0
    threads: list[threading.Thread] = []

    async def events() -> AsyncGenerator[bytes, None]:
        nonlocal watched
        watched += 1
        await over.wait()
        yield b"data: end\n\n"

    def put_away() -> None:
        threads.append(threading.current_thread())
        time.sleep(0.005)

    def answer(request: HttpRequest) -> EventStream:
        stream = event_stream(events())
        stream._resource_closers.append(put_away)  # type: ignore[attr-defined]
        return stream

    handler.get_response = answer  # type: ignore[method-assign]

    async def watch() -> None:
        watching = [asyncio.ensure_future(ask(handler)) for _ in range(60)]
        while watched < 60:
            await asyncio.sleep(0.001)
        over.set()
        await asyncio.gather(*watching)

    asyncio.run(watch())
    assert len(threads) == 60 and len(set(threads)) <= page_threads.ENDING_THREADS


def test_event_streams_hold_neither_place_nor_thread(handler: Handler) -> None:
    over = asyncio.Event()
    count = 2 * page_threads.ANSWERS_AT_ONCE
    watched = 0

    async def events() -> AsyncGenerator[bytes, None]:
        nonlocal watched
        watched += 1
        await over.wait()
        yield b"data: end\n\n"

    handler.get_response = lambda request: event_stream(events())  # type: ignore[method-assign]

    async def watch() -> list[list[dict[str, Any]]]:
        watching = [asyncio.ensure_future(ask(handler)) for _ in range(count)]
        while watched < count:
            await asyncio.sleep(0.001)
        assert handler._places._value == page_threads.ANSWERS_AT_ONCE
        handler.get_response = lambda request: HttpResponse(b"page")  # type: ignore[method-assign]
        assert (await ask(handler))[1]["body"] == b"page"
        threads = [one.name for one in threading.enumerate() if one.name.startswith("page")]
        assert len(threads) <= page_threads.ANSWERS_AT_ONCE
        over.set()
        return await asyncio.gather(*watching)

    assert {sent[2]["body"] for sent in asyncio.run(watch())} == {b"data: end\n\n"}


def test_one_that_leaves_while_it_waits_takes_no_place(handler: Handler) -> None:
    ending = threading.Event()

    def answer(request: HttpRequest) -> HttpResponse:
        ending.wait(60)
        return HttpResponse(b"page")

    handler.get_response = answer  # type: ignore[method-assign]

    async def leave() -> None:
        busy = [asyncio.ensure_future(ask(handler)) for _ in range(page_threads.ANSWERS_AT_ONCE)]
        while not handler._places.locked():
            await asyncio.sleep(0.001)
        waiting = asyncio.ensure_future(ask(handler))
        await asyncio.sleep(0)
        waiting.cancel()
        ending.set()
        await asyncio.gather(*busy)
        assert handler._places._value == page_threads.ANSWERS_AT_ONCE

    asyncio.run(leave())


def test_the_body_of_a_request_that_is_cancelled_is_closed(handler: Handler) -> None:
    bodies: list[Any] = []
    may_end = threading.Event()

    def answer(request: HttpRequest) -> HttpResponse:
        bodies.append(request._stream)  # type: ignore[attr-defined]
        may_end.wait(60)
        return HttpResponse(b"page")

    handler.get_response = answer  # type: ignore[method-assign]

    async def cancelled() -> None:
        asking = asyncio.create_task(ask(handler))
        while not bodies:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    try:
        asyncio.run(cancelled())
        assert bodies[0].closed
    finally:
        may_end.set()
