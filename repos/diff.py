"""Two trees to a list of changed files, and one changed file to hunks of rows.

The list comes first and is cheap; the hunks of a file are asked for one file at a time. Lines are the git program's
own, so a page shows what `git diff` shows; which removed line stands beside which added one is `pairing`'s to decide.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from repos import pairing
from repos.git import blob, objects, program, refs
from repos.git.store import BareRepository
from repos.pairing import Mark

Status = Literal["A", "M", "D", "R", "C", "T"]
RowKind = Literal["context", "removed", "added"]
CutReason = Literal["binary", "large", "long"]

# A list of files beyond this is cut; the page says so. A vendored folder reaches thousands, a bad merge hundreds of
# thousands, and each is a row of HTML.
MAX_FILES: Final = 5000
# Rename detection compares every deleted file with every added one; git falls back to exact renames beyond this.
RENAME_LIMIT: Final = 1000
# A side larger than this is not read for a diff: it would take seconds and no one reads it. CodeCommit's limit is 6 MB.
MAX_SIDE_BYTES: Final = 6 * 1024 * 1024
# Rows shown at once; beyond it the page offers the whole file. WHOLE_ROWS bounds what the whole is.
MAX_ROWS: Final = 1500
WHOLE_ROWS: Final = 50_000
# Minified code has lines of megabytes; a browser crawls with them, and Gitea cuts at the same length.
MAX_LINE_CHARS: Final = 5000
TIMEOUT_SECONDS: Final = 20.0

SYMLINK: Final = "120000"
SUBMODULE: Final = "160000"
ABSENT: Final = "000000"
_HUNK: Final = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)", re.DOTALL)


@dataclass(frozen=True)
class FileChange:
    """One changed file. The absent side of an added or deleted one has the mode "000000", oid "" and the same path.

    Attributes:
        status: Added, Modified, Deleted, Renamed, Copied, or Type changed (a file became a link, say).
        old_mode, new_mode: Six octal digits as git has them: "100644", "100755", "120000", "160000".
        additions, deletions: Lines; None where git calls the file binary.
        similarity: Percent, for a rename or a copy.
    """

    status: Status
    old_path: str
    new_path: str
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str
    additions: int | None
    deletions: int | None
    similarity: int | None = None

    @property
    def path(self) -> str:
        """The path to call the file by: the new one, or of a deleted file the old one."""
        return self.old_path if self.status == "D" else self.new_path

    @property
    def is_binary(self) -> bool:
        """Git counts no lines in it."""
        return self.additions is None

    @property
    def is_mode_changed(self) -> bool:
        """Both sides exist and their modes differ."""
        return ABSENT not in (self.old_mode, self.new_mode) and self.old_mode != self.new_mode

    @property
    def is_submodule(self) -> bool:
        """Either side is a commit of another repository."""
        return SUBMODULE in (self.old_mode, self.new_mode)

    @property
    def is_content_changed(self) -> bool:
        """The bytes differ; a pure rename or mode change has no hunks."""
        return self.old_oid != self.new_oid


class Changes(NamedTuple):
    """The changed files in git's order, and how many there are where the list is cut."""

    files: tuple[FileChange, ...]
    total: int

    @property
    def is_cut(self) -> bool:
        """There are more files than are listed."""
        return self.total > len(self.files)


@dataclass(frozen=True)
class Row:
    """One line of a hunk.

    Attributes:
        kind: "context" stands on both sides.
        old_number, new_number: From 1; None on the side where the line is not.
        text: Without its line feed; cut at MAX_LINE_CHARS.
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

    @property
    def pieces(self) -> list[tuple[str, bool]]:
        """The text in pieces, each with whether it is marked; joined they are the text."""
        pieces: list[tuple[str, bool]] = []
        at = 0
        for start, end in self.marks:
            if start > at:
                pieces.append((self.text[at:start], False))
            pieces.append((self.text[start:end], True))
            at = end
        if at < len(self.text) or not pieces:
            pieces.append((self.text[at:], False))
        return pieces


class SplitRow(NamedTuple):
    """One line of a side-by-side view; a side without a line is None."""

    left: Row | None
    right: Row | None


@dataclass(frozen=True)
class Hunk:
    """Neighbouring changes with their context; numbers and counts as in git's `@@ -3,7 +3,8 @@ header`."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    header: str
    rows: tuple[Row, ...]

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
    """The hunks of one file, and why some or all are not there.

    Attributes:
        hunks: In file order; empty where nothing but the name or the mode changed.
        cut_reason: "binary" (no lines to show), "large" (a side is over MAX_SIDE_BYTES; nothing is shown),
            "long" (more rows than asked for; the first are shown), or None.
        old_encoding, new_encoding: What the text was read as.
    """

    hunks: tuple[Hunk, ...]
    cut_reason: CutReason | None = None
    old_encoding: str = "utf-8"
    new_encoding: str = "utf-8"


