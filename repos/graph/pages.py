"""Windows of a graph: its rows with their commits and refs, at any depth at the cost of the window."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from codeservices.errors import NotFound
from repos.git import log, objects, program, refs
from repos.git.ref_answers import key_of
from repos.graph import kept
from repos.graph.choice import Choice, Label, Refs
from repos.graph.index import MIN_PREFIX, Index
from repos.graph.lanes import Row, State, Sweep
from repos.models import Repository

MAX_ROWS: Final = 200
# Rows that can be had without an index: git finds as many in a twentieth of a second.
TOP_ROWS: Final = 3000
MESSAGE_SECONDS: Final = 10.0
_HEX: Final = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True)
class ShownRow:
    """A row with what stands in it.

    Attributes:
        number: From 0.
        row: Lanes and lines.
        commit: None where its object can't be read.
        labels: The refs that point at it.
    """

    number: int
    row: Row
    commit: log.Commit | None
    labels: tuple[Label, ...]


@dataclass(frozen=True)
class Window:
    """Some rows of a graph.

    Attributes:
        first: The number of the first one.
        rows: In order.
        numbers: The rows of commits that lines lead to, by oid; not of all before the index is made.
        total: How many rows the graph has; None before the index is made.
        has_more: Whether rows follow.
        width: Columns that no row of this window exceeds.
        is_cut: Whether the graph's last row is not the end of its history.
        state: Differs where the graph is another one.
    """

    first: int
    rows: tuple[ShownRow, ...]
    numbers: dict[str, int]
    total: int | None
    has_more: bool
    width: int
    is_cut: bool
    state: str


def window(
    repository: Repository, known: Refs, choice: Choice, first: int, count: int, *, may_wait: bool = True
) -> Window:
    """The rows from `first` on.

    Those at the top need no index: where there is none, they come from git itself. Who goes on from the first ones
    there has it made meanwhile.

    Args:
        may_wait: Whether the caller waits for the index even for the top.

    Raises:
        GraphNotReady: The index is needed and can't be had in time.
    """
    count = max(1, min(count, MAX_ROWS))
    index = kept.find(repository, choice)
    if index is None and first < TOP_ROWS and not may_wait:
        if first:
            kept.make_meanwhile(repository, choice)
        return _top(repository, known, choice, first, count)
    with index or kept.make(repository, choice) as opened:
        first = max(0, min(first, opened.rows - 1))
        rows, numbers = opened.window(first, count)
        return Window(
            first,
            _shown(repository, known, rows, first),
            numbers,
            opened.rows,
            first + len(rows) < opened.rows,
            _width(rows),
            opened.is_cut,
            _state(choice),
        )


def _top(repository: Repository, known: Refs, choice: Choice, first: int, count: int) -> Window:
    args = ["rev-list", "--date-order", "--parents", f"--max-count={first + count + 1}", "--stdin"]
    given = "".join(f"{oid}\n" for oid in choice.tips).encode("ascii")
    lines = program.run(repository.git, args, input=given).decode("ascii").splitlines()
    commits = [line.split(" ") for line in lines[: first + count]]
    first = max(0, min(first, len(commits) - 1))
    sweep = Sweep(State())
    for oid, *parents in commits[:first]:
        sweep.skip(oid, parents)
    rows = [sweep.add(oid, parents) for oid, *parents in commits[first:]]
    numbers = {oid: number for number, (oid, *_) in enumerate(commits)}
    has_more = len(lines) > len(commits)
    total = None if has_more else len(commits)
    shown = _shown(repository, known, rows, first)
    return Window(first, shown, numbers, total, has_more, _width(rows), False, _state(choice))


def _width(rows: Sequence[Row]) -> int:
    return max((row.width for row in rows), default=1)


def _state(choice: Choice) -> str:
    return key_of(choice.key, *choice.tips).hex()[:16]


def _shown(repository: Repository, known: Refs, rows: Sequence[Row], first: int) -> tuple[ShownRow, ...]:
    labels = known.labels()
    return tuple(
        ShownRow(number, row, _commit(repository, row.oid), tuple(labels.get(row.oid, ())))
        for number, row in enumerate(rows, start=first)
    )


def _commit(repository: Repository, oid: str) -> log.Commit | None:
    try:
        return log.parse(oid, objects.read(repository.git, oid)[1])
    except NotFound:
        return None


def row_of(repository: Repository, choice: Choice, oid: str) -> int:
    """The row of a commit; raises NotFound where the graph does not show it."""
    with _index(repository, choice) as index:
        row = index.row_of(oid) if refs.OID.fullmatch(oid) else None
    if row is None:
        raise NotFound(
            f"The graph of these branches does not show the commit “{oid[:40]}”.",
            code="CommitDoesNotExistException",
            hint="Show all branches to look for it there.",
        )
    return row


def row_of_child(repository: Repository, choice: Choice, oid: str) -> int:
    """The first row of a child of a commit; raises NotFound where it has none in this graph."""
    row = row_of(repository, choice, oid)
    with _index(repository, choice) as index:
        child = index.first_child(row)
    if child is None:
        raise NotFound(f"No commit of this graph is a child of {oid}.", code="CommitDoesNotExistException")
    return child


def search(repository: Repository, known: Refs, choice: Choice, text: str) -> int:
    """The row that somebody means: a branch, a tag, the beginning of an id, or of a line of a message.

    Of several commits with such an id or message it is the one that stands first.

    Raises:
        NotFound: Nothing in this graph is called that.
        GitTimeout: No message with that beginning was found in time.
    """
    wanted = text.strip()
    with _index(repository, choice) as index:
        for row in _candidates(repository, known, choice, index, wanted):
            if row is not None:
                return row
    raise NotFound(
        f"Nothing in this graph is called “{refs.shown(wanted)[:100]}”.",
        code="CommitDoesNotExistException",
        hint="Give a branch, a tag, the beginning of a commit's id, or of a line of its message.",
    )


def _candidates(repository: Repository, known: Refs, choice: Choice, index: Index, wanted: str) -> Iterator[int | None]:
    for oid in (known.branches.get(wanted), known.tags.get(wanted)):
        if oid is not None:
            yield index.row_of(oid)
    prefix = wanted.lower()
    if MIN_PREFIX <= len(prefix) <= 40 and _HEX.fullmatch(prefix):
        yield index.row_of_prefix(prefix)
    if wanted:
        yield _row_of_message(repository, choice, index, wanted)


def _row_of_message(repository: Repository, choice: Choice, index: Index, wanted: str) -> int | None:
    # A basic regular expression: what means something in one is taken literally. Source: git-log(1), --grep.
    pattern = re.sub(r"([\\.*\[\]^$])", r"\\\1", " ".join(wanted.split()))
    args = ["rev-list", "--regexp-ignore-case", "--basic-regexp", f"--grep=^ *{pattern}", "--max-count=1", "--stdin"]
    given = "".join(f"{oid}\n" for oid in choice.tips).encode("ascii")
    found = program.run(repository.git, args, input=given, timeout_seconds=MESSAGE_SECONDS).decode("ascii").strip()
    return index.row_of(found) if found else None


def _index(repository: Repository, choice: Choice) -> closing[Index]:
    return closing(kept.find(repository, choice) or kept.make(repository, choice))
