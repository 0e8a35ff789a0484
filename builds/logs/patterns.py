"""What a search looks for: a text or a regular expression, in time that grows with the log and with nothing else.

Regular expressions are RE2's, which never tries the same byte twice under the same state: no pattern is catastrophic.
It has no back-references and no look-around. A pattern is one line's; no match reaches over a newline.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator
from typing import Any, Protocol

import re2

MAX_PATTERN_CHARACTERS = 1_000
# A call of the engine leaves the interpreter to other threads, but can't be stopped: at the largest program that is let
# through and the worst text it takes a quarter of a second for a piece of this size, and a second for the longest line.
PIECE_BYTES = 16 * 1024
MAX_PROGRAM_SIZE = 2_000
MAX_MEMORY_BYTES = 8 * 1024 * 1024

_UNANCHORED = re2._Anchor.UNANCHORED


class PatternError(ValueError):
    """No such pattern is searched for; the text is a sentence that says why."""


class Pattern(Protocol):
    """Looks for matching lines in a text of whole lines, the last one's newline included.

    Attributes:
        piece_bytes: How much text to look through between two looks at the clock.
    """

    piece_bytes: int

    def lines(self, text: bytes, start: int, end: int) -> Iterator[int]:
        """Where in `text`, between two starts of lines, the first match of each line that has one begins."""

    def count(self, text: bytes, start: int, end: int) -> int:
        """How many lines match."""

    def spans(self, line: bytes) -> Iterator[tuple[int, int]]:
        """Where in one line the matches begin and end, those of nothing too: each may take as long as the first."""


def compile_text(text: str, *, is_case_ignored: bool = False) -> Pattern:
    """A text to be found as it stands.

    Raises:
        PatternError: It is empty, too long, or has a line break in it.
    """
    _check(text)
    if not is_case_ignored:
        return _Text(text.encode())
    if text.isascii():
        return _AsciiText(text.lower().encode())
    return _Expression(_engine(text.encode(), is_case_ignored=True, is_literal=True))


def compile_expression(text: str, *, is_case_ignored: bool = False) -> Pattern:
    """A regular expression in RE2's syntax.

    Raises:
        PatternError: It is none, or is too large.
    """
    _check(text)
    # By itself first: what closes a bracket that it never opened must not close ours.
    _engine(text.encode(), is_case_ignored=is_case_ignored)
    wrapped = _engine(b"(?m:" + text.encode() + b")", is_case_ignored=is_case_ignored)
    if wrapped.ProgramSize() > MAX_PROGRAM_SIZE:
        raise PatternError("The pattern is too large: repeat less, or look for a part of it.")
    return _Expression(wrapped)


def _check(text: str) -> None:
    if not text:
        raise PatternError("Say what to look for.")
    if len(text) > MAX_PATTERN_CHARACTERS:
        raise PatternError(f"Look for at most {MAX_PATTERN_CHARACTERS:,} characters, not {len(text):,}.")
    if "\n" in text or "\r" in text or "\0" in text:
        raise PatternError("Look for a text of one line.")


def _engine(pattern: bytes, *, is_case_ignored: bool, is_literal: bool = False) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_nl = True
    options.max_mem = MAX_MEMORY_BYTES
    options.case_sensitive = not is_case_ignored
    options.literal = is_literal
    engine = re2._re2.RE2(pattern, options)
    if not engine.ok():
        raise PatternError(f"That is no regular expression: {engine.error().decode('utf-8', 'replace')}.")
    return engine


class _Text:
    """A text in its case."""

    piece_bytes = 1024 * 1024

    def __init__(self, needle: bytes) -> None:
        self._needle = needle

    def lines(self, text: bytes, start: int, end: int) -> Iterator[int]:
        position = text.find(self._needle, start, end)
        while position >= 0:
            yield position
            position = text.find(self._needle, text.index(b"\n", position) + 1, end)

    def count(self, text: bytes, start: int, end: int) -> int:
        if text.find(self._needle, start, end) < 0:
            return 0
        # Where many lines match, to look into each is quicker than to go from one to the next.
        return sum(map(operator.contains, text[start:end].split(b"\n"), itertools.repeat(self._needle)))

    def spans(self, line: bytes) -> Iterator[tuple[int, int]]:
        position = line.find(self._needle)
        while position >= 0:
            yield position, position + len(self._needle)
            position = line.find(self._needle, position + len(self._needle))


class _AsciiText(_Text):
    """A text of ASCII in any case: of the log, too, only ASCII letters are compared without theirs."""

    def lines(self, text: bytes, start: int, end: int) -> Iterator[int]:
        return (start + position for position in super().lines(text[start:end].lower(), 0, end - start))

    def count(self, text: bytes, start: int, end: int) -> int:
        return super().count(text[start:end].lower(), 0, end - start)

    def spans(self, line: bytes) -> Iterator[tuple[int, int]]:
        return super().spans(line.lower())


class _Expression:
    """A regular expression, or a text whose case RE2 folds."""

    piece_bytes = PIECE_BYTES

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def lines(self, text: bytes, start: int, end: int) -> Iterator[int]:
        match = self._engine.Match
        while start < end:
            position = match(_UNANCHORED, text, start, end)[0][0]
            if not 0 <= position < end:
                return
            yield position
            start = text.index(b"\n", position) + 1

    def count(self, text: bytes, start: int, end: int) -> int:
        return sum(1 for _ in self.lines(text, start, end))

    def spans(self, line: bytes) -> Iterator[tuple[int, int]]:
        position = 0
        while position <= len(line):
            begin, end = self._engine.Match(_UNANCHORED, line, position, len(line))[0]
            if begin < 0:
                return
            yield begin, end
            position = max(end, begin + 1)
