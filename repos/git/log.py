"""Commits: one by its oid, and those of a ref or a path in pages.

A commit is parsed here from its bytes, because real histories hold commits without an author, without a date or in an
encoding that nobody knows, and no page may fail for one of them.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as dt_time
from itertools import islice
from typing import Final

from codeservices.errors import NotFound
from repos.git import cat_file, objects, program, signatures
from repos.git.store import BareRepository
from repos.git.walk import Place, Row, Walk

# A message is shown up to here; the raw object has all of it. Real ones are far shorter, hostile ones are 10 MB.
MAX_MESSAGE_CHARS: Final = 64 * 1024
MAX_SUBJECT_CHARS: Final = 1000
# A name or an e-mail address, likewise: one of six megabytes would be in every list that has the commit.
MAX_NAME_CHARS: Final = 1024
MAX_PAGE: Final = 1000
# Longer than people like to wait; git reads some 100,000 commits meanwhile.
SEARCH_SECONDS: Final = 4.0
# A search reads few commits to begin with, since what is looked for is often recent, and then more at a time.
FIRST_BATCH: Final = 250
MAX_BATCH: Final = 8000
DAY_SECONDS: Final = 86400
# Commits say "latin1" or "cp1251"; Python's other codecs ("punycode", "unicode_escape") aren't for messages.
_ENCODING: Final = re.compile(
    r"(utf[-_]?(8|16|32)|us-ascii|ascii|latin[-_]?\d+|iso[-_]?\d+|windows|cp\d|koi8|euc|shift|sjis|gb|big5|mac|hz|tis)",
    re.IGNORECASE,
)
# Where a long message is cut, half a UTF-8 character may be left at its end.
_CUT_CHARACTER: Final = re.compile(rb"[\xc0-\xff][\x80-\xbf]*\Z")
# What follows the first "<" of a signature's line. All of it may be missing, so that nothing is tried twice: a line may
# have six megabytes of blanks.
_SIGNATURE: Final = re.compile(rb"([^<>]*)>?\s*(-?\d+)?(?:\s+([+-]\d+))?")


@dataclass(frozen=True)
class Signature:
    """Who wrote or committed, and when.

    Attributes:
        name: As written, up to MAX_NAME_CHARS; may be empty.
        email: As written, likewise, without the angle brackets; may be empty.
        timestamp: Seconds since 1970, or None where the commit has no date.
        offset_minutes: The writer's distance from UTC.
        when_at: The moment as aware UTC, or None where there is none or no calendar reaches it.
    """

    name: str
    email: str
    timestamp: int | None
    offset_minutes: int
    when_at: datetime | None


@dataclass(frozen=True)
class Commit:
    """One commit. `message` is all of it, `subject` its first paragraph on one line, `body` the rest.

    A tag object has the same form; only one of those has a `tagger`. Whether a signature is any good is for
    repos/signatures.py to say.
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
    signature_kind: signatures.Kind | None
    is_truncated: bool
    tagger: Signature

    @property
    def is_merge(self) -> bool:
        """More than one parent."""
        return len(self.parent_oids) > 1


@dataclass(frozen=True)
class Search:
    """What commits are looked for; empty members want nothing.

    Attributes:
        message, author: Text that is in the message, in the author's name or e-mail; a to z in either case.
        since, until: The first and the last day, in UTC, on which they were committed.
    """

    message: str = ""
    author: str = ""
    since: date | None = None
    until: date | None = None

    def __bool__(self) -> bool:
        return self != Search()

    @property
    def has_words(self) -> bool:
        """Whether the commits' texts have to be read."""
        return bool(self.message or self.author)

    @property
    def since_timestamp(self) -> int | None:
        """Seconds since 1970 of the first moment."""
        return None if self.since is None else int(datetime.combine(self.since, dt_time(), UTC).timestamp())

    @property
    def until_timestamp(self) -> int | None:
        """Seconds since 1970 of the first moment that is too late."""
        return (
            None if self.until is None else int(datetime.combine(self.until, dt_time(), UTC).timestamp()) + DAY_SECONDS
        )


@dataclass(frozen=True)
class Entry:
    """A commit in a history.

    Attributes:
        path: What the file or folder was called after it; "" where the history is of everything.
        renamed_from: What the file was called before it, where it was moved.
        is_deletion: The file that is followed was deleted in it.
    """

    commit: Commit
    path: str = ""
    renamed_from: str | None = None
    is_deletion: bool = False


@dataclass(frozen=True)
class Page:
    """Some commits in order, and the cursor of those after them.

    Attributes:
        next_cursor: None at the end. After a search there may be nothing behind it.
        seen: How many commits a search had looked at when its time was over; 0 where it was not.
        reached_at: When the last of those was committed.
    """

    entries: tuple[Entry, ...]
    next_cursor: str | None
    seen: int = 0
    reached_at: datetime | None = None

    @property
    def commits(self) -> tuple[Commit, ...]:
        """The commits alone."""
        return tuple(entry.commit for entry in self.entries)


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


def latest(repository: BareRepository, oid: str, path: str) -> Commit | None:
    """The newest commit reachable from `oid` that changed a file or folder, or None; raises as `commits`."""
    return next(iter(commits(repository, oid, path=path, limit=1).commits), None)


def several(repository: BareRepository, oids: Collection[str]) -> dict[str, Commit]:
    """Many commits by their full oids, read by one git process while they are parsed here.

    Raises:
        NotFound: One of them is missing, or no commit.
        GitTimeout: It takes too long.
    """
    found: dict[str, Commit] = {}
    asked: deque[str] = deque()
    with cat_file.opened(repository, timeout_seconds=program.TIMEOUT_SECONDS) as source:

        def take() -> None:
            oid, answer = asked.popleft(), source.answer()
            if answer is None or answer[0] != b"commit":
                raise NotFound(f"No commit {oid} is in this repository.", code="CommitDoesNotExistException")
            found[oid] = parse(oid, answer[1])

        for oid in oids:
            source.ask(oid.encode("ascii"))
            asked.append(oid)
            if source.is_full:
                take()
        while asked:
            take()
    return found


