"""Histories as rows of oids that come in order and may be left and taken up again at any row.

What is left of a history after some rows is exactly what is reachable from those commits that come next: those not
shown with a child that was. So the place where a page ends is that set of commits, and going on from there costs the
same at any depth, given a commit-graph. For the history of a path git rewrites parents to the nearest commits that
changed it, which makes the same true of that shorter history.

The set is right only because no parent comes before its child, whatever clocks said. Where git sees to that itself
(`--date-order`), it looks at all history down to the oldest commit it may start at, and some line of history is nearly
always left open for years. The commit-graph has corrected dates, which are later for every child: rows in their order
need nothing but the rows themselves. Those of a path git gives by their own dates, those of all history the graph has.
Only what is not in the graph yet, and files that are followed through renames, are left to git's order.

To rewrite parents, git looks how each line of history goes on that a page leaves open, now and then to the root. The
first page of a file that is followed does without, and without `--date-order` until corrected dates tell that clocks
were wrong: only there, a parent may stand before a child that claims to be older. It notes its rows, and the second
page, which few people open, reads them once more, with their parents, and finds out where it begins.

Source: git-rev-list(1), "History Simplification", "Parent Rewriting" and "Commit Ordering"; the corrected dates of
gitformat-commit-graph(5).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import heapq
import json
import math
import re
import time
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from codeservices.errors import InvalidInput, NotFound
from repos.git import commit_graph, objects, program, refs, tree
from repos.git.store import BareRepository

# git/git has up to 130 lines of history open at once. Up to this many stand in a cursor whole, more of them by their
# first 8 bytes; beyond MAX_OPEN the address would grow past what proxies take, and rows are counted instead.
MAX_WHOLE: Final = 250
MAX_OPEN: Final = 500
SHORT_OID_BYTES: Final = 8
# Names under which a file was before and that wait for their turn; more than one only where lines of history differ.
MAX_EARLIER: Final = 10
MAX_CURSOR_BYTES: Final = 64 * 1024
# Rows that git is asked for beyond those due, for those that wait for a later one.
READ_AHEAD: Final = 8
# A commit that moves very many files: git then compares only as many for their likeness (`diff.renameLimit`).
RENAME_LIMIT: Final = 1000
RENAME_SECONDS: Final = 5.0
# What git remembers of objects that others are deltas of. Its own 96 MiB cost new memory for each tree it compares,
# a tenth of the time; with less than some thirty of the largest tree on the way to the path it begins to take longer.
MIN_BASE_BYTES: Final = 1024 * 1024
MAX_BASE_BYTES: Final = 96 * 1024 * 1024
BASES: Final = 32
LITERAL_PATHS: Final = {"GIT_LITERAL_PATHSPECS": "1"}

_DAMAGED = "This history can't be followed from here: a commit it starts at is gone or damaged."


@dataclass(frozen=True)
class Row:
    """One commit of a walk.

    Attributes:
        parents: Of the history walked: for a path's, the nearest ones that changed it.
        timestamp: When it was committed, in seconds since 1970.
        is_addition: It is where the file at the path begins; told only where the walk looks for that.
        is_deletion: It is where the file ends; likewise.
    """

    oid: str
    parents: tuple[str, ...]
    timestamp: int
    is_addition: bool = False
    is_deletion: bool = False


@dataclass
class Place:
    """Where a history is read on.

    Attributes:
        starts: All commits that come next.
        skip: How many rows after them were shown already; 0 unless the starts were too many.
        shown: The first bytes of rows after them that were shown already, in hexadecimal.
        path: The file or folder that the history is of, as it was called here; "" for all.
        earlier: Names that the file had before, each with the commit to go on at, when this one has ended.
    """

    starts: list[str]
    skip: int = 0
    path: str = ""
    earlier: list[tuple[str, str]] = field(default_factory=list)
    shown: frozenset[str] = frozenset()

    def packed(self, path: str) -> str:
        """The place as a cursor; `path` is what whoever gives it back says as well."""
        width = 40 if len(self.starts) <= MAX_WHOLE else 2 * SHORT_OID_BYTES
        members: dict[str, Any] = {"w": width, "o": "".join(oid[:width] for oid in self.starts)}
        if self.skip:
            members["s"] = self.skip
        if self.path != path:
            members["p"] = self.path
        if self.earlier:
            members["e"] = self.earlier
        if self.shown:
            members["d"] = "".join(sorted(self.shown))
        raw = zlib.compress(json.dumps(members, separators=(",", ":")).encode("ascii"), 9)
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")

    @classmethod
    def unpacked(cls, repository: BareRepository, cursor: str, path: str) -> Place:
        """The place that a cursor names; raises InvalidInput where it is none of ours."""
        with contextlib.suppress(
            binascii.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError, zlib.error
        ):
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            members = json.loads(zlib.decompressobj().decompress(raw, MAX_CURSOR_BYTES))
            width, packed = members["w"], members["o"]
            earlier = [(_text(name), _oid(oid)) for name, oid in members.get("e", ())][:MAX_EARLIER]
            starts = _split(packed, width)
            shown = frozenset(_split(members.get("d", ""), 2 * SHORT_OID_BYTES))
            whole = [_oid(one) if width == 40 else _completed(repository, one) for one in starts]
            skip = members.get("s", 0)
            if starts and isinstance(skip, int) and 0 <= skip < 2**31:
                return cls(whole, skip, _text(members.get("p", path)), earlier, shown)
        raise InvalidInput(
            "This page's cursor is not one that this server gave.",
            code="InvalidContinuationTokenException",
            hint="Open the history from its first page.",
        )


def _split(text: str, width: int) -> list[str]:
    return [text[at : at + width] for at in range(0, len(text), width)]


def _short(oid: str) -> str:
    return oid[: 2 * SHORT_OID_BYTES]


def _oid(text: str) -> str:
    if not refs.OID.fullmatch(text):
        raise ValueError(text)
    return text


def _text(text: Any) -> str:
    if not isinstance(text, str) or "\0" in text:
        raise TypeError(text)
    refs.encode(text)  # half a character, which JSON can carry, is a ValueError
    return text


def _completed(repository: BareRepository, short: str) -> str:
    """The whole oid. Not asked of git, to which a branch of that name would come first."""
    if not re.fullmatch(r"[0-9a-f]{16}", short):
        raise ValueError(short)
    found = next(repository.dulwich.object_store.iter_prefix(short.encode()), None)
    if found is None:
        raise InvalidInput(_DAMAGED, hint="Open the history of the branch again from its first page.")
    return found.decode()


class Walk:
    """Rows from a place on. Whoever reads them says which are taken; `place` is then where to go on behind those."""

    def __init__(
        self, repository: BareRepository, place: Place, *, follows: bool = False, is_first: bool = False
    ) -> None:
        """Begin a walk; nothing is read yet.

        Args:
            follows: The path is a file, which is followed to the name it had before.
            is_first: Rows are few, and those of a file may be noted one by one for the place behind them.
        """
        self._repository = repository
        self._given = place
        self._follows = follows and bool(place.path) and "\n" not in place.path
        self._notes = is_first and self._follows and place == Place(place.starts, path=place.path)
        self._passed = 0
        self._shown = set(place.shown)
        self._open = dict.fromkeys(place.starts)
        self._live = set(place.starts)
        self._earlier = list(place.earlier)
        # Whether the rows ended before the history did.
        self.is_cut = False

    def rows(self, *, max_rows: int | None, since: int | None, timeout_seconds: float) -> Iterator[Row]:
        """Rows without those that were shown already, no parent before its child, but for a file's first as told above.

        Args:
            max_rows: As many at most, and the one behind those where they are noted; None for all.
            since: Seconds since 1970; at a commit from before, nothing behind it is looked at.
            timeout_seconds: For all of them together.

        Raises:
            GitTimeout: The time is over; `place` is as good as ever.
            InvalidInput: What the place names is gone.
        """
        options = [] if since is None else [f"--max-age={since}"]
        # Only another row tells that there is one behind those noted.
        behind = 1 if self._notes else self._given.skip + len(self._given.shown)
        most = None if max_rows is None else max_rows + behind
        count = 0
        for row in self._all_rows(options, most, timeout_seconds):
            count += 1
            if count > self._given.skip and _short(row.oid) not in self._given.shown:
                yield row
            elif self.has(row):
                self.take(row)
            else:
                self.leave()
        self.is_cut = self.is_cut or count == most

    def _all_rows(self, options: Sequence[str], most: int | None, timeout_seconds: float) -> Iterator[Row]:
        """Git's rows, so many at most.

        A file that is followed has few lines open, and some of git's rows are not its own. All rows of all history are
        read sooner in git's order, for which it then looks at nothing that is not read.
        """
        if self._notes:
            yield from self._first_rows(options, most, timeout_seconds)
            return
        if not self._follows and (most is not None or self._given.path):
            with contextlib.closing(commit_graph.Commits(self._repository)) as graph:
                order = Order(self._given.starts, graph)
                if order.is_known:
                    if self._given.path:
                        yield from order.rows(self._repository, self._given.path, options, most, timeout_seconds)
                    else:
                        yield from islice(order.all_rows(), most)
                    return
        options = ["--date-order", *options, *_at_most(most)]
        yield from _rows(self._repository, self._given, options, timeout_seconds, with_additions=self._follows)

    def _first_rows(self, options: Sequence[str], most: int | None, timeout_seconds: float) -> Iterator[Row]:
        """Rows without their parents, as far as those need not be known, in git's own order if the graph has dates."""
        with contextlib.closing(commit_graph.Commits(self._repository)) as graph:
            latest = graph.corrected_date(self._given.starts[0])
            is_known = latest < math.inf
            options = [*([] if is_known else ["--date-order"]), *options, *_at_most(most)]
            for row in _rows(
                self._repository, self._given, options, timeout_seconds, with_parents=False, with_additions=True
            ):
                before, latest = latest, graph.corrected_date(row.oid)
                # Behind a move, parents tell whether a row is still the file's; behind wrong clocks, which come first,
                # though some that should have come later are given by then.
                if self._has_moved or (is_known and latest > before):
                    self.is_cut = True
                    return
                yield row

    def has(self, row: Row) -> bool:
        """Whether a row belongs to the history: not where the name was another file's before this one was moved."""
        # The first row is what one start leads to that did not change the path itself.
        return not self._follows or self._notes or not self._passed or row.oid in self._live

    def leave(self) -> None:
        """Note a row as none of the history's, in its order."""
        self._passed += 1

    def take(self, row: Row) -> str | None:
        """Note a row as given, in its order. The name that the file had before it, or None."""
        if not self._passed and len(self._open) == 1:
            self._open = {row.oid: None}
        self._passed += 1
        if self._notes:
            self._shown.add(_short(row.oid))
        else:
            self._shown.discard(_short(row.oid))
        self._open.pop(row.oid, None)
        before = self._name_before(row) if row.is_addition and self._follows else None
        if before is None:
            self._live.update(row.parents)
            self._open.update(dict.fromkeys(row.parents))
        return before

    @property
    def place(self) -> Place | None:
        """Where to go on behind the rows noted; where the rows have ended, under the name before; None at the end."""
        if self._passed <= self._given.skip:
            return self._given
        if self._notes:
            return replace(self._given, shown=frozenset(self._shown))
        if len(self._open) > MAX_OPEN:
            return replace(self._given, skip=self._passed)
        if self._open:
            return Place(list(self._open), 0, self._given.path, list(self._earlier), frozenset(self._shown))
        return self.place_before

    @property
    def place_before(self) -> Place | None:
        """Where the history goes on under a name that the file had before, once this one has ended."""
        if not self._earlier:
            return None
        (path, oid), *rest = self._earlier
        return Place([oid], 0, path, rest)

    @property
    def _has_moved(self) -> bool:
        """Whether a row taken was the first under a name that the file was moved to."""
        return len(self._earlier) > len(self._given.earlier)

    def _name_before(self, row: Row) -> str | None:
        found = moved_from(self._repository, row.oid, self._given.path) if len(self._earlier) < MAX_EARLIER else None
        if found is None:
            return None
        self._earlier.append(found)
        return found[0]


