"""The body of a signed S3 request, taken apart as it comes: no socket, no file, no Django.

It comes plain, with the SHA-256 that was signed or unsigned, or in chunks ("aws-chunked"), where each chunk may carry a
signature that continues the one before and a trailer may carry a checksum.

Sources: Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring a Payload in
Multiple Chunks", "… Including Trailing Headers".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass

from codeservices.aws import sigv4
from codeservices.errors import InvalidInput

UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING = (UNSIGNED_TRAILER, SIGNED, SIGNED_TRAILER)
# The line before a chunk: sixteen digits, a signature. What a trailer may take in all.
_MAX_LINE_BYTES = 1024
_MAX_TRAILER_BYTES = 16 * 1024
_EMPTY = hashlib.sha256(b"").hexdigest()
_HEX = re.compile(r"[0-9a-f]{64}")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")


# Bytes, or a view of some that are soon overwritten.
Content = bytes | memoryview


@dataclass(frozen=True)
class ChainKey:
    """What continues the signature of the request through its chunks."""

    key: bytes
    timestamp: str
    scope: str
    seed: str


class Payload:
    """A body on its way: `feed` what comes, `finish` at its end.

    Attributes:
        trailers: What the trailer said, by lower-case names, once it is finished.
    """

    def __init__(self, stated: str, chain: ChainKey) -> None:
        """
        Args:
            stated: The request's x-amz-content-sha256, as it was signed.
            chain: For chunks with signatures.

        Raises:
            InvalidInput: InvalidArgument where it is none of the forms.
        """
        if stated not in (sigv4.UNSIGNED_PAYLOAD, *STREAMING) and not _HEX.fullmatch(stated):
            raise InvalidInput(
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER,"
                " STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256"
                " value.",
                code="InvalidArgument",
            )
        self.trailers: dict[str, str] = {}
        self._plain = _Plain("" if stated == sigv4.UNSIGNED_PAYLOAD else stated) if stated not in STREAMING else None
        self._chunks = None if self._plain else _Chunks(stated, chain, self.trailers)

    def feed(self, data: Content) -> Iterator[Content]:
        """What of these bytes is content; raises InvalidInput where the frame around it is wrong."""
        decoder = self._plain or self._chunks
        assert decoder is not None
        return decoder.feed(data)

    def finish(self) -> None:
        """Raises InvalidInput: XAmzContentSHA256Mismatch, SignatureDoesNotMatch, IncompleteBody."""
        decoder = self._plain or self._chunks
        assert decoder is not None
        decoder.finish()


class _Plain:
    """Content as it is."""

    def __init__(self, expected: str) -> None:
        self._expected = expected
        self._hash = hashlib.sha256()

    def feed(self, data: Content) -> Iterator[Content]:
        if self._expected:
            self._hash.update(data)
        yield data

    def finish(self) -> None:
        if self._expected and not hmac.compare_digest(self._hash.hexdigest(), self._expected):
            raise InvalidInput(
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                code="XAmzContentSHA256Mismatch",
            )


class _Chunks:
    """Chunks, an empty one at the end, and what trails behind it."""

    def __init__(self, stated: str, chain: ChainKey, trailers: dict[str, str]) -> None:
        self._is_signed = stated != UNSIGNED_TRAILER
        self._has_trailer = stated != SIGNED
        self._chain = chain
        self._signature = chain.seed
        self._trailers = trailers
        self._buffer = bytearray()
        self._left = 0
        self._state = "line"
        self._claimed = ""
        self._hash = hashlib.sha256()
        self._trailer = bytearray()
        self._trailer_bytes = 0
        self._trailer_signature = ""

    def feed(self, data: Content) -> Iterator[Content]:
        self._buffer += data
        while self._buffer and self._state != "end":
            if self._state == "data":
                with memoryview(self._buffer) as buffer:
                    piece = bytes(buffer[: self._left])
                del self._buffer[: len(piece)]
                self._left -= len(piece)
                if self._is_signed:
                    self._hash.update(piece)
                if not self._left:
                    self._check(self._hash.hexdigest())
                    self._state = "break"
                yield piece
                continue
            line = self._line()
            if line is None:
                return
            self._take(line)
        if self._state == "end" and self._buffer:
            raise _malformed("there are bytes behind its end")

    def finish(self) -> None:
        # Some clients leave the last empty line out.
        if self._state != "end" and not (self._state == "trailer" and not self._buffer):
            raise InvalidInput(
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
                code="IncompleteBody",
            )
        if self._is_signed and self._has_trailer:
            text = "\n".join(
                (
                    "AWS4-HMAC-SHA256-TRAILER",
                    self._chain.timestamp,
                    self._chain.scope,
                    self._signature,
                    hashlib.sha256(self._trailer).hexdigest(),
                )
            )
            self._compare(text, self._trailer_signature)

    def _line(self) -> bytes | None:
        at = self._buffer.find(b"\n")
        if at < 0 or at > _MAX_LINE_BYTES:
            if len(self._buffer) > _MAX_LINE_BYTES:
                raise _malformed("a line of it has no end")
            return None
        line = bytes(self._buffer[:at])
        del self._buffer[: at + 1]
        return line.removesuffix(b"\r")

    def _take(self, line: bytes) -> None:
        if self._state == "break":
            if line:
                raise _malformed("a chunk is longer than it says")
            self._state = "line"
        elif self._state == "trailer":
            self._take_trailer(line)
        else:
            match = _CHUNK.fullmatch(line)
            if match is None or bool(match[2]) != self._is_signed:
                raise _malformed("a chunk does not begin with its size" + " and signature" * self._is_signed)
            self._left = int(match[1], 16)
            self._claimed = (match[2] or b"").decode()
            self._hash = hashlib.sha256()
            if self._left:
                self._state = "data"
            else:
                self._check(_EMPTY)
                self._state = "trailer"

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            self._state = "end"
            return
        self._trailer_bytes += len(line)
        name, colon, value = line.partition(b":")
        if not colon or not self._has_trailer or self._trailer_bytes > _MAX_TRAILER_BYTES:
            raise _malformed("its trailer is none")
        key, text = name.decode("latin-1").lower().strip(), value.decode("latin-1").strip()
        if key == "x-amz-trailer-signature":
            self._trailer_signature = text
            return
        self._trailer += f"{key}:{text}\n".encode("latin-1")
        self._trailers[key] = text

    def _check(self, content_hash: str) -> None:
        if not self._is_signed:
            return
        text = "\n".join(
            (
                "AWS4-HMAC-SHA256-PAYLOAD",
                self._chain.timestamp,
                self._chain.scope,
                self._signature,
                _EMPTY,
                content_hash,
            )
        )
        self._compare(text, self._claimed)
        self._signature = self._claimed

    def _compare(self, text: str, claimed: str) -> None:
        if not hmac.compare_digest(sigv4.sign(self._chain.key, text).encode(), claimed.encode()):
            raise InvalidInput(
                "The request signature we calculated does not match the signature you provided: a part of the body is"
                " not what was signed.",
                code="SignatureDoesNotMatch",
                status=403,
            )


def _malformed(what: str) -> InvalidInput:
    return InvalidInput(f"The body is not in the form of aws-chunked: {what}.", code="InvalidRequest")
