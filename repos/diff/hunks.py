"""The rows of changed files as text, with lines paired and words marked; and the lines each file gained and lost."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Final, NamedTuple

from repos.diff import decoded, pair_trees, pairing, patch
from repos.diff.changes import TIMEOUT_SECONDS, FileChange, begin_with_patch, with_patch
from repos.diff.patch import Window
from repos.diff.rows import FileDiff, Hunk, Row, Whitespace
from repos.git.store import BareRepository

# What is shown of a file at once; the rest follows in windows of the same size. In HTML a window of the worst text,
# all quotes and angle brackets, is six times as large.
MAX_ROWS: Final = 1500
MAX_BYTES: Final = 200 * 1024
# Minified code has lines of megabytes; a browser crawls with them, and Gitea cuts at the same length.
MAX_LINE_BYTES: Final = 5000
# A line that was asked for as a whole; what is longer is in the patch.
MAX_WHOLE_LINE_BYTES: Final = 150 * 1024
# More context than any file has lines.
WHOLE_FILE: Final = 100_000_000

# Where a text is cut, half a UTF-8 character may be left at its end.
_CUT_CHARACTER: Final = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")
_WHITESPACE: Final[dict[Whitespace, tuple[str, ...]]] = {
    "show": (),
    "eol": ("--ignore-space-at-eol",),
    "all": ("--ignore-all-space",),
}


class Options(NamedTuple):
    """How two files are compared.

    Attributes:
        context: Unchanged lines around each change.
        whitespace: "all" takes lines that differ only in white space for equal, "eol" only at their ends.
        max_line_bytes: Longer lines are cut.
    """

    context: int = 3
    whitespace: Whitespace = "show"
    max_line_bytes: int = MAX_LINE_BYTES


class Counts(NamedTuple):
    """Added and deleted lines of a file; None where it is no text."""

    additions: int | None
    deletions: int | None


DEFAULTS: Final = Options()
BEGINNING: Final = Window(0, MAX_ROWS, MAX_BYTES)


def hunks(
    repository: BareRepository, change: FileChange, *, options: Options = DEFAULTS, window: Window = BEGINNING
) -> FileDiff:
    """The rows of one changed file; they depend on nothing but the two objects, the modes and the options.

    Raises:
        GitTimeout: Git compared for too long.
        GitError: An object of the change is missing.
    """
    with closing(hunks_of_many(repository, [change], options=options, window=window)) as found:
        return next((one for _, one in found), FileDiff(first_row=window.first_row))


def hunks_of_many(
    repository: BareRepository,
    changes: Sequence[FileChange],
    *,
    options: Options = DEFAULTS,
    window: Window = BEGINNING,
) -> Generator[tuple[int, FileDiff], None, None]:
    """The rows of many files by one git process: (index in `changes`, rows), in order, as they come.

    A file that differs in nothing that the options look at is left out. Close the generator where enough was read.

    Args:
        window: Which rows of each.

    Raises:
        GitTimeout: Git compared for too long; what was given before stands.
        GitError: An object of a change is missing.
    """
    wanted = [index for index, one in enumerate(changes) if one.is_content_changed]
    if not wanted:
        return
    args = _arguments(options)
    listed = [changes[index] for index in wanted]
    with closing(pair_trees.compare(repository, listed, args, timeout_seconds=TIMEOUT_SECONDS)) as output:
        for file in patch.read(output, window, options.max_line_bytes):
            index = wanted[file.number]
            yield index, _whole_diff(repository, file, changes[index], options, window)


def begin_trees(repository: BareRepository, old_tree_oid: str, new_tree_oid: str) -> Generator[bytes, None, None]:
    """Have git compare two trees, for `of_trees`; close it where nobody reads it."""
    return begin_with_patch(repository, old_tree_oid, new_tree_oid, _arguments(DEFAULTS))


def of_trees(
    repository: BareRepository, begun: Generator[bytes, None, None]
) -> tuple[tuple[FileChange, ...], Generator[tuple[int, FileDiff], None, None]]:
    """All files that differ between two trees, and the rows of those whose content does, as `hunks_of_many` has them.

    By one git process for both; shown as nobody wishes otherwise.
    """
    files, output = with_patch(begun)
    return files, _of_patch(repository, files, output)


def _of_patch(
    repository: BareRepository, files: Sequence[FileChange], output: Generator[bytes, None, None]
) -> Generator[tuple[int, FileDiff], None, None]:
    # Of a file whose kind changed, one part of the patch is about what went and one about what came.
    numbers = (number for number, one in enumerate(files) for _ in range(2 if one.status == "T" else 1))
    with closing(output):
        for file in patch.read(output, BEGINNING, DEFAULTS.max_line_bytes, numbers):
            if files[file.number].is_content_changed:
                yield file.number, _whole_diff(repository, file, files[file.number], DEFAULTS, BEGINNING)


def _arguments(options: Options) -> list[str]:
    return ["-p", f"-U{options.context}", *_WHITESPACE[options.whitespace]]


def counts(
    repository: BareRepository, changes: Sequence[FileChange], *, whitespace: Whitespace = "show"
) -> list[Counts]:
    """Added and deleted lines of each file.

    Raises:
        GitTimeout: Git compared for too long.
    """
    found = [Counts(0, 0)] * len(changes)
    wanted = [index for index, one in enumerate(changes) if one.is_content_changed]
    if wanted:
        args = ["--numstat", *_WHITESPACE[whitespace]]
        listed = [changes[index] for index in wanted]
        output = b"".join(pair_trees.compare(repository, listed, args, timeout_seconds=TIMEOUT_SECONDS))
        for line in output.splitlines():
            added, deleted, name = line.split(b"\t")
            # A file whose kind changed has a line for what went and one for what came.
            index = wanted[pair_trees.number_of(name)]
            so_far = found[index]
            if added == b"-" or so_far.additions is None or so_far.deletions is None:
                found[index] = Counts(None, None)
            else:
                found[index] = Counts(so_far.additions + int(added), so_far.deletions + int(deleted))
        for index in wanted:
            if found[index].additions is None:
                found[index] = _decoded_counts(repository, changes[index], args)
    return found


def _whole_diff(
    repository: BareRepository, file: patch.RawFile, change: FileChange, options: Options, window: Window
) -> FileDiff:
    found = _decoded_diff(repository, change, options, window) if file.is_binary else None
    return found or _file_diff(file, window)


def _decoded_diff(repository: BareRepository, change: FileChange, options: Options, window: Window) -> FileDiff | None:
    """The rows of a file that git calls binary and that is text in UTF-16; None of any other."""
    texts = decoded.decoded(repository, change)
    if texts is None:
        return None
    args = _arguments(options)
    output = pair_trees.compare(repository, [change], args, timeout_seconds=TIMEOUT_SECONDS, contents=texts.contents)
    with closing(output):
        file = next(patch.read(output, window, options.max_line_bytes), None)
    found = _file_diff(file, window) if file is not None else FileDiff(first_row=window.first_row)
    return replace(found, old_encoding=texts.encodings[0], new_encoding=texts.encodings[1])


def _decoded_counts(repository: BareRepository, change: FileChange, args: Sequence[str]) -> Counts:
    """The counts of a file that git calls binary."""
    texts = decoded.decoded(repository, change)
    if texts is None:
        return Counts(None, None)
    output = b"".join(
        pair_trees.compare(repository, [change], args, timeout_seconds=TIMEOUT_SECONDS, contents=texts.contents)
    )
    numbers = output.split(b"\t")[:2] if output else [b"0", b"0"]
    return Counts(None, None) if b"-" in numbers else Counts(int(numbers[0]), int(numbers[1]))


def _file_diff(file: patch.RawFile, window: Window) -> FileDiff:
    """Bytes to text, each side in the encoding that what is shown of it has."""
    sides: dict[bool, list[bytes]] = {True: [], False: []}
    for hunk in file.hunks:
        for row in hunk.rows:
            sides[row.kind == "removed"].append(_CUT_CHARACTER.sub(b"", row.data) if row.is_cut else row.data)
    old_encoding, new_encoding = (_encoding_of(sides[is_old]) for is_old in (True, False))
    if not sides[True]:
        old_encoding = new_encoding
    budget = pairing.Budget()
    hunks = tuple(_hunk(one, old_encoding, new_encoding, budget) for one in file.hunks)
    return FileDiff(hunks, file.is_binary, window.first_row, file.next_row, old_encoding, new_encoding)


def _encoding_of(lines: Sequence[bytes]) -> str:
    try:
        b"\n".join(lines).decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _hunk(raw: patch.RawHunk, old_encoding: str, new_encoding: str, budget: pairing.Budget) -> Hunk:
    rows: list[Row] = []
    for index, one in enumerate(raw.rows):
        is_old = one.kind == "removed"
        # A line may be cut, and git cuts the header: inside a character then, whose bytes stay as surrogates.
        data = _CUT_CHARACTER.sub(b"", one.data) if one.is_cut else one.data
        rows.append(
            Row(
                one.kind,
                None if one.kind == "added" else one.old_number,
                None if is_old else one.new_number,
                data.decode(old_encoding if is_old else new_encoding),
                is_cut=one.is_cut,
                ends_file=index in raw.without_newline,
            )
        )
    _pair(rows, budget)
    header = raw.header.decode(old_encoding, "surrogateescape")
    return Hunk(*raw.span, header, tuple(rows), raw.is_continued)


def _pair(rows: list[Row], budget: pairing.Budget) -> None:
    """Give the changed rows their pairs and marks."""
    at = 0
    while at < len(rows):
        if rows[at].kind != "removed":
            at += 1
            continue
        middle = at
        while middle < len(rows) and rows[middle].kind == "removed":
            middle += 1
        end = middle
        while end < len(rows) and rows[end].kind == "added":
            end += 1
        removed = [row.text for row in rows[at:middle]]
        added = [row.text for row in rows[middle:end]]
        for left, right in pairing.pairs(removed, added, budget):
            old_marks, new_marks = pairing.marks(removed[left], added[right], budget)
            rows[at + left] = rows[at + left]._replace(pair=middle + right, marks=old_marks)
            rows[middle + right] = rows[middle + right]._replace(pair=at + left, marks=new_marks)
        at = end