def of_commit(
    repository: BareRepository, tree_oid: str, parent_tree_oid: str | None, *, max_files: int = MAX_FILES
) -> Changes:
    """What a commit changed against its first parent; a root commit, without one, added everything."""
    return changes(repository, parent_tree_oid or objects.EMPTY_TREE, tree_oid, max_files=max_files)


def changes(
    repository: BareRepository, old_oid: str, new_oid: str, *, paths: Sequence[str] = (), max_files: int = MAX_FILES
) -> Changes:
    """The files that differ between two trees or commits, renames found.

    Args:
        old_oid, new_oid: Full oids of trees or commits.
        paths: Only these files or folders, taken literally; all where empty. Both names of a rename must be given to
            see it as one.

    Raises:
        NotFound: An oid is no tree or commit here.
    """
    trees = [objects.tree_oid(repository, oid) for oid in (old_oid, new_oid)]
    args = ["diff-tree", "-r", "-M", f"-l{RENAME_LIMIT}", "--raw", "--numstat", "-z", "--no-abbrev", "--no-ext-diff"]
    fields = program.run(
        repository,
        [*args, "--end-of-options", *trees, "--", *paths],
        timeout_seconds=TIMEOUT_SECONDS,
        environment={"GIT_LITERAL_PATHSPECS": "1"},
    ).split(b"\0")
    return _parse_changes(fields, max_files)


def _parse_changes(fields: Sequence[bytes], max_files: int) -> Changes:
    """First all raw records, then as many numstat records in the same order; `-z` separates everything by NUL."""
    files: list[FileChange] = []
    total = at = 0
    while at < len(fields) and fields[at].startswith(b":"):
        old_mode, new_mode, old_oid, new_oid, status = fields[at][1:].decode("ascii").split(" ")
        count = 2 if status[0] in "RC" else 1
        names = [refs.decode(name) for name in fields[at + 1 : at + 1 + count]]
        at += 1 + count
        total += 1
        if total <= max_files:
            files.append(
                FileChange(
                    status=status[0],  # type: ignore[arg-type]  # git's letters are the literal's
                    old_path=names[0],
                    new_path=names[-1],
                    old_mode=old_mode,
                    new_mode=new_mode,
                    old_oid="" if old_mode == ABSENT else old_oid,
                    new_oid="" if new_mode == ABSENT else new_oid,
                    additions=None,
                    deletions=None,
                    similarity=int(status[1:]) if count == 2 else None,
                )
            )
    for index in range(len(files)):
        added, deleted, name = fields[at].split(b"\t", 2)
        at += 1 if name else 3  # a rename has an empty name here and its two names behind
        if added != b"-":
            files[index] = replace(files[index], additions=int(added), deletions=int(deleted))
    return Changes(tuple(files), total)


def hunks(
    repository: BareRepository,
    change: FileChange,
    *,
    context: int = 3,
    ignore_whitespace: bool = False,
    max_rows: int = MAX_ROWS,
) -> FileDiff:
    """The rows of one changed file; depends on nothing but the two objects, the modes and the options.

    Args:
        context: Unchanged lines around each change.
        ignore_whitespace: Lines that differ only in white space count as equal.
        max_rows: The most rows to give; the rest is cut with the reason "long".

    Raises:
        NotFound: An object of the change is missing.
    """
    if not change.is_content_changed:
        return FileDiff(())
    sides = [(change.old_oid, change.old_mode), (change.new_oid, change.new_mode)]
    if any(_size_bytes(repository, *side) > MAX_SIDE_BYTES for side in sides):
        return FileDiff((), "large")
    old, new = (_content(repository, *side) for side in sides)
    if blob.is_binary(old) or blob.is_binary(new):
        return FileDiff((), "binary")
    old_encoding, new_encoding = blob.encoding_of(old), blob.encoding_of(new)
    reader = _Reader(old_encoding, new_encoding, max_rows)
    if change.status in "MRC" and SUBMODULE not in (change.old_mode, change.new_mode):
        reader.read(_git_diff(repository, change, context, ignore_whitespace))
    elif change.status in "MRC":
        reader.read([b"@@ -1 +1 @@", b"-" + old[:-1], b"+" + new[:-1]])
    else:  # one side is absent, or one kind of thing took the place of another: all goes, all comes
        reader.read(_whole(b"-", old))
        reader.read(_whole(b"+", new))
    cut_reason: CutReason | None = "long" if reader.is_cut else None
    return FileDiff(tuple(_paired(reader.hunks)), cut_reason, old_encoding, new_encoding)


