"""What a request of upload-pack asks for, as far as it decides whether an equal one has the same answer.

Source: gitprotocol-pack(5), gitprotocol-v2(5), gitprotocol-capabilities(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from repos.git import wire

# They say who asks, and change nothing of what is answered.
_WHO = re.compile(rb"(?:agent|session-id)=[^ \n]*")
_LENGTH = re.compile(rb"[0-9a-f]{4}", re.IGNORECASE)
_WANT = re.compile(rb"want ([0-9a-f]{40})(?: .*)?")


@dataclass(frozen=True)
class FetchRequest:
    """A request whose answer depends on nothing but itself and the refs.

    Attributes:
        kind: "refs" for protocol 2's ls-refs, whose answer is short; "pack" for a fetch by a client that has nothing.
        canonical: The request without what only tells who asks.
        wants: The oids wanted.
    """

    kind: Literal["refs", "pack"]
    canonical: bytes
    wants: frozenset[bytes]


def read(body: bytes, protocol: str) -> FetchRequest | None:
    """The request, or None where its answer depends on more, or where git had better see it for itself.

    Args:
        body: All of it, decoded.
        protocol: The Git-Protocol header.
    """
    lines = _lines(body)
    if not lines:
        return None
    texts = [line.rstrip(b"\n") for line in lines]
    canonical = _canonical(lines, is_version_2=wire.is_version_2(protocol))
    if wire.is_version_2(protocol):
        if texts[0] == b"command=ls-refs":
            return FetchRequest("refs", canonical, frozenset())
        if texts[0] != b"command=fetch":
            return None
    wants = frozenset(match[1] for text in texts if (match := _WANT.fullmatch(text)))
    has_nothing = not any(text.startswith(b"have ") for text in texts)
    if not wants or not has_nothing or b"done" not in texts or any(text.startswith(b"want-ref ") for text in texts):
        return None
    return FetchRequest("pack", canonical, wants)


def _canonical(lines: list[bytes], *, is_version_2: bool) -> bytes:
    kept: list[bytes] = []
    for number, line in enumerate(lines):
        if is_version_2 and _WHO.fullmatch(line.rstrip(b"\n")):
            continue
        # Protocols 0 and 1 tell it among the capabilities on the first line.
        kept.append(_WHO.sub(b"", line) if number == 0 and not is_version_2 else line)
    return b"".join(b"%d:%s" % (len(line), line) for line in kept)


def _lines(body: bytes) -> list[bytes] | None:
    """The pkt-lines, special packets as their four digits; None where they are malformed."""
    lines: list[bytes] = []
    position = 0
    while position < len(body):
        digits = body[position : position + 4]
        if not _LENGTH.fullmatch(digits):
            return None
        length = int(digits, 16)
        if length < 4:
            lines.append(b"\0" + digits)
            position += 4
            continue
        if position + length > len(body):
            return None
        lines.append(body[position + 4 : position + length])
        position += length
    return lines
