"""The differences of files as pages show them: HTML of rows, and what is told beside them.

Remembered by the two blobs and the wishes, so that commits and comparisons share them; and lists of files by the two
trees.
"""

from __future__ import annotations

from collections.abc import Container, Generator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from codeservices.errors import NotFound
from repos.diff import changes, hunks, markup
from repos.diff.changes import FileChange
from repos.diff.excerpt import Gap
from repos.diff.hunks import BEGINNING, Counts, Options, Window
from repos.diff.markup import View
from repos.diff.rows import FileDiff, Whitespace
from repos.git import blob, objects, program
from repos.git.blob import LfsPointer
from repos.git.store import BareRepository
from repos.models import Repository
from repos.remembered import recalled, remember, remembered
from repos.text import highlight, lexing

# Files in one answer, while they are small together; the others come when they are scrolled to.
BATCH_FILES: Final = 250
# Of more files than LONG_FILES a page begins with FIRST_FILES, so that the first is there at once.
LONG_FILES: Final = 100
FIRST_FILES: Final = 25
BATCH_ROWS: Final = 2000
# Likewise of rows: more than anybody sees at once.
FIRST_ROWS: Final = 1000
BATCH_BYTES: Final = 700 * 1024
# With colours a window may become larger than an answer should be; then it stays without.
MAX_COLOURED_BYTES: Final = 1_500_000
# A pointer of git LFS is three lines, of which two change.
MAX_POINTER_ROWS: Final = 10
# Larger files have no colours: they would be read for nothing.
MAX_COLOURED_SIDE_BYTES: Final = 512 * 1024


NONE: Final = Counts(0, 0)
# (place among the files, rows) of those that have some, in order.
Rows = Generator[tuple[int, FileDiff], None, None]


@dataclass(frozen=True)
class Wishes:
    """How files are to be shown."""

    view: View = "unified"
    options: Options = hunks.DEFAULTS
    window: Window = BEGINNING


@dataclass(frozen=True)
class Shown:
    """One file.

    Attributes:
        parts: HTML of rows, and the gaps between them.
        counts: Of the whole file; None where the window does not reach all of it.
        row_count: How many rows `parts` has.
        next_row: The first row after the window.
        line_ends: Old and new ends of lines, where nothing but them changed.
        has_cut_lines: A line was longer than the options allow.
        lfs: What the old and the new side point at, where they are pointers of git LFS.
        encodings: Of the old and the new side where one is UTF-16, which git takes for binary; "" of an absent one.
        failure: Why there are no rows, as a sentence.
        is_coloured: The colours of the language are in it, or there are none to be had.
    """

    parts: tuple[str | Gap, ...] = ()
    counts: Counts | None = NONE
    row_count: int = 0
    next_row: int | None = None
    is_binary: bool = False
    line_ends: tuple[str, str] | None = None
    has_cut_lines: bool = False
    lfs: tuple[LfsPointer | None, LfsPointer | None] = (None, None)
    encodings: tuple[str, str] | None = None
    failure: str = ""
    is_coloured: bool = False

    @property
    def size_bytes(self) -> int:
        """About the length of its HTML."""
        return sum(len(part) if isinstance(part, str) else 400 for part in self.parts)


class Opening(NamedTuple):
    """Two trees whose comparison has begun.

    Attributes:
        key: What the files are remembered by.
        files: Those that differ, where that is known.
        output: Else what git tells.
    """

    key: tuple[str, str, str]
    files: tuple[FileChange, ...] | None
    output: Generator[bytes, None, None] | None


UNCHANGED: Final = Shown(is_coloured=True)


def changes_between(repository: Repository, old_tree_oid: str, new_tree_oid: str) -> tuple[FileChange, ...]:
    """The files that differ between two trees."""
    return remembered(
        repository,
        "changes",
        old_tree_oid,
        new_tree_oid,
        make=lambda: changes.changes(repository.git, old_tree_oid, new_tree_oid).files,
    )


def begin(repository: Repository, old_tree_oid: str, new_tree_oid: str) -> Opening:
    """Have git compare two trees, unless it is known which files differ; it works until `opened` reads."""
    key = ("changes", old_tree_oid, new_tree_oid)
    kept: tuple[FileChange, ...] | None = recalled(repository, *key)
    return Opening(key, kept, hunks.begin_trees(repository.git, old_tree_oid, new_tree_oid) if kept is None else None)


