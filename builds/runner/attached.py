"""The attached stdin and output of a container's agent: lines of work in, frames of bytes and answers out.

One thread reads it, without polling. Measured on Engine 20.10, and kept to here: log driver `none` with an attach made
before the start loses no line and is the fastest; `attach(logs=1)` on such a container wedges the engine.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import time
from typing import Any

from builds.runner import agent
from builds.runner.executor import Output

RECEIVE_BYTES = 256 * 1024
# Source: Docker Engine API, "Attach to a container", stream format: kind, three zeros, length.
HEADER = struct.Struct(">BxxxL")


class StreamEnded(Exception):
    """The container's process has ended, or the engine has."""


class Attached:
    """The stream of a container that is not started yet: so its first byte is ours."""

    def __init__(self, container: Any) -> None:
        self._stream = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1, "logs": 0})
        self._socket: socket.socket = getattr(self._stream, "_sock", self._stream)
        self._socket.settimeout(None)
        self._buffer = bytearray(RECEIVE_BYTES)
        self._frame_bytes = 0
        self._header = b""
        self._held = b""

    def send(self, line: bytes) -> None:
        """Raises StreamEnded."""
        try:
            self._socket.sendall(line)
        except OSError:
            raise StreamEnded from None

    def answer(self, nonces: tuple[str, ...], output: Output) -> tuple[str, str]:
        """Hand on output until an answer under one of these nonces; which, and what it says.

        Raises:
            StreamEnded: All output was handed on before.
        """
        names = "|".join(nonces)
        pattern = re.compile(rb"\x1e(%s) ([a-z]+|[0-9]+)\n" % names.encode())
        starts = tuple(b"\x1e" + nonce.encode() for nonce in nonces)
        data, self._held = self._held, b""
        while True:
            # An answer's first byte is found many times faster than the pattern is, and most data have none.
            position = data.find(agent.ANSWER)
            match = pattern.search(data, position) if position >= 0 else None
            if match is not None:
                if match.start():
                    output(data[: match.start()])
                self._held = data[match.end() :]
                return match[1].decode(), match[2].decode()
            keep = agent.possible_start(data, starts)
            if keep < len(data):
                if keep:
                    output(data[:keep])
                data = data[keep:]
            elif data:
                output(data)
                data = b""
            received = self._receive()
            if received is None:
                if data:
                    output(data)
                raise StreamEnded
            data += received

    def _receive(self) -> bytes | None:
        """The payload of the next frames; None at the end."""
        while True:
            try:
                size = self._socket.recv_into(self._buffer)
            except OSError:
                return None
            if not size:
                return None
            data = memoryview(self._buffer)[:size]
            pieces: list[memoryview] = []
            position = 0
            while position < size:
                if self._frame_bytes == 0:
                    part = data[position : position + HEADER.size - len(self._header)]
                    self._header += part
                    position += len(part)
                    if len(self._header) < HEADER.size:
                        break
                    self._frame_bytes = HEADER.unpack(self._header)[1]
                    self._header = b""
                piece = data[position : position + self._frame_bytes]
                pieces.append(piece)
                position += len(piece)
                self._frame_bytes -= len(piece)
            payload = b"".join(pieces)
            if payload:
                return payload

    def finish(self, seconds: float) -> bool:
        """Tell that no work follows, and pass over what is still said; whether the stream has ended in this time."""
        deadline = time.monotonic() + seconds
        try:
            self._socket.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv_into(self._buffer):
                    return True
        except TimeoutError:
            pass
        except OSError:
            return True
        return False

    def shut_down(self) -> None:
        """End whatever waits for it, from any thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        # The response first: it would flush the stream, which must be open then.
        with contextlib.suppress(OSError, ValueError):
            self._stream._response.close()
        with contextlib.suppress(OSError):
            self._stream.close()
