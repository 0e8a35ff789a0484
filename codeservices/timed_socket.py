"""A connection to somebody else's server with one deadline for everything, for `http.client.HTTPResponse` to read.

A time-out of the socket's own begins anew with each byte: a server that sends one now and then would hold us for days.
"""

from __future__ import annotations

import io
import socket
import time

_READ_BYTES = 64 * 1024


class TimedSocket(io.RawIOBase):
    """A connection whose every wait ends at one deadline, however many there are.

    Args:
        deadline: As `time.monotonic` has it; TimeoutError is raised then.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """All that HTTPResponse asks a socket for."""
        return io.BufferedReader(self, _READ_BYTES)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read what has come, or wait for something."""
        self._connection.settimeout(seconds_left(self._deadline))
        return self._connection.recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        rest = memoryview(data)
        while rest:
            self._connection.settimeout(seconds_left(self._deadline))
            rest = rest[self._connection.send(rest) :]


def seconds_left(deadline: float) -> float:
    """Until the deadline, more than none; raises TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