def moved_from(repository: BareRepository, oid: str, path: str) -> tuple[str, str] | None:
    """The name that a file had before a commit gave it this one, and that commit's first parent; None if it is new."""
    head = objects.read(repository, oid)[1].partition(b"\n\n")[0].split(b"\n")
    parent = next((line[7:].decode("ascii") for line in head if line.startswith(b"parent ")), None)
    if parent is None:
        return None
    args = ["diff-tree", "-r", "-z", "--raw", "-M", f"-l{RENAME_LIMIT}", "--diff-filter=R", "--end-of-options"]
    with contextlib.suppress(program.GitTimeout, program.GitOutputTooLarge):
        output = program.run(repository, [*args, parent, oid], timeout_seconds=RENAME_SECONDS)
        fields = output.split(b"\0")
        for source, target in zip(fields[1::3], fields[2::3], strict=False):
            if target == refs.encode(path):
                return refs.decode(source), parent
    return None


class Order:
    """Rows with the latest corrected date first, so that no parent comes before its child.

    Git gives a path's by their own dates. That is nearly the same, so few rows wait here for one that git gives later.
    """

    def __init__(self, starts: Iterable[str], graph: commit_graph.Commits) -> None:
        self._graph = graph
        # A heap of what comes next; equal dates by their oids, which are the same wherever a page ended.
        self._coming: list[tuple[float, str]] = []
        self._known: set[str] = set()
        self._waiting: dict[str, Row] = {}
        self._given = 0
        self._add(starts)
        # Whether the commit-graph has all starts; it then has all that they reach.
        self.is_known = all(date != -math.inf for date, _ in self._coming)

    def all_rows(self) -> Iterator[Row]:
        """Those of all history, for which git is not asked."""
        while self._coming:
            _, oid = heapq.heappop(self._coming)
            parents, timestamp = self._graph.parents_and_date(oid)
            self._add(parents)
            yield Row(oid, parents, timestamp)

    def rows(
        self, repository: BareRepository, path: str, options: Sequence[str], most: int | None, timeout_seconds: float
    ) -> Iterator[Row]:
        """Those of a path, so many at most."""
        deadline = time.monotonic() + timeout_seconds
        ahead = READ_AHEAD
        while self._coming:
            asked = None if most is None else most - self._given + ahead
            place = Place([oid for _, oid in self._coming], path=path)
            left_seconds = max(0.05, deadline - time.monotonic())
            read = 0
            with contextlib.closing(_rows(repository, place, [*options, *_at_most(asked)], left_seconds)) as rows:
                for row in rows:
                    if not read and not self._given and len(self._coming) == 1:
                        self._coming = [(0, row.oid)]  # what a path's history begins at need not have changed it
                    read += 1
                    self._waiting[row.oid] = row
                    for ready in self._ready():
                        yield ready
                        if self._given == most:
                            return
            if read == asked:  # what waits came too early by more than was read ahead
                self._waiting.clear()
                ahead *= 8
                continue
            while self._coming:
                heapq.heappop(self._coming)  # git left it out: it is older than was asked for
                for ready in self._ready():
                    yield ready
                    if self._given == most:
                        return

    def _ready(self) -> Iterator[Row]:
        while self._coming and (row := self._waiting.pop(self._coming[0][1], None)) is not None:
            heapq.heappop(self._coming)
            self._add(row.parents)
            self._given += 1
            yield row

    def _add(self, oids: Iterable[str]) -> None:
        for oid in oids:
            if oid not in self._known:
                self._known.add(oid)
                heapq.heappush(self._coming, (-self._graph.corrected_date(oid), oid))


