"""A build's bytes as lines of text: valid UTF-8, none too long, cut where nothing is torn.

Carriage returns and escape sequences stay in what is kept; `ansi.py` draws them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

# A longer line is split: it has to fit into one event of the stream and one row of a page.
MAX_LINE_BYTES = 64 * 1024
# How far from that length a progress bar is looked for, which is split between two of its pictures.
_REDRAW_BYTES = 4096


def timestamp(at: datetime) -> str:
    """The start of CodeBuild's own log lines: `[Container] 2024/07/12 01:21:51.978228`."""
    return f"[Container] {at.astimezone(UTC):%Y/%m/%d %H:%M:%S.%f}"


def clean(text: bytes) -> bytes:
    """Valid UTF-8 without NUL: each byte that is no text becomes U+FFFD. Carriage returns and escapes stay."""
    if b"\0" in text:
        text = text.replace(b"\0", b"")
    if text.isascii():  # many times faster than decoding it
        return text
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("utf-8", "replace").encode()
    return text


def split_long(text: bytes) -> bytes:
    """The same lines with newlines put into those longer than MAX_LINE_BYTES, never inside a UTF-8 character."""
    position = 0
    while len(text) - position > MAX_LINE_BYTES:
        position = text.rfind(b"\n", position, position + MAX_LINE_BYTES + 1) + 1
        if not position:
            return b"\n".join(piece for line in text.split(b"\n") for piece in _pieces(line))
    return text


def _pieces(line: bytes) -> Iterator[bytes]:
    position = 0
    while len(line) - position > MAX_LINE_BYTES:
        end = position + MAX_LINE_BYTES
        redraw = line.rfind(b"\r", end - _REDRAW_BYTES, end)
        if redraw > position:
            end = redraw
        else:
            while end > position + MAX_LINE_BYTES - 4 and line[end] & 0xC0 == 0x80:
                end -= 1
        yield line[position:end]
        position = end
    yield line[position:]


def cut(text: bytes, max_lines: int, max_bytes: int, start: int = 0) -> tuple[int, int]:
    """The longest run of whole lines from `start` on within both limits, at least one line: its end, and how many."""
    end = len(text)
    if end - start > max_bytes:
        end = text.rfind(b"\n", start, start + max(max_bytes, 0)) + 1 or text.index(b"\n", start) + 1
    lines = text.count(b"\n", start, end)
    if lines <= max_lines:
        return end, lines
    lines = max(max_lines, 1)
    end = start
    for _ in range(lines):
        end = text.index(b"\n", end) + 1
    return end, lines


class LineCutter:
    """Bytes in pieces of any size to whole lines; what has no end yet waits here, up to the longest line."""

    def __init__(self) -> None:
        self._partial = bytearray()

    @property
    def has_partial(self) -> bool:
        """Whether a line has begun that has not ended."""
        return bool(self._partial)

    def feed(self, data: bytes) -> bytes:
        """The lines that have ended by now, clean, each with its newline; may be empty."""
        end = data.rfind(b"\n") + 1
        if end:
            text = b"".join((self._partial, memoryview(data)[:end]))
            self._partial = bytearray(memoryview(data)[end:])
        else:
            self._partial += data
            text = b""
        if len(self._partial) > MAX_LINE_BYTES:
            text += self._cut_partial()
        return split_long(clean(text)) if text else b""

    def _cut_partial(self) -> bytes:
        """What of an unfinished line is too long to wait for its end, as lines."""
        *lines, rest = split_long(bytes(self._partial)).split(b"\n")
        self._partial = bytearray(rest)
        return b"".join(line + b"\n" for line in lines)
