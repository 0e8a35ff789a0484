"""One web process: plain HTTP and HTTPS in one event loop, `python -m codeservices.serve`.

Several of them share the ports through SO_REUSEPORT, each with sockets of its own: one that is killed leaves nobody
behind who holds a port and answers nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
import uvloop
from django.conf import settings

from codeservices import tls
from codeservices.bounded_protocol import BoundedProtocol

logger = logging.getLogger(__name__)

# An answer that is under way when the process is told to stop may take this long to end.
GRACE_SECONDS = 10
# Longer than the 60 s after which common proxies drop an idle connection of theirs would only hold memory.
KEEP_ALIVE_SECONDS = 60
_BACKLOG = 2048
_RENEWAL_CHECK_SECONDS = 12 * 3600

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class ClosingStreams:
    """Ends event streams when the process stops; their clients then connect to another process and miss nothing."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._streams: set[asyncio.Event] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        stopping = asyncio.Event()
        is_open_stream = False
        is_read = False

        async def disconnect_or_stop() -> Message:
            message, stop = asyncio.ensure_future(receive()), asyncio.ensure_future(stopping.wait())
            try:
                await asyncio.wait({message, stop}, return_when=asyncio.FIRST_COMPLETED)
                return message.result() if message.done() else {"type": "http.disconnect"}
            finally:
                message.cancel()
                stop.cancel()

        async def noting_send(message: Message) -> None:
            nonlocal is_open_stream
            if message["type"] == "http.response.start":
                headers = {name.lower(): value for name, value in message.get("headers", ())}
                if headers.get(b"content-type", b"").startswith(b"text/event-stream"):
                    is_open_stream = True
                    self._streams.add(stopping)
            elif not message.get("more_body", False):
                is_open_stream = False
            await send(message)

        async def noting_receive() -> Message:
            nonlocal is_read
            if is_read:  # all that can still come is that the client has gone
                return await disconnect_or_stop()
            message = await receive()
            is_read = not message.get("more_body", False)
            return message

        try:
            await self._application(scope, noting_receive, noting_send)
            if is_open_stream and stopping.is_set():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._streams.discard(stopping)

    def close(self) -> None:
        """Tell every open stream that its client has gone."""
        for stopping in self._streams:
            stopping.set()


class Server(uvicorn.Server):
    """A uvicorn server that leaves the signals to the process, which runs two of them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that other processes of ours may share; exits with a sentence where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG, reuse_port=True)
    except OSError as error:
        sys.exit(f"Can't listen on {host} port {port}: {os.strerror(error.errno or 0)}.")


def server(application: Application, sock: socket.socket, *, context: ssl.SSLContext | None, lifespan: bool) -> Server:
    """A server for one socket."""
    host, port = sock.getsockname()[:2]
    return Server(
        uvicorn.Config(
            application,
            host=host,
            port=port,
            http=BoundedProtocol,
            ws="none",
            lifespan="on" if lifespan else "off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Forwarded headers are believed from nobody, unless the setting says that a proxy stands in front.
            proxy_headers=settings.TRUST_PROXY_TLS,
            # Of X-Forwarded-For the last address counts that is none of these: all before it a client can make up.
            forwarded_allow_ips=list(settings.TRUSTED_PROXIES),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_context_factory=(lambda config, default: context) if context else None,
        )
    )


def _tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(tls.ensure(settings.TLS_ROOT, tls.server_names(settings.BASE_URL)).server)
    return context


async def _keep_certificate_fresh(context: ssl.SSLContext) -> None:
    """Renew the certificate before it ends, without a restart: new connections get the new one."""
    while True:
        await asyncio.sleep(_RENEWAL_CHECK_SECONDS)
        try:
            names = tls.server_names(settings.BASE_URL)
            found = await asyncio.to_thread(tls.ensure, settings.TLS_ROOT, names)
            context.load_cert_chain(found.server)
        except (tls.TlsError, OSError) as error:
            logger.error("the server certificate could not be checked: %s", error)


async def run(application: Application, plain: socket.socket, secure: socket.socket, context: ssl.SSLContext) -> None:
    """Serve both sockets until SIGTERM or SIGINT, then end what is under way within GRACE_SECONDS."""
    streams = ClosingStreams(application)
    servers = [
        server(streams, plain, context=None, lifespan=True),
        server(streams, secure, context=context, lifespan=False),
    ]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving = [asyncio.ensure_future(one.serve([sock])) for one, sock in zip(servers, (plain, secure), strict=True)]
    helpers = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(_keep_certificate_fresh(context))]
    await asyncio.wait([*serving, helpers[0]], return_when=asyncio.FIRST_COMPLETED)
    for one in servers:
        one.should_exit = True
    streams.close()
    try:
        await asyncio.gather(*serving)
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)


def main(application: Application) -> None:
    """Bind, then serve until told to stop; exits with a sentence where that can't be."""
    try:
        context = _tls_context()
    except tls.TlsError as error:
        sys.exit(str(error))
    plain = listen(settings.HTTP_HOST, settings.HTTP_PORT)
    secure = listen(settings.HTTPS_HOST, settings.HTTPS_PORT)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(application, plain, secure, context))


if __name__ == "__main__":
    from codeservices import asgi
    from codeservices.audit import drain, writer

    drain.start()
    try:
        main(asgi.application)
    finally:
        writer.close()