def _remembering(repository: BareRepository, place: Place) -> program.Options:
    """How much git keeps in memory to compare a path's trees."""
    try:
        largest = tree.largest_bytes(repository, place.starts[0], place.path) if place.path else 0
    except NotFound:  # damaged, which git will say
        largest = 0
    kept = min(MAX_BASE_BYTES, max(MIN_BASE_BYTES, BASES * largest)) if largest else MAX_BASE_BYTES
    return program.Options({"core.deltaBaseCacheLimit": str(kept)})


def _at_most(count: int | None) -> list[str]:
    return [] if count is None else [f"--max-count={count}"]


def _rows(
    repository: BareRepository,
    place: Place,
    options: Sequence[str],
    timeout_seconds: float,
    *,
    with_parents: bool = True,
    with_additions: bool = False,
) -> Generator[Row, None, None]:
    """Git's rows. Where additions are asked for, git also compares the file with its parents', commit by commit."""
    # --stdin takes revisions and then, after "--", paths, one a line: any number of starts fits, and nothing a user
    # typed is ever an argument. A path with a line feed in it can't be said there and goes to the command line.
    if with_additions:
        args = ["log", f"--format=%ct %H{' %P' if with_parents else ''}", "--raw", "-c", "--no-renames", "--no-abbrev"]
    else:
        args = ["rev-list", "--timestamp"]
    args += [*(["--parents"] if with_parents else []), *options, "--stdin"]
    given = "".join(f"{oid}\n" for oid in place.starts)
    if place.path and "\n" not in place.path:
        given += f"--\n{place.path}\n"
    elif place.path:
        args += ["--", place.path]
    lines = program.lines(
        repository,
        args,
        input=refs.encode(given),
        timeout_seconds=timeout_seconds,
        environment=LITERAL_PATHS,
        options=_remembering(repository, place),
    )
    row: Row | None = None
    try:
        for line in lines:
            if line.startswith(b":") and row is not None:
                changes = set(line.split(b"\t")[0].rpartition(b" ")[2])  # one letter for each parent
                row = replace(row, is_addition=changes == {ord("A")}, is_deletion=changes == {ord("D")})
            elif line:
                if row is not None:
                    yield row
                timestamp, oid, *parents = line.decode("ascii").split(" ")
                row = Row(oid, tuple(filter(None, parents)), int(timestamp or 0))
    except program.GitTimeout:
        raise
    except program.GitError as error:
        raise InvalidInput(_DAMAGED, hint="Open the history of the branch again from its first page.") from error
    if row is not None:
        yield row
