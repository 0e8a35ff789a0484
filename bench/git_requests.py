"""What git asks of a server, without a client's own work: answers are counted and thrown away.

`index-pack` costs a client more than the whole transport, and would hide what the server does.
"""

from __future__ import annotations

import base64
import re
import socket
import time
from dataclasses import dataclass

from repos.git import wire

TIMEOUT_SECONDS = 600
READ_BYTES = 1024 * 1024
ANSWER_BYTES = 4096  # of the beginning, kept to see whether it is what was asked for


@dataclass(frozen=True)
class Door:
    """Where one repository is served.

    Attributes:
        port: On the loopback address.
        path: Of the clone URL.
        account: User name and password.
    """

    port: int
    path: str
    account: tuple[str, str]


@dataclass(frozen=True)
class Taken:
    """One answer.

    Attributes:
        first_byte_seconds: From the request's last byte to the body's first.
        seconds: From the connection's begin to the answer's end.
        size_bytes: Of the body, with its chunks' frames.
    """

    first_byte_seconds: float
    seconds: float
    size_bytes: int


def full_clone(oids: list[str]) -> bytes:
    """The body of protocol 2's one POST of `git clone --quiet`, which has nothing yet and wants these."""
    head = [b"command=fetch", b"agent=git/2.39.5", b"object-format=sha1"]
    arguments = [b"thin-pack", b"no-progress", b"include-tag", b"ofs-delta"]
    wants = [b"want %s\n" % oid.encode() for oid in oids]
    lines = b"".join(map(wire.pkt, head)) + b"0001" + b"".join(map(wire.pkt, [*arguments, *wants, b"done\n"]))
    return lines + wire.FLUSH


def list_refs() -> bytes:
    """The body of protocol 2's POST of `git ls-remote`."""
    head = [b"command=ls-refs\n", b"agent=git/2.39.5", b"object-format=sha1"]
    arguments = [b"peel\n", b"symrefs\n"]
    return b"".join(map(wire.pkt, head)) + b"0001" + b"".join(map(wire.pkt, arguments)) + wire.FLUSH


def advertisement(door: Door) -> Taken:
    """GET info/refs in protocol 2, on a connection of its own."""
    with Connection(door) as connection:
        return connection.get("/info/refs?service=git-upload-pack")


def upload_pack(door: Door, body: bytes) -> Taken:
    """POST git-upload-pack in protocol 2, on a connection of its own."""
    with Connection(door) as connection:
        return connection.post("/git-upload-pack", body)


def ls_remote(door: Door) -> float:
    """Seconds of the two requests that `git ls-remote` makes, on one connection."""
    start = time.perf_counter()
    with Connection(door) as connection:
        connection.get("/info/refs?service=git-upload-pack")
        connection.post("/git-upload-pack", list_refs())
    return time.perf_counter() - start


class Connection:
    """A connection to a door that is kept alive."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._begun = time.perf_counter()
        self._socket = socket.create_connection(("127.0.0.1", door.port), timeout=TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def get(self, path: str) -> Taken:
        """A request without a body."""
        return self._ask(self._head("GET", path) + b"\r\n")

    def post(self, path: str, body: bytes) -> Taken:
        """A request of upload-pack."""
        more = f"Content-Type: application/x-git-upload-pack-request\r\nContent-Length: {len(body)}\r\n\r\n"
        return self._ask(self._head("POST", path) + more.encode() + body)

    def _head(self, method: str, path: str) -> bytes:
        token = base64.b64encode(":".join(self._door.account).encode()).decode()
        return (
            f"{method} {self._door.path}{path} HTTP/1.1\r\nHost: 127.0.0.1:{self._door.port}\r\n"
            f"User-Agent: git/2.39.5\r\nAuthorization: Basic {token}\r\nGit-Protocol: version=2\r\n"
        ).encode()

    def _ask(self, request: bytes) -> Taken:
        self._socket.sendall(request)
        sent = time.perf_counter()
        begun = head = body = b""
        while not body:
            begun += self._take(memoryview(bytearray(ANSWER_BYTES)))
            head, _, body = begun.partition(b"\r\n\r\n")
        first = time.perf_counter() - sent
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(begun[:500].decode("latin-1"))
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        size, tail, buffer = len(body), body[-7:], memoryview(bytearray(READ_BYTES))
        while size < int(length[1]) if length else not tail.endswith(b"\r\n0\r\n\r\n"):
            piece = self._take(buffer)
            size += len(piece)
            tail = (tail + bytes(piece[-7:]))[-7:]
        return Taken(first, time.perf_counter() - self._begun, size)

    def _take(self, buffer: memoryview) -> memoryview:
        count = self._socket.recv_into(buffer)
        if not count:
            raise ConnectionError("the server closed the connection before the answer ended")
        return buffer[:count]
