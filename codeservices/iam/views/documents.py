"""Policy documents as pages show them: lines with colours and numbers, one statement marked, two versions compared."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from typing import Any

from codeservices.iam.policy import reader

# Pygments' short class names, which pages/code.css colours: a key, a text, a number, a word of JSON.
_TOKENS = re.compile(
    r'(?P<nt>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<s>"(?:[^"\\]|\\.)*")|(?P<m>-?\d[\d.eE+-]*)|(?P<k>\b(?:true|false|null)\b)'
)
_INDENT = 2


@dataclass(frozen=True)
class Line:
    """One line of a document.

    Attributes:
        number: From 1.
        spans: Its text in parts, each with the class name of its colour or an empty one.
        is_marked: It belongs to the statement that is pointed at.
    """

    number: int
    spans: list[tuple[str, str]]
    is_marked: bool = False


@dataclass(frozen=True)
class Row:
    """One row of a comparison: a line that was added, removed or stayed, or the heading of a part that changed."""

    kind: str
    old_number: int | None
    new_number: int | None
    spans: list[tuple[str, str]]


def pretty(document: str) -> str:
    """A JSON document, indented; what is none that a policy may be stays as it is, for nothing of it to be hidden."""
    try:
        reader.read(document)
    except reader.Unreadable:
        return document
    return json.dumps(json.loads(document), indent=_INDENT, ensure_ascii=False)


def lines(document: str, statement_number: int = 0) -> list[Line]:
    """A document, indented, in coloured lines.

    Args:
        document: JSON as it was written.
        statement_number: The statement to mark, from 1; none with 0.
    """
    marked = statement_lines(document, statement_number) if statement_number else range(0)
    shown = pretty(document).split("\n")
    return [Line(number, spans(text), number in marked) for number, text in enumerate(shown, 1)]


def statement_lines(document: str, statement_number: int) -> range:
    """The lines of the indented document on which one statement stands; statements count from 1."""
    body = json.loads(document)
    statements = body["Statement"]
    before = json.dumps({**_until(body, "Statement"), "Statement": []}, indent=_INDENT, ensure_ascii=False)
    first = before.count("\n")  # the line of "Statement", since the closing brace has one of its own
    if isinstance(statements, dict):
        return range(first, first + _height(statements))
    first += 1 + sum(_height(each) for each in statements[: statement_number - 1])
    return range(first, first + _height(statements[statement_number - 1]))


def spans(text: str) -> list[tuple[str, str]]:
    """A line of JSON in parts: (class name or nothing, text)."""
    found: list[tuple[str, str]] = []
    end = 0
    for match in _TOKENS.finditer(text):
        if match.start() > end:
            found.append(("", text[end : match.start()]))
        found.append((match.lastgroup or "", match[0]))
        end = match.end()
    if end < len(text):
        found.append(("", text[end:]))
    return found


def compare(old: str, new: str) -> list[Row]:
    """Two documents, both indented, as the rows of a unified diff with three lines of context; none where equal."""
    rows: list[Row] = []
    old_number = new_number = 0
    for text in list(difflib.unified_diff(pretty(old).split("\n"), pretty(new).split("\n"), lineterm=""))[2:]:
        sign, rest = text[:1], text[1:]
        if sign == "@":
            start = re.match(r"@@ -(\d+)(?:,\d+)? \+(\d+)", text)
            assert start is not None
            old_number, new_number = int(start[1]), int(start[2])
            rows.append(Row("hunk", None, None, [("", text)]))
        elif sign == "-":
            rows.append(Row("removed", old_number, None, spans(rest)))
            old_number += 1
        elif sign == "+":
            rows.append(Row("added", None, new_number, spans(rest)))
            new_number += 1
        else:
            rows.append(Row("context", old_number, new_number, spans(rest)))
            old_number, new_number = old_number + 1, new_number + 1
    return rows


def _until(body: dict[str, Any], key: str) -> dict[str, Any]:
    """The members that stand before a key."""
    found = {}
    for name, value in body.items():
        if name == key:
            break
        found[name] = value
    return found


def _height(value: Any) -> int:
    return json.dumps(value, indent=_INDENT, ensure_ascii=False).count("\n") + 1
