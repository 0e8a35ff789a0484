"""The checksums that S3 clients send: worked out piece by piece, and told in base64.

Source: Amazon S3 User Guide, "Checking object integrity in Amazon S3".
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from awscrt import checksums as crt


class _Running(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A cyclic redundancy check as if it were a hash."""

    def __init__(self, function: Callable[[bytes, int], int], size_bytes: int) -> None:
        self._function = function
        self._size_bytes = size_bytes
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size_bytes, "big")


_MAKE: Mapping[str, Callable[[], _Running]] = {
    "CRC32": lambda: _Crc(zlib.crc32, 4),
    "CRC32C": lambda: _Crc(crt.crc32c, 4),
    "CRC64NVME": lambda: _Crc(crt.crc64nvme, 8),
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
}
ALGORITHMS = tuple(_MAKE)


class Checksum:
    """One algorithm over bytes that come in pieces."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self._running = _MAKE[algorithm]()

    def update(self, data: bytes) -> None:
        """Add a piece."""
        self._running.update(data)

    def text(self) -> str:
        """The checksum of all pieces, in base64."""
        return base64.b64encode(self._running.digest()).decode()


def of_parts(algorithm: str, parts: Iterable[str]) -> str:
    """The composite checksum of an upload in parts: of its parts' checksums, behind it their number."""
    whole, count = Checksum(algorithm), 0
    for text in parts:
        whole.update(base64.b64decode(text))
        count += 1
    return f"{whole.text()}-{count}"
