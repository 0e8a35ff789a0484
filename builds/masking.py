"""Secrets out of a stream of bytes, also where a secret is split over any number of writes.

Every byte that belongs to an occurrence of any form of any secret (secret_forms.py) is taken out; each run of bytes of
occurrences that overlap becomes one MASK. The result doesn't depend on how the stream was cut into writes.

What is held back is what may become a secret: never more than the longest form.
"""

from __future__ import annotations

from collections.abc import Iterable

from builds.secret_forms import forms
from builds.secret_search import SecretSearch, Span

MASK = b"***"


class Masker:
    """Feed it bytes, get them back masked; it holds back only what may be the start of a secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[bytes] = set()
        self._search = SecretSearch(())
        self._carry = b""
        # So many bytes at the start of `_carry` stand behind a MASK that has been let out already.
        self._covered = 0
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """More secrets, from now on."""
        self._forms |= {form for secret in secrets for form in forms(secret)}
        self._search = SecretSearch(self._forms)

    def feed(self, data: bytes) -> bytes:
        """What can be let out by now, masked."""
        if not self._forms:
            return data
        data = self._carry + data
        return self._let_out(data, self._search.unfinished(data))

    def flush(self) -> bytes:
        """What is held back, masked: no more is coming."""
        return self._let_out(self._carry, len(self._carry))

    def _let_out(self, data: bytes, end: int) -> bytes:
        """`data` masked up to `end`; the rest is held back, and with it whether its start is behind a mask already."""
        spans = self._search.spans(data)
        if not spans and not self._covered:
            self._carry = data[end:]
            return data[:end]
        pieces: list[bytes] = []
        position = 0
        for start, stop in _merged([(0, self._covered), *spans] if self._covered else spans):
            is_out = bool(self._covered) and start == 0
            if start >= end and not is_out:
                break
            pieces.append(data[position:start])
            if not is_out:
                pieces.append(MASK)
            position = stop
        pieces.append(data[position:end])
        self._carry = data[end:]
        self._covered = max(0, position - end)
        return b"".join(pieces)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Sorted spans with those that overlap made one; those that only touch stay two."""
    found: list[Span] = []
    for start, stop in spans:
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return found