def commits(
    repository: BareRepository,
    oid: str,
    *,
    path: str = "",
    limit: int = 30,
    cursor: str | None = None,
    follows: bool = False,
    search: Search = Search(),
) -> Page:
    """Commits reachable from `oid`, newest first and never a parent before its child.

    Where clocks were wrong, the first page of a file that is followed may have one there (`walk.py`).

    Args:
        oid: A commit, or a tag of one.
        path: Only commits that changed this file or folder; "" for all. Names are literal, `*` is no pattern.
        limit: Commits in the page, at most 1,000.
        cursor: `next_cursor` of the page before. A page then costs what the first one does, given a commit-graph.
        follows: The path is a file; its history goes on under the names it had before.
        search: Only those that are like this. It ends after SEARCH_SECONDS, and the page then says how far it came.

    Raises:
        NotFound: `oid` is no commit of this repository.
        InvalidInput: The cursor is not one of ours, or what it names is gone.
        GitTimeout: The time was over before there was anything to show.
    """
    limit = max(1, min(limit, MAX_PAGE))
    kind, tip, _ = objects.peel(repository, oid)
    if kind != "commit":
        raise NotFound(f"The object {tip} is a {kind}, so it has no history.", code="CommitDoesNotExistException")
    place: Place | None = Place.unpacked(repository, cursor, path) if cursor else Place([tip], path=path)
    deadline = time.monotonic() + (SEARCH_SECONDS if search else program.TIMEOUT_SECONDS)
    found: list[Entry] = []
    last: Row | None = None
    seen = 0
    while place is not None:
        walk = Walk(repository, place, follows=follows, is_first=not (cursor or search))
        rows = walk.rows(
            max_rows=None if search else limit - len(found),
            since=search.since_timestamp,
            timeout_seconds=max(0.05, deadline - time.monotonic()),
        )
        try:
            for row, is_wanted in _wanted(repository, rows, search, deadline):
                if not walk.has(row):
                    walk.leave()
                    continue
                if len(found) == limit:
                    return _page(found, walk.place, path)
                before = walk.take(row)
                last, seen = row, seen + 1
                if is_wanted:  # read now, while git looks for the next one
                    parsed = parse(row.oid, objects.read(repository, row.oid)[1])
                    found.append(Entry(parsed, place.path, before, row.is_deletion))
        except program.GitTimeout:
            if last is None:
                raise
            return _page(found, walk.place, path, seen, last)
        place = walk.place if walk.is_cut else walk.place_before
        if place is not None and len(found) == limit:  # what comes next is known, and need not be looked for
            return _page(found, place, path)
    return _page(found, None, path)


def _wanted(
    repository: BareRepository, rows: Iterator[Row], search: Search, deadline: float
) -> Iterator[tuple[Row, bool]]:
    """Rows with whether the search wants them. Git looks at their texts many at a time, at few to begin with."""
    if not search:
        yield from ((row, True) for row in rows)
    size, end = FIRST_BATCH, search.until_timestamp
    while batch := list(islice(rows, size)):
        wanted = {row.oid for row in batch if end is None or row.timestamp < end}
        if search.has_words and wanted:
            wanted = _matching(repository, wanted, search, max(0.05, deadline - time.monotonic()))
        yield from ((row, row.oid in wanted) for row in batch)
        size = min(2 * size, MAX_BATCH)


def _matching(repository: BareRepository, oids: Iterable[str], search: Search, timeout_seconds: float) -> set[str]:
    """Those of the commits whose message and author have the words in them."""
    args = ["rev-list", "--no-walk=unsorted", "--stdin", "--fixed-strings", "--regexp-ignore-case"]
    args += [f"--grep={search.message}"] if search.message else []
    args += [f"--author={search.author}"] if search.author else []
    given = "".join(f"{oid}\n" for oid in oids).encode("ascii")
    output = program.run(repository, args, input=given, timeout_seconds=timeout_seconds)
    return set(output.decode("ascii").split())


def _page(found: Iterable[Entry], place: Place | None, path: str, seen: int = 0, last: Row | None = None) -> Page:
    reached_at = moment(last.timestamp) if last is not None else None
    return Page(tuple(found), place.packed(path) if place is not None else None, seen, reached_at)


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
        signature_kind=signatures.kind_of(headers[b"gpgsig"]) if b"gpgsig" in headers else None,
        is_truncated=is_truncated,
        tagger=signature(headers.get(b"tagger", b""), encoding),
    )


def signature(value: bytes, encoding: str = "") -> Signature:
    """A "name <email> seconds +zone" line, in whatever shape it is."""
    name, bracket, rest = value.partition(b"<")
    match = _SIGNATURE.match(rest)
    if not bracket or match is None:
        return Signature(_name(value, encoding), "", None, 0, None) if value.strip() else NOBODY
    email, seconds, zone = match.groups()
    timestamp = int(seconds) if seconds is not None and len(seconds) < 20 else None
    when_at = None if timestamp is None else moment(timestamp)
    return Signature(_name(name, encoding), _name(email, encoding), timestamp, _offset(zone), when_at)


def _name(raw: bytes, encoding: str) -> str:
    return _text(raw.strip()[: 4 * MAX_NAME_CHARS], encoding).strip()[:MAX_NAME_CHARS]


def moment(timestamp: int) -> datetime | None:
    """Seconds since 1970 as aware UTC; None where no calendar reaches them."""
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None


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
