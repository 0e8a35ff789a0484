"""Secrets out of a stream of bytes, also where a secret is split over two writes or stands in another form.

Masked are: the secret itself, each line of one that has several, its base64 at each of the three alignments, its
URL-encoded and its JSON-escaped form. A secret that a program has transformed otherwise is not recognised.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = b"***"
# Shorter ones would blank out half of a log.
MIN_BYTES = 4
MIN_BASE64_BYTES = 6


def forms(secret: str) -> set[bytes]:
    """All byte strings that give a secret away."""
    raw = secret.encode("utf-8", "surrogateescape")
    found = {raw, raw.strip(), quote(raw, safe="").encode(), quote_plus(raw).encode(), quote(raw).encode()}
    found |= {form.lower() for form in found if b"%" in form and form != raw}
    if secret.isprintable() or "\n" in secret:
        text = raw.decode("utf-8", "replace")
        found |= {json.dumps(text)[1:-1].encode(), json.dumps(text, ensure_ascii=False)[1:-1].encode()}
    found |= {line.strip() for line in raw.splitlines()}
    found |= {form for text in {raw, raw.strip(), raw.strip() + b"\n"} for form in _base64_forms(text)}
    return {form for form in found if len(form) >= MIN_BYTES}


def _base64_forms(raw: bytes) -> Iterable[bytes]:
    """The characters of a base64 text that depend on `raw` alone, whatever stands before and behind it."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        start = (before * 8 + 5) // 6
        form = encoded[start : (before + len(raw)) * 8 // 6]
        if len(form) >= MIN_BASE64_BYTES:
            yield form
            yield form.replace(b"+", b"-").replace(b"/", b"_")


class Masker:
    """Feed it bytes, get them back masked; it holds back only what may be the start of a secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._patterns: list[bytes] = []
        self._by_first: dict[int, list[bytes]] = {}
        self._regex: re.Pattern[bytes] | None = None
        self._firsts: re.Pattern[bytes] | None = None
        self._longest = 0
        self._carry = b""
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """More secrets, from now on."""
        self._secrets |= set(secrets)
        found = {form for secret in self._secrets for form in forms(secret)}
        # The longest first: of two secrets that begin alike, the whole longer one disappears.
        self._patterns = sorted(found, key=lambda form: (-len(form), form))
        if not self._patterns:
            return
        self._regex = re.compile(b"|".join(re.escape(form) for form in self._patterns))
        self._longest = len(self._patterns[0])
        self._by_first = {}
        for form in self._patterns:
            self._by_first.setdefault(form[0], []).append(form)
        self._firsts = re.compile(b"[" + re.escape(bytes(self._by_first)) + b"]")

    def feed(self, data: bytes) -> bytes:
        """What can be let out by now, masked."""
        if self._regex is None:
            return data
        data = self._carry + data
        hold = self._hold(data)
        masked, position = self._mask(data, hold)
        self._carry = data[position:]
        return masked

    def flush(self) -> bytes:
        """What is held back, masked: no more is coming."""
        data, self._carry = self._carry, b""
        return self._mask(data, len(data))[0] if self._regex is not None else data

    def _mask(self, data: bytes, end: int) -> tuple[bytes, int]:
        """`data` masked up to `end`, or further where a secret reaches over it; and where that is."""
        assert self._regex is not None
        # Searching for each plain string is many times faster than the regular expression, and mostly finds nothing.
        if not any(form in data for form in self._patterns):
            return data[:end], end
        pieces: list[bytes] = []
        position = 0
        for match in self._regex.finditer(data):
            if match.start() >= end:
                break
            pieces += [data[position : match.start()], MASK]
            position = match.end()
        if position < end:
            pieces.append(data[position:end])
            position = end
        return b"".join(pieces), position

    def _hold(self, data: bytes) -> int:
        """Where the first possible start of an unfinished secret is; the length of `data` where there is none."""
        assert self._firsts is not None
        for match in self._firsts.finditer(data, max(0, len(data) - self._longest + 1)):
            rest = data[match.start() :]
            if any(len(form) > len(rest) and form.startswith(rest) for form in self._by_first[rest[0]]):
                return match.start()
        return len(data)
