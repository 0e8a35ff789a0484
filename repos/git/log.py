"""Commits: one by its oid, and those of a ref or a path in pages.

A commit is parsed here from its bytes, because real histories hold commits without an author, without a date or in an
encoding that nobody knows, and no page may fail for one of them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from codeservices.errors import InvalidInput, NotFound
from repos.git import objects, program, refs
from repos.git.store import BareRepository

# A message is shown up to here; the raw object has all of it. Real ones are far shorter, hostile ones are 10 MB.
MAX_MESSAGE_CHARS: Final = 64 * 1024
MAX_SUBJECT_CHARS: Final = 1000
MAX_PAGE: Final = 1000
# A cursor holds 8 bytes for each open line of history. git/git has about 60 open at once; beyond this many the address
# would grow past what proxies accept, and the cursor counts commits instead.
MAX_FRONTIER: Final = 250
CURSOR_OID_BYTES: Final = 8
# Commits say "latin1" or "cp1251"; Python's other codecs ("punycode", "unicode_escape") aren't for messages.
_ENCODING: Final = re.compile(
    r"(utf[-_]?(8|16|32)|us-ascii|ascii|latin[-_]?\d+|iso[-_]?\d+|windows|cp\d|koi8|euc|shift|sjis|gb|big5|mac|hz|tis)",
    re.IGNORECASE,
)
# Where a long message is cut, half a UTF-8 character may be left at its end.
_CUT_CHARACTER: Final = re.compile(rb"[\xc0-\xff][\x80-\xbf]*\Z")
_SIGNATURE: Final = re.compile(rb"^(.*?)\s*<([^<>]*)>?\s*(-?\d+)?(?:\s+([+-]\d+))?.*$", re.DOTALL)


@dataclass(frozen=True)
class Signature:
    """Who wrote or committed, and when.

    Attributes:
        name: As written; may be empty.
        email: As written, without the angle brackets; may be empty.
        timestamp: Seconds since 1970, or None where the commit has no date.
        offset_minutes: The writer's distance from UTC.
        when_at: The moment as aware UTC, or None where there is none or no calendar reaches it.
    """

    name: str
    email: str
    timestamp: int | None
    offset_minutes: int
    when_at: datetime | None

    @property
    def local_at(self) -> datetime | None:
        """The moment on the writer's own clock."""
        if self.when_at is None:
            return None
        try:
            return self.when_at.astimezone(timezone(timedelta(minutes=self.offset_minutes)))
        except (ValueError, OverflowError):
            return self.when_at


@dataclass(frozen=True)
class Commit:
    """One commit. `message` is all of it, `subject` its first paragraph on one line, `body` the rest.

    A tag object has the same form; only one of those has a `tagger`.
    """

    oid: str
    tree_oid: str
    parent_oids: tuple[str, ...]
    author: Signature
    committer: Signature
    subject: str
    body: str
    message: str
    encoding: str
    is_signed: bool
    is_truncated: bool
    tagger: Signature

    @property
    def is_merge(self) -> bool:
        """More than one parent."""
        return len(self.parent_oids) > 1


@dataclass(frozen=True)
class Page:
    """Some commits in order, and the cursor of those after them; None at the end."""

    commits: tuple[Commit, ...]
    next_cursor: str | None


NOBODY: Final = Signature("", "", None, 0, None)


def commit(repository: BareRepository, oid: str) -> Commit:
    """One commit by its full oid; a tag is followed to its commit.

    Raises:
        NotFound: No such object, or it is a tree or a blob.
    """
    kind, peeled, data = objects.peel(repository, oid)
    if kind != "commit":
        raise NotFound(f"The object {peeled} is a {kind}, not a commit.", code="CommitDoesNotExistException")
    return parse(peeled, data)


def commits(
    repository: BareRepository, oid: str, *, path: str = "", limit: int = 30, cursor: str | None = None
) -> Page:
    """Commits reachable from `oid`, newest first and never a parent before its child.

    The cursor of a whole history is the set of commits that come next: those not shown with a child that was. Exactly
    the commits reachable from that set are left, so a page costs the same at any depth, given a commit-graph. The
    history of a path, where git leaves out side branches that changed nothing, is resumed by count instead.

    Args:
        oid: A commit, or a tag of one.
        path: Only commits that changed this file or folder; "" for all. Names are literal, `*` is no pattern.
        limit: Commits in the page, at most 1,000.
        cursor: `next_cursor` of the page before.

    Raises:
        NotFound: `oid` is no commit of this repository.
        InvalidInput: The cursor is not one of ours, or what it names is gone.
    """
    limit = max(1, min(limit, MAX_PAGE))
    tip = objects.peel(repository, oid)
    if tip[0] != "commit":
        raise NotFound(f"The object {tip[1]} is a {tip[0]}, so it has no history.", code="CommitDoesNotExistException")
    starts, skip = _unpack(cursor) if cursor else ([tip[1]], 0)
    # One more than asked for tells whether there is a next page.
    options = [f"--skip={skip}", f"--max-count={limit + 1}", *(() if path else ("--date-order", "--parents"))]
    rows = _walk(repository, starts, options, path=path)
    page = tuple(parse(row[0], objects.read(repository, row[0])[1]) for row in rows[:limit])
    if len(rows) <= limit:
        return Page(page, None)
    if path or skip:
        return Page(page, _pack(starts, skip + limit))
    frontier = _frontier(repository, starts, rows[:limit])
    return Page(page, _pack(frontier, 0) if len(frontier) <= MAX_FRONTIER else _pack(starts, limit))


