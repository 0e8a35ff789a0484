"""JSON text to values that know where they stand, stricter than the standard library's reader and bounded in depth.

What RFC 8259 leaves open is refused, because two programs would read it differently: a key that stands twice, NaN and
Infinity, a byte order mark, half of a surrogate pair. Numbers stay the text they were.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from json import JSONDecodeError, JSONDecoder
from typing import NamedTuple

MAX_DEPTH = 20  # a policy's grammar needs seven levels

_DECODER = JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z_]+")
_LINE_END = re.compile(r"\r\n|\r|\n")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS = {"true": True, "false": False, "null": None}


class Position(NamedTuple):
    """A place in a text: line and column, both from 1; columns count characters."""

    line: int
    column: int


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


@dataclass(frozen=True, eq=False)
class Node:
    """One value of the text.

    Attributes:
        value: A str, Number, bool or None, a list of nodes, or a dict of nodes by key.
        start, end: Offsets of its first character and of the first one behind it.
        keys: Of an object: the offset at which each key stands.
    """

    value: str | Number | bool | list[Node] | dict[str, Node] | None
    start: int
    end: int
    keys: dict[str, int] = field(default_factory=dict)

    @property
    def plain(self) -> object:
        """The value as the standard library's reader would give it, numbers as their text."""
        if isinstance(self.value, dict):
            return {key: node.plain for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain for node in self.value]
        return self.value


class Unreadable(Exception):
    """The text is no JSON that this reader takes."""

    def __init__(self, offset: int, sentence: str) -> None:
        super().__init__(sentence)
        self.offset = offset
        self.sentence = sentence


class Lines:
    """Offsets of a text to lines and columns."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def position(self, offset: int) -> Position:
        """Line and column of a character, both from 1."""
        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1] + 1)


def read(text: str) -> Node:
    """Read one JSON value that is the whole text; raises Unreadable at the first fault."""
    if text.startswith("\ufeff"):
        raise Unreadable(0, "The text begins with a byte order mark; save it as UTF-8 without one.")
    reader = _Reader(text)
    node = reader.value(reader.skip(0), 1)
    rest = reader.skip(node.end)
    if rest < len(text):
        raise Unreadable(rest, "Nothing may follow the end of the document.")
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text

    def skip(self, offset: int) -> int:
        match = _SPACE.match(self._text, offset)
        return match.end() if match else offset

    def value(self, start: int, depth: int) -> Node:
        first = self._text[start : start + 1]
        if first == '"':
            text, end = self._string(start)
            return Node(text, start, end)
        if first in ("{", "["):
            if depth > MAX_DEPTH:
                raise Unreadable(start, f"Objects and lists may be nested {MAX_DEPTH} deep at most.")
            return self._object(start, depth) if first == "{" else self._list(start, depth)
        number = _NUMBER.match(self._text, start)
        if number:
            return Node(Number(number[0]), start, number.end())
        word = _WORD.match(self._text, start)
        if word and word[0] in _WORDS:
            return Node(_WORDS[word[0]], start, word.end())
        raise Unreadable(start, self._no_value(start, word))

    def _no_value(self, start: int, word: re.Match[str] | None) -> str:
        if start >= len(self._text):
            return "The document ends here, where a value is expected."
        if word:
            return f"“{word[0][:40]}” is no JSON value; texts stand in double quotes."
        if self._text[start] in "'“”":
            return 'Texts stand in plain double quotes ("), no other ones.'
        if self._text[start] in "]}":
            return "A value is expected here; a comma may not stand before a closing bracket."
        return "A value is expected here."

    def _string(self, start: int) -> tuple[str, int]:
        try:
            text, end = _DECODER.raw_decode(self._text, start)  # a text begins here, so nothing but one is read
        except JSONDecodeError as error:
            raise Unreadable(min(error.pos, len(self._text)), f"{error.msg.removesuffix(' at')}.") from None
        if _LONE_SURROGATE.search(text):
            raise Unreadable(start, "This text holds half of a surrogate pair, which is no character.")
        return text, end

    def _list(self, start: int, depth: int) -> Node:
        items: list[Node] = []
        offset = self.skip(start + 1)
        if self._text[offset : offset + 1] == "]":
            return Node(items, start, offset + 1)
        while True:
            items.append(self.value(offset, depth + 1))
            offset, is_last = self._next(items[-1].end, "]")
            if is_last:
                return Node(items, start, offset)

    def _object(self, start: int, depth: int) -> Node:
        members: dict[str, Node] = {}
        keys: dict[str, int] = {}
        offset = self.skip(start + 1)
        if self._text[offset : offset + 1] == "}":
            return Node(members, start, offset + 1, keys)
        while True:
            if self._text[offset : offset + 1] != '"':
                raise Unreadable(offset, self._no_key(offset))
            key, end = self._string(offset)
            if key in members:
                raise Unreadable(offset, f"The key “{shown(key)}” stands twice in one object.")
            colon = self.skip(end)
            if self._text[colon : colon + 1] != ":":
                raise Unreadable(colon, f"A colon is expected after the key “{shown(key)}”.")
            keys[key] = offset
            members[key] = self.value(self.skip(colon + 1), depth + 1)
            offset, is_last = self._next(members[key].end, "}")
            if is_last:
                return Node(members, start, offset, keys)

    def _no_key(self, offset: int) -> str:
        if self._text[offset : offset + 1] == "}":
            return "A comma may not stand before a closing bracket."
        return "A key in double quotes is expected here."

    def _next(self, offset: int, closing: str) -> tuple[int, bool]:
        """Behind the comma or the closing bracket that must follow a value, and whether it was the bracket."""
        offset = self.skip(offset)
        found = self._text[offset : offset + 1]
        if found == closing:
            return offset + 1, True
        if found != ",":
            raise Unreadable(offset, f"A comma or “{closing}” is expected here.")
        return self.skip(offset + 1), False


def shown(text: str) -> str:
    """A text of the document as a sentence can quote it: short, on one line, printable."""
    cut = text if len(text) <= 60 else f"{text[:59]}…"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in cut)
