"""The checksums that S3 clients send: worked out piece by piece, and told in base64.

Source: Amazon S3 User Guide, "Checking object integrity in Amazon S3".
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Protocol

from awscrt import checksums as crt


class _Running(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A cyclic redundancy check as if it were a hash."""

    def __init__(self, function: Callable[[bytes | memoryview, int], int], size_bytes: int) -> None:
        self._function = function
        self._size_bytes = size_bytes
        self._value = 0

    def update(self, data: bytes | memoryview) -> None:
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

    def update(self, data: bytes | memoryview) -> None:
        """Add a piece."""
        self._running.update(data)

    def text(self) -> str:
        """The checksum of all pieces, in base64."""
        return base64.b64encode(self._running.digest()).decode()


# The polynomials with their lowest power first, as these three are computed.
_POLYNOMIALS = {"CRC32": (32, 0xEDB88320), "CRC32C": (32, 0x82F63B78), "CRC64NVME": (64, 0x9A6C9329AC4BC9B5)}
FULL_OBJECT_ALGORITHMS = tuple(_POLYNOMIALS)


def of_whole(algorithm: str, parts: Iterable[tuple[str, int]]) -> str:
    """The checksum of all bytes of an upload in parts, from each part's checksum and size, without reading any.

    Source: zlib's crc32_combine: a CRC is linear, so what follows moves it by as many zeros and is added.
    """
    width, polynomial = _POLYNOMIALS[algorithm]
    whole = 0
    for text, size_bytes in parts:
        moved = _times(_zeros(width, polynomial, size_bytes), whole)
        whole = moved ^ int.from_bytes(base64.b64decode(text), "big")
    return base64.b64encode(whole.to_bytes(width // 8, "big")).decode()


@lru_cache(maxsize=32)
def _zeros(width: int, polynomial: int, size_bytes: int) -> tuple[int, ...]:
    """The matrix over GF(2) that moves a CRC by so many zero bytes."""
    power = (polynomial, *(1 << bit for bit in range(width - 1)))  # by one bit
    for _ in range(3):
        power = tuple(_times(power, row) for row in power)
    found = tuple(1 << bit for bit in range(width))
    while size_bytes:
        if size_bytes & 1:
            found = tuple(_times(power, row) for row in found)
        power = tuple(_times(power, row) for row in power)
        size_bytes >>= 1
    return found


def _times(matrix: tuple[int, ...], vector: int) -> int:
    total = 0
    for row in matrix:
        if not vector:
            break
        if vector & 1:
            total ^= row
        vector >>= 1
    return total


def of_parts(algorithm: str, parts: Iterable[str]) -> str:
    """The composite checksum of an upload in parts: of its parts' checksums, behind it their number."""
    whole, count = Checksum(algorithm), 0
    for text in parts:
        whole.update(base64.b64decode(text))
        count += 1
    return f"{whole.text()}-{count}"