def opened(repository: Repository, opening: Opening) -> tuple[tuple[FileChange, ...], Rows | None]:
    """The files that differ, and where git was asked, their rows as they come; close those where enough was read."""
    if opening.output is None:
        return opening.files or (), None
    files, rows = hunks.of_trees(repository.git, opening.output)
    remember(repository, *opening.key, value=files)
    return files, rows


def counts_of(
    repository: Repository, files: Sequence[FileChange], whitespace: Whitespace, *parts: str
) -> list[Counts] | None:
    """Added and deleted lines of files; None where it took too long to count them.

    Args:
        parts: What says which files these are: two trees and a range.
    """
    try:
        return remembered(
            repository,
            "counts",
            whitespace,
            *parts,
            make=lambda: hunks.counts(repository.git, files, whitespace=whitespace),
        )
    except program.GitError:
        return None


def batch(
    repository: Repository, files: Sequence[FileChange], wishes: Wishes, most_rows: int, rows: Rows | None = None
) -> list[Shown]:
    """As many of the first of these files as belong into one answer, at least one.

    Args:
        most_rows: No file follows where so many are there.
        rows: Of these files, where git was asked for them.
    """
    known = {index: one for index, change in enumerate(files) if (one := _known(repository, change, wishes))}
    found: list[Shown] = []
    row_count = size_bytes = 0
    with closing(_Source(repository, files, known, wishes, rows)) as source:
        for index in range(len(files)):
            one = known[index] if index in known else source.take(index)
            found.append(one)
            row_count += one.row_count
            size_bytes += one.size_bytes
            if one.failure or row_count >= most_rows or size_bytes >= BATCH_BYTES:
                break
    return found


def coloured(repository: Repository, change: FileChange, wishes: Wishes) -> Shown:
    """One file with the colours of its language."""
    kept: Shown | None = recalled(repository, *_key(change, wishes))
    if kept is not None and kept.is_coloured:
        return kept
    sides = ((change.old_oid, change.old_path), (change.new_oid, change.new_path))
    jobs = [_begin_colours(repository.git, oid, path) for oid, path in sides]
    file = hunks.hunks(repository.git, change, options=wishes.options, window=wishes.window)  # meanwhile
    old_lines, new_lines = map(highlight.awaited, jobs)
    made = _shown(repository, file, change, wishes)
    if old_lines or new_lines:
        parts = markup.parts(
            file, change, wishes.view, wishes.options.context, old_lines=old_lines, new_lines=new_lines
        )
        if sum(len(part) for part in parts if isinstance(part, str)) <= MAX_COLOURED_BYTES:
            made = replace(made, parts=tuple(parts))
    made = replace(made, is_coloured=True)
    remember(repository, *_key(change, wishes), value=made)
    return made


class _Source:
    """The files that are not remembered, one after the other, out of one git process."""

    def __init__(
        self,
        repository: Repository,
        files: Sequence[FileChange],
        known: Container[int],
        wishes: Wishes,
        rows: Rows | None,
    ) -> None:
        self._repository = repository
        self._files = files
        self._wishes = wishes
        self._stream = _rows_of(repository, files, known, wishes) if rows is None else rows
        self._next: tuple[int, FileDiff] | None = (-1, FileDiff())

    def take(self, index: int) -> Shown:
        """The file of that place; ask in ascending order."""
        change = self._files[index]
        try:
            while self._next is not None and self._next[0] < index:
                self._next = next(self._stream, None)
        except program.GitTimeout:
            return Shown(failure="Comparing this file took too long.")
        except program.GitError as error:
            return Shown(failure=f"This file can't be compared: {error.complaint or 'git failed.'}")
        if self._next is None or self._next[0] != index:
            made = UNCHANGED
        else:
            made = _shown(self._repository, self._next[1], change, self._wishes)
        remember(self._repository, *_key(change, self._wishes), value=made)
        return made

    def close(self) -> None:
        """End git."""
        self._stream.close()


def _rows_of(repository: Repository, files: Sequence[FileChange], known: Container[int], wishes: Wishes) -> Rows:
    """Those of all files but the known ones; git is started for the first."""
    numbers = [number for number in range(len(files)) if number not in known]
    listed = [files[number] for number in numbers]
    with closing(hunks.hunks_of_many(repository.git, listed, options=wishes.options, window=wishes.window)) as found:
        for index, file in found:
            yield numbers[index], file


