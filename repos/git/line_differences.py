"""What two versions of a file have otherwise, as hunks of lines in git's own order.

Source: git-diff(1); AWS CodeCommit API Reference, GetBlobDifferences: of binary content no lines are told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from repos.git import blob, objects, program
from repos.git.store import BareRepository

LineType = Literal["CONTEXT", "ADD", "DELETE"]

SECONDS: Final = 20.0
_HUNK: Final = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_TYPES: Final[dict[bytes, LineType]] = {b" ": "CONTEXT", b"+": "ADD", b"-": "DELETE"}


class Line(NamedTuple):
    """One line of a hunk; its number, from 1, on each side that has it."""

    type: LineType
    before_number: int | None
    after_number: int | None
    text: str


@dataclass
class LineHunk:
    """Neighbouring changes with their context; numbers and counts as in git's `@@ -3,7 +3,8 @@`."""

    before_start: int
    before_count: int
    after_start: int
    after_count: int
    lines: list[Line] = field(default_factory=list)


def is_binary(repository: BareRepository, oid: str) -> bool:
    """Whether git calls a blob binary."""
    pieces = blob.stream(repository, oid)
    try:
        return blob.is_binary(next(pieces, b""))
    finally:
        pieces.close()  # type: ignore[attr-defined]  # a generator


def hunks(
    repository: BareRepository,
    before_oid: str | None,
    after_oid: str,
    *,
    context: int = 3,
    ignore_whitespace: bool = False,
) -> Iterator[LineHunk]:
    """The hunks from one text to another, as git finds them; leave the iterator at any.

    Args:
        before_oid: None stands for an empty file.
        context: Unchanged lines around each change.
    """
    if before_oid is None:
        text = objects.read(repository, after_oid)[1]
        lines = text.split(b"\n")[: None if text[-1:] not in (b"\n", b"") else -1]
        encoding = blob.encoding_of(text)
        if lines:
            added = [Line("ADD", None, at, blob.decode(line, encoding)) for at, line in enumerate(lines, start=1)]
            yield LineHunk(0, 0, 1, len(lines), added)
        return
    encodings = {
        kind: blob.encoding_of(objects.read(repository, oid)[1])
        for kind, oid in (("DELETE", before_oid), ("ADD", after_oid))
    }
    options = ["--no-color", "--no-ext-diff", "--no-textconv", "--text", f"-U{context}"]
    if ignore_whitespace:
        options.append("--ignore-all-space")
    args = ["diff", *options, "--end-of-options", before_oid, after_oid]
    hunk: LineHunk | None = None
    before_number = after_number = 0
    for line in program.lines(repository, args, timeout_seconds=SECONDS):
        head = _HUNK.match(line)
        if head is not None:
            if hunk is not None:
                yield hunk
            before_number, before_count, after_number, after_count = (
                int(group) if group else 1 for group in head.groups()
            )
            hunk = LineHunk(before_number, before_count, after_number, after_count)
        elif hunk is not None and line[:1] in _TYPES:
            kind = _TYPES[line[:1]]
            is_before, is_after = kind != "ADD", kind != "DELETE"
            text_of_line = blob.decode(line[1:], encodings["ADD" if is_after else "DELETE"])
            numbers = (before_number if is_before else None, after_number if is_after else None)
            hunk.lines.append(Line(kind, *numbers, text_of_line))
            before_number += is_before
            after_number += is_after
    if hunk is not None:
        yield hunk
