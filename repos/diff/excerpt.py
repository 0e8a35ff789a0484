"""The unchanged lines between hunks, read from the new file when somebody wants to see them."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from repos.diff.rows import FileDiff, Hunk, Row
from repos.git import blob, objects
from repos.git.store import BareRepository

# At a time, as Gitea has it.
STEP_LINES: Final = 20

Show = Literal["down", "up", "all"]


class Gap(NamedTuple):
    """Lines that are not shown, between two hunks or at an end of the file.

    Attributes:
        old_start, new_start: The number of the first of them on each side.
        line_count: How many; None from the last hunk to the end of the file, whose length the patch does not tell.
        label: What to show beside the buttons: the line that git prints above a hunk.
    """

    old_start: int
    new_start: int
    line_count: int | None
    label: str = ""

    @property
    def is_at_top(self) -> bool:
        """Nothing is above it."""
        return self.new_start == 1


def gap_above(hunk: Hunk, before: Hunk | None) -> Gap:
    """What lies between two neighbouring hunks, or above the first one; its line count is 0 where nothing does."""
    old_start = before.old_start + before.old_count if before else 1
    new_start = before.new_start + before.new_count if before else 1
    # Of a side without lines git names the line before.
    count = hunk.new_start + (hunk.new_count == 0) - new_start
    return Gap(old_start, new_start, max(0, count), f"{hunk.range} {hunk.header}".strip())


def gap_below(file: FileDiff, context: int) -> Gap | None:
    """What lies below the last hunk; None where it is known to reach the end of the file."""
    if not file.hunks or file.next_row is not None:
        return None
    last = file.hunks[-1]
    tail = last.rows[-context:] if context else ()
    if len(tail) < context or any(row.kind != "context" for row in tail) or last.rows[-1].ends_file:
        return None
    return Gap(last.old_start + last.old_count, last.new_start + last.new_count, None)


class Excerpt(NamedTuple):
    """Rows for the place of a gap, with what is left of the gap above or below them."""

    gap_above: Gap | None
    rows: tuple[Row, ...]
    gap_below: Gap | None


def excerpt(
    repository: BareRepository, new_oid: str, gap: Gap, show: Show, *, max_rows: int, max_bytes: int
) -> Excerpt:
    """Some lines of a gap: the first ("down"), the last ("up"), or as many as fit.

    Args:
        new_oid: The blob of the new side; unchanged lines are the same on both.

    Raises:
        NotFound: There is no such blob.
    """
    data = objects.read(repository, new_oid)[1]
    if blob.is_utf_16(encoding := blob.encoding_of(data)):
        data = blob.decode(data, encoding).encode("utf-8")
    lines = data.split(b"\n")
    ends_without = lines[-1] != b""
    if not ends_without:
        lines.pop()
    first = max(1, gap.new_start)
    last = len(lines) if gap.line_count is None else min(len(lines), first + gap.line_count - 1)
    wanted = max_rows if show == "all" else min(STEP_LINES, max_rows)
    if show == "up":
        start, stop = max(first, last - wanted + 1), last
    else:
        start, stop = first, min(last, first + wanted - 1)
    shown = _fitting(lines[start - 1 : stop], max_bytes, from_end=show == "up")
    if show == "up":
        start = stop - len(shown) + 1
    else:
        stop = start + len(shown) - 1
    try:
        texts = b"\n".join(shown).decode("utf-8").split("\n")
    except UnicodeDecodeError:
        texts = b"\n".join(shown).decode("latin-1").split("\n")
    shift = gap.old_start - gap.new_start
    rows = tuple(
        Row("context", number + shift, number, text, ends_file=ends_without and number == len(lines))
        for number, text in enumerate(texts if shown else (), start)
    )
    above = Gap(first + shift, first, start - first, gap.label) if shown and start > first else None
    left = None if gap.line_count is None else last - stop
    below = Gap(stop + 1 + shift, stop + 1, left, gap.label) if shown and stop < last else None
    return Excerpt(above, rows, below)


def _fitting(lines: list[bytes], max_bytes: int, *, from_end: bool) -> list[bytes]:
    """As many lines as fit, at least one."""
    kept = 0
    size = 0
    for line in reversed(lines) if from_end else lines:
        size += len(line) + 1
        if kept and size > max_bytes:
            break
        kept += 1
    return lines[len(lines) - kept :] if from_end else lines[:kept]
