"""uvicorn's HTTP protocol with bounds on how long, and with what, a client may keep a connection of ours.

uvicorn alone bounds only the silence between two requests. What is running for a client that has gone, or that neither
sends nor reads, would be held for ever: a place in the event loop, a thread with its database connection, a process.
"""

from __future__ import annotations

import asyncio
from asyncio.events import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from codeservices import zero_copy

# A client that has not sent a whole request head by then is dropped (slow-header attacks).
HEAD_SECONDS = 20.0
# Four times nginx's four buffers of 8 KiB, so that an Authorization header of 64 KB still gets AWS's own error.
HEAD_BYTES = 128 * 1024
# A client that sends no byte of a body that we wait for, or takes none of an answer, for this long is dropped. Git's
# own bound (repos/git/exchange.py) is shorter, so that its sentence gets into the audit.
SILENCE_SECONDS = 150.0
# What a client still sends after its answer is complete is thrown away for so long.
LINGER_SECONDS = 30.0
# Bytes that a client leaves unread when its connection is closed are given up after this.
FLUSH_SECONDS = 10.0

# A body's silence is looked at so many times before it is too long.
_LOOKS = 5


class BoundedProtocol(HttpToolsProtocol):
    """One connection, dropped when its client lets us wait for too long. Without TLS the kernel sends files."""

    _application: Any
    _is_plain: bool
    _head_timer: TimerHandle | None = None
    _head_bytes = 0
    _body_timer: TimerHandle | None = None
    _silent_looks = 0
    _answer_timer: TimerHandle | None = None

    # ---- what uvicorn and the event loop call ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._application = self.app
        self._is_plain = transport.get_extra_info("ssl_object") is None
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_done()
        self._body_is_done()
        self.resume_writing()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._head_is_done()
        if self._is_plain:
            # uvicorn makes the request's cycle and has the program started in the loop's next turn, or later.
            offering = zero_copy.Offering(self._application)
            self.app = offering
            super().on_headers_complete()
            offering.cycle = self.cycle
        else:
            super().on_headers_complete()
        self._body_is_done()
        self._await_body()

    def on_message_complete(self) -> None:
        self._body_is_done()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self.loop.call_later(LINGER_SECONDS, self._linger_no_more, self.cycle)

    def data_received(self, data: bytes) -> None:
        self._silent_looks = 0
        if self._head_timer is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_bytes > HEAD_BYTES:
            self._head_is_done()
            self.transport.write(b"HTTP/1.1 431 \r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.drop()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._answer_timer is None:
            self._answer_timer = self.loop.call_later(SILENCE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    def timeout_keep_alive_handler(self) -> None:
        self.drop()

    # ---- the bounds --------------------------------------------------------------------------------------------------

    def drop(self) -> None:
        """Close the connection, and do not wait for long until the client has read what was said."""
        if not self.transport.is_closing():
            self.transport.close()
            self.loop.call_later(FLUSH_SECONDS, self.transport.abort)

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.drop)

    def _head_is_done(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _await_body(self) -> None:
        self._silent_looks = 0
        self._body_timer = self.loop.call_later(SILENCE_SECONDS / _LOOKS, self._look_at_body)

    def _look_at_body(self) -> None:
        # While reading is paused, the client waits for us. It says something soon after we go on, so a look is enough.
        self._silent_looks = 0 if self.flow.read_paused else self._silent_looks + 1
        if self._silent_looks >= _LOOKS:
            self._body_timer = None
            self.drop()
        else:
            self._body_timer = self.loop.call_later(SILENCE_SECONDS / _LOOKS, self._look_at_body)

    def _body_is_done(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _linger_no_more(self, cycle: RequestResponseCycle) -> None:
        if self.cycle is cycle:
            self.drop()
