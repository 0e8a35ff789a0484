"""Where two versions of a file part from a common one: line by line, as git's own merge of files sees it.

Source: diff3(1); git's xdiff/xmerge.c: changes that touch each other are one, and conflict unless they are the same.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from repos.git import objects, program
from repos.git.store import BareRepository

SECONDS: Final = 20.0
_HUNK: Final = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


class Span(NamedTuple):
    """Some lines of one version: from the line `start`, counted from 0, up to and without `end`."""

    start: int
    end: int
    content: bytes


@dataclass(frozen=True)
class MergeHunk:
    """One place where a side changed the file, or both did; a version that does not exist has no span."""

    is_conflict: bool
    base: Span | None
    ours: Span | None
    theirs: Span | None


class _Edit(NamedTuple):
    """Lines of the base (from, to) that became lines of a side (from, to), all from 0."""

    base_start: int
    base_end: int
    side_start: int
    side_end: int


def hunks(
    repository: BareRepository, base_oid: str | None, ours_oid: str | None, theirs_oid: str | None
) -> tuple[MergeHunk, ...]:
    """All places where one of two versions of a file, or both, differ from a common one, from top to bottom.

    Args:
        base_oid, ours_oid, theirs_oid: Blobs; None where that version does not exist.

    Raises:
        NotFound: A blob is missing.
    """
    base, ours, theirs = (_lines(repository, oid) for oid in (base_oid, ours_oid, theirs_oid))
    edits = (
        _edits(repository, base_oid, ours_oid, len(base), len(ours)),
        _edits(repository, base_oid, theirs_oid, len(base), len(theirs)),
    )
    found = []
    for low, high, ours_range, theirs_range, is_both in _regions(*edits):
        our_span, their_span = _span(ours, *ours_range), _span(theirs, *theirs_range)
        found.append(
            MergeHunk(
                is_conflict=is_both and our_span.content != their_span.content,
                base=_span(base, low, high) if base_oid is not None else None,
                ours=our_span if ours_oid is not None else None,
                theirs=their_span if theirs_oid is not None else None,
            )
        )
    return tuple(found)


def whole(
    repository: BareRepository, base_oid: str | None, ours_oid: str | None, theirs_oid: str | None
) -> tuple[MergeHunk, ...]:
    """The file as one hunk, for those to whom it conflicts where both sides changed it, and not alike."""
    spans = []
    for oid in (base_oid, ours_oid, theirs_oid):
        lines = _lines(repository, oid)
        spans.append(_span(lines, 0, len(lines)) if oid is not None else None)
    is_conflict = ours_oid != theirs_oid and base_oid not in (ours_oid, theirs_oid)
    return (MergeHunk(is_conflict, *spans),)


def _lines(repository: BareRepository, oid: str | None) -> list[bytes]:
    """Lines as git counts them, each with its line feed."""
    if oid is None:
        return []
    pieces = objects.read(repository, oid)[1].split(b"\n")
    last = pieces.pop()
    return [piece + b"\n" for piece in pieces] + ([last] if last else [])


def _span(lines: Sequence[bytes], start: int, end: int) -> Span:
    return Span(start, end, b"".join(lines[start:end]))


def _edits(
    repository: BareRepository, base_oid: str | None, side_oid: str | None, base_count: int, side_count: int
) -> list[_Edit]:
    if base_oid == side_oid:
        return []
    if base_oid is None or side_oid is None:
        return [_Edit(0, base_count, 0, side_count)]
    answer = program.run(
        repository,
        [
            *("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--text", "-U0"),
            *("--end-of-options", base_oid, side_oid),
        ],
        timeout_seconds=SECONDS,
    )
    return [_edit(match) for match in _HUNK.finditer(answer)]


def _edit(match: re.Match[bytes]) -> _Edit:
    """Of lines that are none, git tells the number of the line before."""
    base_start, base_count, side_start, side_count = (int(group) if group else 1 for group in match.groups())
    base_start -= base_count > 0
    side_start -= side_count > 0
    return _Edit(base_start, base_start + base_count, side_start, side_start + side_count)


def _regions(
    ours: Sequence[_Edit], theirs: Sequence[_Edit]
) -> list[tuple[int, int, tuple[int, int], tuple[int, int], bool]]:
    """(from, to) in the base, (from, to) on each side, and whether both changed it, of what overlaps or touches."""
    waiting = [deque(ours), deque(theirs)]
    shifts = [0, 0]  # how far lines behind the last edit of a side lie from where they lie in the base
    found = []
    while any(waiting):
        low = min(edits[0].base_start for edits in waiting if edits)
        high = low
        taken: list[list[_Edit]] = [[], []]
        while True:
            side = next((at for at in (0, 1) if waiting[at] and waiting[at][0].base_start <= high), None)
            if side is None:
                break
            edit = waiting[side].popleft()
            taken[side].append(edit)
            high = max(high, edit.base_end)
        ranges = []
        for side in (0, 1):
            start = low + shifts[side]
            if taken[side]:
                shifts[side] = taken[side][-1].side_end - taken[side][-1].base_end
            ranges.append((start, high + shifts[side]))
        found.append((low, high, ranges[0], ranges[1], all(taken)))
    return found
