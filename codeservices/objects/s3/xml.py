"""XML as S3 speaks it: small documents of strangers in, answers out.

What comes may not define anything (no document type, so no entities), nest deeply or be long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.parsers import expat
from xml.sax.saxutils import escape

from codeservices.errors import InvalidInput

# 10,000 parts with a checksum each, or a thousand keys of the greatest length.
MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 8
MAX_ELEMENTS = 60_000
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# XML 1.0 has no way to write these, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class Element:
    """An element by its name without a namespace, its text, and those inside it."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> list[Element]:
        """The elements of that name inside."""
        return [child for child in self.children if child.name == name]

    def get(self, name: str, default: str = "") -> str:
        """The text of the first element of that name inside."""
        return next((child.text.strip() for child in self.children if child.name == name), default)

    def raw(self, name: str) -> str:
        """The same with its blanks: keys may begin and end with them."""
        return next((child.text for child in self.children if child.name == name), "")


def read(body: bytes, root: str) -> Element:
    """The document's root; raises InvalidInput MalformedXML for whatever is not such a document."""
    parser = _Reader()
    try:
        found = parser.read(body)
    except (expat.ExpatError, ValueError, LookupError):
        raise malformed() from None
    if found is None or found.name != root:
        raise malformed()
    return found


def malformed() -> InvalidInput:
    """The refusal of a body that is not the XML which the operation takes."""
    return InvalidInput(
        "The XML you provided was not well-formed or did not validate against our published schema",
        code="MalformedXML",
    )


class _Reader:
    def __init__(self) -> None:
        self._stack: list[Element] = []
        self._root: Element | None = None
        self._count = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse

    def read(self, body: bytes) -> Element | None:
        if len(body) > MAX_BYTES:
            raise ValueError("too long")
        self._parser.Parse(body, True)
        return self._root

    def _start(self, name: str, _attributes: object) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._stack) >= MAX_DEPTH:
            raise ValueError("too many elements, or too deep")
        element = Element(name.rpartition(" ")[2])
        if self._stack:
            self._stack[-1].children.append(element)
        else:
            self._root = element
        self._stack.append(element)

    def _end(self, _name: str) -> None:
        self._stack.pop()

    def _text(self, text: str) -> None:
        self._stack[-1].text += text

    def _refuse(self, *_: object) -> None:
        raise ValueError("a document type")


# ---- answers ---------------------------------------------------------------------------------------------------------


def text(name: str, value: object) -> str:
    """An element with text; what XML can't carry becomes a question mark."""
    return f"<{name}>{escape(_NOT_XML.sub('?', str(value)), {chr(13): '&#13;'})}</{name}>"


def time(at: datetime) -> str:
    """A moment as S3 writes it in documents."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def element(name: str, children: Iterable[str]) -> str:
    """An element with others inside."""
    return f"<{name}>{''.join(children)}</{name}>"


def document(name: str, children: Iterable[str]) -> bytes:
    """A whole answer."""
    inside = "".join(children)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{NAMESPACE}">{inside}</{name}>'.encode()


def error(children: Iterable[str]) -> bytes:
    """An error's body, which has no namespace."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{element("Error", children)}'.encode()
