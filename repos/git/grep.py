"""Search in the text of all files of a commit by `git grep`, bounded in time and in what comes of it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from codeservices.errors import InvalidInput
from repos.git import program, refs
from repos.git.store import BareRepository

TIMEOUT_SECONDS: Final = 5.0
MAX_MATCHES: Final = 500
MAX_FILES: Final = 100
MAX_MATCHES_OF_FILE: Final = 20
CONTEXT_LINES: Final = 1
# A line is shown from a little before its first match.
MAX_LINE_CHARACTERS: Final = 300
BEFORE_MATCH_CHARACTERS: Final = 60
# Lines of minified files reach megabytes; git's output is read up to here.
MAX_LINE_BYTES: Final = 64 * 1024
MAX_OUTPUT_BYTES: Final = 16 * 1024 * 1024
# An expression such as "((a{1,99}){1,99}){1,99}" is compiled to all the memory that there is.
MEMORY_BYTES: Final = 1024**3
MAX_PATTERN_CHARACTERS: Final = 500
MAX_PATH_CHARACTERS: Final = 1000
# Git is told to mark matches with these. A file may hold them too; then something is marked that is no match.
_MARK: Final = "\x1b[1;31m"
_END: Final = "\x1b[m"
_MARKS: Final = re.compile(r"(\x1b\[1;31m|\x1b\[m)")
_COLOURS: Final = {
    "color.grep": "always",
    "color.grep.match": "bold red",
    **{f"color.grep.{part}": "" for part in ("context", "filename", "function", "linenumber", "selected", "separator")},
    "grep.threads": "1",
}
_NUMBER: Final = re.compile(rb"(\d+)\0")


class PatternInvalid(InvalidInput):
    """The regular expression is none."""

    code = "InvalidPatternException"


@dataclass(frozen=True)
class Query:
    """What is looked for.

    Attributes:
        pattern: A text on one line; a POSIX extended regular expression where `is_regex`.
        path: A folder, a file, or a pattern with "*" or "?" ("*.py"); "" for everywhere.
    """

    pattern: str
    path: str = ""
    is_regex: bool = False
    is_case_sensitive: bool = False
    is_whole_word: bool = False


@dataclass(frozen=True)
class Line:
    """A line of a file: `pieces` of text, with whether each is a match; `is_match` is False for lines around one."""

    number: int
    pieces: tuple[tuple[str, bool], ...]
    is_match: bool
    is_cut: bool


@dataclass
class FileMatches:
    """The matches in one file, each with the lines around it, a group where lines follow each other."""

    path: str
    groups: list[list[Line]] = field(default_factory=list)
    match_count: int = 0
    is_cut: bool = False


@dataclass
class Matches:
    """What was found.

    Attributes:
        cut: Why it is not all: "time", "matches", "files", "size" or "".
    """

    files: list[FileMatches] = field(default_factory=list)
    match_count: int = 0
    cut: str = ""
    seconds: float = 0.0


def search(repository: BareRepository, oid: str, query: Query, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Matches:
    """The lines of a commit's text files that match; binary files are left out.

    Args:
        oid: A full commit oid; `git grep` knows no --end-of-options, so nothing else may come here.

    Raises:
        InvalidInput: The pattern is empty, has several lines or is too long.
        PatternInvalid: It is no regular expression.
    """
    _check(oid, query)
    args = ["grep", "-I", "-n", "-z", "--full-name", "--no-recurse-submodules", f"-C{CONTEXT_LINES}"]
    args += ["-m", str(MAX_MATCHES_OF_FILE + 1)]
    args += ["-E" if query.is_regex else "-F"]
    args += [] if query.is_case_sensitive else ["-i"]
    args += ["-w"] if query.is_whole_word else []
    args += ["-e", query.pattern, oid, "--", *_pathspecs(query.path)]
    found = Matches()
    begun = time.monotonic()
    try:
        for path, line, is_new_group in _lines(repository, args, oid, timeout_seconds, found):
            if not _add(found, path, line, is_new_group):
                break
    except program.GitTimeout:
        found.cut = "time"
    except program.GitError as error:
        if "regular expression" not in error.complaint and "-e option" not in error.complaint:
            raise
        raise PatternInvalid(
            f"“{query.pattern}” is no regular expression: {_reason(error.complaint)}.",
            hint="Expressions are POSIX extended ones. To look for the characters as they are, turn them off.",
        ) from error
    found.seconds = time.monotonic() - begun
    return found


def _check(oid: str, query: Query) -> None:
    if not refs.OID.fullmatch(oid):
        raise InvalidInput(f"“{oid}” is no commit id.")
    if not query.pattern or "\n" in query.pattern or "\0" in query.pattern:
        raise InvalidInput("Type the text to look for, on one line.")
    if len(query.pattern) > MAX_PATTERN_CHARACTERS:
        raise InvalidInput(f"The text to look for has at most {MAX_PATTERN_CHARACTERS} characters.")
    if len(query.path) > MAX_PATH_CHARACTERS or "\0" in query.path:
        raise InvalidInput(f"The path has at most {MAX_PATH_CHARACTERS} characters.")


def _pathspecs(path: str) -> list[str]:
    """Ours is the magic in front, so that nothing typed is an option or magic."""
    path = path.strip().strip("/")
    if not path:
        return []
    if not re.search(r"[*?]", path):
        return [f":(literal){path}"]
    escaped = re.sub(r"([\[\]\\])", r"\\\1", path)
    return [f":(glob){escaped}", f":(glob)**/{escaped}", f":(glob){escaped}/**"]


def _lines(
    repository: BareRepository, args: list[str], oid: str, timeout_seconds: float, found: Matches
) -> Iterator[tuple[str, Line, bool]]:
    """(path, line, whether it does not follow the line before) as git tells them: "OID:PATH NUL NUMBER NUL TEXT"."""
    rows = program.lines(
        repository,
        args,
        timeout_seconds=timeout_seconds,
        ok_codes=(0, 1),
        options=program.Options(configuration=_COLOURS, memory_bytes=MEMORY_BYTES),
    )
    prefix = oid.encode("ascii") + b":"
    is_new_group = True
    left = MAX_OUTPUT_BYTES
    begun = b""
    for row in rows:
        left -= len(row)
        if left < 0:
            found.cut = "size"
            return
        if row == b"--":
            is_new_group = True
            continue
        row = begun + row
        begun = b""
        if row.startswith(prefix) and b"\0" not in row:
            begun = row + b"\n"  # a path with a line feed in it goes on
            continue
        path, _, rest = row[len(prefix) :].partition(b"\0")
        match = _NUMBER.match(rest)
        if match is None:
            continue
        yield refs.decode(path), _line(int(match[1]), rest[match.end() :]), is_new_group
        is_new_group = False


def _line(number: int, raw: bytes) -> Line:
    text = raw[:MAX_LINE_BYTES].decode("utf-8", "replace").removesuffix("\r")
    parts = _MARKS.split(text)
    pieces: list[tuple[str, bool]] = []
    marked = False
    for part in parts:
        if part == _MARK:
            marked = True
        elif part == _END:
            marked = False
        elif part:
            pieces.append((part, marked))
    is_match = any(marked for _, marked in pieces)
    cut = _cut(pieces)
    return Line(number, tuple(cut), is_match, cut != pieces or len(raw) > MAX_LINE_BYTES)


def _cut(pieces: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """At most MAX_LINE_CHARACTERS, among them the first match."""
    if sum(len(text) for text, _ in pieces) <= MAX_LINE_CHARACTERS:
        return pieces
    before = pieces[0][0] if pieces and not pieces[0][1] and len(pieces) > 1 else ""
    if len(before) > BEFORE_MATCH_CHARACTERS:
        pieces = [("…" + before[-BEFORE_MATCH_CHARACTERS:], False), *pieces[1:]]
    kept: list[tuple[str, bool]] = []
    left = MAX_LINE_CHARACTERS
    for text, marked in pieces:
        kept.append((text[:left], marked))
        left -= len(text)
        if left <= 0:
            break
    return kept


def _add(found: Matches, path: str, line: Line, is_new_group: bool) -> bool:
    """Take a line; False where that is enough."""
    file = found.files[-1] if found.files else None
    if file is None or file.path != path:
        if len(found.files) == MAX_FILES:
            found.cut = "files"
            return False
        file = FileMatches(path)
        found.files.append(file)
        is_new_group = True
    if file.is_cut:
        return True
    if line.is_match and file.match_count == MAX_MATCHES_OF_FILE:
        file.is_cut = True
        return True
    if line.is_match:
        if found.match_count == MAX_MATCHES:
            found.cut = "matches"
            return False
        file.match_count += 1
        found.match_count += 1
    if is_new_group:
        file.groups.append([])
    file.groups[-1].append(line)
    return True


def _reason(complaint: str) -> str:
    last = complaint.strip().splitlines()[0] if complaint.strip() else ""
    return last.rpartition(": ")[2].rstrip(".").lower() or "git refuses it"
