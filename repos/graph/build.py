"""Make the index of a graph: a program of its own, so that neither its memory nor its time is that of a web process.

    python -m repos.graph.build REPOSITORY TARGET BASE < tips

TARGET is the file to be written. BASE is an older index of the same branches, or nothing: where the tips have moved,
git is asked for what is new on top, until only rows of BASE are left below, which are taken over as they are. The
sweep goes on into them until its state is the one that BASE has there; from then on the checkpoints are taken over too.
Of a branch that was pushed to that is soon; where many branches were shown and their order changes at the top, their
lanes may stay exchanged down to the roots, and the sweep goes all the way.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from repos.git import program
from repos.git.store import BareRepository
from repos.graph.index import OID_BYTES, Contents, Damaged, Index, checkpoints, moved, packed, write
from repos.graph.lanes import State, Sweep

# A graph that nobody scrolls to the end of; its index has 30 MB and takes half a minute.
MAX_ROWS: Final = 1_000_000
TIMEOUT_SECONDS: Final = 120.0
MEMORY_BYTES: Final = 2 * 1024**3


def build(repository: BareRepository, tips: Sequence[str], base: Index | None = None, *, max_rows: int) -> Contents:
    """Walk the history below the tips and lay it out.

    Args:
        tips: Full oids of commits.
        base: An index of an earlier state of the same branches.
        max_rows: Rows that the graph is cut after.
    """
    if base is not None and base.is_cut:
        base = None
    commits, kept_from = _walk(repository, tips, base, max_rows)
    if base is not None and kept_from is not None and len(commits) + base.rows - kept_from <= max_rows:
        return _joined(commits, base, kept_from, tips)
    if kept_from is not None:
        commits, _ = _walk(repository, tips, None, max_rows)
    return _laid_out(commits, tips)


Commits = list[tuple[str, list[str]]]


def _walk(
    repository: BareRepository, tips: Sequence[str], base: Index | None, max_rows: int
) -> tuple[Commits, int | None]:
    """The commits in order, and the row of the base from which on its rows follow them, if they do."""
    commits: Commits = []
    meeting = _Meeting(base, tips) if base is not None else None
    if meeting is not None and meeting.is_reached(0):
        return commits, 0
    args = ["rev-list", "--date-order", "--parents", f"--max-count={max_rows}", "--stdin"]
    given = "".join(f"{oid}\n" for oid in tips).encode("ascii")
    for line in program.lines(repository, args, input=given, timeout_seconds=TIMEOUT_SECONDS):
        oid, *parents = line.decode("ascii").split(" ")
        commits.append((oid, parents))
        if meeting is not None:
            meeting.pass_by(oid, parents)
            if meeting.is_reached(len(commits)):
                return commits, meeting.base_rows
    return commits, None


class _Meeting:
    """Finds where a walk has passed all that is new, and exactly the first rows of the base of what is old."""

    def __init__(self, base: Index, tips: Iterable[str]) -> None:
        raw = base.raw_oids()
        self._base = base
        self._row_of = {raw[at * OID_BYTES : (at + 1) * OID_BYTES]: at for at in range(base.rows)}
        self._open = set(tips)
        self.base_rows = 0
        self._deepest = -1
        self._next_look = 0

    def pass_by(self, oid: str, parents: list[str]) -> None:
        self._open.discard(oid)
        self._open.update(parents)
        row = self._row_of.get(bytes.fromhex(oid))
        if row is not None:
            self.base_rows += 1
            self._deepest = max(self._deepest, row)

    def is_reached(self, rows: int) -> bool:
        if self.base_rows != self._deepest + 1 or rows < self._next_look:
            return False
        self._next_look = rows + 1 + rows // 8  # a look costs as much as there are rows above
        open_rows = {self._row_of.get(bytes.fromhex(oid)) for oid in self._open}
        return None not in open_rows and self._open_in_base() <= open_rows

    def _open_in_base(self) -> set[int | None]:
        """What is open below the base's first rows: from it exactly the rest of them is reached."""
        end = self.base_rows
        found = {row for row in self._base.tip_rows() if row >= end}
        found.update(parent for row in range(end) for parent in self._base.parent_rows(row) if parent >= end)
        return set(found)


def _laid_out(commits: Commits, tips: Sequence[str]) -> Contents:
    row_of = {oid: row for row, (oid, _) in enumerate(commits)}
    contents = Contents(rows=len(commits))
    _add(contents, commits, row_of)
    sweep = Sweep(State())
    for state in checkpoints(sweep, commits):
        contents.checkpoints.append((state.row, packed(state, row_of)))
    contents.oids += bytes.fromhex("".join(row_of))
    contents.tips.extend(sorted({row_of[oid] for oid in tips if oid in row_of}))
    return contents


def _add(contents: Contents, commits: Commits, row_of: dict[str, int]) -> None:
    """Add the edges of commits; parents without a row get numbers behind all rows."""
    for _, parents in commits:
        contents.parents.extend(row_of.setdefault(parent, len(row_of)) for parent in parents)
        contents.edges.append(len(contents.parents))


def _joined(commits: Commits, base: Index, kept_from: int, tips: Sequence[str]) -> Contents:
    """The commits on top of the base's rows from `kept_from` on."""
    distance = len(commits) - kept_from
    row_of = {oid: row for row, (oid, _) in enumerate(commits)}
    row_of |= {base.oid(row): row + distance for row in range(kept_from, base.rows)}
    contents = Contents(rows=len(row_of))
    _add(contents, commits, row_of)
    for row in range(kept_from, base.rows):
        contents.parents.extend(parent + distance for parent in base.parent_rows(row))
        contents.edges.append(len(contents.parents))
    contents.oids += bytes.fromhex("".join(row_of))
    contents.tips.extend(sorted({row_of[oid] for oid in tips}))
    sweep = Sweep(State())
    for state in checkpoints(sweep, commits):
        contents.checkpoints.append((state.row, packed(state, row_of)))
    _take_over(contents, sweep, base, kept_from, row_of)
    return contents


def _take_over(contents: Contents, sweep: Sweep, base: Index, kept_from: int, row_of: dict[str, int]) -> None:
    """Go on with the sweep into the base's rows until its states are the base's, and take those over."""
    distance = sweep.row - kept_from
    at = kept_from
    for number, row in enumerate(base.checkpoint_rows()):
        if row < kept_from:
            continue
        for state in checkpoints(sweep, map(base.commit, range(at, row))):
            contents.checkpoints.append((state.row, packed(state, row_of)))
        at = row
        if sweep.state().is_like(base.state(number)):
            break
    else:
        for state in checkpoints(sweep, map(base.commit, range(at, base.rows))):
            contents.checkpoints.append((state.row, packed(state, row_of)))
        return
    kept = contents.checkpoints
    for later, row in enumerate(base.checkpoint_rows()[number:], start=number):
        if not kept or row + distance > kept[-1][0]:
            kept.append((row + distance, moved(base.checkpoint(later), distance)))


def main() -> None:
    """Build one index as the command line says."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    folder, target, base_path = (Path(one) for one in sys.argv[1:4])
    tips = sys.stdin.read().split()
    try:
        base = Index(base_path) if sys.argv[3] else None
    except (FileNotFoundError, Damaged):
        base = None
    with base or nullcontext():
        write(target, build(BareRepository(folder), tips, base, max_rows=MAX_ROWS))


if __name__ == "__main__":
    main()
