"""Secrets out of a stream of bytes, also where a secret is split over any number of writes.

Every byte that belongs to an occurrence of any form of any secret (secret_forms.py) is taken out; each run of bytes of
occurrences that overlap becomes one MASK. The result doesn't depend on how the stream was cut into writes.

A log of 67 MB must not be searched once for each of hundreds of forms: one automaton over how they begin (Aho-Corasick,
the ahocorasick_rs package) finds in one pass where any of them may be. What is held back is what may become a secret:
never more than the longest form.
"""

from __future__ import annotations

from collections.abc import Iterable

from ahocorasick_rs import BytesAhoCorasick, Implementation

from builds.secret_forms import forms

MASK = b"***"
# The automaton knows so much of each form; what follows is compared where it finds that.
_START_BYTES = 16
# A table of transitions is three times as fast as lists of them, and takes up to 16 KiB for each start.
_MAX_STARTS_IN_TABLE = 1_000

Span = tuple[int, int]


class Masker:
    """Feed it bytes, get them back masked; it holds back only what may be the start of a secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[bytes] = set()
        # How forms begin: by their first bytes, and every shorter beginning.
        self._by_start: dict[bytes, list[bytes]] = {}
        self._short_starts: set[bytes] = set()
        self._starts = BytesAhoCorasick([])
        self._longest = 0
        self._longest_of_lines = 0
        self._carry = b""
        # So many bytes at the start of `_carry` stand behind a MASK that has been let out already.
        self._covered = 0
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """More secrets, from now on."""
        self._forms |= {form for secret in secrets for form in forms(secret)}
        self._by_start, self._short_starts = {}, set()
        for form in self._forms:
            self._by_start.setdefault(form[:_START_BYTES], []).append(form)
            self._short_starts |= {form[:size] for size in range(1, min(len(form), _START_BYTES))}
        is_table = len(self._by_start) <= _MAX_STARTS_IN_TABLE
        self._starts = BytesAhoCorasick(
            self._by_start, implementation=Implementation.DFA if is_table else Implementation.ContiguousNFA
        )
        self._longest = max(map(len, self._forms), default=0)
        self._longest_of_lines = max((len(form) for form in self._forms if b"\n" in form), default=0)

    def feed(self, data: bytes) -> bytes:
        """What can be let out by now, masked."""
        if not self._forms:
            return data
        data = self._carry + data
        return self._let_out(data, self._hold(data))

    def flush(self) -> bytes:
        """What is held back, masked: no more is coming."""
        return self._let_out(self._carry, len(self._carry))

    def _let_out(self, data: bytes, end: int) -> bytes:
        """`data` masked up to `end`; the rest is held back, and with it whether its start is behind a mask already."""
        spans = self._spans(data)
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

    def _spans(self, data: bytes) -> list[Span]:
        """Where forms are in `data`, sorted; they may overlap."""
        return sorted(
            (start, start + len(form))
            for _, start, stop in self._starts.find_matches_as_indexes(data, overlapping=True)
            for form in self._by_start[data[start:stop]]
            if data.startswith(form, start)
        )

    def _hold(self, data: bytes) -> int:
        """Where the first possible start of an unfinished secret is; the length of `data` where there is none."""
        size = len(data)
        # A form of one line doesn't begin before the last line's end.
        first = max(data.rfind(b"\n") + 1, size - self._longest + 1, 0)
        if self._longest_of_lines:
            first = min(first, max(size - self._longest_of_lines + 1, 0))
        for start in range(first, size - _START_BYTES + 1):
            for form in self._by_start.get(data[start : start + _START_BYTES], ()):
                if len(form) > size - start and form.startswith(data[start:]):
                    return start
        for start in range(max(size - _START_BYTES + 1, 0), size):
            if data[start:] in self._short_starts:
                return start
        return size


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Sorted spans with those that overlap made one; those that only touch stay two."""
    found: list[Span] = []
    for start, stop in spans:
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return found