def _frontier(repository: BareRepository, starts: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The commits that come after these rows: starts and parents that no row shows."""
    full = list(starts)
    if any(len(oid) < 40 for oid in starts):
        full = [row[0] for row in _walk(repository, starts, ["--no-walk=unsorted"])]
    shown = {row[0] for row in rows}
    candidates = dict.fromkeys([*full, *(parent for row in rows for parent in row[1:])])
    return [oid for oid in candidates if oid not in shown]


def _walk(
    repository: BareRepository, starts: Iterable[str], options: Sequence[str], *, path: str = ""
) -> list[list[str]]:
    """Lines of `git rev-list` split at spaces: the oid, and its parents where asked for."""
    # --stdin takes revisions and then, after "--", paths, one a line: any number of starts fits, and nothing a user
    # typed is ever an argument. A path with a line feed in it can't be said there and goes to the command line.
    args = ["rev-list", *options, "--stdin"]
    lines = [*starts]
    if path and "\n" not in path:
        lines += ["--", path]
    elif path:
        args += ["--", path]
    given = refs.encode("".join(f"{line}\n" for line in lines))
    try:
        output = program.run(repository, args, input=given, environment={"GIT_LITERAL_PATHSPECS": "1"})
    except (program.GitTimeout, program.GitOutputTooLarge):
        raise
    except program.GitError as error:
        raise InvalidInput(
            "This history can't be followed from here: a commit it starts at is gone or damaged.",
            hint="Open the history of the branch again from its first page.",
        ) from error
    return [line.split(" ") for line in output.decode("ascii").splitlines()]


def _pack(oids: Sequence[str], skip: int) -> str:
    """A cursor: how many to skip, then the starts; whole oids where few, abbreviated where many."""
    width = 20 if len(oids) == 1 else CURSOR_OID_BYTES
    raw = skip.to_bytes(4, "big") + bytes([width]) + b"".join(bytes.fromhex(oid)[:width] for oid in oids)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _unpack(cursor: str) -> tuple[list[str], int]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    width, oids = raw[4:5], raw[5:]
    if width not in (b"\x14", bytes([CURSOR_OID_BYTES])) or not oids or len(oids) % width[0]:
        raise InvalidInput(
            "This page's cursor is not one that this server gave.",
            code="InvalidContinuationTokenException",
            hint="Open the history from its first page.",
        )
    return [oids[at : at + width[0]].hex() for at in range(0, len(oids), width[0])], int.from_bytes(raw[:4], "big")


def parse(oid: str, data: bytes) -> Commit:
    """A commit from its bytes; whatever is odd or missing becomes empty, nothing raises."""
    head, _, tail = data.partition(b"\n\n")
    headers: dict[bytes, bytes] = {}
    parents: list[str] = []
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(value.decode("ascii", "replace"))
        elif key and key not in headers:
            headers[key] = value
    encoding = headers.get(b"encoding", b"").decode("ascii", "replace")
    raw_message = tail if len(tail) <= 4 * MAX_MESSAGE_CHARS else _CUT_CHARACTER.sub(b"", tail[: 4 * MAX_MESSAGE_CHARS])
    message = _text(raw_message, encoding)
    is_truncated = len(tail) > len(raw_message) or len(message) > MAX_MESSAGE_CHARS
    message = message[:MAX_MESSAGE_CHARS]
    first, _, rest = message.lstrip("\n").partition("\n\n")
    return Commit(
        oid=oid,
        tree_oid=headers.get(b"tree", b"").decode("ascii", "replace"),
        parent_oids=tuple(parents),
        author=signature(headers.get(b"author", b""), encoding),
        committer=signature(headers.get(b"committer", b""), encoding),
        subject=" ".join(first.split())[:MAX_SUBJECT_CHARS],
        body=rest.strip("\n"),
        message=message,
        encoding=encoding or "UTF-8",
        is_signed=b"gpgsig" in headers or b"gpgsig-sha256" in headers,
        is_truncated=is_truncated,
        tagger=signature(headers.get(b"tagger", b""), encoding),
    )


def signature(value: bytes, encoding: str = "") -> Signature:
    """A "name <email> seconds +zone" line, in whatever shape it is."""
    match = _SIGNATURE.match(value)
    if match is None:
        return Signature(_text(value, encoding).strip(), "", None, 0, None) if value.strip() else NOBODY
    name, email, seconds, zone = match.groups()
    timestamp = int(seconds) if seconds is not None and len(seconds) < 20 else None
    when_at: datetime | None = None
    if timestamp is not None:
        try:
            when_at = datetime.fromtimestamp(timestamp, UTC)
        except (ValueError, OverflowError, OSError):
            when_at = None
    return Signature(_text(name, encoding).strip(), _text(email, encoding).strip(), timestamp, _offset(zone), when_at)


def _offset(zone: bytes | None) -> int:
    """Minutes from UTC of "+0530"; odd ones such as "+51800" count as UTC."""
    if zone is None or len(zone) != 5:
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[3:5])
    return 0 if minutes >= 24 * 60 else (-minutes if zone[:1] == b"-" else minutes)


def _text(value: bytes, encoding: str) -> str:
    """Text in the encoding a commit states, else UTF-8, else Latin-1, in which any bytes are something."""
    for name in (encoding, "utf-8"):
        if name and len(name) < 40 and _ENCODING.match(name):
            try:
                return value.decode(name)
            except (LookupError, UnicodeError, ValueError):
                continue
    return value.decode("latin-1")