def _known(repository: Repository, change: FileChange, wishes: Wishes) -> Shown | None:
    if not change.is_content_changed:
        return UNCHANGED
    kept: Shown | None = recalled(repository, *_key(change, wishes))
    return kept


def _key(change: FileChange, wishes: Wishes) -> tuple[str, ...]:
    """All that the HTML depends on. The names decide the language, and a rename's status whether there are gaps."""
    sides = (change.status, change.old_oid, change.new_oid, change.old_mode, change.new_mode)
    names = (change.old_path.rpartition("/")[2], change.new_path.rpartition("/")[2])
    return ("difference", *sides, *names, wishes.view, str(wishes.options), str(wishes.window))


def _shown(repository: Repository, file: FileDiff, change: FileChange, wishes: Wishes) -> Shown:
    rows = list(file.rows)
    is_whole = file.next_row is None and not file.first_row
    encodings = (file.old_encoding, file.new_encoding)
    counts: Counts | None = None
    if file.is_binary:
        counts = Counts(None, None)
    elif is_whole:
        counts = Counts(sum(row.kind == "added" for row in rows), sum(row.kind == "removed" for row in rows))
    return Shown(
        parts=tuple(markup.parts(file, change, wishes.view, wishes.options.context)),
        counts=counts,
        row_count=len(rows),
        next_row=file.next_row,
        is_binary=file.is_binary,
        line_ends=file.line_ends if is_whole else None,
        has_cut_lines=any(row.is_cut for row in rows),
        lfs=(_pointer(file, is_old=True), _pointer(file, is_old=False)) if is_whole else (None, None),
        encodings=encodings if any(map(blob.is_utf_16, encodings)) else None,
        is_coloured=file.is_binary or not _has_language(repository.git, file, change),
    )


def _has_language(repository: BareRepository, file: FileDiff, change: FileChange) -> bool:
    """Whether there may be colours: by the names, or by the first lines, which name the programs that run scripts."""
    if change.is_submodule or change.is_symlink:
        return False
    names = [path.rpartition("/")[2] for path in (change.old_path, change.new_path)]
    if any(lexing.has_language(name, "") for name in names):
        return True
    firsts = [row.text for row in file.rows if 1 in (row.old_number, row.new_number)]
    if not firsts:  # it is the same on both sides
        firsts = [_beginning(repository, change.new_oid or change.old_oid)]
    return any(lexing.has_language(name, first) for name in names for first in firsts)


def _beginning(repository: BareRepository, oid: str) -> str:
    """The first characters of a blob, where it is not too large for colours."""
    data = _read(repository, oid) or b""
    return blob.decode(data[: lexing.MAX_SHEBANG], "utf-8")


def _pointer(file: FileDiff, *, is_old: bool) -> LfsPointer | None:
    """A pointer has three lines, so a patch of one shows all of it."""
    if len(file.hunks) != 1 or len(file.hunks[0].rows) > MAX_POINTER_ROWS:
        return None
    other = "added" if is_old else "removed"
    return blob.pointer("".join(f"{row.text}\n" for row in file.rows if row.kind != other).encode())


def coloured_lines(repository: BareRepository, oid: str, path: str) -> markup.Coloured | None:
    """The lines of a blob in pieces with classes; None where it has no colours."""
    return highlight.awaited(_begin_colours(repository, oid, path))


def _begin_colours(repository: BareRepository, oid: str, path: str) -> Future[highlight.Lines | None] | None:
    """The same in the background; None where there will be none."""
    data = _read(repository, oid) if oid else None
    if data is None or not blob.is_text(data):
        return None
    return highlight.begin(blob.decode(data, blob.encoding_of(data)), path)


def _read(repository: BareRepository, oid: str) -> bytes | None:
    """A blob; None where it is too large for colours, or none of this repository."""
    try:
        if blob.size_bytes(repository, oid) > MAX_COLOURED_SIDE_BYTES:
            return None
        kind, data = objects.read(repository, oid)
    except NotFound:  # a submodule's commit is in another repository
        return None
    return data if kind == "blob" else None