def _size_bytes(repository: BareRepository, oid: str, mode: str) -> int:
    return 0 if mode in (ABSENT, SUBMODULE) else blob.size_bytes(repository, oid)


def _content(repository: BareRepository, oid: str, mode: str) -> bytes:
    """What git compares: a file's bytes, a link's target, or the line that stands for a submodule."""
    if mode == ABSENT:
        return b""
    if mode == SUBMODULE:
        return f"Subproject commit {oid}\n".encode("ascii")
    return objects.read(repository, oid)[1]


def _git_diff(repository: BareRepository, change: FileChange, context: int, ignore_whitespace: bool) -> Iterator[bytes]:
    args = ["diff", "--no-color", "--no-ext-diff", "--no-textconv", "--text", f"-U{max(0, context)}"]
    if ignore_whitespace:
        args.append("--ignore-all-space")
    lines = program.lines(
        repository,
        [*args, "--end-of-options", change.old_oid, change.new_oid],
        timeout_seconds=TIMEOUT_SECONDS,
    )
    for line in lines:  # the header says what is known already
        if line.startswith(b"@@"):
            yield line
            break
    yield from lines


def _whole(sign: bytes, content: bytes) -> list[bytes]:
    """The hunk of a file that is all removed or all added."""
    if not content:
        return []
    lines = content.split(b"\n")
    ends_without = lines[-1] != b""
    if not ends_without:
        lines.pop()
    span = b"1" if len(lines) == 1 else b"1,%d" % len(lines)
    head = b"@@ -%s +0,0 @@" % span if sign == b"-" else b"@@ -0,0 +%s @@" % span
    return [head, *(sign + line for line in lines), *([b"\\ No newline at end of file"] if ends_without else [])]


class _Reader:
    """Lines of a patch body to hunks, until there are enough rows."""

    def __init__(self, old_encoding: str, new_encoding: str, max_rows: int) -> None:
        self.old_encoding = old_encoding
        self.new_encoding = new_encoding
        self.rows_left = max_rows
        self.is_cut = False
        self.hunks: list[tuple[Hunk, list[Row]]] = []

    def read(self, lines: Iterator[bytes] | Sequence[bytes]) -> None:
        old_number = new_number = 0
        rows: list[Row] = []
        for line in lines:
            sign = line[:1]
            if sign == b"\\":
                if rows:
                    rows[-1] = replace(rows[-1], ends_file=True)
                continue
            if self.rows_left <= 0:
                self.is_cut = True
                return
            if sign == b"@":
                match = _HUNK.match(line)
                assert match is not None, "git writes hunk headers in one form"
                old_number, old_count, new_number, new_count = (int(x) if x else 1 for x in match.groups()[:4])
                header = blob.decode(match[5], self.old_encoding)[:200]
                rows = []
                self.hunks.append((Hunk(old_number, old_count, new_number, new_count, header, ()), rows))
                continue
            self.rows_left -= 1
            kind: RowKind = "removed" if sign == b"-" else "added" if sign == b"+" else "context"
            text = blob.decode(line[1:], self.old_encoding if kind == "removed" else self.new_encoding)
            rows.append(
                Row(
                    kind,
                    None if kind == "added" else old_number,
                    None if kind == "removed" else new_number,
                    text[:MAX_LINE_CHARS],
                    is_cut=len(text) > MAX_LINE_CHARS,
                )
            )
            old_number += kind != "added"
            new_number += kind != "removed"


def _paired(found: Sequence[tuple[Hunk, list[Row]]]) -> Iterator[Hunk]:
    """Give each hunk its rows, with pairs and marks, inside one budget for the whole file."""
    budget = pairing.Budget()
    for hunk, rows in found:
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
                rows[at + left] = replace(rows[at + left], pair=middle + right, marks=old_marks)
                rows[middle + right] = replace(rows[middle + right], pair=at + left, marks=new_marks)
            at = end
        yield replace(hunk, rows=tuple(rows))
