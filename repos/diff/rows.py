"""What the difference of one file is made of: hunks of rows, side by side where that is wished for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from repos.diff.pairing import Mark

RowKind = Literal["context", "removed", "added"]
Whitespace = Literal["show", "eol", "all"]


class Row(NamedTuple):
    """One line of a hunk; a tuple, because a page makes a thousand of them.

    Attributes:
        kind: "context" stands on both sides.
        old_number, new_number: From 1; None on the side where the line is not.
        text: Without its line feed, but with a carriage return; cut where the line is longer than was asked for.
        marks: Ranges of `text`, in characters, that differ from the paired line.
        pair: The index in the hunk of the row it stands beside, for a removed or an added line; None if alone.
        is_cut: The line is longer than `text`.
        ends_file: No newline follows it at the end of its file.
    """

    kind: RowKind
    old_number: int | None
    new_number: int | None
    text: str
    marks: tuple[Mark, ...] = ()
    pair: int | None = None
    is_cut: bool = False
    ends_file: bool = False


class SplitRow(NamedTuple):
    """One line of a side-by-side view; a side without a line is None."""

    left: Row | None
    right: Row | None


@dataclass(frozen=True)
class Hunk:
    """Neighbouring changes with their context; numbers and counts as in git's `@@ -3,7 +3,8 @@ header`.

    Attributes:
        rows: All, or those of a window into it.
        is_continued: Its first rows are in an earlier window.
    """

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    header: str
    rows: tuple[Row, ...]
    is_continued: bool = False

    @property
    def range(self) -> str:
        """The line that git prints above the hunk, without the header text."""
        old = f"{self.old_start}" if self.old_count == 1 else f"{self.old_start},{self.old_count}"
        new = f"{self.new_start}" if self.new_count == 1 else f"{self.new_start},{self.new_count}"
        return f"@@ -{old} +{new} @@"

    @property
    def split_rows(self) -> list[SplitRow]:
        """The rows side by side: context opposite itself, removed lines opposite the added ones they became."""
        result: list[SplitRow] = []
        block: list[int] = []
        for index, row in enumerate(self.rows):
            if row.kind == "context":
                result += self._split_block(block)
                block = []
                result.append(SplitRow(row, row))
            else:
                block.append(index)
        return [*result, *self._split_block(block)]

    def _split_block(self, block: Sequence[int]) -> Iterator[SplitRow]:
        """Paired lines stand opposite each other; those between two pairs fill up both sides in order."""
        added = [index for index in block if self.rows[index].kind == "added"]
        left: list[Row] = []
        start = 0
        for row in (self.rows[index] for index in block):
            if row.kind == "removed" and row.pair is not None:
                end = added.index(row.pair, start)  # pairs never cross
                yield from self._side_by_side(left, added[start:end])
                yield SplitRow(row, self.rows[row.pair])
                left, start = [], end + 1
            elif row.kind == "removed":
                left.append(row)
        yield from self._side_by_side(left, added[start:])

    def _side_by_side(self, left: Sequence[Row], added: Sequence[int]) -> Iterator[SplitRow]:
        return itertools.starmap(SplitRow, itertools.zip_longest(left, (self.rows[index] for index in added)))


@dataclass(frozen=True)
class FileDiff:
    """The hunks of one file, or a window of their rows.

    Attributes:
        hunks: In file order; empty where nothing but the name or the mode changed, or git calls the file binary.
        is_binary: There are no lines to show.
        first_row: How many rows stand before this window.
        next_row: The number of the first row after this window; None where it reaches the end.
        old_encoding, new_encoding: What the text was read as; "" of an absent side that is known to be one.
    """

    hunks: tuple[Hunk, ...] = ()
    is_binary: bool = False
    first_row: int = 0
    next_row: int | None = None
    old_encoding: str = "utf-8"
    new_encoding: str = "utf-8"

    @property
    def rows(self) -> Iterator[Row]:
        """The rows of all hunks."""
        return (row for hunk in self.hunks for row in hunk.rows)

    @property
    def line_ends(self) -> tuple[str, str] | None:
        """The old and the new ends of lines ("LF", "CRLF") where every changed line differs in nothing else."""
        removed = [row for row in self.rows if row.kind == "removed"]
        added = [row for row in self.rows if row.kind == "added"]
        if not removed or len(removed) != len(added):
            return None
        for old, new in zip(removed, added, strict=True):
            if old.text == new.text or old.text.removesuffix("\r") != new.text.removesuffix("\r"):
                return None
        returns = [all(row.text.endswith("\r") for row in side) for side in (removed, added)]
        if returns[0] == returns[1]:
            return None
        return ("CRLF", "LF") if returns[0] else ("LF", "CRLF")

    @property
    def has_mixed_line_ends(self) -> bool:
        """Some lines end with a carriage return and others do not, so each one that does should be told."""
        return len({row.text.endswith("\r") for row in self.rows if not row.is_cut}) > 1
