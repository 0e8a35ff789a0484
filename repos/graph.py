"""Commits in log order to lanes and lines; no drawing.

One sweep from the newest commit down. A lane is a column that waits for a commit; each awaited commit has one lane, so
that lines meet as soon as they lead to the same commit. A commit takes the lane that waits for it, its first parent
inherits that lane, further parents get the nearest free one. What the sweep knows between two rows is a `State`: given
it and the commits that follow, a page in the middle of a history is laid out without those above it.

The width is bounded: beyond `MAX_LANES` the line that has had nothing to show for longest is cut, to be taken up again
where its commit stands. gitk cuts long lines so, too; the sweep itself is that of `git log --graph`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

MAX_LANES: Final = 24
COLOURS: Final = 8


class Line(NamedTuple):
    """A line through a row, from a lane at its top to a lane at its bottom; one that leaves the row's commit begins
    at the commit, in the middle of its lane."""

    top: int
    bottom: int
    colour: int
    leaves_commit: bool


class Lane(NamedTuple):
    """A column in use.

    Attributes:
        oid: The commit that it waits for.
        colour: From 0 to COLOURS - 1.
        since: The row since which nothing has happened in it.
    """

    oid: str
    colour: int
    since: int


@dataclass(frozen=True)
class Row:
    """One commit's row.

    Attributes:
        oid, parent_oids: The commit.
        lane: Its column, from 0.
        colour: Of its dot, that of its lane.
        has_line_above: Whether a line comes down to it in its lane.
        is_resumed: Whether lines to it were cut further up.
        lines: All that is drawn below and beside the commit.
        cut_lanes: Lanes whose line ends in this row without having reached its commit, with the colour of each.
        cut_parent_oids: Parents to which no line is drawn, because lines to them are cut already.
        width: Columns that the row needs.
    """

    oid: str
    parent_oids: tuple[str, ...]
    lane: int
    colour: int
    has_line_above: bool
    is_resumed: bool
    lines: tuple[Line, ...]
    cut_lanes: tuple[tuple[int, int], ...]
    cut_parent_oids: tuple[str, ...]
    width: int


@dataclass(frozen=True)
class State:
    """What a sweep knows between two rows.

    Attributes:
        lanes: The columns from the left; None is a free one. The last is never free.
        cut_oids: Commits that are awaited without a lane.
        tip_oids: Tips that were asked for and have not been shown.
        row: How many rows stand above.
    """

    lanes: tuple[Lane | None, ...] = ()
    cut_oids: frozenset[str] = frozenset()
    tip_oids: frozenset[str] = frozenset()
    row: int = 0

    def frontier(self) -> list[str]:
        """The commits from which exactly those below are reachable; where to resume the walk."""
        awaited = [lane.oid for lane in self.lanes if lane is not None]
        return list(dict.fromkeys([*awaited, *sorted(self.cut_oids), *sorted(self.tip_oids)]))


def start(tip_oids: Iterable[str]) -> State:
    """The state above the first row of a history that begins at these tips."""
    return State(tip_oids=frozenset(tip_oids))


class Sweep:
    """Lays out the commits that follow a state, one by one.

    Args:
        state: From `start`, or of the sweep that laid out the rows above.
        max_lanes: How many lanes may be open below a row, at least 2.
    """

    def __init__(self, state: State, max_lanes: int = MAX_LANES) -> None:
        self._lanes: list[Lane | None] = list(state.lanes)
        self._position = {lane.oid: at for at, lane in enumerate(state.lanes) if lane is not None}
        self._cut = set(state.cut_oids)
        self._tips = set(state.tip_oids)
        self._row = state.row
        self._max_lanes = max_lanes

    def state(self) -> State:
        """What is known below the last row."""
        return State(tuple(self._lanes), frozenset(self._cut), frozenset(self._tips), self._row)

    def add(self, oid: str, parent_oids: Sequence[str]) -> Row:
        """The row of the next commit.

        Never a parent before its child: `git rev-list --date-order --parents` has them so from `State.frontier()`.
        """
        parents = tuple(dict.fromkeys(parent_oids))
        has_line_above, is_resumed = oid in self._position, oid in self._cut
        self._cut.discard(oid)
        self._tips.discard(oid)
        at = self._position[oid] if has_line_above else self._open(oid, near=0)
        own = self._lanes[at]
        assert own is not None
        del self._position[oid]
        self._lanes[at] = None
        passing = {i: Line(i, i, lane.colour, False) for i, lane in enumerate(self._lanes) if lane is not None}
        if parents and self._position.get(parents[0], at) > at:
            self._move(passing, self._position[parents[0]], at)
        leaving, cut_parents = self._lead_to_parents(parents, at, own.colour)
        cut = self._cut_idle_lanes()
        cut_parents += [cut[line.bottom].oid for line in leaving if line.bottom in cut]
        cut_lanes = tuple((line.top, line.colour) for line in passing.values() if line.bottom in cut)
        lines = tuple(line for line in (*passing.values(), *leaving) if line.bottom not in cut)
        while self._lanes and self._lanes[-1] is None:
            self._lanes.pop()
        self._row += 1
        width = 1 + max(at, *(max(line.top, line.bottom) for line in lines), *(i for i, _ in cut_lanes), 0)
        return Row(
            oid, parents, at, own.colour, has_line_above, is_resumed, lines, cut_lanes, tuple(cut_parents), width
        )

    def _move(self, passing: dict[int, Line], source: int, target: int) -> None:
        """Bend the line in one lane to a free lane on its left: a line of first parents stays where it is, and what
        branched off it comes back to it."""
        lane = self._lanes[source]
        assert lane is not None
        self._lanes[source] = None
        self._take(target, lane)
        passing[source] = passing[source]._replace(bottom=target)

    def _lead_to_parents(self, parents: tuple[str, ...], at: int, colour: int) -> tuple[list[Line], list[str]]:
        """Lines from the commit in lane `at` to its parents' lanes, and the parents that have none."""
        leaving: list[Line] = []
        cut: list[str] = []
        for number, parent in enumerate(parents):
            if parent in self._cut:
                cut.append(parent)
                continue
            if parent not in self._position:
                if number == 0:
                    self._take(at, Lane(parent, colour, self._row))
                else:
                    self._open(parent, near=at)
            bottom = self._position[parent]
            lane = self._lanes[bottom]
            assert lane is not None
            lane = lane._replace(since=self._row, colour=colour if bottom == at else lane.colour)
            self._lanes[bottom] = lane
            leaving.append(Line(at, bottom, colour if number == 0 else lane.colour, True))
        return leaving, cut

    def _open(self, oid: str, *, near: int) -> int:
        """Give a commit the free lane that is nearest to another, of two the left one; a new one where none is free."""
        free = [i for i, lane in enumerate(self._lanes) if lane is None]
        at = min(free, key=lambda i: (abs(i - near), i), default=len(self._lanes))
        self._take(at, Lane(oid, self._colour(at), self._row))
        return at

    def _take(self, at: int, lane: Lane) -> None:
        if at == len(self._lanes):
            self._lanes.append(None)
        self._lanes[at] = lane
        self._position[lane.oid] = at

    def _colour(self, at: int) -> int:
        """The colour that fewest lanes have, and of those one that no neighbour has."""
        uses = [0] * COLOURS
        for i, lane in enumerate(self._lanes):
            if lane is not None:
                uses[lane.colour] += 100 if abs(i - at) == 1 else 1
        return min(range(COLOURS), key=lambda colour: (uses[colour], (colour - self._row) % COLOURS))

    def _cut_idle_lanes(self) -> dict[int, Lane]:
        """Close the lanes that have been idle for longest, of equals the right ones, until no more are open than may
        be; what was closed, by its place."""
        by_idleness = sorted((lane.since, -i, lane) for i, lane in enumerate(self._lanes) if lane is not None)
        cut = {-negative: lane for _, negative, lane in by_idleness[: max(0, len(by_idleness) - self._max_lanes)]}
        for i, lane in cut.items():
            self._lanes[i] = None
            del self._position[lane.oid]
            self._cut.add(lane.oid)
        return cut
