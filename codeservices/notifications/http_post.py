"""One POST to an address that was judged: no redirects, no proxies, one limit of time for all of it.

The connection goes to one of `Destination.addresses` and nothing else. Over TLS the certificate must be good for the
host that the URL names. What a server answers with is read up to a limit, however slowly it comes.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from codeservices.outbound import DEFAULT_PORTS, Destination
from codeservices.timed_socket import TimedSocket, seconds_left

MAX_BODY_BYTES = 8 * 1024


class PostError(Exception):
    """No answer came; the text is a sentence that says why."""

    def __init__(self, sentence: str, address: str = "") -> None:
        super().__init__(sentence)
        self.address = address


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes:
        address: Where the connection went.
        status: The HTTP status.
        headers: As they came; of a name given twice the last.
        body: At most MAX_BODY_BYTES, or what had come when the time was over.
    """

    address: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def post(
    destination: Destination,
    headers: Mapping[str, str],
    body: bytes,
    *,
    timeout_seconds: float,
    tls: ssl.SSLContext,
) -> Answer:
    """Send a request and read the answer.

    Args:
        destination: From `outbound.resolve`.
        headers: But Host and Content-Length.
        timeout_seconds: For connecting, sending and reading together.
        tls: What certificates are verified with.

    Raises:
        PostError: No status came back in that time.
    """
    deadline = time.monotonic() + timeout_seconds
    address = destination.addresses[0]
    try:
        connection, address = _connect(destination, deadline)
        with connection:
            if destination.scheme == "https":
                connection.settimeout(seconds_left(deadline))
                connection = tls.wrap_socket(connection, server_hostname=destination.host.rstrip("."))
            with connection:
                timed = TimedSocket(connection, deadline)
                timed.sendall(_head(destination, headers, len(body)) + body)
                return _answer(timed, address)
    except TimeoutError:
        raise PostError(f"No answer came within {timeout_seconds:g} seconds.", address) from None
    except ssl.SSLCertVerificationError as error:
        raise PostError(
            f"The certificate of {destination.host} can't be trusted: {error.verify_message}.", address
        ) from None
    except ssl.SSLError as error:
        raise PostError(f"No TLS connection to {destination.host}: {error.reason or error}.", address) from None
    except http.client.HTTPException as error:
        raise PostError(f"The answer is no HTTP: {type(error).__name__}.", address) from None
    except OSError as error:
        raise PostError(
            f"No connection to {destination.host}:{destination.port}: {error.strerror or error}.", address
        ) from None


def _connect(destination: Destination, deadline: float) -> tuple[socket.socket, str]:
    """A connection to the first address that takes one."""
    failure: OSError = OSError("it has no address")
    for place, address in enumerate(destination.addresses):
        # What a silent address takes is not to cost the next one its turn.
        share = seconds_left(deadline) / (len(destination.addresses) - place)
        try:
            return socket.create_connection((address, destination.port), timeout=share), address
        except OSError as error:
            failure = error
    raise failure


def _head(destination: Destination, headers: Mapping[str, str], length: int) -> bytes:
    parts = urlsplit(destination.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = f"[{destination.host}]" if ":" in destination.host else destination.host
    if destination.port != DEFAULT_PORTS[destination.scheme]:
        host += f":{destination.port}"
    lines = [
        f"POST {target} HTTP/1.1",
        f"Host: {host}",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"Content-Length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _answer(timed: TimedSocket, address: str) -> Answer:
    # All that it asks a socket for is `makefile`.
    response = http.client.HTTPResponse(timed, method="POST")  # type: ignore[arg-type]
    response.begin()
    body = b""
    try:
        while len(body) < MAX_BODY_BYTES and (part := response.read1(MAX_BODY_BYTES - len(body))):
            body += part
    except (OSError, http.client.HTTPException):
        pass  # the status has come, which is the answer; the body is for people to read
    headers = {name[:200]: value[:2000] for name, value in response.getheaders()}
    return Answer(address, response.status, headers, body)
